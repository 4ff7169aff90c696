"""When is a request refused because there were too many, and what is its plugin told?"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from rookery.protocol import ErrorCode, Request
from rookery.supervisor.bounds import SMALL, Bounds
from rookery.supervisor.quota import Quota


class Runner:
    """Makes requests, each of so many bytes, and says what was refused."""

    def __init__(self, **bounds: Any) -> None:
        self.quota = Quota(Bounds(**bounds))
        self.session = SimpleNamespace(owed={}, counters=SimpleNamespace(latest_bytes=0))
        self.refused: list[tuple[ErrorCode, str, dict[str, Any]]] = []
        self._last = 0

    def ask(self, plugin_id: str = "p.a", size: int = 100) -> bool:
        """Whether it was taken."""
        self._last += 1
        self.session.owed[self._last] = ("cap.call", plugin_id)
        self.session.counters.latest_bytes = size
        request = SimpleNamespace(
            plugin_id=plugin_id,
            request_id=self._last,
            link=SimpleNamespace(session=self.session),
            refuse=lambda *told: self.refused.append(told),
        )
        found = self.quota.refusal(cast(Request, request))
        if found is None:
            return True
        found.send(cast(Request, request))
        del self.session.owed[self._last]
        return False


async def test_a_plugin_has_a_rate_of_its_own(autojump_clock: MockClock) -> None:
    """What one asks too often takes nothing from another, and comes back in time."""
    runner = Runner(calls_rate=10.0, calls_burst=3.0)

    at_once = [runner.ask() for _ in range(5)]
    other = runner.ask("p.b")
    await trio.sleep(0.1)
    later = [runner.ask(), runner.ask()]

    assert at_once == [True, True, True, False, False]
    assert other
    assert later == [True, False]
    assert runner.quota.refused == 3


async def test_a_refusal_says_what_was_too_much_and_for_how_long(autojump_clock: MockClock) -> None:
    """So that a plugin need not guess."""
    runner = Runner(calls_rate=10.0, calls_burst=1.0)
    runner.ask()
    runner.ask()

    ((code, text, details),) = runner.refused
    assert code is ErrorCode.E_BACK_PRESSURE
    assert text == "p.a makes more than 10 requests a second (limits.calls_rate); again in 0.1 s"
    assert details == {"kind": "resource", "resource": "calls_rate", "retry_after_ms": 100}


async def test_what_waits_for_an_answer_is_counted(autojump_clock: MockClock) -> None:
    """Over all plugins of the connection; an answer makes room."""
    runner = Runner(max_open=2)
    found = [runner.ask("p.a"), runner.ask("p.b"), runner.ask("p.c")]
    runner.session.owed.popitem()

    assert found == [True, True, False]
    assert runner.ask("p.c")
    assert runner.refused[0][2]["resource"] == "open requests"


async def test_large_requests_that_wait_are_counted_in_bytes(autojump_clock: MockClock) -> None:
    """One that is too large by itself is taken when nothing else waits: a frame's limit is its own."""
    runner = Runner(held_bytes=100_000)

    assert runner.ask(size=150_000)
    assert not runner.ask(size=SMALL + 1)
    assert runner.ask(size=SMALL)
    runner.session.owed.clear()
    assert [runner.ask(size=60_000), runner.ask(size=60_000), runner.ask(size=30_000)] == [True, False, True]
    assert {details["resource"] for _, _, details in runner.refused} == {"bytes of open requests"}


@pytest.mark.parametrize("count", [1000])
async def test_no_bounds_refuse_nothing(autojump_clock: MockClock, count: int) -> None:
    """Of a trusted shard."""
    runner = Runner()

    assert all(runner.ask(size=10**7) for _ in range(count))
