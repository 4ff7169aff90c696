"""Which answer belongs to which action, and what did it say?"""

from __future__ import annotations

import itertools
import uuid

import attrs
import trio

from .errors import ActionFailed, ActionUnanswered
from .frame import ActionAnswered


@attrs.define(eq=False)
class Waiting:
    """One action that has not been answered."""

    echo: str
    settled: trio.Event = attrs.Factory(trio.Event)
    answer: ActionAnswered | None = None
    lost: str = ""
    """Why there will be no answer."""

    def take(self, action: str) -> object:
        """The data of the answer.

        Raises:
            ActionFailed: The platform says no.
            ActionUnanswered: There is none, and will be none.
        """
        if self.answer is None:
            raise ActionUnanswered(f"{action} was not answered: {self.lost or 'it took too long'}")
        if not self.answer.ok:
            wording = f": {self.answer.wording}" if self.answer.wording else ""
            raise ActionFailed(
                f"{action} failed with retcode {self.answer.retcode}{wording}", self.answer.retcode
            )
        return self.answer.data


@attrs.define(eq=False)
class Answers:
    """The actions of one connection that wait for an answer, by their echo."""

    unexpected: int = 0
    """Answers that nobody waited for, or not any more."""
    _waiting: dict[str, Waiting] = attrs.Factory(dict)
    _numbers: itertools.count[int] = attrs.Factory(lambda: itertools.count(1))
    _name: str = attrs.Factory(lambda: uuid.uuid4().hex[:8])
    """An echo of an earlier connection is no echo of this one."""

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(self) -> Waiting:
        """An action is about to be sent."""
        waiting = Waiting(f"{self._name}-{next(self._numbers)}")
        self._waiting[waiting.echo] = waiting
        return waiting

    def end(self, waiting: Waiting) -> None:
        """Nobody waits any more."""
        self._waiting.pop(waiting.echo, None)

    def settle(self, answer: ActionAnswered) -> None:
        """An answer has come."""
        waiting = self._waiting.pop(answer.echo, None)
        if waiting is None:
            self.unexpected += 1
            return
        waiting.answer = answer
        waiting.settled.set()

    def lose(self, reason: str) -> None:
        """The connection has ended: no answer will come."""
        for waiting in self._waiting.values():
            waiting.lost = reason
            waiting.settled.set()
        self._waiting.clear()
