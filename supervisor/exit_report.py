"""How did the life of one runner end: the value that an incarnation returns."""

from __future__ import annotations

import sys
from enum import Enum

import attrs

from rookery.protocol import page

from .hang import HangClass
from .shard_state import ShardState

MAX_CHARS = 500
"""The line for people is cut there: its parts come from a runner and from plugin code."""

_WORK = {page.Phase.IMPORT: "loaded", page.Phase.LOAD: "loaded", page.Phase.UNLOAD: "unloaded"}

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
    HANG = "hang"
    """It showed no life for too long."""
    OUT_OF_MEMORY = "out of memory"
    """It had become too large, or the kernel killed it for memory as far as one can tell."""
    TOO_MANY_PROCESSES = "too many processes"
    """Of its own, with all that descends from it and their threads."""
    OUT_OF_DISK = "out of disk"
    """Its directories held more than they may."""


@attrs.frozen(kw_only=True)
class StartedCall:
    """A call whose handler had begun, and which had no answer."""

    plugin_id: str
    component: str
    """Its name within the plugin; the method where it is not known."""
    event_id: str = ""
    """What it was about; "" when it was not about an event."""
    session_id: str = ""
    request_id: int

    def describe(self) -> str:
        """``author.dice.roll for event m42``."""
        text = f"{self.plugin_id}.{self.component}" if self.plugin_id else self.component
        return f"{text} for event {self.event_id}" if self.event_id else text


@attrs.frozen(kw_only=True)
class Place:
    """Where in a plugin's own code its thread was: the innermost such frame."""

    plugin_id: str
    file: str
    """Relative to the plugin's directory."""
    line: int
    function: str

    def describe(self) -> str:
        """``plugin.py line 12, in roll``."""
        return f"{self.file} line {self.line}, in {self.function}"

    def __str__(self) -> str:
        return f"{self.plugin_id} was at {self.describe()}"


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
    """Why the host ended it, the system did not start it, or a remark; "" when there is nothing to say."""
    planned: bool = False
    loading: str = ""
    """The plugin that was being loaded; "" outside of loading."""
    started_at: float
    ready_at: float | None = None
    """None when it never became ready."""
    ended_at: float
    in_flight: int = 0
    """Requests of the host that were failed by this end; those that are put back do not count."""
    called: tuple[str, ...] = ()
    """The plugins that these requests were for, sorted."""
    has_served: bool = True
    """It has answered a request of the host's, or was never asked."""
    stderr_tail: str = ""
    """The last that was written to standard error and not read by anyone, at most 64 KiB."""
    crumb: page.Crumb | None = None
    """What the page said was on the CPU; None when there is no page that can be read."""
    crumb_plugin: str = ""
    """The plugin that the crumb names; "" for none."""
    started: tuple[StartedCall, ...] = ()
    """Calls that had begun, oldest first; every call that was sent when nobody knows which had."""
    knows_started: bool = False
    """Whether the runner keeps account of what has begun; else ``started`` is only what may have."""
    put_back: int = 0
    """Calls that were sent and had not begun: they wait for the next runner."""
    place: Place | None = None
    """Where plugin code was, by the dump of a deadly signal or of a hang."""
    is_loop_thread: bool = True
    """False when a deadly signal struck another thread than the one whose work the crumb tells."""
    hang: HangClass | None = None
    """Only for a runner that was killed because it showed no life."""
    dump: str = ""
    """The stacks that it wrote, as they came."""
    cpu: float | None = None
    """Seconds of processor time, user and system; None when the system did not say."""
    max_rss: int | None = None
    """The most memory that it had resident, in bytes; None as above."""
    sent_signal: bool = False
    """Whether the host had sent it SIGTERM or SIGKILL."""

    @property
    def ready_for(self) -> float:
        """Seconds that it was ready; 0.0 when it never was."""
        return 0.0 if self.ready_at is None else max(0.0, self.ended_at - self.ready_at)

    @property
    def running(self) -> StartedCall | None:
        """The call on the CPU: the one that the crumb names, or the only one that had begun."""
        if self.crumb is not None and self.crumb.phase is page.Phase.CALL:
            wanted = self.crumb.request_id
            for call in self.started:
                if call.request_id & 0xFFFF_FFFF == wanted:
                    return call
            return None
        is_alone = len(self.started) == 1 and self.knows_started
        return self.started[0] if is_alone else None

    def describe(self) -> str:
        """One line for people: which runner, how it ended, what it was doing. Printable, whatever plugins wrote."""
        text = f'shard "{self.shard}" #{self.incarnation}'
        if self.pid is not None:
            text += f" (pid {self.pid})"
        line = "".join(c if c.isprintable() else " " for c in f"{text} {self._how()}")
        return line if len(line) <= MAX_CHARS else f"{line[: MAX_CHARS - 1]}…"

    def _how(self) -> str:
        because = f": {self.reason}" if self.reason else ""
        where = self._where()
        match self.kind:
            case ExitKind.STOPPED:
                return f"was stopped{because}"
            case ExitKind.EXITED:
                return f"exited by itself with code {self.code}{where}{because}"
            case ExitKind.SIGNAL:
                remark = f" ({self.reason})" if self.reason else ""
                return f"was killed by {signal_name(self.signal or 0)}{where}{remark}"
            case ExitKind.SPAWN_FAILED:
                return f"could not be started{because}"
            case ExitKind.LOAD_TIMEOUT if self.loading:
                place = f" ({self.place.describe()})" if self.place is not None else ""
                return f"was killed because it did not finish loading {self.loading}{place}{because}"
            case ExitKind.HANG:
                kind = f" ({self.hang.value})" if self.hang is not None else ""
                return f"was killed because it hung{kind}{where}{because}"
            case ExitKind.OUT_OF_MEMORY if not self.reason.startswith("out of memory: used"):
                told = self.reason.removeprefix("out of memory").removeprefix(": ")
                return f"was killed, out of memory{where}{f': {told}' if told else ''}"
            case _:
                return f"was killed{where}{because or ': ' + self.kind.value}"

    def _where(self) -> str:
        """What it was doing, with a space before it; "" when nobody knows."""
        place = self.place
        line = f" ({place.describe()})" if place is not None else ""
        call = self.running
        if self.loading:
            return f" while it loaded {self.loading}{line}"
        if not self.is_loop_thread:
            return f" in a thread of {place.plugin_id}{line}" if place is not None else " in another thread"
        if call is not None and (place is None or place.plugin_id == call.plugin_id):
            return f" in {call.describe()}{line}"
        if place is not None:
            return f" in {place.plugin_id}{line}"
        if self.crumb is not None and self.crumb_plugin:
            work = _WORK.get(self.crumb.phase)
            if work is not None:
                return f" while it {work} {self.crumb_plugin}"
            return f" in {'a task of ' if self.crumb.phase is page.Phase.TASK else ''}{self.crumb_plugin}"
        return ""


def signal_name(number: int) -> str:
    """``SIGKILL``; ``signal 64`` where there is no common name."""
    return _SIGNALS.get(number, f"signal {number}")
