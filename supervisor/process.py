"""How does a child process start, how is its death proved, and how is it made to go?

A process is spawned by ``Popen`` on the calling thread, which blocks for 0.4 ms: trio's own way spawns in a worker
thread, and what the kernel ties to a parent is tied to that thread, which trio retires after ten idle seconds.

Death is proved by the pidfd. An end of file proves nothing: it comes early from a process that closes its descriptors,
and never while a grandchild holds them. As long as the process is not reaped its number belongs to it, dead or alive,
and so does the number of its process group: every signal is sent before the reaping, never after.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Protocol

import attrs
import trio

from .child_limits import be_nice, limit
from .family_look import look_at_family
from .launch_stage import stage_command
from .limits import ShardLimits
from .process_look import UNKNOWN, ProcessLook, catches, glance_at, look_at
from .wear import NOTHING, FamilyLook

POLL_PERIOD = 0.02
"""Seconds between two looks where there is no pidfd: macOS, or a host without free descriptors."""


@attrs.frozen(kw_only=True)
class Launch:
    """What a child is started with."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = attrs.field(repr=False)
    stdout: int
    """Becomes the child's descriptor 1."""
    stderr: int
    """Becomes the child's descriptor 2."""
    inherited: tuple[int, ...]
    """The only other descriptors that the child gets, under the same numbers."""
    limits: ShardLimits | None = None
    """What it may use; None leaves the host's own limits."""
    may_be_forked: bool = False
    """Whether it may be forked from a zygote, where there is one."""
    plan: bytes = attrs.field(default=b"", repr=False)
    """Of the launch stage that ends as this command (``stage_plan.py``); b"" starts the command itself."""
    is_boxed: bool = False
    """Whether it is started in namespaces of its own, by a process that stays outside and ends with it."""
    link: int | None = None
    """Which of the descriptors connects a runner with its host."""
    lifeline: int | None = None
    """Which of them ends when the host does."""
    run: str = ""
    """``<shard>.<incarnation>``, by which what it leaves behind is known; "" for a child that is known by nothing."""


@attrs.frozen(kw_only=True)
class Usage:
    """What a process has used, known when it was reaped."""

    cpu: float
    """Seconds, its reaped children included."""
    max_rss: int
    """Bytes of resident memory at its largest."""
    oom_kills: int = 0
    """How many of its processes the kernel has killed for memory; known with a control group only."""


class Remains(Protocol):
    """What belongs to a child besides its process group, and how it is ended."""

    def kill(self) -> None:
        """SIGKILL to what the kernel holds together itself."""

    def remember(self, pid: int) -> None:
        """A process of its namespace, whose parent will not wait for it."""

    def members(self) -> list[int]:
        """What is known to descend from it, whoever its parent is by now."""

    @property
    def counts_processes(self) -> bool:
        """Whether the kernel lets it have no more of them than it may."""

    def sweep(self) -> None:
        """SIGKILL to everything that is left; the child is dead and not reaped."""

    def finish(self) -> int:
        """The child was reaped: how many of its processes the kernel has killed for memory."""


class Started(Protocol):
    """A child of this process as ``subprocess`` knows one: ``Popen`` is one of these."""

    pid: int
    returncode: int | None
    """None until somebody has found it dead and has reaped it."""

    def poll(self) -> int | None:
        """Reap it if it is dead."""


class Adopted:
    """A child that another process has forked, and whose parent has ended."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                self.returncode = 0  # somebody else has reaped it, and Popen calls it zero then
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode


class Child(Protocol):
    """What a shard needs of the process it has started; see ``Process``."""

    @property
    def pid(self) -> int: ...

    @property
    def runner_pid(self) -> int: ...

    async def wait_dead(self) -> None: ...

    def ask_to_leave(self) -> None: ...

    def kill(self) -> None: ...

    def sweep(self) -> None: ...

    def ask_for_stacks(self) -> bool: ...

    def resume(self) -> None: ...

    def look(self) -> ProcessLook: ...

    def glance(self) -> ProcessLook: ...

    def look_at_family(self, limits: ShardLimits) -> FamilyLook: ...

    @property
    def usage(self) -> Usage | None: ...

    def reap(self) -> int | None: ...

    def abandon(self) -> None: ...


def spawn(launch: Launch) -> Process:
    """Start a child that leaves nothing behind but its group. Blocks for 0.4 ms.

    Raises:
        OSError: It could not be started; there is nothing to clean up.
    """
    return Process(start(launch))


def start(launch: Launch) -> subprocess.Popen[bytes]:
    """Start a process in a session and a process group of its own, with nothing to read. Blocks for 0.4 ms.

    Raises:
        OSError: It could not be started; there is nothing to clean up.
    """
    if not launch.plan:
        return _open(launch, launch.command)
    descriptor = os.memfd_create("launch", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, launch.plan)
        return _open(launch, stage_command(descriptor), descriptor)
    finally:
        os.close(descriptor)


def _open(launch: Launch, command: tuple[str, ...], *more: int) -> subprocess.Popen[bytes]:
    popen = subprocess.Popen(
        command,
        env=dict(launch.environment),
        stdin=subprocess.DEVNULL,
        stdout=launch.stdout,
        stderr=launch.stderr,
        pass_fds=(*launch.inherited, *more),
        start_new_session=True,
    )
    limit(popen.pid, launch.limits)
    if not launch.plan:  # the launch stage does it itself
        be_nice(popen.pid, launch.limits)
    return popen


class Process:
    """A child from its start to its reaping. ``reap`` must be called in the end.

    Args:
        popen: Freshly started, the leader of its process group.
        remains: What else belongs to it; None for nothing.
        pidfd: It is taken over; None opens one.
    """

    def __init__(self, popen: Started, remains: Remains | None = None, pidfd: int | None = None) -> None:
        self._popen = popen
        self._remains = remains
        self._pidfd = open_pidfd(popen.pid) if pidfd is None else pidfd
        self.usage: Usage | None = None
        """None until it was reaped, and where somebody else has reaped it."""

    def __repr__(self) -> str:
        state = "running" if self._popen.returncode is None else f"reaped, {self._popen.returncode}"
        return f"<Process {self.pid} {state}>"

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def runner_pid(self) -> int:
        """Of the runner itself, where another process was started that it lives behind."""
        return self.pid

    async def wait_dead(self) -> None:
        """Wait until it has died. It is not reaped by that. One task at a time may wait."""
        if self._pidfd is not None:
            await trio.lowlevel.wait_readable(self._pidfd)
            return
        while not self._has_died():  # noqa: ASYNC110  # there is nothing to be woken by
            await trio.sleep(POLL_PERIOD)

    def ask_to_leave(self) -> None:
        """SIGTERM to the group, and SIGCONT, without which a stopped process would not see it."""
        self._signal_group(signal.SIGTERM)
        self._signal_group(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL to the group. After the death of the process, to what is left of its group."""
        self._signal_group(signal.SIGKILL)
        if self._remains is not None:
            self._remains.kill()

    def sweep(self) -> None:
        """End what a dead process has left behind. Before the reaping: until then its number is not another's."""
        self._signal_group(signal.SIGKILL)
        if self._remains is not None:
            self._remains.sweep()

    def ask_for_stacks(self) -> bool:
        """Have it write its stacks to standard error; False when it does not know how to, and would be ended instead."""
        if not self._is_ours() or not catches(self.pid, signal.SIGUSR1):
            return False
        try:
            os.kill(self.pid, signal.SIGUSR1)
        except ProcessLookupError:
            return False
        return True

    def resume(self) -> None:
        """SIGCONT to the group: a process that was stopped goes on, and nothing happens to others."""
        self._signal_group(signal.SIGCONT)

    def look(self) -> ProcessLook:
        """What the kernel says about it now."""
        return look_at(self.pid) if self._is_ours() else UNKNOWN

    def glance(self) -> ProcessLook:
        """As ``look``, but for the tracer: for once a second."""
        return glance_at(self.pid) if self._is_ours() else UNKNOWN

    def look_at_family(self, limits: ShardLimits) -> FamilyLook:
        """What it uses now with all that descends from it, as far as there are limits that nobody else watches."""
        tasks = 0 if self._remains is not None and self._remains.counts_processes else limits.pids
        if not (limits.memory or tasks) or not self._is_ours():
            return NOTHING
        others = self._remains.members() if self._remains is not None else ()
        least = limits.memory and min(limits.memory, limits.rss_soft or limits.memory)
        found = look_at_family([*self._heads(), *others], memory=least, tasks=tasks)
        return found if tasks else attrs.evolve(found, tasks=0)

    def _heads(self) -> list[int]:
        return [self.pid]

    def reap(self) -> int | None:
        """Take its status and let its number go: the exit code, or minus the number of the signal.

        None when it is not dead yet; then nothing has changed.
        """
        if self._popen.returncode is None:
            self._take_status()
        status = self._popen.poll()
        if status is not None:
            self._close_pidfd()
            self._finish()
        return status

    def _finish(self) -> None:
        remains, self._remains = self._remains, None
        oom_kills = remains.finish() if remains is not None else 0
        if self.usage is not None and oom_kills:
            self.usage = attrs.evolve(self.usage, oom_kills=oom_kills)

    def _take_status(self) -> None:
        # As Popen.poll, but with what the process has used. Popen is told, so that it does not wait for it again.
        try:
            pid, status, used = os.wait4(self.pid, os.WNOHANG)
        except ChildProcessError:
            return  # somebody else has reaped it; Popen.poll knows what to make of that
        if pid:
            unit = 1 if sys.platform == "darwin" else 1024
            self.usage = Usage(cpu=used.ru_utime + used.ru_stime, max_rss=used.ru_maxrss * unit)
            self._popen.returncode = os.waitstatus_to_exitcode(status)

    def abandon(self) -> None:
        """Stop watching a process that will not die: it stays a child of the host, and no signal goes to it again."""
        if self.reap() is None:
            self._close_pidfd()

    def _signal_group(self, number: signal.Signals) -> None:
        if self._is_ours():
            self._signal_group_now(number)

    def _signal_group_now(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass  # nobody is left
        except PermissionError:
            pass  # macOS says so of a group in which only the dead leader is left

    def _is_ours(self) -> bool:
        """Whether the number still means this process: not reaped, by nobody."""
        if self._popen.returncode is not None:
            return False
        if self._pidfd is None:
            return True
        try:
            signal.pidfd_send_signal(self._pidfd, 0)  # a dead process that waits to be reaped still takes it
        except ProcessLookupError:
            return False
        return True

    def _has_died(self) -> bool:
        if not hasattr(os, "waitid"):  # macOS before Python 3.13: looking means reaping
            if self._popen.poll() is None:
                return False
            # The group has to be swept at once: macOS hands numbers out in turn, so this one is not another's yet.
            self._signal_group_now(signal.SIGKILL)
            return True
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
        except ChildProcessError:
            return True  # somebody else has reaped it

    def _close_pidfd(self) -> None:
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None


def open_pidfd(pid: int) -> int | None:
    """Something to wait on until a process has died; None where there is no such thing. The caller closes it."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:  # no free descriptor, an old kernel, a sandbox: look from time to time instead
        return None
