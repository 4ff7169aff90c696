"""How did the life of one runner end: the value that an incarnation returns."""

from __future__ import annotations

import sys
from enum import Enum

import attrs

from .shard_state import ShardState

# By number, because what decides over restarts imports no `signal`. These are the same on every Unix but one.
_SIGNALS = {1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 8: "SIGFPE", 9: "SIGKILL"} | {
    11: "SIGSEGV", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM", 10 if sys.platform == "darwin" else 7: "SIGBUS"
}  # fmt: skip


class ExitKind(Enum):
    """What ended a runner. Where the host killed it, this says why, not how."""

    STOPPED = "stopped"
    """As planned."""
    EXITED = "exited"
    """It ended by itself, with an exit code."""
    SIGNAL = "signal"
    """A signal killed it that the host had not sent."""
    PROTOCOL = "protocol"
    """It broke a rule of the protocol, or claimed what is not its own."""
    HELLO_TIMEOUT = "hello timeout"
    LOAD_TIMEOUT = "load timeout"
    LOAD_FAILED = "load failed"
    """It came up without a single one of its plugins."""
    STUCK = "stuck"
    """It lived, but could not be talked to any more."""
    SPAWN_FAILED = "spawn failed"
    """There never was a process."""
    REFUSED = "refused"
    """The host refused its hello."""


@attrs.frozen(kw_only=True)
class ExitReport:
    """What is known about the end of one runner. Times are trio's clock, seconds."""

    shard: str
    incarnation: int
    pid: int | None
    """None when the process could not be started."""
    plugins: tuple[str, ...]
    """Those that the shard holds."""
    state: ShardState
    """What it was doing when its end began; never KILLING or REAPING."""
    kind: ExitKind
    code: int | None = None
    """The exit code; for SPAWN_FAILED the system's error number; None when a signal ended it."""
    signal: int | None = None
    reason: str = ""
    """Why the host ended it, the system did not start it, or what it was doing when it crashed; "" when nobody knows."""
    planned: bool = False
    loading: str = ""
    """The plugin that was being loaded; "" outside of loading."""
    started_at: float
    ready_at: float | None = None
    """None when it never became ready."""
    ended_at: float
    in_flight: int = 0
    """Requests of the host that were failed by this end."""
    called: tuple[str, ...] = ()
    """The plugins that these requests were for, sorted."""
    stderr_tail: str = ""
    """The last that was written to standard error and not read by anyone, at most 64 KiB."""

    @property
    def ready_for(self) -> float:
        """Seconds that it was ready; 0.0 when it never was."""
        return 0.0 if self.ready_at is None else max(0.0, self.ended_at - self.ready_at)

    def describe(self) -> str:
        """One line for people: which runner, how it ended, what it was loading."""
        text = f'shard "{self.shard}" #{self.incarnation}'
        if self.pid is not None:
            text += f" (pid {self.pid})"
        text += f" {self._how()}"
        if self.loading and self.kind is not ExitKind.LOAD_TIMEOUT:
            text += f" while it loaded {self.loading}"
        return text

    def _how(self) -> str:
        because = f": {self.reason}" if self.reason else ""
        match self.kind:
            case ExitKind.STOPPED:
                return f"was stopped{because}"
            case ExitKind.EXITED:
                return f"exited by itself with code {self.code}"
            case ExitKind.SIGNAL:
                return f"was killed by {signal_name(self.signal or 0)}{because}"
            case ExitKind.SPAWN_FAILED:
                return f"could not be started{because}"
            case ExitKind.LOAD_TIMEOUT if self.loading:
                return f"was killed because it did not finish loading {self.loading}{because}"
            case _:
                return f"was killed{because or ': ' + self.kind.value}"


def signal_name(number: int) -> str:
    """``SIGKILL``; ``signal 64`` where there is no common name."""
    return _SIGNALS.get(number, f"signal {number}")
