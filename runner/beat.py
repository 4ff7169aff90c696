"""How does a host see that this runner's loop and its interpreter still run, at no cost while it has nothing to do?

Before the loop waits, and when it goes on, it says so in the shared page. A loop that waits hangs in nothing, and whatever
can hang, a task of a plugin's that a timer wakes as well as a call, runs after it has said that it goes on. So nothing beats
in an idle runner: two timers a second in each of 64 had cost three times as much as everything else that they do.

What the loop cannot say of itself, its host asks for by a byte in a pipe, often while the loop runs and seldom while it
waits: whether a thread can run, and whether the loop can be woken.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from .page import OwnPage

_MOST = 64
"""Questions that are taken at once."""


class Turns(trio.abc.Instrument):
    """Says before each wait of the loop, and after it, that it waits, or runs. Trio calls the two."""

    def __init__(self, page: OwnPage) -> None:
        # As attributes, each of them costs the loop one call instead of two.
        self.before_io_wait = page.note_waiting  # type: ignore[method-assign]  # the hook itself
        self.after_io_wait = page.note_running  # type: ignore[method-assign]  # the hook itself


def show_life(page: OwnPage, questions: int | None) -> None:
    """From now on the host can see it, until the process ends. Called inside of trio.

    Args:
        questions: The read end of a pipe of the host's; a thread of its own waits there, and does not keep the process.
            None when nobody asks, or looks.
    """
    trio.lowlevel.add_instrument(Turns(page))
    if questions is not None:
        os.set_inheritable(questions, False)
        token = trio.lowlevel.current_trio_token()
        threading.Thread(target=_answer, args=(page, questions, token), name="beats", daemon=True).start()


def _answer(page: OwnPage, questions: int, token: trio.lowlevel.TrioToken) -> None:
    while True:
        try:
            asked = os.read(questions, _MOST)
        except OSError:
            return  # a plugin has closed every descriptor, those of the loop too
        if not asked:
            return  # the host is gone, which others notice
        page.beat_thread(len(asked))
        try:
            token.run_sync_soon(page.beat_loop, idempotent=True)
        except trio.RunFinishedError:
            return
