"""What is looked at, once a second, of one runner that works?"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Protocol

import trio

from rookery.protocol import page as layout

from .health import Doomed, Fine, Health, Look, Recycle
from .wear import Wear, decide_wear

if TYPE_CHECKING:
    from collections.abc import Callable

    from rookery.protocol import Link

    from .health import Finding, HealthPolicy
    from .limits import ShardLimits
    from .page import Page
    from .process_look import ProcessLook


class Seen(Protocol):
    """The process, as far as it can be looked at."""

    def look(self) -> ProcessLook: ...


class RunnerWatch:
    """Gathers what one runner shows and has it judged. Made when the runner becomes ready.

    Args:
        page: None when there is none, or the runner does not keep it: then only the connection is looked at.
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
        link: Link,
        plugin_load: float,
        answered: Callable[[], int],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._limits = limits
        self._child = child
        self._page = page
        self._link = link
        self._plugin_load = plugin_load
        self._answered = answered
        self._health = Health(policy)
        self._ready_at = trio.current_time()
        self._chance = chance()
        self._is_worn = False
        self.rss = 0
        """Resident memory at the latest look, in bytes; 0 where it is not known."""

    def look(self, awake: float) -> Finding:
        """Look, and say what is to be done. A `Recycle` is said once.

        Args:
            awake: The time of ``AwakeClock``.
        """
        if self._link.session.is_in_frame:
            self._link.drain_nowait()  # the rest may lie in the kernel while the host was late
        finding = self._health.note(self._seen(awake), self._child.look)
        if isinstance(finding, Doomed):
            return finding
        worn = self._judge_wear()
        return worn if isinstance(worn, (Doomed, Recycle)) else finding

    def _seen(self, awake: float) -> Look:
        link, session = self._link, self._link.session
        head = self._page.read_head() if self._page is not None else None
        importing = head is not None and head.crumb.phase is layout.Phase.IMPORT
        return Look(
            awake=awake,
            # A page that was there and is not readable any more was spoiled: its beats stand still.
            loop_beats=None if self._page is None else head.loop_beats if head is not None else -1,
            thread_beats=head.thread_beats if head is not None else None,
            read=head.read if head is not None else None,
            sent=session.last_id,
            is_in_frame=session.is_in_frame,
            frames_in=session.counters.frames_in,
            has_unwritten=link.has_unwritten,
            bytes_written=link.bytes_written,
            strange_answers=session.counters.unknown_answers,
            busy_allowance=self._plugin_load if importing else 0.0,
        )

    def _judge_wear(self) -> Fine | Recycle | Doomed:
        limits = self._limits
        if limits.rss_soft or limits.rss_hard:
            self.rss = self._child.look().rss
        wear = Wear(
            rss=self.rss,
            age=trio.current_time() - self._ready_at,
            answered=self._answered(),
        )
        found = decide_wear(limits, wear, self._chance)
        if isinstance(found, Recycle):
            if self._is_worn:
                return Fine()
            self._is_worn = True
        return found
