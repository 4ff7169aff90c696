"""When do the frames leave that were queued during one pass of the scheduler? At its end, before the loop waits.

A writer task that is woken for that costs one more pass on each side of a round trip, and a ``send`` for each frame costs
a system call for each and makes host and runner take turns. Trio's own hook comes once a pass, after every task has run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from .link import Link

_flusher: trio.lowlevel.RunVar[Flusher] = trio.lowlevel.RunVar("flusher")


class Flusher(trio.abc.Instrument):
    """Writes what the links of one run have queued."""

    def __init__(self) -> None:
        self._links: list[Link] = []

    def add(self, link: Link) -> None:
        """Something of it waits to be written. Once for each link and pass."""
        self._links.append(link)

    def before_io_wait(self, timeout: float) -> None:
        """Trio calls this after all tasks of a pass."""
        if self._links:
            links, self._links = self._links, []
            for link in links:
                link.flush_at_end_of_pass()


def flusher() -> Flusher:
    """That of this run of trio; it stays for as long as the run."""
    try:
        return _flusher.get()
    except LookupError:
        made = Flusher()
        trio.lowlevel.add_instrument(made)
        _flusher.set(made)
        return made
