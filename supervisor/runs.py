"""Which runners has an earlier host left running, and how is it proved that a process is one of them?

Each living runner has a file ``runs/<boot id>/<shard>.<incarnation>`` in the state directory. A host that is killed cannot
remove its files, and a runner, or a daemon that a plugin has made, may have outlived it. The next host, which has the lock
and so knows that there is no other, ends what is left. A number proves nothing, since it may be another's by now: the
process must have started at the tick that the file names, and must carry the runner's name in its environment. A daemon is
in no file, and is known by that name alone, which no other host has ever given.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import attrs
import trio

from .process_look import all_processes, start_time, started_with
from .run_name import RUN_VARIABLE, boot_id

if TYPE_CHECKING:
    from pathlib import Path

_LOG = logging.getLogger(__name__)

RUNS_DIRECTORY = "runs"

KILL_WAIT = 2.0
"""Seconds for the killed ones to be gone, before the new host starts."""


@attrs.frozen(kw_only=True)
class _Entry:
    """What a file says."""

    pid: int
    started: int
    cookie: str


class RunsDirectory:
    """The files of this host's living runners.

    Args:
        state_dir: The host owns it (``hold_run_lock``).
        boot: What this start of the machine is called; "" where it has no name, and then there are no files.
    """

    def __init__(self, state_dir: Path, boot: str | None = None) -> None:
        self._root = state_dir / RUNS_DIRECTORY
        self._boot = boot_id() if boot is None else boot
        self._has_complained = False

    def note(self, run: str, pid: int, cookie: str, *, started: int | None = None) -> None:
        """Remember a runner. One that cannot be written down runs all the same.

        Args:
            run: ``<shard>.<incarnation>``.
            started: The tick in which it did, where that is known; None asks the kernel.
        """
        started = start_time(pid) if started is None else started
        if not self._boot or started is None:
            return
        entry = _Entry(pid=pid, started=started, cookie=cookie)
        try:
            for directory in (self._root, self._root / self._boot):
                directory.mkdir(mode=0o700, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(self._path_of(run), flags, 0o600), "w", encoding="utf-8") as file:
                json.dump(attrs.asdict(entry), file)
        except OSError as error:
            if not self._has_complained:
                self._has_complained = True
                _LOG.warning(
                    "runners are not noted in %s (%s): if this host is killed, the next one does not know what it left",
                    self._root,
                    error.strerror,
                )

    def forget(self, run: str) -> None:
        """Its process has been reaped."""
        try:
            self._path_of(run).unlink(missing_ok=True)
        except OSError:
            pass  # the next host finds that the process is not there

    def close(self) -> None:
        """Remove the directory, unless there is a runner in it that could not be ended."""
        for directory in (self._root / self._boot, self._root):
            try:
                directory.rmdir()
            except OSError:
                return

    async def sweep(self) -> list[int]:
        """End what an earlier host has left, and remove its files. Waits two seconds at most.

        Returns:
            The process ids that were sent SIGKILL.
        """
        entries = self._read_entries()
        killed: list[int] = []
        with ExitStack() as stack:
            pidfds = []
            for pid in _candidates(entries):
                pidfd = _kill_if_proved(pid, entries)
                if pidfd is not None:
                    stack.callback(os.close, pidfd)
                    pidfds.append(pidfd)
                    killed.append(pid)
            with trio.move_on_after(KILL_WAIT):
                for pidfd in pidfds:
                    await trio.lowlevel.wait_readable(pidfd)
        if killed:
            _LOG.warning("ended what an earlier host had left running: %s", ", ".join(map(str, killed)))
        # Also those of other boots: nothing that ran then can run now.
        shutil.rmtree(self._root, ignore_errors=True)
        return killed

    def _path_of(self, run: str) -> Path:
        return self._root / self._boot / run

    def _read_entries(self) -> dict[str, _Entry]:
        """What is on record for this boot, by cookie. What cannot be read is on no record: the power may have failed."""
        found: dict[str, _Entry] = {}
        if not self._boot:
            return found
        try:
            paths = list((self._root / self._boot).iterdir())
        except OSError:
            return found
        for path in paths:
            try:
                entry = _structure(json.loads(path.read_text("utf-8")))
            except (OSError, ValueError):
                continue
            found[entry.cookie] = entry
        return found


def _structure(content: Any) -> _Entry:
    if not isinstance(content, dict):
        raise ValueError("not an object")
    pid, started, cookie = (content.get(name) for name in ("pid", "started", "cookie"))
    if not isinstance(pid, int) or not isinstance(started, int) or not isinstance(cookie, str):
        raise ValueError("a value is missing")
    if pid <= 1 or not cookie:
        raise ValueError("no runner has these")
    return _Entry(pid=pid, started=started, cookie=cookie)


def _candidates(entries: dict[str, _Entry]) -> list[int]:
    """All processes: a daemon is in no file. Costs milliseconds, and only after a host was killed."""
    return all_processes() if entries else []


def _kill_if_proved(pid: int, entries: dict[str, _Entry]) -> int | None:
    """Its pidfd, when it was one of those and was sent SIGKILL."""
    if pid == os.getpid() or not hasattr(os, "pidfd_open"):
        return None
    # The pidfd first: what is proved afterwards is proved of the process that the signal goes to.
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return None
    if _is_proved(pid, entries):
        try:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            return pidfd
        except (ProcessLookupError, PermissionError):
            pass
    os.close(pidfd)
    return None


def _is_proved(pid: int, entries: dict[str, _Entry]) -> bool:
    entry = entries.get(started_with(pid, RUN_VARIABLE))
    started = start_time(pid)
    if entry is None or started is None:
        return False
    # The runner itself, or something that it has started, which is younger.
    return started == entry.started if pid == entry.pid else started >= entry.started
