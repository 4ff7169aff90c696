"""A stranger offers what is called by its name; what hears, changes or carries everybody's messages needs leave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from rookery.protocol import (
    PLUGIN_REGISTER_COMPONENTS,
    UPDATE_GATEWAY_STATE,
    ComponentDeclaration,
    ErrorCode,
)
from rookery.supervisor.approvals import Approvals
from rookery.supervisor.component import Command
from rookery.supervisor.component_grants import MAX_OFFERED, capability_for, grants_components
from rookery.supervisor.declaration import make_component
from rookery.supervisor.observers import CapabilitiesHeld, CapabilityDenied, ComponentsWithheld
from tests.doubles.connections import GATEWAY, TOOL, Border, Runner, declaration, registration
from tests.doubles.stage import open_stage

CHANGES = declaration("filter", "HOOK_HANDLER", hook="chat.receive.before_process")
SEES = declaration("watch", "EVENT_HANDLER", event_type="on_message")


@pytest.mark.parametrize(
    ("kind", "metadata", "capability"),
    [
        pytest.param("TOOL", {}, "", id="a tool"),
        pytest.param("ACTION", {}, "", id="an action"),
        pytest.param("COMMAND", {"command_name": "x"}, "", id="a command"),
        pytest.param("API", {"public": True}, "", id="an API"),
        pytest.param("HOME_CARD", {}, "", id="a card"),
        pytest.param("EVENT_HANDLER", {"event_type": "on_start"}, "", id="the start, which says nothing"),
        pytest.param("EVENT_HANDLER", {"event_type": "on_message"}, "listen.events", id="who sees events"),
        pytest.param(
            "EVENT_HANDLER",
            {"event_type": "on_message", "intercept_message": True},
            "change.events",
            id="who changes events",
        ),
        pytest.param("HOOK_HANDLER", {"hook": "h", "mode": "observe"}, "listen.hooks", id="who sees a hook"),
        pytest.param("HOOK_HANDLER", {"hook": "h"}, "change.hooks", id="who changes a hook's arguments"),
        pytest.param("HOOK_HANDLER", {"stage": "s"}, "listen.hooks", id="who sees a stage"),
        pytest.param("HOOK_HANDLER", {"stage": "s", "blocking": True}, "change.hooks", id="who ends a stage"),
        pytest.param(
            "MESSAGE_GATEWAY", {"route_type": "send", "platform": "IRC "}, "gateway.irc", id="a gateway"
        ),
    ],
)
def test_what_each_component_needs(kind: str, metadata: dict[str, Any], capability: str) -> None:
    """By what it can do, not by what it is called."""
    declared = ComponentDeclaration(name="it", component_type=kind, metadata=metadata)

    made = make_component(declared, plugin_id="a.b", shard="s", is_trusted=False, path="")

    assert capability_for(made) == capability
    assert not capability or grants_components(capability)


async def test_what_is_not_granted_is_left_out_and_told(autojump_clock: MockClock) -> None:
    """The rest of the plugin works; the record says what to write."""
    async with open_stage("one") as stage:
        border = Border(stage, levels={"untrusted": ("listen.events",)})
        runner = Runner(border, "p.a", trust="untrusted", ready=True)

        answer = runner.ask(
            PLUGIN_REGISTER_COMPONENTS, registration("p.a", [TOOL, CHANGES, SEES, GATEWAY]), plugin_id="p.a"
        )

        offered = border.registry.registration("p.a")
        assert offered is not None
        assert [each.name for each in offered.components] == ["add", "watch"]
        assert answer["registered_components"] == 2
        assert border.registry.hook_handlers("chat.receive.before_process") == ()
        told = {record.capability: record for record in border.heard(ComponentsWithheld)}
        assert set(told) == {"change.hooks", "gateway.test"}
        assert told["change.hooks"].components == ("filter",)
        assert 'add "change.hooks" to allow in [grants.untrusted]' in told["change.hooks"].reason


async def test_a_trusted_plugin_offers_what_it_likes(autojump_clock: MockClock) -> None:
    """Also one whose capabilities are limited: that list is about capabilities."""
    async with open_stage("one") as stage:
        border = Border(stage, allowed={"p.a": ("send.text",)}, levels={"trusted": ()})
        runner = Runner(border, "p.a", ready=True)

        runner.ask(PLUGIN_REGISTER_COMPONENTS, registration("p.a", [CHANGES, GATEWAY]), plugin_id="p.a")

        offered = border.registry.registration("p.a")
        assert offered is not None
        assert len(offered.components) == 2
        assert border.heard(ComponentsWithheld) == []


async def test_a_gateway_carries_the_platforms_that_it_was_granted(autojump_clock: MockClock) -> None:
    """Whatever it said when it registered: what counts is what it claims to be when it is ready."""
    async with open_stage("one") as stage:
        border = Border(stage, levels={"untrusted": ("gateway.test",)})
        runner = Runner(border, "p.a", trust="untrusted", ready=True)
        nameless = declaration("chat", "MESSAGE_GATEWAY", route_type="duplex")
        runner.ask(PLUGIN_REGISTER_COMPONENTS, registration("p.a", [nameless]), plugin_id="p.a")

        claim = {"gateway_name": "chat", "ready": True, "platform": " QQ"}
        refusal = runner.refusal(UPDATE_GATEWAY_STATE, claim, plugin_id="p.a")
        own = runner.report_gateway(platform="Test", account_id="1")

        assert refusal.code is ErrorCode.E_CAPABILITY_DENIED
        assert '"gateway.qq" to allow in [grants.untrusted]' in refusal.message
        assert own["ready"] is True
        assert [driver.key.platform for driver in border.routes.drivers] == ["test"]
        assert [denied.capability for denied in border.heard(CapabilityDenied)] == ["gateway.qq"]


async def test_a_refused_registration_does_not_free_a_gateway(autojump_clock: MockClock) -> None:
    """One that is refused for its size leaves the older one, and with it what the plugin may not."""
    async with open_stage("one") as stage:
        border = Border(stage, levels={"untrusted": ("gateway.test",)})
        runner = Runner(border, "p.a", trust="untrusted", ready=True)
        runner.ask(PLUGIN_REGISTER_COMPONENTS, registration("p.a", [GATEWAY]), plugin_id="p.a")

        flood = [declaration(f"t{number}", "TOOL") for number in range(2001)]
        runner.refusal(PLUGIN_REGISTER_COMPONENTS, registration("p.a", flood), plugin_id="p.a")
        claim = {"gateway_name": "chat", "ready": True, "platform": "qq"}

        assert runner.refusal(UPDATE_GATEWAY_STATE, claim, plugin_id="p.a").code is (
            ErrorCode.E_CAPABILITY_DENIED
        )


async def test_the_bots_configuration_is_pushed_to_those_who_may_read_it(autojump_clock: MockClock) -> None:
    """A subscription is a reading."""
    async with open_stage("one") as stage:
        border = Border(stage, levels={"guest": ("config.*",)})
        offered = {**registration("p.a", [TOOL]), "config_reload_subscriptions": ["bot", "model"]}

        heard = {}
        for trust in ("untrusted", "guest", "trusted"):
            runner = Runner(border, "p.a", trust=trust, ready=True)
            runner.ask(PLUGIN_REGISTER_COMPONENTS, offered, plugin_id="p.a")
            found = border.registry.registration("p.a")
            assert found is not None
            heard[trust] = found.config_subscriptions

        assert heard == {"untrusted": (), "guest": ("bot", "model"), "trusted": ("bot", "model")}


@pytest.mark.parametrize(
    ("trust", "kept"),
    [
        pytest.param("untrusted", ("!r",), id="a stranger"),
        pytest.param("guest", ("!r", "roll ", "a", "!"), id="a stranger by leave"),
        pytest.param("trusted", ("!r", "roll ", "a", "!"), id="a trusted plugin"),
    ],
)
@pytest.mark.parametrize("is_nested", [False, True])
async def test_a_strangers_command_is_called_with_the_prefix(
    autojump_clock: MockClock, trust: str, kept: tuple[str, ...], is_nested: bool
) -> None:
    """Texts that any message may begin with would make a listener of a command; the command itself stays."""
    aliases = {"aliases": ["!r", "roll ", "a", "!"]}
    metadata = {"metadata": aliases} if is_nested else aliases
    roll = declaration("roll", "COMMAND", command_name="roll", **metadata)
    async with open_stage("one") as stage:
        border = Border(stage, levels={"guest": ("listen.aliases",)})
        runner = Runner(border, "p.a", trust=trust, ready=True)

        runner.ask(PLUGIN_REGISTER_COMPONENTS, registration("p.a", [roll]), plugin_id="p.a")

        found = border.registry.component("p.a", "roll")
        assert isinstance(found, Command)
        assert (found.command_name, found.aliases) == ("roll", kept)
        told = [(each.capability, each.components) for each in border.heard(ComponentsWithheld)]
        assert told == ([("listen.aliases", ("'roll '", "'a'", "'!'"))] if trust == "untrusted" else [])


def offer(runner: Runner, *components: dict[str, Any]) -> None:
    runner.ask(PLUGIN_REGISTER_COMPONENTS, registration("p.a", list(components)), plugin_id="p.a")


def names_of(border: Border) -> list[str]:
    found = border.registry.registration("p.a")
    return [] if found is None else [each.name for each in found.components]


async def test_what_newer_code_offers_besides_is_held_back(autojump_clock: MockClock, tmp_path: Path) -> None:
    """Although its level is granted that: it was let in without. Approved, it is there with the next registration."""
    approvals = Approvals(tmp_path / "approvals.json")
    plain = declaration("roll", "COMMAND", command_name="roll")
    heard = declaration("roll", "COMMAND", command_name="roll", aliases=["let us roll", "!r"])
    async with open_stage("one") as stage:
        border = Border(stage, levels={"untrusted": ("listen.*", "change.hooks")}, approvals=approvals)
        runner = Runner(border, "p.a", trust="untrusted", ready=True)
        offer(runner, plain, SEES)
        first = names_of(border)

        offer(runner, heard, SEES, CHANGES)
        second = names_of(border)
        registered = border.registry.registration("p.a")
        assert registered is not None
        [command] = [each for each in registered.components if isinstance(each, Command)]
        approvals.approve("p.a", ())
        offer(runner, heard, SEES, CHANGES)

        assert (first, second) == (["roll", "watch"], ["roll", "watch"])
        assert command.aliases == ("!r",)
        assert names_of(border) == ["roll", "watch", "filter"]
        told = {record.capability: record.reason for record in border.heard(ComponentsWithheld)}
        assert set(told) == {"change.hooks", "listen.aliases"}
        assert "rookery grants approve p.a change.hooks" in told["change.hooks"]
        assert [record.capabilities for record in border.heard(CapabilitiesHeld)] == [
            ("change.hooks", "listen.aliases")
        ]


async def test_a_gateway_claims_no_platform_that_it_did_not_offer(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """One that was let in for one platform and says later that it carries another one."""
    async with open_stage("one") as stage:
        approvals = Approvals(tmp_path / "approvals.json")
        border = Border(stage, levels={"untrusted": ("gateway.*",)}, approvals=approvals)
        runner = Runner(border, "p.a", trust="untrusted", ready=True)
        offer(runner, GATEWAY)

        claim = {"gateway_name": "chat", "ready": True, "platform": "qq"}
        refusal = runner.refusal(UPDATE_GATEWAY_STATE, claim, plugin_id="p.a")

        assert "rookery grants approve p.a gateway.qq" in refusal.message
        assert runner.report_gateway(platform="test", account_id="1")["ready"] is True


async def test_a_flood_of_platforms_is_remembered_as_all(autojump_clock: MockClock, tmp_path: Path) -> None:
    """What a stranger says is written to a file that the host has to read at its next start."""
    async with open_stage("one") as stage:
        approvals = Approvals(tmp_path / "approvals.json")
        border = Border(stage, approvals=approvals)
        runner = Runner(border, "p.a", trust="untrusted", ready=True)
        many = [
            declaration(f"g{number}", "MESSAGE_GATEWAY", route_type="send", platform=f"p{number}")
            for number in range(MAX_OFFERED + 1)
        ]
        long = declaration("long", "MESSAGE_GATEWAY", route_type="send", platform="p" * 100_000)

        offer(runner, *many, SEES)
        flooded = approvals.offered("p.a")
        offer(runner, long)

        assert flooded == ("gateway.*", "listen.events")
        assert approvals.offered("p.a") == ("gateway.*",)
