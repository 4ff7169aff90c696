"""May this host make control groups, and what does a runner get by one of its own?

In a group of its own (version 2) a runner can use so much memory and so many processes, and not a byte or a thread more; the
kernel kills all of it at one word, however it forks; and it says whether memory was what a process died of.

The host makes groups only below a group that was delegated to it: systemd marks one with an attribute (``Delegate=yes``),
and an administrator by giving a user a directory whose parent is not the user's. What merely can be written to is not
enough, since the service manager of the machine believes that it is alone. As no group with processes may have limits for
its children, the host moves itself into a leaf, and back at the end.
"""

from __future__ import annotations

import logging
import os
import signal
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .limits import ShardLimits

_LOG = logging.getLogger(__name__)

MOUNT = Path("/sys/fs/cgroup")
OWN_GROUP = Path("/proc/self/cgroup")
HOST_LEAF = "host"
_RUNNER = "runner-"
_CONTROLLERS = frozenset({"memory", "pids"})
_MARKS = ("user.delegate", "trusted.delegate")


class NotDelegated(Exception):
    """There can be no groups; the reason is the text. Every deployment works without."""


def find_delegated(mount: Path = MOUNT, own_group: Path = OWN_GROUP, *, pid: int | None = None) -> Path:
    """The directory of the group that the host is in and may divide.

    Args:
        mount, own_group: Where the system has them.
        pid: Of the host; None is this process.

    Raises:
        NotDelegated: It may not.
    """
    try:
        lines = own_group.read_text("utf-8").splitlines()
    except OSError:
        raise NotDelegated("this system has no control groups") from None
    path = next((line[3:] for line in lines if line.startswith("0::")), None)
    if path is None:
        raise NotDelegated("this system has no control groups of version 2")
    group = mount / path.lstrip("/")
    if _CONTROLLERS - set(_read(group / "cgroup.controllers").split()):
        raise NotDelegated("the controllers for memory and processes are not there")
    if not (group / "cgroup.type").exists():
        raise NotDelegated("the host is in the group of the whole machine")
    if not (_is_marked(group) or _is_given(group)):
        raise NotDelegated("not delegated")
    if not all(os.access(group / name, os.W_OK) for name in (".", "cgroup.procs", "cgroup.subtree_control")):
        raise NotDelegated("delegated, but it cannot be written to")
    if set(_read(group / "cgroup.procs").split()) - {str(pid or os.getpid())}:
        raise NotDelegated("other processes are in the host's group")
    return group


@contextmanager
def open_groups(
    mount: Path = MOUNT, own_group: Path = OWN_GROUP
) -> Iterator[tuple[ControlGroups | None, str]]:
    """Groups for the runners, for as long as the block runs: None where there can be none, and how it stands in words."""
    try:
        group = find_delegated(mount, own_group)
        groups = ControlGroups(group)
        groups.open()
    except NotDelegated as error:
        yield None, str(error)
        return
    except OSError as error:
        _LOG.warning("no control groups although they are delegated: %s", error)
        yield None, f"delegated, but: {error.strerror}"
        return
    try:
        yield groups, str(group)
    finally:
        groups.close()


class ControlGroups:
    """The delegated group, divided into a leaf for the host and one for each runner."""

    def __init__(self, group: Path) -> None:
        self._group = group
        self._removable: list[Leaf] = []

    def __repr__(self) -> str:
        return f"<ControlGroups in {self._group}>"

    def open(self) -> None:
        """Divide it.

        Raises:
            OSError: The kernel refuses; it is as before.
        """
        for path in self._group.glob(f"{_RUNNER}*"):  # of a host that was killed here
            stale = Leaf(path)
            stale.kill()
            stale.remove()
        (self._group / HOST_LEAF).mkdir(exist_ok=True)
        try:
            _write(self._group / HOST_LEAF / "cgroup.procs", str(os.getpid()))
            self._share_processor()
            _write(self._group / "cgroup.subtree_control", "+memory +pids")
        except OSError:
            self.close()
            raise

    def _share_processor(self) -> None:
        if "cpu" not in _read(self._group / "cgroup.controllers").split():
            return
        try:
            _write(self._group / "cgroup.subtree_control", "+cpu")
        except OSError as error:  # processes with real-time priority are somewhere in the machine, for one
            _LOG.warning("runners get no processor time by weight: %s", error.strerror)

    def open_leaf(self, run: str, limits: ShardLimits | None) -> Leaf | None:
        """A group for one runner; None, and a warning, when it cannot be made: the runner starts without."""
        leaf = Leaf(self._group / f"{_RUNNER}{run}")
        try:
            leaf.open(limits)
        except OSError as error:
            _LOG.warning("no control group for %s: %s", run, error.strerror)
            return None
        return leaf

    def remove(self, leaf: Leaf) -> None:
        """Remove it when the last of it has gone, now or later."""
        self._removable.append(leaf)
        self.remove_empty()

    def remove_empty(self) -> bool:
        """Remove what can be removed; whether something is left."""
        self._removable = [leaf for leaf in self._removable if not leaf.remove()]
        return bool(self._removable)

    def close(self) -> None:
        """Undo the division, as far as the kernel lets it be undone."""
        self.remove_empty()
        for path, text in (
            (self._group / "cgroup.subtree_control", "-cpu"),
            (self._group / "cgroup.subtree_control", "-memory -pids"),
            (self._group / "cgroup.procs", str(os.getpid())),
        ):
            try:
                _write(path, text)
            except OSError:
                pass  # something lives on below: the service manager removes the whole
        _remove(self._group / HOST_LEAF)


@attrs.frozen
class Leaf:
    """The group of one runner."""

    path: Path

    def open(self, limits: ShardLimits | None) -> None:
        """Make it, with limits.

        Raises:
            OSError: It cannot be made, or not be limited; nothing of it is left.
        """
        self.path.mkdir()
        try:
            if limits is not None and limits.rss_hard:
                _write(self.path / "memory.max", str(limits.rss_hard))
                # One that has lost a process for memory is of no more use: all of it goes, and a new one comes.
                _write(self.path / "memory.oom.group", "1")
            if limits is not None and limits.pids:
                _write(self.path / "pids.max", str(limits.pids))
            if limits is not None and limits.cpu_weight != 100 and (self.path / "cpu.weight").exists():
                _write(self.path / "cpu.weight", str(limits.cpu_weight))
        except OSError:
            _remove(self.path)
            raise

    def add(self, pid: int) -> None:
        """Put a process in, which has no children yet."""
        try:
            _write(self.path / "cgroup.procs", str(pid))
        except OSError:
            pass  # it is dead already, which its pidfd will say

    def kill(self) -> None:
        """SIGKILL to everything in it; nothing that forks gets away."""
        try:
            _write(self.path / "cgroup.kill", "1")
        except OSError:  # before Linux 5.14
            self._kill_each()

    def _kill_each(self) -> None:
        with ExitStack() as stack:
            pidfds = {}
            for pid in self._pids:
                try:
                    pidfds[pid] = os.pidfd_open(pid)
                except OSError:
                    continue
                stack.callback(os.close, pidfds[pid])
            # Read again: what is still there now is what the descriptor means, and it is the runner's.
            for pid in self._pids & pidfds.keys():
                try:
                    signal.pidfd_send_signal(pidfds[pid], signal.SIGKILL)
                except (ProcessLookupError, PermissionError):
                    pass

    @property
    def _pids(self) -> set[int]:
        return {int(pid) for pid in _read(self.path / "cgroup.procs").split()}

    @property
    def is_populated(self) -> bool:
        """Whether something in it lives."""
        return "populated 1" in _read(self.path / "cgroup.events")

    @property
    def oom_kills(self) -> int:
        """How many processes the kernel has killed in it for memory."""
        for line in _read(self.path / "memory.events").splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill" and count.isdigit():
                return int(count)
        return 0

    def remove(self) -> bool:
        """Remove it, unless something in it lives; whether it is gone."""
        if self.is_populated:
            return False
        return _remove(self.path)


def _is_marked(group: Path) -> bool:
    if not hasattr(os, "getxattr"):
        return False
    for mark in _MARKS:
        try:
            if os.getxattr(group, mark) == b"1":
                return True
        except OSError:
            pass
    return False


def _is_given(group: Path) -> bool:
    own = os.geteuid()
    return own != 0 and group.stat().st_uid == own and group.parent.stat().st_uid != own


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError:
        return ""


def _write(path: Path, text: str) -> None:
    # Unbuffered and once: the kernel takes each write as a whole, and answers it with an error.
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _remove(path: Path) -> bool:
    try:
        path.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
