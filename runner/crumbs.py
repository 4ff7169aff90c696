"""Which plugin is on the CPU now? Written down before its code runs, so that it is known when that code ends the process.

A crumb is set where plugin code is entered (``invoke.py``) and, as its tasks take turns, at each step of a task, by trio's
own hook. What a plain function does in its thread leaves no crumb: the loop is idle meanwhile, and the calls that had
started are then what the host goes by.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

import trio

from rookery.protocol import page as layout

from .forks import FORKS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .page import OwnPage

current_crumb: ContextVar[int] = ContextVar("current_crumb", default=0)
"""Of the plugin code that this task runs; 0 outside of all."""

MAX_REQUEST = (1 << 32) - 1


class Crumbs(trio.abc.Instrument):
    """Leaves crumbs in a page. A process has one loop and so one of these, ``CRUMBS``; until ``open`` nobody reads them."""

    def __init__(self) -> None:
        self.note: Callable[[int], None] = _note_nowhere
        """Say what is on the CPU."""
        self._heads: list[dict[str, int]] = []
        """By phase and plugin: a crumb without its request. Packed before, because a call is no time for an enumeration's
        arithmetic, which takes longer than all the rest."""
        self._know([])

    def open(self, page: OwnPage, plugin_ids: Sequence[str]) -> None:
        """From now on crumbs go into a page; plugins have their number in the assignment. Called inside of trio."""
        self.note = page.note_crumb
        self._know(plugin_ids)
        trio.lowlevel.add_instrument(self)

    def fall_silent(self) -> None:
        """The page is another process's: for a forked child."""
        self.note = _note_nowhere

    def enter(self, plugin_id: str, phase: layout.Phase, request_id: int = 0) -> int:
        """Plugin code is about to run; give what is returned to ``leave``."""
        previous = current_crumb.get()
        crumb = self.head_of(plugin_id, phase) | request_id & MAX_REQUEST
        current_crumb.set(crumb)
        self.note(crumb)
        return previous

    def head_of(self, plugin_id: str, phase: layout.Phase) -> int:
        """A crumb without its request."""
        heads = self._heads[phase]
        return heads.get(plugin_id) or heads[""]

    def leave(self, previous: int) -> None:
        """It has ended."""
        current_crumb.set(previous)
        self.note(previous)

    def note_none(self) -> None:
        """The loop has the CPU again."""
        self.note(0)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Trio calls this: a task goes on with whatever it was running."""
        self.note(task.context.get(current_crumb, 0))

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Trio calls this: the loop has the CPU again."""
        if FORKS.is_child:
            FORKS.end_child()
        self.note(0)

    def _know(self, plugin_ids: Sequence[str]) -> None:
        numbers = {"": 0, **{plugin_id: number for number, plugin_id in enumerate(plugin_ids, 1)}}
        self._heads = [
            {plugin_id: layout.pack_crumb(phase, number, 0) for plugin_id, number in numbers.items()}
            for phase in layout.Phase
        ]


def current_request() -> int:
    """The low 32 bits of the id of the request that this code works on; 0 when it works on none."""
    crumb = current_crumb.get()
    return crumb & MAX_REQUEST if crumb >> 56 == layout.Phase.CALL else 0


def _note_nowhere(_: int) -> None:
    """Until there is a page."""


CRUMBS = Crumbs()
"""Of this process, as its signal handlers are."""
