"""What directories hold, by somebody who would rather not have it known."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rookery.supervisor import disk_use
from rookery.supervisor.disk_use import DEEPEST, TURN, measure_disk
from rookery.supervisor.wear import DiskUse

KIB = 1024


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A directory with one of 100 KiB in a directory of its own."""
    below = tmp_path / "there" / "below"
    below.mkdir(parents=True)
    (below / "file").write_bytes(os.urandom(100 * KIB))
    return tmp_path / "there"


@pytest.fixture
def nest(tmp_path: Path) -> Iterator[Path]:
    """Directories below each other, as deep as is allowed; whoever wants a deeper one adds to it."""
    top = tmp_path / "nest"
    (top / "/".join(["d"] * DEEPEST)).mkdir(parents=True)
    yield top
    shutil.rmtree(top)


def test_files_and_directories_count(there: Path) -> None:
    """By what they take on the disk."""
    use = measure_disk([str(there)])

    assert use.files == 2
    assert 100 * KIB <= use.bytes <= 120 * KIB
    assert (use.largest, use.obstacle) == (str(there), "")


def test_what_is_not_there_holds_nothing(there: Path) -> None:
    """A plugin that has written nothing yet has no directory."""
    assert measure_disk([str(there / "none")]).files == 0
    assert measure_disk([]) == DiskUse()


def test_links_are_not_followed(there: Path, tmp_path: Path) -> None:
    """Neither to files nor to directories, nor in a circle; a link counts as what it is."""
    before = measure_disk([str(there)])
    (tmp_path / "large").write_bytes(bytes(500 * KIB))
    (there / "file").symlink_to(tmp_path / "large")
    (there / "directory").symlink_to(tmp_path)
    (there / "circle").symlink_to(there)

    after = measure_disk([str(there)])

    assert after.files == before.files + 3
    assert after.bytes < before.bytes + 50 * KIB


def test_a_directory_that_is_a_link_is_not_measured(there: Path, tmp_path: Path) -> None:
    """It may lead anywhere."""
    (tmp_path / "link").symlink_to(there)

    assert measure_disk([str(tmp_path / "link")]).obstacle.startswith(f"{tmp_path / 'link'}: ")


def test_a_file_with_several_names_counts_once(there: Path, tmp_path: Path) -> None:
    """Also when the other name is in another of the directories."""
    before = measure_disk([str(there)])
    (tmp_path / "other").mkdir()
    os.link(there / "below" / "file", there / "again")
    os.link(there / "below" / "file", tmp_path / "other" / "again")

    assert measure_disk([str(there), str(tmp_path / "other")]).files == before.files


def test_holes_take_nothing(there: Path) -> None:
    """Its length is a gigabyte, and there is nothing in it."""
    with (there / "holes").open("wb") as file:
        file.truncate(KIB**3)

    assert measure_disk([str(there)]).bytes < 200 * KIB


@pytest.mark.parametrize("limit", [{"most_bytes": 50 * KIB}, {"most_files": 10}])
def test_it_ends_where_a_limit_is_passed(there: Path, limit: dict[str, int]) -> None:
    """A million files are not worth looking at when ten are too many. The directory that holds the most is named."""
    full = there.parent / "full"
    full.mkdir()
    for number in range(200):
        (full / str(number)).write_bytes(bytes(4 * KIB))

    use = measure_disk([str(there.parent / "small"), str(full), str(there)], **limit)

    assert use.largest == str(full)
    assert use.files < 30


def test_a_nest_is_measured_to_its_depth(nest: Path) -> None:
    """With few descriptors; what is deeper is said to be."""
    assert measure_disk([str(nest)]) == DiskUse(
        files=DEEPEST, bytes=measure_disk([str(nest)]).bytes, largest=str(nest)
    )
    deepest = nest / "/".join(["d"] * DEEPEST)
    (deepest / "d").mkdir()

    assert (
        measure_disk([str(nest)]).obstacle == f"{deepest}: more than {DEEPEST} directories below each other"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_directory_that_cannot_be_read_is_told(there: Path) -> None:
    """Whatever is hidden in there cannot be measured."""
    (there / "below").chmod(0)
    try:
        assert measure_disk([str(there)]).obstacle == f"{there / 'below'}: Permission denied"
    finally:
        (there / "below").chmod(0o700)


def test_another_file_system_is_left_alone(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told by its device, as a mount is; a mount of its own needs more rights than a test has."""
    real = os.fstat
    monkeypatch.setattr(disk_use.os, "fstat", lambda it: _elsewhere(real(it)))

    assert measure_disk([str(there)]).files == 0


def _elsewhere(found: os.stat_result) -> os.stat_result:
    return os.stat_result((*found[:2], found.st_dev + 1, *found[3:]))


def test_it_can_be_stopped(there: Path) -> None:
    """Now and then it asks whether to go on."""
    for number in range(2 * TURN):
        (there / str(number)).touch()
    asked = []

    def stop() -> None:
        asked.append(1)
        if len(asked) > 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        measure_disk([str(there)], go_on=stop)
