"""Which calls are not made any more because they ended their runners, and how are they tried again?

A call that was lost is kept for a moment, in case what it was about turns out to be to blame. Then it becomes a dead letter: a
row of the store, with everything that is needed to make the call again.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

import attrs

from rookery.protocol import CannotEncode, RookeryError, decode_value, encode_value

from .errors import UsageError
from .retries import MAX_ATTEMPTS
from .store_errors import StoreError

if TYPE_CHECKING:
    import sqlite3

    from .call import Call
    from .dispatch import Dispatcher
    from .fate import DispatchFailed
    from .registry import Registry
    from .store import Store

MOST = 1000
"""Letters that are kept; the oldest go."""

MOST_LOST = 256
"""Lost calls that are remembered."""

_COLUMNS = "number, at, event_id, session_id, plugin_id, component, method, reason"


@attrs.frozen(kw_only=True)
class Letter:
    """One call that is not made any more."""

    number: int
    at: float
    """Unix seconds."""
    event_id: str
    session_id: str
    plugin_id: str
    component: str
    method: str
    reason: str


class DeadLetters:
    """Keeps the calls that are not made any more."""

    def __init__(self, store: Store, registry: Registry, dispatcher: Dispatcher) -> None:
        self._store = store
        self._registry = registry
        self._dispatcher = dispatcher
        self._lost: deque[Call] = deque(maxlen=MOST_LOST)
        self.count = 0
        """Letters that were made by this host."""

    # --- making them -------------------------------------------------------------------------------------------

    def note_lost(self, call: Call, failure: DispatchFailed) -> None:
        """A call was lost. One that was made again and again and lost each time is a letter at once."""
        if not failure.maybe_executed:
            return
        if call.attempts >= MAX_ATTEMPTS:
            self._add(call, f"its runner ended {call.attempts} times while it ran")
        else:
            self._lost.append(call)

    def condemn(self, event_id: str, reason: str) -> None:
        """An event is to blame: nobody is shown it any more, and its lost calls become letters."""
        self._dispatcher.refusals.block_event(event_id, reason)
        for call in [call for call in self._lost if call.event_id == event_id]:
            self._lost.remove(call)
            self._add(call, reason)

    def _add(self, call: Call, reason: str) -> None:
        self.count += 1
        try:
            args = encode_value(call.payload["args"])
        except CannotEncode:
            return  # it was sent, so it could be encoded; a plugin's thread cannot reach it here
        row = (
            time.time(),
            call.event_id,
            call.session_id,
            call.component.plugin_id,
            call.component.name,
            call.method,
            reason,
            args,
        )

        def operation(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO dead_letter (at, event_id, session_id, plugin_id, component, method, reason, args)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
            connection.execute(
                "DELETE FROM dead_letter WHERE number <= (SELECT max(number) FROM dead_letter) - ?", (MOST,)
            )

        try:
            self._store.submit(operation, size=len(args))
        except StoreError:
            pass  # counted by the store, and shown in its status

    # --- what operators do with them ---------------------------------------------------------------------------

    async def read(self) -> list[Letter]:
        """All of them, oldest first.

        Raises:
            StoreError: The store does not answer.
        """

        def operation(connection: sqlite3.Connection) -> list[Any]:
            return connection.execute(f"SELECT {_COLUMNS} FROM dead_letter ORDER BY number").fetchall()

        names = _COLUMNS.split(", ")
        return [Letter(**dict(zip(names, row, strict=True))) for row in await self._store.run(operation)]

    async def drop(self, number: int) -> Letter:
        """Forget one.

        Raises:
            UsageError: There is none of this number.
        """
        letter, _ = await self._find(number)
        await self._delete(number)
        return letter

    async def retry(self, number: int) -> Any:
        """Make the call again, once; when it goes well the letter is gone. Its event may be dispatched again.

        Returns:
            What the component said.

        Raises:
            UsageError: There is none of this number, or its component is not there.
            DispatchFailed: It failed again; the letter stays.
        """
        letter, args = await self._find(number)
        component = self._registry.component(letter.plugin_id, letter.component)
        if component is None:
            raise UsageError(
                f"dead letter {number} is for {letter.plugin_id}.{letter.component}, which is not loaded;"
                f" start its shard, or drop the letter"
            )
        self._dispatcher.refusals.unblock_event(letter.event_id)
        answer = await self._dispatcher.call(component, letter.method, args)
        await self._delete(number)
        return answer.get("result")

    async def _find(self, number: int) -> tuple[Letter, dict[str, Any]]:
        def operation(connection: sqlite3.Connection) -> Any:
            sql = f"SELECT {_COLUMNS}, args FROM dead_letter WHERE number = ?"
            return connection.execute(sql, (number,)).fetchone()

        row = await self._store.run(operation)
        if row is None:
            raise UsageError(f"there is no dead letter {number}; `rookery events dead` lists them")
        *told, packed = row
        args = decode_value(packed)
        if type(args) is not dict:
            raise RookeryError(f"dead letter {number} is damaged: its arguments are no map; drop it")
        return Letter(**dict(zip(_COLUMNS.split(", "), told, strict=True))), args

    async def _delete(self, number: int) -> None:
        def operation(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM dead_letter WHERE number = ?", (number,))

        await self._store.run(operation)
