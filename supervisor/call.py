"""What is one call of one component on its way, and where does a task wait for what is told by a callback?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import trio

from .fate import DispatchFailed

if TYPE_CHECKING:
    from .component import Component
    from .gate import Lane, Line

T = TypeVar("T")

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
        self.lane: Lane | None = None
        self.line: Line | None = None
        """Where it waits."""


class Slot(Generic[T]):
    """Where a task waits for one value. As cheap as an event, which carries none; a memory channel costs 1.7 times as much
    (14.4 against 8.7 microseconds, measured with one other task)."""

    __slots__ = ("_task", "_value")

    def __init__(self) -> None:
        self._task: trio.lowlevel.Task | None = None
        self._value: T | None = None

    def settle(self, value: T) -> None:
        """Give the value; called at most once."""
        self._value = value
        if self._task is not None:
            task, self._task = self._task, None
            trio.lowlevel.reschedule(task)

    async def wait(self) -> T:
        """The value, when it is there."""
        if self._value is None:
            self._task = trio.lowlevel.current_task()

            def abort(_: Any) -> trio.lowlevel.Abort:
                self._task = None
                return trio.lowlevel.Abort.SUCCEEDED

            await trio.lowlevel.wait_task_rescheduled(abort)
        assert self._value is not None
        return self._value
