"""A saved file is noticed by the kernel's word or by looking, once, with everything that was saved with it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing
from pathlib import Path

import pytest
import trio
import watchfiles

from rookery.supervisor.file_changes import Changes, changes_by_kernel, changes_by_looking

pytestmark = pytest.mark.slow

PATIENCE = 20.0


@pytest.fixture(params=[changes_by_kernel, changes_by_looking])
def watch(request: pytest.FixtureRequest) -> Callable[[Iterable[Path]], Changes]:
    found: Callable[[Iterable[Path]], Changes] = request.param
    return found


async def first_burst(changes: Changes, directory: Path, *, act: Callable[[], object]) -> set[Path]:
    """What is told of what is done, from the moment on at which it is watched."""
    found: list[set[Path]] = []
    settled = directory / "settled.py"
    async with trio.open_nursery() as nursery:
        watched = trio.Event()

        async def collect() -> None:
            async for burst in changes:
                if settled in burst:
                    watched.set()
                if rest := {path for path in burst if path != settled}:
                    found.append(rest)
                    return

        nursery.start_soon(collect)
        with trio.fail_after(PATIENCE):
            while not watched.is_set():  # nobody says when the kernel has begun to look
                settled.write_text(f"{trio.current_time()}")
                await trio.sleep(0.1)
            act()
    await changes.aclose()
    return found[0]


async def test_a_saved_file_is_noticed(tmp_path: Path, watch: Callable[[Iterable[Path]], Changes]) -> None:
    """Written in place, put in place by a rename as editors do, made in a new directory, or removed."""
    inner = tmp_path / "one" / "two"
    inner.mkdir(parents=True)
    for name in ("written.py", "replaced.py", "removed.py"):
        (inner / name).write_text("1")

    def save() -> None:
        (inner / "written.py").write_text("22")
        (inner / "other.py~").write_text("22")
        os.replace(inner / "other.py~", inner / "replaced.py")
        (inner / "removed.py").unlink()

    burst = await first_burst(watch([tmp_path]), tmp_path, act=save)

    assert {inner / "written.py", inner / "replaced.py", inner / "removed.py"} <= burst


async def test_noise_is_not_told(tmp_path: Path, watch: Callable[[Iterable[Path]], Changes]) -> None:
    """Caches and hidden files change all the time."""
    cache = tmp_path / "__pycache__"
    cache.mkdir()

    def save() -> None:
        (cache / "x.pyc").write_text("1")
        (tmp_path / ".x.swp").write_text("1")
        (tmp_path / "x.py").write_text("1")

    burst = await first_burst(watch([tmp_path]), tmp_path, act=save)

    assert burst == {tmp_path / "x.py"}


async def test_a_failure_of_the_watching_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library waits in a nursery of its own, and what fails in it comes out as a group."""

    async def fail(*_: object, **__: object) -> AsyncIterator[set[tuple[int, str]]]:
        raise ExceptionGroup("of a nursery", [PermissionError(13, "Permission denied")])
        yield set()

    monkeypatch.setattr("watchfiles.awatch", fail)

    with pytest.raises(OSError, match="Permission denied"):
        await anext(changes_by_kernel([tmp_path]))


async def test_what_was_made_in_a_new_directory_before_it_is_watched_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel tells of the directory alone then, and of nothing that is not changed afterwards."""
    (tmp_path / "new" / "below").mkdir(parents=True)
    file = tmp_path / "new" / "below" / "it.py"
    file.write_text("1")

    async def told(*_: object, **__: object) -> AsyncIterator[set[tuple[watchfiles.Change, str]]]:
        yield {(watchfiles.Change.added, str(tmp_path / "new"))}

    monkeypatch.setattr(watchfiles, "awatch", told)
    async with aclosing(changes_by_kernel([tmp_path])) as bursts:
        assert await anext(bursts) == {tmp_path / "new", file}
