"""What does the host hold of one runner between its start and its burial, and what can be learned from that?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
import trio

from rookery.protocol import Link
from rookery.protocol import page as layout

from .arrival import Arrival
from .ledger import Ledger
from .output import OutputPipe
from .page import Page
from .process import Child
from .stack_dump import only_stacks, where_it_was

if TYPE_CHECKING:
    from .exit_report import Place

STACK_WAIT = 0.2
"""Seconds for the first line of the stacks that a runner is asked for. Python's handler writes them from within the signal,
also while the interpreter is held; a process that is stopped or in the kernel writes nothing."""

STACK_GAP = 0.05
"""Seconds of silence after which they are complete."""

STACK_LIMIT = 0.5
"""Seconds in all, however much a plugin writes meanwhile."""


@attrs.define(eq=False, kw_only=True)
class LiveRunner:
    """One runner's process, its connection, and where it leaves its traces."""

    child: Child
    link: Link
    ledger: Ledger
    page: Page | None
    """The host's end of the shared page; owned by who made it."""
    ask: Callable[[], bool]
    """Have it answer on the page; whether it was asked."""
    arrival: Arrival
    out: OutputPipe
    err: OutputPipe
    dead: trio.Event = attrs.field(factory=trio.Event)
    """Set when the death of the process is proved."""
    was_signalled: bool = False
    """Whether the host has sent it SIGTERM or SIGKILL."""
    head: layout.PageHead | None = None
    """The page, as it was read at the end; None before, and when it cannot be read."""
    _asking: trio.Lock = attrs.field(factory=trio.Lock)

    # --- what it has begun -------------------------------------------------------------------------------------

    @property
    def keeps_account(self) -> bool:
        """Whether it says of each call when it begins."""
        return "started" in self.arrival.features

    def read_started(self) -> frozenset[int] | None:
        """The requests that have begun, answered ones among them; None when nobody can know."""
        if not self.keeps_account:
            return None
        if self.page is None:
            return self.ledger.noted
        in_page = self.page.read_started()
        return None if in_page is None else in_page | self.ledger.noted

    def read_page(self) -> None:
        self.head = self.page.read_head() if self.page is not None else None

    @property
    def crumb(self) -> layout.Crumb | None:
        """What was on the CPU; None when the runner keeps no page."""
        return self.head.crumb if self.head is not None and self.head.pid else None

    @property
    def crumb_plugin(self) -> str:
        """The plugin that the crumb names; "" for none."""
        number = self.crumb.plugin if self.crumb is not None else 0
        names = tuple(self.arrival.paths)
        return names[number - 1] if 0 < number <= len(names) else ""

    # --- where it is -------------------------------------------------------------------------------------------

    async def collect_stacks(self) -> None:
        """Ask where it is and take the answer, for half a second at most. No wait when it cannot answer."""
        async with self._asking:
            if not self.dead.is_set() and self.child.ask_for_stacks():
                with trio.move_on_after(STACK_LIMIT):
                    await self.err.listen(STACK_WAIT, STACK_GAP)

    def find_place(self) -> Place | None:
        """Where plugin code was, by the latest stacks."""
        return where_it_was(self.err.tail, self.arrival.paths)

    @property
    def dump(self) -> str:
        return only_stacks(self.err.tail)

    # --- signals -----------------------------------------------------------------------------------------------

    def ask_to_leave(self) -> None:
        """SIGTERM, and SIGCONT, to its group."""
        self.was_signalled = self.was_signalled or not self.dead.is_set()
        self.child.ask_to_leave()

    def kill(self) -> None:
        """SIGKILL to its group."""
        self.was_signalled = self.was_signalled or not self.dead.is_set()
        self.child.kill()
