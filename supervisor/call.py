"""What is one call of one component on its way, and where does a task wait for it?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import trio

from .fate import DispatchFailed

if TYPE_CHECKING:
    from .component import Component
    from .gate import Line

Payload = dict[str, Any]
Outcome = Payload | DispatchFailed
OnSettled = Callable[[Outcome], None]


class Call:
    """One call of one component on its way."""

    __slots__ = (
        "component",
        "deadline",
        "is_settled",
        "lane",
        "line",
        "method",
        "on_settled",
        "payload",
    )

    def __init__(
        self, component: Component, method: str, args: Payload, deadline: float, on_settled: OnSettled
    ) -> None:
        self.component = component
        self.method = method
        self.payload: Payload = {"component_name": component.name, "args": args}
        self.deadline = deadline
        self.on_settled = on_settled
        self.is_settled = False
        self.lane: tuple[str, str] | None = None
        self.line: Line | None = None
        """Where it waits."""


class Slot:
    """Where a task waits for one call: three times cheaper than a memory channel."""

    __slots__ = ("_outcome", "_task")

    def __init__(self) -> None:
        self._task: trio.lowlevel.Task | None = None
        self._outcome: Outcome | None = None

    def settle(self, outcome: Outcome) -> None:
        self._outcome = outcome
        if self._task is not None:
            task, self._task = self._task, None
            trio.lowlevel.reschedule(task)

    async def wait(self) -> Outcome:
        if self._outcome is None:
            self._task = trio.lowlevel.current_task()

            def abort(_: Any) -> trio.lowlevel.Abort:
                self._task = None
                return trio.lowlevel.Abort.SUCCEEDED

            await trio.lowlevel.wait_task_rescheduled(abort)
        assert self._outcome is not None
        return self._outcome
