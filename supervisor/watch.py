"""What is looked at, once a second, of one runner that works?"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Protocol

import trio

from rookery.protocol import limits
from rookery.protocol import page as layout

from .health import Doomed, Fine, Health, Look, Recycle
from .wear import FamilyLook, Wear, decide_wear

if TYPE_CHECKING:
    from collections.abc import Callable

    from rookery.protocol import Link

    from .health import Finding, HealthPolicy
    from .limits import ShardLimits
    from .page import Page
    from .process_look import ProcessLook


QUESTION_PERIOD = 5.0
"""Seconds between two questions to a runner whose loop waits. Each wakes a thread of it and its loop, which takes a fifth
of a millisecond."""

STOPPED = ("T", "t")
"""States of a process that is held by a signal or by a tracer."""

_FINE = Fine()


class Seen(Protocol):
    """The process, as far as it can be looked at."""

    def look(self) -> ProcessLook: ...

    def glance(self) -> ProcessLook: ...

    def look_at_family(self, limits: ShardLimits) -> FamilyLook: ...


class RunnerWatch:
    """Gathers what one runner shows and has it judged. Made when the runner becomes ready.

    Args:
        page: None when there is none, or the runner does not keep it: then only the connection is looked at.
        ask: Has the runner answer on the page; whether it was asked.
        plugin_load: Seconds that an import may take; a reload imports on the runner's loop.
        answered: How many calls the runner has answered.
        chance: Where in their spread the limits of age and work lie for this runner.
    """

    def __init__(
        self,
        *,
        policy: HealthPolicy,
        limits: ShardLimits,
        child: Seen,
        page: Page | None,
        ask: Callable[[], bool],
        link: Link,
        plugin_load: float,
        answered: Callable[[], int],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._limits = limits
        self._child = child
        self._page = page
        self._ask = ask
        self._link = link
        self._plugin_load = plugin_load
        self._answered = answered
        self._health = Health(policy)
        self._ready_at = trio.current_time()
        self._chance = chance()
        self._is_worn = False
        self._asked = 0
        self._question_at = math.inf
        """When a loop that waits is to be asked next; not known before its first turn was seen."""
        self._signs: tuple[object, ...] = ()
        """What was seen at the latest look."""
        self._is_at_rest = False
        """It was fine then, and is so as long as nothing of that changes."""
        self.rss = 0
        """Resident memory at the latest look, in bytes; 0 where it is not known."""

    def look(self, awake: float) -> Finding:
        """Look, and say what is to be done. A `Recycle` is said once.

        Args:
            awake: The time of ``AwakeClock``.
        """
        session = self._link.session
        if session.is_in_frame:
            # The rest may lie in the kernel while the host was late. Not all of it: a peer can write for ever.
            self._link.drain_nowait(limits.READ_CHUNK_BYTES)
        process = self._child.glance()
        self.rss = process.rss
        raw = self._page.read_raw_head() if self._page is not None else b""
        signs = (
            *(raw, process.state in STOPPED, session.last_id, session.counters.frames_in),
            *(session.is_in_frame, self._link.unwritten, self._link.bytes_written),
        )
        finding: Finding = _FINE
        if signs != self._signs or not self._is_at_rest or awake >= self._question_at:
            finding = self._look_closely(awake, raw, is_stopped=process.state in STOPPED)
            self._signs = signs
        else:
            self._health.note_rest(awake)
        if isinstance(finding, Doomed):
            return finding
        worn = self._judge_wear()
        return worn if isinstance(worn, (Doomed, Recycle)) else finding

    def _look_closely(self, awake: float, raw: bytes, *, is_stopped: bool) -> Finding:
        head = layout.parse_head(raw)
        self._ask_if_due(awake, head, is_stopped=is_stopped)
        look = self._seen(awake, head, is_stopped=is_stopped)
        finding = self._health.note(look, self._child.look)
        self._is_at_rest = isinstance(finding, Fine) and not self._link.session.pending and _is_at_rest(look)
        return finding

    def _ask_if_due(self, awake: float, head: layout.PageHead | None, *, is_stopped: bool) -> None:
        """A loop that runs, or owes an answer, is asked at each look, so that it is known in time what hangs, if it hangs: trio
        as a guest of another loop waits, by its own account, while that one hangs in a handler."""
        if head is None or not head.turns:
            return
        if math.isinf(self._question_at):
            self._question_at = awake + self._chance * QUESTION_PERIOD  # not all runners in the same second
        if head.turns % 2 == 0 or is_stopped or self._link.session.pending or awake >= self._question_at:
            self._question_at = awake + QUESTION_PERIOD
            self._asked += self._ask()

    def _seen(self, awake: float, head: layout.PageHead | None, *, is_stopped: bool) -> Look:
        link, session = self._link, self._link.session
        importing = head is not None and head.crumb.phase is layout.Phase.IMPORT
        return Look(
            awake=awake,
            # A page that was there and is not readable any more was spoiled: its beats stand still.
            loop_beats=None if self._page is None else head.loop_beats if head is not None else -1,
            thread_beats=head.thread_beats if head is not None else None,
            turns=head.turns if head is not None else 0,
            asked=self._asked,
            is_stopped=is_stopped,
            read=head.read if head is not None else None,
            sent=session.last_id,
            # While nothing is read from it, it is not its fault that a frame is not whole.
            is_in_frame=session.is_in_frame and not (link.pace is not None and link.pace.is_holding),
            frames_in=session.counters.frames_in,
            unwritten=link.unwritten,
            bytes_written=link.bytes_written,
            strange=_strange(link),
            busy_allowance=self._plugin_load if importing else 0.0,
        )

    def _judge_wear(self) -> Fine | Recycle | Doomed:
        wear = Wear(
            rss=self.rss,
            family=self._child.look_at_family(self._limits),
            age=trio.current_time() - self._ready_at,
            answered=self._answered(),
        )
        found = decide_wear(self._limits, wear, self._chance)
        if isinstance(found, Recycle):
            if self._is_worn:
                return _FINE
            self._is_worn = True
        return found


def _strange(link: Link) -> int:
    """Messages that no honest runner sends: answers to nothing and, from one that is not trusted, what cannot be meant."""
    counters = link.session.counters
    if link.pace is None:
        return counters.unknown_answers
    twice = max(0, counters.late_answers - link.session.last_id)  # more than there were requests
    return counters.unknown_answers + twice + counters.refused_requests + counters.bad_notices


def _is_at_rest(look: Look) -> bool:
    """Whether, as long as nothing changes, each further look would find the same: nothing is waited for."""
    if look.loop_beats is None or look.read is None or look.thread_beats is None:
        return False
    return (
        look.turns % 2 == 1
        and not look.is_stopped
        and not look.is_in_frame
        and not look.unwritten
        and look.read >= look.sent
        and min(look.loop_beats, look.thread_beats) >= look.asked
    )
