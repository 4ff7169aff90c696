"""Is a runner alive, suspect or beyond help, judged by what was seen of it once a second?

The shared page says of the two things that can hang apart, the loop and the interpreter, that they live. The loop counts its
turns there: it lives while the number changes, and while it waits for something to happen, since a loop that hangs is at
work. To a loop that waits for long, and to a thread, the host puts a question, whose answer is a beat. Another number says how
far the runner has read: a runner whose loop lives, and which takes nothing, works as little. Each counts as life only for its
own. What is measured is *change*, on a clock that stands still while the host itself does (``watchdog.py``), so neither a
late host nor a runner that writes odd numbers can make a difference to others.

A beat a second of each was the alternative, and is what a runner is judged by that does not count turns: it wakes both, and
so is most of what an idle runner costs. A frame a second would wake the host too, and measure its own lag as the runner's.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import attrs

from .exit_report import ExitKind
from .hang import HangClass, classify_hang
from .ranges import Clash, Range

if TYPE_CHECKING:
    from collections.abc import Callable

    from .process_look import ProcessLook

STRANGE_MESSAGES = 100
"""Messages that no honest runner sends, within ``STRANGE_WINDOW``: above it the runner only disturbs."""
STRANGE_WINDOW = 60.0

WRITE_STALLS = 3
"""So many times ``write_stall`` is what a runner has for taking what waits for it, however slowly it does."""


@attrs.frozen(kw_only=True)
class HealthPolicy:
    """How long a runner may show no sign of life. Times are seconds; a look a second makes each up to a second longer.

    Raises:
        ValueError: A value is out of range or two contradict each other.
    """

    beat_timeout: float = attrs.field(default=3.0, validator=Range(1))
    """Without a beat of its loop for so long it is suspect: it gets no new work, and is asked where it is."""
    ack_timeout: float = attrs.field(default=3.0, validator=Range(1))
    """The same when it does not take a request from its socket for so long."""
    hang_timeout: float = attrs.field(default=15.0, validator=Range(1))
    """After so long it is killed. Up to 120 for plugins that compute for long in the loop."""
    stopped_timeout: float = attrs.field(default=5.0, validator=Range(1))
    """A process that was stopped by a signal, is continued once, and is stopped for so long, is killed; one that a
    debugger holds is not."""
    write_stall: float = attrs.field(default=10.0, validator=Range(1))
    """A runner that takes no byte of what waits for it for so long is killed."""
    frame_timeout: float = attrs.field(default=5.0, validator=Range(1))
    """A frame of the runner's that has begun is complete by then."""
    unkillable_timeout: float = attrs.field(default=60.0, validator=Range(1))
    """A killed process that is still there after so long is lost: its shard goes on with a new one."""
    interval: float = attrs.field(default=10.0, validator=Range(0, above=True))
    """A runner of the original kind has no beats: it is asked so often for its health, and killed when it lets two questions
    in a row pass, the first for so long and the second for 5 at most."""
    lag_guard: float = attrs.field(default=0.5, validator=Range(0, 10))
    """When the host itself is later than this, the time counts for no runner."""

    def __attrs_post_init__(self) -> None:
        for name, least in (("beat_timeout", self.beat_timeout), ("ack_timeout", self.ack_timeout)):
            if self.hang_timeout <= least:
                raise Clash(
                    "hang_timeout",
                    name,
                    given=f"{self.hang_timeout:g}",
                    expected=f"more than {name} ({least:g}): a runner is suspect before it is killed",
                    advice=f"raise hang_timeout or lower {name}",
                )


@attrs.frozen(kw_only=True)
class Look:
    """What is seen of a runner at one moment. A None means that it cannot be seen."""

    awake: float
    """On the clock that leaves out the host's own lag."""
    loop_beats: int | None = None
    thread_beats: int | None = None
    turns: int = 0
    """Of the loop: odd while it waits. 0 when the runner does not say: then it beats by itself, once a second."""
    asked: int = 0
    """How often it was asked whether it is there; both beats count how often it has answered."""
    is_stopped: bool = False
    """By a signal, or by a tracer."""
    read: int | None = None
    """The highest id of a request that it has taken."""
    sent: int = 0
    """The highest id of a request that was sent to it."""
    is_in_frame: bool = False
    frames_in: int = 0
    unwritten: int = 0
    """Bytes that wait for it to read."""
    bytes_written: int = 0
    strange: int = 0
    """Messages that no honest runner sends, in all."""
    busy_allowance: float = 0.0
    """Seconds for which its loop may stand still rightly: it is importing a plugin."""


@attrs.frozen
class Fine:
    """It shows life."""


@attrs.frozen
class Suspect:
    """It may hang: no new work for now."""

    reason: str
    hang: HangClass


@attrs.frozen
class Resume:
    """It was stopped by a signal: continue it, once."""

    reason: str


@attrs.frozen
class Doomed:
    """It must be killed."""

    kind: ExitKind
    reason: str
    hang: HangClass | None = None


@attrs.frozen
class Recycle:
    """It works and should be replaced at the next opportunity."""

    reason: str


Finding = Fine | Suspect | Resume | Doomed | Recycle


@attrs.define
class Sign:
    """One value that changes as long as something lives."""

    _value: object = None
    _since: float = 0.0

    def note(self, value: object, awake: float) -> float:
        """Take the value; return for how many seconds it has not changed."""
        if value != self._value:
            self._value, self._since = value, awake
        return awake - self._since


@attrs.define
class Unread:
    """What was sent and is not taken yet."""

    _marks: deque[tuple[float, int]] = attrs.field(factory=deque)
    """When it was seen, and the highest id that had been sent by then."""

    def note(self, sent: int, read: int, awake: float) -> float:
        """Return for how many seconds at least the oldest request has waited to be taken; 0.0 without one."""
        marks = self._marks
        if sent > (marks[-1][1] if marks else 0):
            marks.append((awake, sent))
        while marks and marks[0][1] <= read:
            marks.popleft()
        return awake - marks[0][0] if marks else 0.0


class Health:
    """Remembers when each sign of life of one runner was last seen, and judges. No clock, no IO."""

    def __init__(self, policy: HealthPolicy) -> None:
        self._policy = policy
        self._loop = Sign()
        self._thread = Sign()
        self._turns = 0
        self._turned_at = 0.0
        """When the loop was last seen to live, of those that count their turns."""
        self._loop_owes = Unread()
        self._thread_owes = Unread()
        self._frame = Sign()
        self._write = Sign()
        self._unread = Unread()
        self._untaken = Unread()
        """Of bytes."""
        self._stopped_at: float | None = None
        self._was_resumed = False
        self._strange: deque[tuple[float, int]] = deque()

    def note(self, look: Look, process: Callable[[], ProcessLook]) -> Finding:
        """Judge by one more look; called about once a second.

        Args:
            process: Asks the kernel; called only for a runner that is silent.
        """
        if doom := self._broken_rule(look):
            return doom
        silent, thread_silent = self._silences(look)
        unread = 0.0 if look.read is None else self._unread.note(look.sent, look.read, look.awake)
        policy = self._policy
        if silent < policy.beat_timeout and unread < policy.ack_timeout:
            if not silent:
                self._stopped_at, self._was_resumed = None, False
            return Fine()
        if silent < policy.beat_timeout:
            return self._judge(look, unread, HangClass.UNREAD, process())
        seen = process()
        hang = classify_hang(seen.state, thread_beats=thread_silent < policy.beat_timeout)
        return self._judge(look, max(silent, unread), hang, seen)

    def note_rest(self, awake: float) -> None:
        """Instead of ``note``, when nothing has changed since a look that found its loop waiting, and nothing amiss."""
        self._turned_at = awake

    def _silences(self, look: Look) -> tuple[float, float]:
        """For how many seconds nothing has shown that the loop lives, and that a thread does."""
        loop, thread, awake = look.loop_beats, look.thread_beats, look.awake
        if loop is None or thread is None or not look.turns:
            silent = 0.0 if loop is None else self._loop.note(loop, awake)
            return silent, self._thread.note(thread, awake)
        owes = self._loop_owes.note(look.asked, loop, awake)
        waits = look.turns % 2 == 1 and not look.is_stopped and not owes
        if waits or look.turns != self._turns:
            self._turns, self._turned_at = look.turns, awake
        return awake - self._turned_at, self._thread_owes.note(look.asked, thread, awake)

    def _judge(self, look: Look, silent: float, hang: HangClass, seen: ProcessLook) -> Finding:
        reason = f"{hang.explanation}, for {silent:.0f} s"
        if seen.is_traced:
            return Suspect(f"a debugger holds it, for {silent:.0f} s", HangClass.STOPPED)
        if hang is HangClass.STOPPED:
            return self._judge_stopped(look, reason)
        if silent >= max(self._policy.hang_timeout, look.busy_allowance):
            return Doomed(ExitKind.HANG, reason, hang)
        return Suspect(reason, hang)

    def _judge_stopped(self, look: Look, reason: str) -> Finding:
        if self._stopped_at is None:
            self._stopped_at = look.awake
        if not self._was_resumed:
            self._was_resumed = True
            return Resume(reason)
        # The beats were missing before it was seen to be stopped; the time of both is what it was given.
        if look.awake - self._stopped_at >= self._policy.stopped_timeout - self._policy.beat_timeout:
            return Doomed(
                ExitKind.HANG, f"{reason}, and did not go on when it was continued", HangClass.STOPPED
            )
        return Suspect(reason, HangClass.STOPPED)

    def _broken_rule(self, look: Look) -> Doomed | None:
        policy = self._policy
        frame = (look.is_in_frame, look.frames_in)
        if self._frame.note(frame, look.awake) >= policy.frame_timeout and look.is_in_frame:
            return Doomed(
                ExitKind.PROTOCOL, f"it began a frame and did not end it within {policy.frame_timeout:g} s"
            )
        written = (look.unwritten > 0, look.bytes_written)
        if self._write.note(written, look.awake) >= policy.write_stall and look.unwritten:
            return Doomed(ExitKind.STUCK, f"it read nothing for {policy.write_stall:g} s", HangClass.UNREAD)
        patience = WRITE_STALLS * policy.write_stall
        behind = self._untaken.note(look.bytes_written + look.unwritten, look.bytes_written, look.awake)
        if behind >= patience:
            text = f"it reads too slowly: what was sent {patience:g} s ago still waits, with {look.unwritten} bytes in all"
            return Doomed(ExitKind.STUCK, text, HangClass.UNREAD)
        if self._count_strange(look) > STRANGE_MESSAGES:
            text = f"it sent more than {STRANGE_MESSAGES} messages within a minute that answer or ask for nothing there is"
            return Doomed(ExitKind.PROTOCOL, text)
        return None

    def _count_strange(self, look: Look) -> int:
        counts = self._strange
        if not counts:
            counts.append((look.awake, 0))  # what came before the first look counts too
        counts.append((look.awake, look.strange))
        while len(counts) > 1 and counts[1][0] <= look.awake - STRANGE_WINDOW:
            counts.popleft()  # the last one before the window is what it is held against
        return look.strange - counts[0][1]
