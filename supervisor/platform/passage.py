"""Which steps does a message take through the host, and what of the message before it does each wait for?

A message is *prepared* as soon as it is admitted, *started* (its calls begin) and *finished* (everybody is told). The
messages of one session wait for each other only where somebody could tell the difference:

- it starts after the one before has started; a message that calls a command waits until the one before is finished, so
  that the command answers for everything said before it;
- it finishes after the one before is finished.

Whoever keeps the order of the calls themselves (the runner, or the host's lanes) does the rest. Waiting for the end of
one message before the next begins would keep the same order, at the price of a busy chat waiting for the sum of all its
round trips.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Protocol

import attrs

from rookery.protocol import MessageMap

from .inbound import Inbound


class Stage(IntEnum):
    """How far a message is."""

    ADMITTED = 0
    PREPARED = 1
    STARTED = 2
    READY = 3
    """It could finish."""
    FINISHED = 4


class Keeper(Protocol):
    """Who takes passages on: the inbox."""

    def advance(self, passage: Passage) -> None:
        """The passage has changed: it and those behind it may go on."""

    def leave(self, passage: Passage) -> None:
        """Everything that was begun for the passage has ended."""


@attrs.define(eq=False, kw_only=True)
class Passage:
    """A message in flight: it is done when everything that was begun for it has ended.

    Attributes:
        message: What is passed on; the flow may change it while it prepares.
        note: Whatever the flow wants to find again.
    """

    inbound: Inbound
    message: MessageMap
    inbox: Keeper
    before: Passage | None
    """The one before in the session, while that has not finished."""
    after: Passage | None = None
    stage: Stage = Stage.ADMITTED
    goes_on: bool = True
    """False once the flow has dropped it."""
    waits: bool = False
    """It starts only when the one before has finished."""
    note: Any = None
    has_failed: bool = False
    """Nobody has seen it by no doing of anybody's: the platform may deliver it again."""
    _open: int = 1

    def hold(self, count: int = 1) -> None:
        """Something more has begun for this message."""
        self._open += count

    def release(self) -> None:
        """Something that had begun has ended."""
        self._open -= 1
        if not self._open:
            self.inbox.leave(self)

    def prepared(self, *, goes_on: bool, waits: bool = False) -> None:
        """Said by the flow, once, after it was asked to prepare.

        Args:
            goes_on: False drops the message; it still keeps its place in the order.
            waits: It must not start before the one before has finished.
        """
        self.stage, self.goes_on, self.waits = Stage.PREPARED, goes_on, waits
        self.inbox.advance(self)

    def fail(self) -> None:
        """Said by the flow: whoever had to see the message first was not there, so that nobody has seen it."""
        self.has_failed = True

    def ready(self) -> None:
        """Said by the flow, once, after it was asked to start: the message could finish."""
        self.stage = Stage.READY
        self.inbox.advance(self)

    @property
    def may_start(self) -> bool:
        needed = Stage.FINISHED if self.waits else Stage.STARTED
        return self.stage is Stage.PREPARED and (self.before is None or self.before.stage >= needed)

    @property
    def may_finish(self) -> bool:
        return self.stage is Stage.READY and (self.before is None or self.before.stage is Stage.FINISHED)


class Flow(Protocol):
    """What is done with a message. The methods are called once each, from the loop; none may raise."""

    def prepare(self, passage: Passage) -> None:
        """Look at it; say ``passage.prepared`` now or later."""

    def start(self, passage: Passage) -> None:
        """Begin its calls; say ``passage.ready`` now or later."""

    def finish(self, passage: Passage) -> None:
        """Tell everybody. What is left running was held with ``passage.hold`` and is released when it has ended."""
