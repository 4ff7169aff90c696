"""Do messages and gateways come in as the host sees them, and not as a runner says?"""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock

from rookery.protocol import (
    PLUGIN_REGISTER_COMPONENTS,
    ROUTE_MESSAGE,
    UPDATE_GATEWAY_STATE,
    ErrorCode,
    RunnerReady,
)
from rookery.supervisor.observers import GatewayReported
from tests.doubles.connections import GATEWAY, Border, Runner, declaration, registration, report_of_end
from tests.doubles.stage import chat, open_stage


async def test_a_ready_gateway_is_bound_and_everybody_is_told(autojump_clock: MockClock) -> None:
    """Also while its plugin is still loading; the state overrides what the component declares."""
    async with open_stage("one") as stage:
        border = Border(stage)
        runner = Runner(border, "p.a")
        runner.ask(PLUGIN_REGISTER_COMPONENTS, registration("p.a", [GATEWAY]), plugin_id="p.a")

        answer = runner.report_gateway(account_id="bot", metadata={"nick": "r"})
        gone = runner.report_gateway(ready=False)

        assert answer == {
            "accepted": True,
            "ready": True,
            "route_key": {"platform": "test", "account_id": "bot", "scope": None},
        }
        assert gone == {"accepted": True, "ready": False, "route_key": {}}
        assert border.routes.drivers == ()
        told = [(each.gateway, each.ready, each.account_id) for each in border.heard(GatewayReported)]
        assert told == [("chat", True, "bot"), ("chat", False, "")]


async def test_a_gateway_that_is_not_registered_is_refused(autojump_clock: MockClock) -> None:
    """By its name, shortened."""
    async with open_stage("one") as stage:
        border = Border(stage)
        runner = Runner(border, "p.a")

        refused = runner.refusal(
            UPDATE_GATEWAY_STATE, {"gateway_name": "x" * 5000, "ready": True}, plugin_id="p.a"
        )

        assert refused.code is ErrorCode.E_METHOD_NOT_ALLOWED
        assert len(refused.message) < 300
        assert border.records == []


async def test_a_routed_message_is_offered_and_answered_when_it_is_admitted(
    autojump_clock: MockClock,
) -> None:
    """The answer says whether it was taken; the session is remembered."""
    async with open_stage("one") as stage:
        border = Border(stage)
        runner = Runner(border, "p.a")
        runner.ask(PLUGIN_REGISTER_COMPONENTS, registration("p.a", [GATEWAY]), plugin_id="p.a")
        runner.report_gateway(account_id="bot")

        request_id = runner.send(
            ROUTE_MESSAGE, {"gateway_name": "chat", "message": chat("hi", group="g")}, plugin_id="p.a"
        )
        before = runner.outcome(request_id)
        ((inbound, answer),) = border.inbox.offered
        answer(True)

        assert before is None
        assert runner.outcome(request_id) == {
            "accepted": True,
            "route_key": {"platform": "test", "account_id": "bot", "scope": None},
        }
        assert inbound.session_id == "test:group:g"
        found = border.sessions.find("test:group:g")
        assert found is not None
        assert found.key.account_id == "bot"


@pytest.mark.parametrize(
    ("metadata", "ready", "words"),
    [
        pytest.param({"route_type": "duplex", "platform": "test"}, False, "is not ready", id="not ready"),
        pytest.param({"route_type": "send", "platform": "test"}, True, "cannot receive", id="one that sends"),
    ],
)
async def test_a_gateway_that_may_not_receive_is_refused(
    autojump_clock: MockClock, metadata: dict[str, Any], ready: bool, words: str
) -> None:
    """The message is counted as refused."""
    async with open_stage("one") as stage:
        border = Border(stage)
        runner = Runner(border, "p.a")
        runner.ask(
            PLUGIN_REGISTER_COMPONENTS,
            registration("p.a", [declaration("chat", "MESSAGE_GATEWAY", **metadata)]),
            plugin_id="p.a",
        )
        runner.report_gateway(ready=ready)

        refused = runner.refusal(ROUTE_MESSAGE, {"gateway_name": "chat", "message": chat()}, plugin_id="p.a")

        assert refused.code is ErrorCode.E_METHOD_NOT_ALLOWED
        assert words in refused.message
        assert border.inbox.offered == []
        assert border.counters.refused == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"platform": "other"}, "carries 'test'", id="of another platform"),
        pytest.param({"platform": "  "}, "platform: must be a text", id="of no platform"),
        pytest.param({"platform": "test" * 1000}, "platform", id="of a very long platform"),
        pytest.param({"message_id": ""}, "message_id", id="without an id"),
        pytest.param({"message_info": None}, "message_info", id="from nobody"),
        pytest.param({"raw_message": [1]}, "raw_message[0]", id="whose segments are none"),
    ],
)
async def test_a_message_that_is_none_is_refused(
    autojump_clock: MockClock, change: dict[str, Any], words: str
) -> None:
    """Counted, with the reason; the connection lives."""
    async with open_stage("one") as stage:
        border = Border(stage)
        runner = Runner(border, "p.a")
        runner.ask(PLUGIN_REGISTER_COMPONENTS, registration("p.a", [GATEWAY]), plugin_id="p.a")
        runner.report_gateway()

        refused = runner.refusal(
            ROUTE_MESSAGE, {"gateway_name": "chat", "message": {**chat(), **change}}, plugin_id="p.a"
        )

        assert refused.code is ErrorCode.E_BAD_PAYLOAD
        assert words in refused.message
        assert border.inbox.offered == []
        assert border.counters.refused == 1
        assert runner.shard.accusations == []


async def test_a_plugin_that_is_not_loaded_any_more_has_no_gateway(autojump_clock: MockClock) -> None:
    """Its driver would take messages for which nobody is there."""
    async with open_stage(closed=("one",)) as stage:
        border = Border(stage)
        first = Runner(border, "p.a")
        first.ask(PLUGIN_REGISTER_COMPONENTS, registration("p.a", [GATEWAY]), plugin_id="p.a")
        first.report_gateway()
        border.traffic.runner_ready(first.shard, RunnerReady(loaded_plugins=["p.a"]))  # type: ignore[arg-type]
        border.traffic.runner_lost(first.shard, report_of_end())  # type: ignore[arg-type]
        while_away = len(border.routes.drivers)

        second = Runner(border, "p.a")
        border.traffic.runner_ready(second.shard, RunnerReady(loaded_plugins=[]))  # type: ignore[arg-type]

        assert while_away == 1  # expected back: what is sent waits
        assert border.routes.drivers == ()


async def test_a_gateway_that_is_offered_no_more_is_not_bound(autojump_clock: MockClock) -> None:
    """A plugin that registers anew replaces everything; the gateways it keeps stay bound."""
    async with open_stage("one") as stage:
        border = Border(stage)
        runner = Runner(border, "p.a", ready=True)
        other = declaration("other", "MESSAGE_GATEWAY", route_type="duplex", platform="test")
        runner.ask(PLUGIN_REGISTER_COMPONENTS, registration("p.a", [GATEWAY, other]), plugin_id="p.a")
        runner.report_gateway()
        runner.report_gateway(gateway_name="other")

        runner.ask(PLUGIN_REGISTER_COMPONENTS, registration("p.a", [GATEWAY]), plugin_id="p.a")

        assert [driver.gateway for driver in border.routes.drivers] == ["chat"]
        assert list(border.drivers.reported) == [("p.a", "chat")]
