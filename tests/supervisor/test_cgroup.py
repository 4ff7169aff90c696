"""Control groups: on a tree of plain files, and for real where this machine delegates one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rookery.supervisor import cgroup
from rookery.supervisor.cgroup import (
    HOST_LEAF,
    ControlGroups,
    Leaf,
    NotDelegated,
    find_delegated,
    open_groups,
)
from rookery.supervisor.limits import ShardLimits

LEAF_FILES = ("cgroup.procs", "cgroup.kill", "memory.max", "memory.oom.group", "pids.max", "cpu.weight")


class FakeKernel:
    """A mount in which every new directory has the files of a group, as far as plain files can play that."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mount = directory / "cgroup"
        self.own_group = directory / "own"
        self.group = self.mount / "system.slice" / "bot.service"
        self.group.mkdir(parents=True)
        self.own_group.write_text("0::/system.slice/bot.service\n")
        for name, text in {
            "cgroup.controllers": "cpu memory pids\n",
            "cgroup.type": "domain\n",
            "cgroup.procs": f"{os.getpid()}\n",
            "cgroup.subtree_control": "",
        }.items():
            (self.group / name).write_text(text)
        self.marks = {"user.delegate": b"1"}
        monkeypatch.setattr(cgroup.os, "getxattr", self._get_mark, raising=False)
        real = Path.mkdir
        monkeypatch.setattr(Path, "mkdir", lambda path, **more: self._make(real, path, **more))
        monkeypatch.setattr(cgroup, "_remove", self._remove)

    def _get_mark(self, _: Path, name: str) -> bytes:
        if name not in self.marks:
            raise OSError(61, "no such attribute")
        return self.marks[name]

    def _make(self, real, path: Path, **more: bool) -> None:  # type: ignore[no-untyped-def]
        real(path, **more)
        for name in LEAF_FILES:
            (path / name).touch()

    @staticmethod
    def _remove(path: Path) -> bool:
        for file in path.glob("*"):
            file.unlink()
        path.rmdir()
        return True

    def find(self) -> Path:
        return find_delegated(self.mount, self.own_group)


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    return FakeKernel(tmp_path, monkeypatch)


def test_a_delegated_group_is_found(kernel: FakeKernel) -> None:
    """By systemd's mark."""
    assert kernel.find() == kernel.group


def test_what_is_not_delegated_is_left_alone(kernel: FakeKernel) -> None:
    """Whatever could be written to: the reason is said in words."""
    reasons = []

    def refuse() -> None:
        with pytest.raises(NotDelegated) as caught:
            kernel.find()
        reasons.append(str(caught.value))

    (kernel.group / "cgroup.procs").write_text(f"{os.getpid()}\n1\n")
    refuse()
    kernel.marks = {"user.delegate": b"0"}
    refuse()
    (kernel.group / "cgroup.type").unlink()
    refuse()
    (kernel.group / "cgroup.controllers").write_text("cpu\n")
    refuse()
    kernel.own_group.write_text("4:memory:/a\n")
    refuse()
    kernel.own_group.unlink()
    refuse()

    assert reasons == [
        "other processes are in the host's group",
        "not delegated",
        "the host is in the group of the whole machine",
        "the controllers for memory and processes are not there",
        "this system has no control groups of version 2",
        "this system has no control groups",
    ]


def test_the_host_moves_into_a_leaf_and_back(kernel: FakeKernel) -> None:
    """A group with processes may have no limits for its children."""
    with open_groups(kernel.mount, kernel.own_group) as (groups, text):
        inside = [
            (kernel.group / HOST_LEAF / "cgroup.procs").read_text(),
            (kernel.group / "cgroup.subtree_control").read_text(),
        ]

    assert isinstance(groups, ControlGroups)
    assert text == str(kernel.group)
    assert inside == [str(os.getpid()), "+memory +pids"]
    assert (kernel.group / "cgroup.procs").read_text().startswith(str(os.getpid()))
    assert not (kernel.group / HOST_LEAF).exists()


def test_a_runner_gets_its_limits(kernel: FakeKernel) -> None:
    """In bytes and in processes; what is not limited is not written."""
    groups = ControlGroups(kernel.group)
    limited = groups.open_leaf("games.1", ShardLimits(rss_hard=900_000_000, pids=99, cpu_weight=50))
    free = groups.open_leaf("games.2", ShardLimits(rss_hard=0, pids=0))
    assert limited is not None
    assert free is not None
    limited.add(4711)

    texts = {name: (limited.path / name).read_text() for name in LEAF_FILES}

    assert texts == {
        "cgroup.procs": "4711",
        "cgroup.kill": "",
        "memory.max": "900000000",
        "memory.oom.group": "1",
        "pids.max": "99",
        "cpu.weight": "50",
    }
    assert (free.path / "memory.max").read_text() == ""


def test_a_leaf_goes_when_nobody_is_in_it(kernel: FakeKernel) -> None:
    """It is killed at one word, and removed when the kernel says that nothing lives in it."""
    groups = ControlGroups(kernel.group)
    leaf = groups.open_leaf("games.1", None)
    assert leaf is not None
    (leaf.path / "cgroup.events").write_text("populated 1\nfrozen 0\n")
    leaf.kill()
    groups.remove(leaf)
    kept = leaf.path.exists()
    (leaf.path / "cgroup.events").write_text("populated 0\nfrozen 0\n")

    groups.remove_empty()

    assert kept
    assert not leaf.path.exists()


def test_the_kernels_word_about_memory_is_read(kernel: FakeKernel) -> None:
    """And its silence is none."""
    leaf = Leaf(kernel.group)
    before = leaf.oom_kills
    (kernel.group / "memory.events").write_text("low 0\noom 3\noom_kill 2\noom_group_kill 1\n")

    assert (before, leaf.oom_kills) == (0, 2)


def test_an_old_kernel_kills_one_by_one(kernel: FakeKernel) -> None:
    """Only what is in the group, through a descriptor."""
    leaf = ControlGroups(kernel.group).open_leaf("games.1", None)
    assert leaf is not None
    (leaf.path / "cgroup.kill").unlink()
    with subprocess.Popen(["/bin/sleep", "60"]) as child:
        leaf.add(child.pid)

        leaf.kill()

        assert child.wait() == -9


def test_a_group_that_cannot_be_made_is_done_without(
    kernel: FakeKernel, caplog: pytest.LogCaptureFixture
) -> None:
    """The runner starts, and a line says what it starts without."""
    kernel.group.joinpath("runner-games.1").mkdir()

    assert ControlGroups(kernel.group).open_leaf("games.1", None) is None
    assert "no control group for games.1" in caplog.text


def test_what_a_killed_host_has_left_is_removed(kernel: FakeKernel) -> None:
    """Numbers of runners begin anew with each host."""
    kernel.group.joinpath("runner-games.1").mkdir()

    with open_groups(kernel.mount, kernel.own_group) as (groups, _):
        assert groups is not None
        assert groups.open_leaf("games.1", None) is not None


@pytest.mark.slow
def test_a_real_group_ends_everything_in_it() -> None:
    """Also a daemon that has left its session; and memory and processes are limited."""
    try:
        find_delegated()
    except NotDelegated as error:
        pytest.skip(f"this machine gives the tests no control group: {error}")
    with open_groups() as (groups, _):
        assert groups is not None
        leaf = groups.open_leaf("test.1", ShardLimits(rss_soft=0, rss_hard=200_000_000, pids=20))
        assert leaf is not None
        program = "import os, sys, time\nif os.fork() == 0: os.setsid(); os.fork()\ntime.sleep(60)"
        with subprocess.Popen([sys.executable, "-c", program], start_new_session=True) as child:
            leaf.add(child.pid)
            deadline = time.monotonic() + 10
            while len(leaf._pids) < 3 and time.monotonic() < deadline:
                time.sleep(0.01)

            leaf.kill()
            child.wait()
            while leaf.is_populated and time.monotonic() < deadline:
                time.sleep(0.01)
            groups.remove(leaf)

        assert not leaf.path.exists()
