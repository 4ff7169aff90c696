"""When is a handler not asked any more because it takes too long again and again, and when is it asked again?

Each handler of an event or a hook has a *circuit*. Some failures in a row open it: the handler is passed over. After a while
one call, the *probe*, tries it: if that goes well the circuit is closed, and if not it stays open for longer. A probe is a
lease: it ends with its call, however that ends, and by itself when nobody says how, so that none can block a handler for
good.

What counts is what costs others time: a handler that does not answer in time, or hangs. One that raises answers. A runner
that dies is replaced, its plugin is judged elsewhere, and what the next runner registers begins anew.

Nobody pays for all this while all is well: ``watched`` is empty then, and whoever asks handlers looks at nothing else.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import attrs

from .fate import DispatchFailed, Fate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .call import Outcome
    from .component import Component

LEASE_GRACE = 1.0
"""Seconds that a probe is waited for after its handler's time is over."""


class CircuitState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    """Passed over."""
    HALF_OPEN = "half-open"
    """The next call, or the one that is out, is the probe."""


@attrs.frozen(kw_only=True)
class BreakerPolicy:
    """Counts and seconds."""

    failures: int = 3
    """In a row, which open a circuit; 0 never opens one."""
    cooldown: float = 60.0
    """For how long the first time; twice as long each further time."""
    cooldown_max: float = 300.0
    forgive_after: float = 600.0
    """After so long without an opening the next one is a first time again."""

    def cooldown_of(self, level: int) -> float:
        """How long a circuit stays open that has been open ``level`` times before."""
        return float(min(self.cooldown * 2 ** min(level, 32), self.cooldown_max))


class Ticket:
    """The leave to ask a handler once. It comes back with the outcome."""

    __slots__ = ("until",)

    def __init__(self, until: float) -> None:
        self.until = until
        """When the lease of a probe ends by itself."""


PLAIN = Ticket(0.0)
"""Of a call that proves nothing in particular."""


@attrs.define(eq=False)
class Circuit:
    """What is known of one handler that has failed."""

    failures: int = 0
    """In a row, as long as it is closed."""
    level: int = 0
    """How often it has been opened."""
    until: float | None = None
    """When it has cooled down; ``None`` while it is closed."""
    probe: Ticket | None = None
    skipped: int = 0
    """How often it was passed over, since it was last closed."""

    def state(self, now: float) -> CircuitState:
        if self.until is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if now < self.until else CircuitState.HALF_OPEN


@attrs.frozen(kw_only=True)
class OpenCircuit:
    """A handler that is passed over, because it has not come back in time again and again."""

    component: str
    """By its full name."""
    state: str
    """``open``, or ``half-open`` when the next call tries it."""
    left: float
    """Seconds until then; 0 when it is due."""
    level: int
    """How often that has happened lately."""
    skipped: int
    """How often it was passed over this time."""


class Breaker:
    """The circuits of all handlers.

    Args:
        is_live: Whether a component is still what its plugin offers: of one that is gone nothing is kept.

    Attributes:
        watched: Those that have failed and are not known to be well again.
    """

    def __init__(
        self, policy: BreakerPolicy | None = None, *, is_live: Callable[[Component], bool] = lambda _: True
    ) -> None:
        self.policy = policy or BreakerPolicy()
        self.watched: dict[Component, Circuit] = {}
        self._recovered: dict[Component, tuple[float, int]] = {}
        """When a circuit was closed again, and its level."""
        self._is_live = is_live

    def watches_any(self, handlers: Iterable[Component]) -> bool:
        return bool(self.watched) and any(handler in self.watched for handler in handlers)

    def ask(self, handler: Component, now: float, seconds: float) -> Ticket | None:
        """The leave to ask a handler; ``None`` when it is to be passed over, which is counted.

        Args:
            seconds: What the call may take.
        """
        circuit = self.watched.get(handler)
        if circuit is None or circuit.until is None:
            return PLAIN
        is_out = circuit.probe is not None and now < circuit.probe.until
        if now < circuit.until or is_out:
            circuit.skipped += 1
            return None
        circuit.probe = Ticket(now + seconds + LEASE_GRACE)
        return circuit.probe

    def give_back(self, handler: Component, ticket: Ticket) -> None:
        """Nobody will say how the call ended: the next one may try."""
        circuit = self.watched.get(handler)
        if circuit is not None and circuit.probe is ticket:
            circuit.probe = None

    def note(self, handler: Component, ticket: Ticket, outcome: Outcome, now: float) -> None:
        """A call has ended."""
        circuit = self.watched.get(handler)
        if circuit is None and not is_counted(outcome):
            return
        if circuit is not None and circuit.until is not None:
            if circuit.probe is not ticket:
                return  # it began before the circuit was open, or was given up
            circuit.probe = None
        if not isinstance(outcome, DispatchFailed):
            self._note_well(handler, now)
        elif is_counted(outcome):
            self._note_failure(handler, circuit, now)

    def forget(self, plugin_id: str) -> None:
        """A plugin's components are others now."""
        if not self.watched and not self._recovered:
            return
        for handler in [each for each in (*self.watched, *self._recovered) if each.plugin_id == plugin_id]:
            self.watched.pop(handler, None)
            self._recovered.pop(handler, None)

    def open_circuits(self, now: float) -> tuple[OpenCircuit, ...]:
        """Those that are not closed, by name."""
        found = [
            OpenCircuit(
                component=handler.full_name,
                state=circuit.state(now).value,
                left=max(0.0, circuit.until - now),
                level=circuit.level,
                skipped=circuit.skipped,
            )
            for handler, circuit in self.watched.items()
            if circuit.until is not None
        ]
        return tuple(sorted(found, key=lambda each: each.component))

    def _note_well(self, handler: Component, now: float) -> None:
        circuit = self.watched.pop(handler, None)
        if circuit is not None and circuit.until is not None:
            self._recovered[handler] = now, circuit.level

    def _note_failure(self, handler: Component, circuit: Circuit | None, now: float) -> None:
        if not self.policy.failures or not self._is_live(handler):
            return
        if circuit is None:
            circuit = self.watched[handler] = Circuit(level=self._level_of(handler, now))
        circuit.failures += 1
        if circuit.until is not None or circuit.failures >= self.policy.failures:
            circuit.until = now + self.policy.cooldown_of(circuit.level)
            circuit.level += 1

    def _level_of(self, handler: Component, now: float) -> int:
        at, level = self._recovered.pop(handler, (now, 0))
        return level if now - at < self.policy.forgive_after else 0


def is_counted(outcome: Outcome) -> bool:
    """Whether an outcome speaks against its handler: its code ran and did not come back in time."""
    return isinstance(outcome, DispatchFailed) and (
        outcome.fate is Fate.HUNG or (outcome.fate is Fate.TIMEOUT and outcome.maybe_executed)
    )
