"""How is a soak test's load made, and how does it know what became of each of its calls?

An open loop: calls are made at their times, however long earlier ones take, since a host that hangs must not be spared by
its own slowness. Every call has a number, and ends once.
"""

from __future__ import annotations

from collections import Counter, deque
from functools import partial
from typing import TYPE_CHECKING

import attrs
import trio

from rookery.protocol import PLUGIN_INVOKE_TOOL

from .counters import Latencies
from .fate import DispatchFailed, Fate
from .soak_plan import FaultKind, excused_by
from .soak_rules import DEADLINE_GRACE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .call import Outcome
    from .component import EventHandler
    from .supervisor import Supervisor

EVENT = "soak.event"
WORK = "work"
EVENT_EVERY = 3
"""Every so many rounds over the shards it is an event and not a call."""

SESSIONS = 7
"""Conversations that events are about; those of one are kept in order."""

POLL = 0.05
"""Seconds between two looks at whether everything has ended."""

KEPT_WOUNDS = 20
"""Of each shard; older ones are older than any call."""


@attrs.define(eq=False)
class Wound:
    """A time in which a shard is not expected to work."""

    kind: FaultKind
    began: float
    ended: float | None = None
    healed: trio.Event = attrs.field(factory=trio.Event)

    def close(self, now: float) -> None:
        """The shard works again."""
        self.ended = now
        self.healed.set()


class Wounds:
    """When was which shard hurt? Times are trio's clock."""

    def __init__(self) -> None:
        self._wounds: dict[str, deque[Wound]] = {}

    def open(self, shard: str, kind: FaultKind, now: float) -> Wound:
        wound = Wound(kind, now)
        self._wounds.setdefault(shard, deque(maxlen=KEPT_WOUNDS)).append(wound)
        return wound

    def now(self, shard: str) -> Wound | None:
        """What is being done to a shard."""
        return next((each for each in self._wounds.get(shard, ()) if each.ended is None), None)

    def between(self, shard: str, start: float, end: float) -> list[Wound]:
        """Those that were open at any time between."""
        return [
            wound
            for wound in self._wounds.get(shard, ())
            if wound.began <= end and (wound.ended is None or wound.ended >= start)
        ]


@attrs.define(eq=False)
class Ticket:
    """One call of the load."""

    number: int
    kind: str
    shard: str
    made: float
    deadline: float
    ended: int = 0
    """How often it has."""

    def __str__(self) -> str:
        return f"{self.kind} {self.number} of {self.shard}"


class Load:
    """Calls and events over all shards, so many a second.

    Args:
        plugins: By shard, the plugin that is called there.
        on_broken: Told what must not be.

    Attributes:
        made, counts: How many calls there were; by kind and by how they ended.
        quiet, hurt: How long those took whose shard nobody had hurt, and the others.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        plugins: Mapping[str, str],
        wounds: Wounds,
        *,
        rate: float,
        on_broken: Callable[[str, str, str], None],
    ) -> None:
        self._supervisor = supervisor
        self._plugins = dict(plugins)
        self._wounds = wounds
        self._pause = 1 / rate
        self._on_broken = on_broken
        self._open: dict[int, Ticket] = {}
        self.made = 0
        self.counts: Counter[tuple[str, str]] = Counter()
        self.quiet, self.hurt = Latencies(), Latencies()

    async def run(self) -> None:
        """Until cancelled."""
        shards = list(self._plugins)
        due = trio.current_time()
        while True:
            await trio.sleep_until(due)
            turn, place = divmod(self.made, len(shards))
            self.made += 1
            make = self._make_event if turn % EVENT_EVERY == 0 else self._make_call
            make(self.made, shards[place], due)
            due += self._pause

    def overdue(self, now: float) -> tuple[str, ...]:
        """Calls that should have ended, in words."""
        late = (ticket for ticket in self._open.values() if ticket.deadline + DEADLINE_GRACE < now)
        return tuple(str(ticket) for ticket in late)

    async def wait_idle(self) -> None:
        """Return when every call has ended, or should have."""
        while self._is_waiting():  # noqa: ASYNC110  # the last of them is told by nobody, if it is lost
            await trio.sleep(POLL)

    def _is_waiting(self) -> bool:
        now = trio.current_time()
        return any(ticket.deadline + DEADLINE_GRACE > now for ticket in self._open.values())

    def _make_call(self, number: int, shard: str, due: float) -> None:
        parts = self._supervisor.parts
        component = parts.registry.component(self._plugins[shard], WORK)
        timeout = component.timeout if component is not None and component.timeout else 0.0
        ticket = self._ticket(number, "call", shard, due, timeout)
        if component is None:
            self._settle(ticket, DispatchFailed(Fate.UNAVAILABLE, "the plugin is not registered"))
            return
        parts.dispatcher.submit(
            component,
            PLUGIN_INVOKE_TOOL,
            {"number": number},
            partial(self._settle, ticket),
            deadline=ticket.deadline,
        )

    def _make_event(self, number: int, shard: str, due: float) -> None:
        def serves(handler: EventHandler) -> bool:
            return handler.plugin_id == self._plugins[shard]

        events = self._supervisor.parts.events
        passing = events.start(
            EVENT, None, {"number": number}, lambda _: None, key=f"session {number % SESSIONS}", serves=serves
        )
        timeout = next((handler.timeout for handler in passing.observers.handlers if handler.timeout), 0.0)
        ticket = self._ticket(number, "event", shard, due, timeout)
        if events.show(passing, partial(self._settle, ticket)).observers != 1:
            self._settle(ticket, DispatchFailed(Fate.UNAVAILABLE, "the plugin is not registered"))

    def _ticket(self, number: int, kind: str, shard: str, due: float, timeout: float) -> Ticket:
        ticket = self._open[number] = Ticket(number, kind, shard, due, trio.current_time() + timeout)
        return ticket

    def _settle(self, ticket: Ticket, outcome: Outcome) -> None:
        ticket.ended += 1
        if ticket.ended > 1:
            self._on_broken("a call ends once", str(ticket), f"it ended {ticket.ended} times")
            return
        self._open.pop(ticket.number)
        now = trio.current_time()
        wounds = self._wounds.between(ticket.shard, ticket.made, now)
        (self.hurt if wounds else self.quiet).add(now - ticket.made)
        if isinstance(outcome, DispatchFailed):
            self.counts[ticket.kind, outcome.fate.value] += 1
            if not any(_is_excused(wound, ticket, outcome.fate, now) for wound in wounds):
                rule = "a call to a shard that nobody has hurt succeeds"
                if wounds:
                    rule = f'a shard that {wounds[-1].kind.value} fails no call with "{outcome.fate.value}"'
                self._on_broken(rule, ticket.shard, f"{ticket}: {outcome}")
            return
        self.counts[ticket.kind, "ok"] += 1
        if ticket.kind == "call" and outcome.get("result") != ticket.number:
            self._on_broken(
                "an answer is its call's", ticket.shard, f"{ticket}: the answer was {outcome!r:.200}"
            )


def _is_excused(wound: Wound, ticket: Ticket, fate: Fate, now: float) -> bool:
    if fate in excused_by(wound.kind):
        return True
    # Whatever was done: a call that had no time in which the shard worked may come to its deadline.
    covers = wound.began <= ticket.made and (wound.ended is None or wound.ended >= now)
    return fate is Fate.TIMEOUT and covers
