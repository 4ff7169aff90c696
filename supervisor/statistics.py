"""How much was used, hour by hour: calls of language models, calls of tools, and the time that the host was there?

Everything is added up in memory and written once in a while, so that a call costs the store nothing of its own. A host that is
killed loses what it had not written yet, at most a minute's worth.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import attrs
import trio

from .digest import MESSAGE, digest
from .store_errors import StoreError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from .call import Call, Outcome
    from .store import Store

PERIOD = 60.0
"""Seconds between two writes."""

HOUR = 3600

KEPT_HOURS = 366 * 24
"""What is older is dropped: nothing that can be asked for goes back further."""

MAX_NAME_CHARS = 200
MAX_LINES = 2_000
"""Different lines that wait for the next write; above it they are written at once."""

TOOL = "tool"
ONLINE = "online"


@attrs.frozen
class _LlmLine:
    """Calls of one hour that are added up together."""

    hour: int
    model: str
    provider: str
    module: str
    kind: str


@attrs.define
class _LlmSum:
    requests: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    seconds: float = 0.0


class Statistics:
    """Counts, and writes what it has counted to the store.

    Args:
        clock: Unix seconds.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._llm: dict[_LlmLine, _LlmSum] = {}
        self._activity: dict[tuple[str, int, str], float] = {}
        self._online_since: float | None = None
        """On trio's clock, since the last write."""

    def __repr__(self) -> str:
        return f"<Statistics with {len(self._llm) + len(self._activity)} lines to write>"

    # --- counting ----------------------------------------------------------------------------------------------

    def note_llm_use(
        self,
        *,
        model: str,
        provider: str = "",
        module: str = "",
        kind: str = "response",
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
        cost: float = 0.0,
        seconds: float = 0.0,
        failed: bool = False,
    ) -> None:
        """One call of a language model has ended. Never raises, never waits.

        Args:
            module: Who asked for it, e.g. ``plugin.author.dice``.
            kind: What for: ``response``, ``embedding``, ``audio_transcription``.
            prompt_tokens: As the provider counts them, like ``completion_tokens``; 0 where it does not.
            cost: In the currency of whoever configured the prices.
            seconds: How long it took.
        """
        names = (model, provider, module, kind)
        line = _LlmLine(self._hour(), *(_short(name) for name in names))
        total = self._llm.get(line)
        if total is None:
            total = self._llm[line] = _LlmSum()
        total.requests += 1
        total.failures += failed
        total.prompt_tokens += _count(prompt_tokens)
        total.completion_tokens += _count(completion_tokens)
        total.cost += _amount(cost)
        total.seconds += _amount(seconds)
        self._write_if_many()

    def note_tool(self, call: Call, outcome: Outcome) -> None:
        """One call of a tool has ended, well or not."""
        self._add(TOOL, call.component.full_name, 1)

    def _add(self, kind: str, key: str, amount: float) -> None:
        place = (kind, self._hour(), _short(key))
        self._activity[place] = self._activity.get(place, 0) + amount
        self._write_if_many()

    def _hour(self) -> int:
        return int(self._clock() // HOUR)

    # --- writing -----------------------------------------------------------------------------------------------

    def write(self) -> None:
        """Hand what was counted to the store, before whatever is asked of it next. Never raises."""
        self._count_online()
        llm, activity = self._llm, self._activity
        if not llm and not activity:
            return
        self._llm, self._activity = {}, {}
        rows = [(*attrs.astuple(line), *attrs.astuple(total)) for line, total in llm.items()]
        sums = [(*place, amount) for place, amount in activity.items()]
        oldest = self._hour() - KEPT_HOURS

        def operation(connection: sqlite3.Connection) -> None:
            connection.executemany(_ADD_LLM, rows)
            connection.executemany(_ADD_ACTIVITY, sums)
            connection.execute("DELETE FROM llm_use WHERE hour < ?", (oldest,))
            digest(connection)
            for kind in (TOOL, ONLINE, MESSAGE):
                connection.execute("DELETE FROM activity WHERE kind = ? AND hour < ?", (kind, oldest))

        try:
            self._store.submit(operation)
        except StoreError:
            pass  # counted by the store, and shown in its status

    async def run(self) -> None:
        """Write every minute, and at the end; until cancelled."""
        self._online_since = trio.current_time()
        try:
            while True:
                await trio.sleep(PERIOD)
                self.write()
        finally:
            self.write()
            self._online_since = None

    def _count_online(self) -> None:
        if self._online_since is not None:
            now = trio.current_time()
            seconds, self._online_since = now - self._online_since, now
            place = (ONLINE, self._hour(), "")
            self._activity[place] = self._activity.get(place, 0) + seconds

    def _write_if_many(self) -> None:
        if len(self._llm) + len(self._activity) > MAX_LINES:
            self.write()


_ADD_LLM = (
    "INSERT INTO llm_use (hour, model, provider, module, kind, requests, failures, prompt_tokens, completion_tokens, cost,"
    " seconds) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (hour, model, provider, module, kind) DO UPDATE SET"
    " requests = requests + excluded.requests, failures = failures + excluded.failures,"
    " prompt_tokens = prompt_tokens + excluded.prompt_tokens,"
    " completion_tokens = completion_tokens + excluded.completion_tokens,"
    " cost = cost + excluded.cost, seconds = seconds + excluded.seconds"
)

_ADD_ACTIVITY = (
    "INSERT INTO activity (kind, hour, key, amount) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (kind, hour, key) DO UPDATE SET amount = amount + excluded.amount"
)


def _short(name: str) -> str:
    return (
        name[:MAX_NAME_CHARS].encode("utf-8", "replace").decode()
    )  # a lone surrogate has no place in a database


def _count(number: int) -> int:
    """A provider's number; what is none, or beyond all reason, counts 0."""
    return number if type(number) is int and 0 <= number < 2**40 else 0


def _amount(number: float) -> float:
    return float(number) if type(number) in (int, float) and math.isfinite(number) and number >= 0 else 0.0
