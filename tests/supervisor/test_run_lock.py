"""A state directory has one owner, and a dead one is none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rookery.supervisor.errors import UsageError
from rookery.supervisor.run_lock import hold_run_lock


def test_a_second_owner_is_refused_with_the_first_ones_pid(tmp_path: Path) -> None:
    """The message says whom to stop."""
    with (
        hold_run_lock(tmp_path),
        pytest.raises(UsageError, match=f"pid {os.getpid()};"),
        hold_run_lock(tmp_path),
    ):
        pass


def test_the_lock_is_free_after_its_block(tmp_path: Path) -> None:
    """The next owner needs no cleaning up, and no pid stays behind."""
    with hold_run_lock(tmp_path):
        pass
    left = (tmp_path / "run.lock").read_text()

    with hold_run_lock(tmp_path):
        held = (tmp_path / "run.lock").read_text()

    assert (left, held) == ("", f"{os.getpid()}\n")


@pytest.mark.slow
def test_an_owner_that_was_killed_owns_nothing(tmp_path: Path) -> None:
    """The kernel lets go of the lock; the pid in the file is not believed."""
    program = (
        "import os, pathlib, sys\nfrom rookery.supervisor.run_lock import hold_run_lock\n"
        "with hold_run_lock(pathlib.Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert (tmp_path / "run.lock").read_text()

    with hold_run_lock(tmp_path):
        held = (tmp_path / "run.lock").read_text()

    assert held == f"{os.getpid()}\n"


def test_a_directory_that_is_not_there_is_a_clear_mistake(tmp_path: Path) -> None:
    """One sentence with the directory in it."""
    with (
        pytest.raises(UsageError, match="nowhere cannot be used: No such file"),
        hold_run_lock(tmp_path / "nowhere"),
    ):
        pass
