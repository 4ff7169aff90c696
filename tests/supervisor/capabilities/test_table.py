"""The table: the protocol's order of checks, and one answer to every call whatever happens."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from rookery.protocol import BadPayload, ConnectionLost, ErrorCode, RemoteError, RequestTimedOut
from rookery.supervisor.capabilities import CapabilityRequest, CapabilityTable
from rookery.supervisor.capabilities import table as table_module
from rookery.supervisor.grants import Grants
from rookery.supervisor.store_errors import OperationRefused, StoreError, StoreOverloaded
from tests.doubles.capability_calls import Caller


@pytest.fixture
async def table(nursery: trio.Nursery) -> CapabilityTable:
    """A table without families."""
    grants = Grants()
    grants.grant("a.b", ["x.*"], None)
    table = CapabilityTable(grants)
    await nursery.start(table.run)
    return table


@pytest.fixture
def caller(table: CapabilityTable) -> Caller:
    return Caller(table)


@pytest.mark.parametrize("name", ["", None, 5, "n" * 1025])
async def test_a_bad_payload_is_found_first(caller: Caller, name: Any) -> None:
    """Before anybody asks whether the plugin may."""
    error = await caller.refusal(name, plugin_id="no.grant")

    assert error.code is ErrorCode.E_BAD_PAYLOAD
    assert "capability" in error.message


async def test_a_missing_grant_is_found_before_a_missing_implementation(
    caller: Caller, table: CapabilityTable
) -> None:
    """What is not granted is not even said to exist."""
    denied = await caller.refusal("y.nothing")
    missing = await caller.refusal("x.nothing")

    assert denied.code is ErrorCode.E_CAPABILITY_DENIED
    assert '"y.nothing"' in denied.message
    assert missing.code is ErrorCode.E_METHOD_NOT_ALLOWED
    assert "'x.nothing'" in missing.message
    assert table.denied == 1


async def test_the_identity_is_the_envelopes(caller: Caller, table: CapabilityTable) -> None:
    """An argument that names another plugin means nothing."""
    seen: list[CapabilityRequest] = []

    def implementation(request: CapabilityRequest) -> None:
        seen.append(request)
        request.answer({})

    table.register("x.y", implementation)

    await caller.ask("x.y", {"plugin_id": "a.c"})

    assert (seen[0].plugin_id, seen[0].shard, seen[0].name) == ("a.b", "shard", "x.y")


async def test_a_plain_function_answers_without_a_task(caller: Caller, table: CapabilityTable) -> None:
    """At once, in the pass that read the call."""
    table.register("x.y", lambda request: request.answer({"twice": request.args["n"] * 2}))

    call = caller.call("x.y", {"n": 4})

    assert caller.has_outcome(call)
    assert await caller.outcome(call) == {"twice": 8}


async def test_what_an_async_function_returns_is_the_answer(caller: Caller, table: CapabilityTable) -> None:
    """Also of an object that is called; unless the request was settled inside."""

    class Callable:
        async def __call__(self, request: CapabilityRequest) -> dict[str, Any]:
            await trio.lowlevel.checkpoint()
            return {"by": "object"}

    async def settles(request: CapabilityRequest) -> None:
        request.answer({"by": "itself"})

    table.register("x.object", Callable())
    table.register("x.itself", settles)

    assert await caller.ask("x.object") == {"by": "object"}
    assert await caller.ask("x.itself") == {"by": "itself"}


ERRORS = [
    pytest.param(ValueError("boom"), ErrorCode.E_CAPABILITY_FAILED, "ValueError: boom", id="any error"),
    pytest.param(
        RemoteError(ErrorCode.E_TIMEOUT, "late"), ErrorCode.E_TIMEOUT, "late", id="a code of its own"
    ),
    pytest.param(RemoteError(ErrorCode.OK), ErrorCode.E_CAPABILITY_FAILED, "", id="no error code"),
    pytest.param(BadPayload("no", "args"), ErrorCode.E_BAD_PAYLOAD, "args: no", id="a bad argument"),
    pytest.param(OperationRefused("no", "n"), ErrorCode.E_BAD_PAYLOAD, "n: no", id="a refused operation"),
    pytest.param(StoreError("broken"), ErrorCode.E_CAPABILITY_FAILED, "broken", id="a broken store"),
    pytest.param(StoreOverloaded("full"), ErrorCode.E_HOST_OVERLOADED, "full", id="a full store"),
    pytest.param(RequestTimedOut("late"), ErrorCode.E_TIMEOUT, "late", id="a callee that is late"),
    pytest.param(ConnectionLost("gone"), ErrorCode.E_PLUGIN_CRASHED, "gone", id="a callee that died"),
]


@pytest.mark.parametrize("is_async", [False, True], ids=["plain", "async"])
@pytest.mark.parametrize(("error", "code", "text"), ERRORS)
async def test_what_an_implementation_raises_becomes_the_error(
    caller: Caller, table: CapabilityTable, error: Exception, code: ErrorCode, text: str, is_async: bool
) -> None:
    """The table and its other calls go on."""

    def plain(request: CapabilityRequest) -> None:
        raise error

    async def task(request: CapabilityRequest) -> None:
        raise error

    table.register("x.bad", task if is_async else plain)
    table.register("x.good", lambda request: request.answer({}))

    refused = await caller.refusal("x.bad")

    assert refused.code is code
    assert text in refused.message
    assert await caller.ask("x.good") == {}


async def test_mistakes_are_said_in_the_result_where_plugins_expect_it(
    caller: Caller, table: CapabilityTable
) -> None:
    """Protocol 1.0.0 has it so for its own capabilities."""

    def implementation(request: CapabilityRequest) -> None:
        raise BadPayload("must be a text", "text")

    table.register("x.old", implementation, says_mistakes=True)

    assert await caller.ask("x.old") == {"success": False, "error": "text: must be a text"}


@pytest.mark.parametrize(
    "result",
    [
        pytest.param({"a": object()}, id="an object"),
        pytest.param({1: "a"}, id="a key that is no text"),
        pytest.param({"a": "\ud800"}, id="a lone surrogate"),
        pytest.param({"a": 2**70}, id="a large integer"),
        pytest.param({"a": "x" * 70_000}, id="more than a frame"),
    ],
)
async def test_a_result_that_cannot_be_sent_is_refused(table: CapabilityTable, result: Any) -> None:
    """With a text that says why, and once."""
    caller = Caller(table, max_frame_bytes=65_536)
    table.register("x.y", lambda request: request.answer(result))

    refused = await caller.refusal("x.y")

    assert refused.code is ErrorCode.E_CAPABILITY_FAILED
    assert "cannot be sent" in refused.message
    assert caller.answers == 1


async def test_only_the_first_answer_counts(caller: Caller, table: CapabilityTable) -> None:
    """Whatever comes later is dropped, an exception too."""

    def implementation(request: CapabilityRequest) -> None:
        request.answer({"first": True})
        request.answer({"first": False})
        request.fail(ErrorCode.E_UNKNOWN, "no")
        raise ValueError("afterwards")

    table.register("x.y", implementation)

    assert await caller.ask("x.y") == {"first": True}
    assert caller.answers == 1


async def test_a_connection_that_went_hears_nothing(caller: Caller, table: CapabilityTable) -> None:
    """Settling the call later is harmless and frees its place."""
    kept: list[CapabilityRequest] = []
    table.register("x.y", kept.append)
    caller.call("x.y")

    caller.link.is_closed = True
    kept[0].answer({})

    assert kept[0].settled
    assert "0 calls" in repr(table)


async def test_a_call_without_an_answer_times_out(
    caller: Caller, table: CapabilityTable, autojump_clock: trio.testing.MockClock
) -> None:
    """A plain function that never settles and an async one that never returns; a late answer is dropped."""
    kept: list[CapabilityRequest] = []
    was_cancelled = trio.Event()

    async def hangs(request: CapabilityRequest) -> None:
        try:
            await trio.sleep_forever()
        finally:
            was_cancelled.set()

    table.register("x.forgets", kept.append)
    table.register("x.hangs", hangs)
    calls = [caller.call("x.forgets", timeout_ms=500), caller.call("x.hangs", timeout_ms=500)]

    await trio.sleep(0.9)
    kept[0].answer({})

    for call in calls:
        outcome = await caller.outcome(call)
        assert isinstance(outcome, RemoteError)
        assert outcome.code is ErrorCode.E_TIMEOUT
    assert was_cancelled.is_set()
    assert trio.current_time() < 1.0


async def test_calls_wait_without_a_timer_when_there_are_none(
    table: CapabilityTable, autojump_clock: trio.testing.MockClock
) -> None:
    """An idle table wakes nobody: nothing but this test's own sleep moves the clock."""
    began = trio.current_time()
    await trio.testing.wait_all_tasks_blocked()

    assert trio.current_time() == began
    assert trio.lowlevel.current_statistics().seconds_to_next_deadline == float("inf")


async def test_a_flood_of_one_plugin_is_held_back(
    caller: Caller, table: CapabilityTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others go on, and so does it when its calls have been answered."""
    monkeypatch.setattr(table_module, "MAX_WAITING_PER_PLUGIN", 2)
    table._grants.grant("a.c", ["x.y"], None)
    kept: list[CapabilityRequest] = []
    table.register("x.y", kept.append)
    caller.call("x.y")
    caller.call("x.y")

    refused = await caller.refusal("x.y")
    caller.call("x.y", plugin_id="a.c")
    kept[0].answer({})
    caller.call("x.y")

    assert refused.code is ErrorCode.E_BACK_PRESSURE
    assert [request.plugin_id for request in kept] == ["a.b", "a.b", "a.c", "a.b"]


async def test_stopping_refuses_what_is_open() -> None:
    """Every call that waits is answered, and so is one that comes afterwards."""
    grants = Grants()
    grants.grant("a.b", ["*"], None)
    table = CapabilityTable(grants)
    caller = Caller(table)

    async def hangs(request: CapabilityRequest) -> None:
        await trio.sleep_forever()

    table.register("x.hangs", hangs)
    table.register("x.forgets", lambda request: None)
    async with trio.open_nursery() as nursery:
        await nursery.start(table.run)
        calls = [caller.call("x.hangs"), caller.call("x.forgets")]
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    calls.append(caller.call("x.hangs"))

    for call in calls:
        outcome = await caller.outcome(call)
        assert isinstance(outcome, RemoteError)
        assert outcome.code is ErrorCode.E_SHUTTING_DOWN


async def test_a_host_replaces_an_implementation(caller: Caller, table: CapabilityTable) -> None:
    """The last one registered under a name is used, and names are listed."""
    table.register("x.y", lambda request: request.answer(1))
    table.register("x.y", lambda request: request.answer(2))

    assert await caller.ask("x.y") == 2
    assert table.names == ("x.y",)


async def test_no_budget_is_for_ever(
    caller: Caller,
    table: CapabilityTable,
    autojump_clock: trio.testing.MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A runner may write any number of sixty-four bits there; what is under way for it ends all the same."""
    monkeypatch.setattr(table_module, "SWEEP", 60.0)
    table.register("x.forgets", lambda request: None)

    call = caller.call("x.forgets", timeout_ms=2**63)
    assert table.unanswered == 1
    await trio.sleep(3700)

    assert caller.has_outcome(call)
    error = await caller.outcome(call)
    assert isinstance(error, RemoteError)
    assert error.code is ErrorCode.E_TIMEOUT
    assert table.unanswered == 0
