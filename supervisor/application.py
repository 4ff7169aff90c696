"""How does a host application process messages itself, in place of the default pipeline?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from .platform.inbound import Inbound
    from .platform.passage import Passage

Process = Callable[["Inbound"], Awaitable[None]]
"""Called with each message from outside; the session's next message follows when it returns. What it raises ends the
deployment: it is the application's own code."""


@attrs.frozen(kw_only=True, eq=False)
class ApplicationFlow:
    """Runs an application's coroutine function for each message, in the order of its session."""

    process: Process
    start_soon: Callable[..., None]

    def prepare(self, passage: Passage) -> None:
        passage.prepared(goes_on=True, waits=True)

    def start(self, passage: Passage) -> None:
        self.start_soon(self._run, passage)

    def finish(self, passage: Passage) -> None:
        """Nothing is left to do."""

    async def _run(self, passage: Passage) -> None:
        await self.process(passage.inbound)
        passage.ready()
