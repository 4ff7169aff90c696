"""How each call of a test ended, counted."""

from __future__ import annotations

from typing import Any

import trio

from rookery.protocol import PLUGIN_EMIT_EVENT
from rookery.supervisor.component import Component
from rookery.supervisor.fate import DispatchFailed, Fate
from tests.doubles.stage import Stage


class Ends:
    """Submits calls by a name, and insists that each ends once.

    Attributes:
        order: Names in the order of their ends.
        outcomes: By name.
    """

    def __init__(self, stage: Stage) -> None:
        self._dispatcher = stage.dispatcher
        self.order: list[Any] = []
        self.outcomes: dict[Any, Any] = {}

    def submit(
        self,
        name: Any,
        component: Component,
        *,
        key: str | None = None,
        seconds: float = 30.0,
        method: str = PLUGIN_EMIT_EVENT,
        args: dict[str, Any] | None = None,
    ) -> None:
        """Send a call that is known to the test by a name."""

        def settled(outcome: Any) -> None:
            assert name not in self.outcomes, f"{name} ended twice"
            self.order.append(name)
            self.outcomes[name] = outcome

        deadline = trio.current_time() + seconds
        self._dispatcher.submit(
            component, method, {"name": name} if args is None else args, settled, deadline=deadline, key=key
        )

    def fate_of(self, name: Any) -> Fate | None:
        """How a call failed; ``None`` for one that went well."""
        outcome = self.outcomes[name]
        return outcome.fate if isinstance(outcome, DispatchFailed) else None
