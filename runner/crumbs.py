"""Which plugin is on the CPU now? Written down before its code runs, so that it is known when that code ends the process.

A crumb is set where plugin code is entered (``invoke.py``) and, as its tasks take turns, at each step of a task, by trio's
own hook. What a plain function does in its thread leaves no crumb: the loop is idle meanwhile, and the calls that had
started are then what the host goes by.
"""

from __future__ import annotations

import os
from contextvars import ContextVar
from typing import TYPE_CHECKING

import trio

from rookery.protocol import page as layout

from .leave import INTERNAL_ERROR, leave_at_once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .page import OwnPage

current_crumb: ContextVar[int] = ContextVar("current_crumb", default=0)
"""Of the plugin code that this task runs; 0 outside of all."""


class Crumbs(trio.abc.Instrument):
    """Leaves crumbs in a page. A process has one loop and so one of these, ``CRUMBS``; until ``open`` nobody reads them."""

    def __init__(self) -> None:
        self._note = _note_nowhere
        self._numbers: dict[str, int] = {}
        self._is_fork = False

    def open(self, page: OwnPage, plugin_ids: Sequence[str]) -> None:
        """From now on crumbs go into a page; plugins have their number in the assignment. Called inside of trio."""
        self._note = page.note_crumb
        self._numbers = {plugin_id: number for number, plugin_id in enumerate(plugin_ids, 1)}
        trio.lowlevel.add_instrument(self)
        os.register_at_fork(after_in_child=self._note_fork)

    def enter(self, plugin_id: str, phase: layout.Phase, request_id: int = 0) -> int:
        """Plugin code is about to run; give what is returned to ``leave``."""
        previous = current_crumb.get()
        crumb = layout.pack_crumb(phase, self._numbers.get(plugin_id, 0), request_id)
        current_crumb.set(crumb)
        self._note(crumb)
        return previous

    def leave(self, previous: int) -> None:
        """It has ended."""
        current_crumb.set(previous)
        self._note(previous)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Trio calls this: a task goes on with whatever it was running."""
        self._note(task.context.get(current_crumb, 0))

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Trio calls this: the loop has the CPU again."""
        if self._is_fork:
            # Plugin code called os.fork and its child came back to the loop. It is no runner: it holds copies of the
            # runner's descriptors, and one byte from it would garble the stream. A child that executes a program or runs
            # a function of its own (subprocess, multiprocessing) never comes here.
            leave_at_once(INTERNAL_ERROR)
        self._note(0)

    def _note_fork(self) -> None:
        self._is_fork = True
        self._note = _note_nowhere  # the page is the parent's


def _note_nowhere(_: int) -> None:
    """Until there is a page."""


CRUMBS = Crumbs()
"""Of this process, as its signal handlers are."""
