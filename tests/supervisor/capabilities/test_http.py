"""What does a plugin hear that has an address fetched, and what the operator that has not named its host?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import pytest
import trio

from rookery.protocol import BadPayload, ErrorCode
from rookery.supervisor.capabilities import CapabilityTable, register_http
from rookery.supervisor.fetch.failure import FetchFailed, FetchKind, NotAllowed
from rookery.supervisor.fetch.fetcher import Fetched
from rookery.supervisor.grants import Grants
from rookery.supervisor.observers import CapabilityDenied
from tests.doubles.capability_calls import Caller


@attrs.define
class FakeFetcher:
    """Answers, or fails, as a test says; writes down what it is asked for."""

    failure: Exception | None = None
    asked: list[tuple[str, Mapping[str, Any]]] = attrs.Factory(list)

    async def fetch(self, plugin_id: str, args: Mapping[str, Any], *, deadline: float) -> Fetched:
        self.asked.append((plugin_id, args))
        assert 0 < deadline - trio.current_time() <= 30
        if self.failure is not None:
            raise self.failure
        return Fetched(status=200, url="https://a.test/", headers={"etag": "7"}, body=b"\x00\xff")


@pytest.fixture
def fetcher() -> FakeFetcher:
    return FakeFetcher()


@pytest.fixture
def denied() -> list[CapabilityDenied]:
    return []


@pytest.fixture
async def caller(fetcher: FakeFetcher, denied: list[CapabilityDenied], nursery: trio.Nursery) -> Caller:
    grants = Grants()
    grants.grant("a.b", ["http.fetch"], None)
    table = CapabilityTable(grants)
    table.on_denied = denied.append
    register_http(table, fetcher)  # type: ignore[arg-type]
    await nursery.start(table.run)
    return Caller(table)


async def test_an_answer_comes_with_its_bytes(caller: Caller, fetcher: FakeFetcher) -> None:
    """As they are, without base64 around them."""
    answer = await caller.ask("http.fetch", {"url": "https://a.test/"})

    assert answer == {
        "success": True,
        "answer": {"status": 200, "url": "https://a.test/", "headers": {"etag": "7"}, "body": b"\x00\xff"},
    }
    assert fetcher.asked == [("a.b", {"url": "https://a.test/"})]


@pytest.mark.parametrize(
    ("method", "was_sent", "may_be_done"),
    [("POST", True, True), ("POST", False, False), ("GET", True, False), (None, True, False)],
)
async def test_a_failure_says_whether_it_may_have_been_done(
    caller: Caller, fetcher: FakeFetcher, method: str | None, was_sent: bool, may_be_done: bool
) -> None:
    """Reading twice does nothing twice."""
    fetcher.failure = FetchFailed(FetchKind.TIMEOUT, "too late", retry_after=3.0, was_sent=was_sent)

    answer = await caller.ask("http.fetch", {"url": "https://a.test/", "method": method})

    assert answer == {
        "success": False,
        "error": "too late",
        "kind": "timeout",
        "retry_after": 3.0,
        "maybe_executed": may_be_done,
    }


async def test_a_host_that_is_not_named_is_a_denial(
    caller: Caller, fetcher: FakeFetcher, denied: list[CapabilityDenied]
) -> None:
    """The operator hears of it, with the reason."""
    fetcher.failure = NotAllowed("add it to hosts")

    error = await caller.refusal("http.fetch", {"url": "https://evil.test/"})

    assert (error.code, error.message) == (ErrorCode.E_CAPABILITY_DENIED, "add it to hosts")
    assert [(each.plugin_id, each.capability, each.reason) for each in denied] == [
        ("a.b", "http.fetch", "add it to hosts")
    ]


async def test_a_mistake_names_its_argument(caller: Caller, fetcher: FakeFetcher) -> None:
    """As of every capability of the host's own."""
    fetcher.failure = BadPayload("must be a text", "url")

    error = await caller.refusal("http.fetch", {})

    assert (error.code, error.details) == (ErrorCode.E_BAD_PAYLOAD, {"path": "url"})
