"""Who may bring a message in, for which account and from which chat, and what the gateway is told of it."""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock

from rookery.protocol import (
    PLUGIN_REGISTER_COMPONENTS,
    ROUTE_MESSAGE,
    UPDATE_GATEWAY_STATE,
    ErrorCode,
    MessageMap,
)
from rookery.supervisor.platform.chat_policy import ChatDefaults, ChatPolicy, ChatRule
from tests.doubles.connections import GATEWAY, Border, Runner, registration
from tests.doubles.stage import Stage, chat, open_stage


def _gateway(stage: Stage, **state: Any) -> tuple[Border, Runner]:
    border = Border(stage)
    runner = Runner(border, "p.a")
    runner.ask(PLUGIN_REGISTER_COMPONENTS, registration("p.a", [GATEWAY]), plugin_id="p.a")
    runner.report_gateway(**state)
    return border, runner


def _route(message: MessageMap, **more: Any) -> dict[str, Any]:
    return {"gateway_name": "chat", "message": message, **more}


async def test_a_denied_message_is_answered_with_the_reason(autojump_clock: MockClock) -> None:
    """The gateway sees which rule it was; nobody else sees the message."""
    async with open_stage("one") as stage:
        border, runner = _gateway(stage)
        border.policy = ChatPolicy(ChatDefaults(group=ChatRule(deny_ids=("spam",))))

        answer = runner.ask(ROUTE_MESSAGE, _route(chat(group="spam")), plugin_id="p.a")

        assert answer["accepted"] is False
        assert answer["route_key"]["policy"] == {
            "allowed": False,
            "configured": True,
            "chat_type": "group",
            "target_id": "spam",
            "list_type": None,
            "source": "defaults.group",
            "reason": "deny_ids",
            "matched_ids": ["spam"],
        }
        assert (border.inbox.offered, list(border.sessions)) == ([], [])
        assert (border.counters.denied, border.counters.refused) == (1, 0)


async def test_a_gateway_speaks_for_its_own_account_only(autojump_clock: MockClock) -> None:
    """A message that claims another account is turned away, and the answer says so."""
    async with open_stage("one") as stage:
        border, runner = _gateway(stage, account_id="me")
        message = chat()
        message["message_info"]["additional_config"] = {"self_id": "you"}

        answer = runner.ask(ROUTE_MESSAGE, _route(message), plugin_id="p.a")

        assert answer["accepted"] is False
        assert answer["route_key"]["account_id"] == "you"
        assert answer["route_key"]["refused"] == "no route leads from test:you:* to gateway:p.a:chat"
        assert border.inbox.offered == []


async def test_the_answer_does_not_wait_for_the_bot(autojump_clock: MockClock) -> None:
    """It is given when the message is admitted, whatever becomes of it then."""
    async with open_stage("one") as stage:
        border, runner = _gateway(stage)
        request = runner.send(ROUTE_MESSAGE, _route(chat()), plugin_id="p.a")
        ((inbound, settle),) = border.inbox.offered
        before = runner.outcome(request)

        settle(True)

        assert before is None
        assert runner.outcome(request)["accepted"] is True
        assert inbound.dedupe_key == "gateway:p.a:chat:m1"


async def test_route_metadata_says_more_about_where_a_message_comes_from(autojump_clock: MockClock) -> None:
    """What is blank says nothing; types are kept; the route is noted for the answer."""
    async with open_stage("one") as stage:
        border, runner = _gateway(stage, scope="net")
        metadata = {"self_id": 10000, "lang": "de", "empty": " ", "none": None, "flag": False}

        runner.send(ROUTE_MESSAGE, _route(chat(), route_metadata=metadata), plugin_id="p.a")

        ((inbound, _),) = border.inbox.offered
        assert inbound.message["message_info"]["additional_config"] == {
            "self_id": 10000,
            "lang": "de",
            "flag": False,
            "platform_io_account_id": "10000",
            "platform_io_scope": "net",
        }


async def test_the_accounts_of_the_bot_are_known(autojump_clock: MockClock) -> None:
    """Those of gateways that are ready, and those that messages come in for."""
    async with open_stage("one") as stage:
        border, runner = _gateway(stage)
        message = chat()
        message["message_info"]["additional_config"] = {"self_id": "you"}
        runner.send(ROUTE_MESSAGE, _route(message), plugin_id="p.a")
        runner.report_gateway(account_id="me")
        runner.report_gateway(ready=False)

        accounts = [(each.platform, each.account_id, each.source) for each in border.entrance.accounts.all]

        assert accounts == [("test", "you", "inbound"), ("test", "me", "ready")]


async def test_a_gateway_that_is_offline_is_told_why(autojump_clock: MockClock) -> None:
    """Its report is taken and changes nothing; its messages are refused."""
    async with open_stage("one") as stage:
        border, runner = _gateway(stage)
        border.drivers.take_offline("p.a", "holidays")

        answer = runner.report_gateway()
        refused = runner.refusal(ROUTE_MESSAGE, _route(chat()), plugin_id="p.a")

        assert (answer["accepted"], answer["ready"], answer["route_key"]) == (True, False, {})
        assert refused.code is ErrorCode.E_METHOD_NOT_ALLOWED
        assert refused.message.endswith("is offline: holidays")


@pytest.mark.parametrize("platform", ["TEST", " Test "])
async def test_the_case_of_a_platform_does_not_matter(autojump_clock: MockClock, platform: str) -> None:
    """Of a report as of a message: a rule for the platform matches."""
    async with open_stage("one") as stage:
        border, runner = _gateway(stage, platform=platform)

        runner.send(ROUTE_MESSAGE, _route({**chat(), "platform": platform}), plugin_id="p.a")

        ((inbound, _),) = border.inbox.offered
        assert (inbound.key.platform, inbound.message["platform"]) == ("test", "test")
        assert border.drivers.reports["p.a", "chat"].platform == "test"


async def test_a_gateway_that_is_the_only_one_needs_no_name(autojump_clock: MockClock) -> None:
    """As plugins of the original do it."""
    async with open_stage("one") as stage:
        border, runner = _gateway(stage)

        answer = runner.ask(UPDATE_GATEWAY_STATE, {"gateway_name": "", "ready": False}, plugin_id="p.a")

        assert answer == {"accepted": True, "ready": False, "route_key": {}}
        assert border.routes.drivers == ()
