"""What is left of an environment that is not wanted any more, or could not be built?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from rookery.supervisor.environment import DONE, Built, NotBuilt

pytestmark = pytest.mark.slow


def install_installer(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Have this shell script be the installer."""
    directory.mkdir()
    program = directory / "uv"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")


async def test_an_installer_ends_with_all_that_it_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop does not leave downloads running."""
    started = tmp_path / "started"
    install_installer(tmp_path / "bin", monkeypatch, f"sleep 3600 & echo $! > {started}; wait")
    (tmp_path / "list.txt").write_text("anything\n")
    built = Built(tmp_path / "list.txt", tmp_path / "environments")

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(built.build)
            while not (started.exists() and started.read_text().strip()):
                await trio.sleep(0.01)  # a real process on the real clock
            nursery.cancel_scope.cancel()
        child = int(started.read_text())
        while os.path.exists(f"/proc/{child}/cmdline") and Path(f"/proc/{child}/cmdline").read_bytes():
            await trio.sleep(0.01)  # the kernel is at it

    assert not built.is_ready


async def test_what_the_installer_says_is_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing half-built is ever used; the next attempt begins anew."""
    install_installer(tmp_path / "bin", monkeypatch, "echo there is no such package >&2; exit 3")
    (tmp_path / "list.txt").write_text("anything\n")
    built = Built(tmp_path / "list.txt", tmp_path / "environments")

    with pytest.raises(NotBuilt, match="there is no such package"):
        await built.build()
    with pytest.raises(FileNotFoundError) as refused:
        built.command()

    assert "there is no such package" in str(refused.value)
    assert not (built.place / DONE).exists()
