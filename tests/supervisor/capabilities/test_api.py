"""What does a plugin get that calls, looks up and offers APIs, in the words of protocol 1.0.0?"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest
import trio

from rookery.protocol import ErrorCode, RemoteError
from rookery.supervisor.api_calls import ApiCalls
from rookery.supervisor.api_table import ApiTable
from rookery.supervisor.capabilities import CapabilityTable, register_api
from rookery.supervisor.grants import Grants
from rookery.supervisor.observers import CapabilityDenied
from tests.doubles.capability_calls import Caller
from tests.doubles.stage import Stage, open_stage, said


@attrs.define
class Market:
    """Plugins on a stage, and one that calls."""

    stage: Stage
    caller: Caller

    async def ask(self, capability: str, plugin_id: str = "p.caller", **args: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await self.caller.ask(f"api.{capability}", args, plugin_id=plugin_id)
        return answer


@pytest.fixture
async def market(nursery: trio.Nursery) -> AsyncIterator[Market]:
    grants = Grants()
    for plugin_id in ("p.caller", "p.b"):
        grants.grant(plugin_id, ["api.*"], None)
    grants.grant("p.plain", [], None)
    async with open_stage("one", "two") as stage:
        table = CapabilityTable(grants)
        register_api(table, ApiCalls(ApiTable(stage.registry), stage.dispatcher), stage.registry)
        await nursery.start(table.run)
        yield Market(stage, Caller(table))


async def test_a_result_comes_back_as_it_is(market: Market) -> None:
    """From any shard, by any of an API's names."""
    market.stage.offer("api", "p.b", "sum", said({"a": [1, None]}), public=True, shard="two")

    answers = [
        await market.ask("call", api_name=name, args={"x": 1})
        for name in ("p.b.sum", "sum", "sum@1", " sum ")
    ]

    assert answers == [{"success": True, "result": {"a": [1, None]}}] * 4


@pytest.mark.parametrize(
    ("args", "kind", "code"),
    [
        ({"api_name": "nothing"}, "refused", "E_METHOD_NOT_ALLOWED"),
        ({"api_name": "p.b.own"}, "refused", "E_CAPABILITY_DENIED"),
        ({"api_name": "fails"}, "handler error", "E_UNKNOWN"),
        pytest.param({"api_name": "hangs"}, "timeout", "E_TIMEOUT", marks=pytest.mark.slow),
    ],
)
async def test_what_goes_wrong_is_said_in_the_result(
    market: Market, args: dict[str, Any], kind: str, code: str
) -> None:
    """A kind that a caller can act on, the wire's code, and whether it may have been done."""
    market.stage.offer("api", "p.b", "own", said(1))
    market.stage.offer("api", "p.b", "fails", {"success": False, "result": "ValueError: no"}, public=True)
    market.stage.offer("api", "p.b", "hangs", None, public=True, timeout_ms=100)

    answer = await market.ask("call", **args)

    assert answer.pop("error")
    assert answer == {"success": False, "kind": kind, "code": code, "maybe_executed": kind != "refused"}


async def test_a_call_that_the_operator_does_not_allow_is_a_denial(nursery: trio.Nursery) -> None:
    """Refused as any capability that a plugin may not use, and told; the API is not called."""
    grants = Grants()
    told: list[CapabilityDenied] = []
    grants.grant("p.caller", ["api.*"], None)
    async with open_stage("one") as stage:
        table = CapabilityTable(grants)
        table.on_denied = told.append
        calls = ApiCalls(
            ApiTable(stage.registry),
            stage.dispatcher,
            lambda caller, api: f"{caller} may not call {api.name}",
        )
        register_api(table, calls, stage.registry)
        await nursery.start(table.run)
        stage.offer("api", "p.b", "sum", said(1), public=True)

        refusal = await Caller(table).ask("api.call", {"api_name": "sum"}, plugin_id="p.caller")

        assert isinstance(refusal, RemoteError)
        assert (refusal.code, refusal.message) == (
            ErrorCode.E_CAPABILITY_DENIED,
            "p.caller may not call sum",
        )
        assert [each.capability for each in told] == ["api.call"]
        assert stage.seen == []


@pytest.mark.parametrize(
    ("args", "argument"),
    [
        ({}, "api_name"),
        ({"api_name": "x", "args": [1]}, "args"),
        ({"api_name": "x", "version": 2}, "version"),
    ],
)
async def test_a_mistake_names_its_argument(market: Market, args: dict[str, Any], argument: str) -> None:
    """In the result, where plugins of protocol 1.0.0 look."""
    answer = await market.ask("call", **args)

    assert answer["success"] is False
    assert argument in answer["error"]


async def test_apis_are_looked_up(market: Market) -> None:
    """Those that may be called, sorted; one that means nothing is null, whatever the reason."""
    market.stage.offer("api", "p.c", "sum", said(1), public=True, version="2")
    market.stage.offer("api", "p.b", "sum", said(1), public=True, description="adds")
    market.stage.offer("api", "p.b", "own", said(1))
    market.stage.offer("api", "p.b", "off", said(1), public=True, enabled=False)

    found = await market.ask("get", api_name="sum")
    nothing = [await market.ask("get", api_name=name) for name in ("p.b.own", "off", "none", "sum@9")]
    listed = await market.ask("list")
    chosen = await market.ask("list", name="sum", version="2")

    assert (found["success"], found["api"]["full_name"], found["api"]["description"]) == (
        True,
        "p.b.sum",
        "adds",
    )
    assert nothing == [{"success": True, "api": None}] * 4
    assert [each["full_name"] for each in listed["apis"]] == ["p.b.sum", "p.c.sum"]
    assert [each["version"] for each in chosen["apis"]] == ["2"]


async def test_a_plugin_sees_its_own_private_ones(market: Market) -> None:
    """And calls them, by the same way as anybody."""
    market.stage.offer("api", "p.b", "own", said("mine"))

    listed = await market.ask("list", plugin_id="p.b")
    answer = await market.ask("call", plugin_id="p.b", api_name="own")

    assert [each["full_name"] for each in listed["apis"]] == ["p.b.own"]
    assert answer["result"] == "mine"


async def test_dynamic_apis_are_offered_without_a_capability(market: Market) -> None:
    """As the protocol allows everybody; whatever the metadata says, they are dynamic and the plugin's own."""
    market.stage.offer("tool", "p.plain", "x", said(1))
    apis = [
        {"name": " one ", "metadata": {"public": True, "dynamic": False, "handler_name": "run"}},
        {"name": "two", "type": "api", "metadata": None},
    ]

    first = await market.ask("replace_dynamic", plugin_id="p.plain", apis=apis)
    second = await market.ask("replace_dynamic", plugin_id="p.plain", apis=apis[1:], offline_reason="night")
    denied = await market.caller.refusal("api.call", {"api_name": "one"}, plugin_id="p.plain")
    listed = await market.ask("list")
    off = await market.ask("call", api_name="one")

    assert first == {"success": True, "count": 2, "offlined": 0}
    assert second == {"success": True, "count": 1, "offlined": 1}
    assert "may not use 'api.call'" in str(denied)
    assert listed["apis"] == []
    assert (off["kind"], off["error"]) == ("unavailable", "p.plain.one is not available: night")


@pytest.mark.parametrize(
    ("apis", "path"),
    [
        (None, "apis"),
        ({}, "apis"),
        ([3], "apis[0]"),
        ([{}], "apis[0].name"),
        ([{"name": " "}], "apis[0].name"),
        ([{"name": "a"}, {"name": "b", "type": "TOOL"}], "apis[1].type"),
        ([{"name": "a", "component_type": 3}], "apis[0].type"),
        ([{"name": "a", "metadata": 3}], "apis[0].metadata"),
        ([{"name": "a", "metadata": {"timeout_ms": -1}}], "apis[0].metadata.timeout_ms"),
        ([{"name": "a"}, {"name": "a"}], "apis[1].name"),
        ([{"name": "fixed"}], "apis[0].name"),
        ([{"name": "x" * 500}], "apis[0].name"),
    ],
)
async def test_a_set_with_a_mistake_is_refused(market: Market, apis: Any, path: str) -> None:
    """With its place, and nothing of it is there."""
    market.stage.offer("api", "p.plain", "fixed", said(1), public=True)

    answer = await market.ask("replace_dynamic", plugin_id="p.plain", apis=apis)
    listed = await market.ask("list")

    assert answer["success"] is False
    assert path in answer["error"]
    assert [each["name"] for each in listed["apis"]] == ["fixed"]
