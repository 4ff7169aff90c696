"""W1, W32: a runner cannot give itself a capability, and no grant outlives what it was given for. Everybody is told."""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock

from rookery.protocol import (
    PLUGIN_BOOTSTRAP,
    PLUGIN_REGISTER_COMPONENTS,
    PLUGIN_UNREGISTER,
    Exchange,
    RunnerReady,
)
from rookery.supervisor.granting import MAX_WITHHELD
from rookery.supervisor.observers import CapabilitiesGranted, CapabilitiesRevoked
from tests.doubles.connections import TOOL, Border, Runner, declaration, registration, report_of_end
from tests.doubles.stage import open_stage

DECLARED = {"p.a": ("send.text", "database.*"), "p.b": ("send.text",)}


def bootstrap(runner: Runner, *wanted: str, plugin_id: str = "p.a") -> None:
    payload = {"plugin_id": plugin_id, "capabilities_required": list(wanted)}
    runner.ask(PLUGIN_BOOTSTRAP, payload, plugin_id=plugin_id)


async def test_a_grant_and_what_was_withheld_are_told(autojump_clock: MockClock) -> None:
    """What the manifest does not declare and what the operator does not allow."""
    async with open_stage("one") as stage:
        border = Border(stage, declared=DECLARED, allowed={"p.a": ("database.*",)})

        bootstrap(Runner(border, "p.a"), "send.text", "database.*", "component.disable", "*")

        [granted] = border.heard(CapabilitiesGranted)
        assert (granted.shard, granted.incarnation, granted.plugin_id) == ("one", 1, "p.a")
        assert granted.capabilities == ("database.*",)
        assert granted.withheld == ("send.text", "component.disable", "*")


@pytest.mark.parametrize(
    ("allowed", "usable"),
    [
        pytest.param(("database.*",), ("database.*",), id="all of it"),
        pytest.param(("send.text", "database.get"), ("database.get",), id="a part"),
        pytest.param(("send.text",), (), id="nothing"),
    ],
)
async def test_of_a_family_that_is_told_which_an_operator_allows(
    autojump_clock: MockClock, allowed: tuple[str, ...], usable: tuple[str, ...]
) -> None:
    """The record of what was granted names nothing that would be refused."""
    async with open_stage("one") as stage:
        border = Border(stage, declared=DECLARED, allowed={"p.a": allowed})

        bootstrap(Runner(border, "p.a"), "database.*")

        [granted] = border.heard(CapabilitiesGranted)
        assert granted.capabilities == usable
        assert granted.withheld == (() if usable == ("database.*",) else ("database.*",))


async def test_a_shards_limit_is_part_of_the_grant(autojump_clock: MockClock) -> None:
    """A sandbox gives no plugin more than its operator wrote there."""
    async with open_stage("one") as stage:
        border = Border(stage, declared=DECLARED)
        runner = Runner(border, "p.a")
        runner.shard.settings.capabilities = ("database.get",)

        bootstrap(runner, "send.text", "database.*")

        assert border.grants.allows("p.a", "database.get")
        assert not border.grants.allows("p.a", "database.delete")
        assert not border.grants.allows("p.a", "send.text")


async def test_a_record_of_a_grant_holds_no_flood_of_names(autojump_clock: MockClock) -> None:
    """A frame has room for a million of them."""
    async with open_stage("one") as stage:
        border = Border(stage, declared=DECLARED)

        bootstrap(Runner(border, "p.a"), *(f"made.up{number}" for number in range(10_000)))

        assert len(border.heard(CapabilitiesGranted)[0].withheld) == MAX_WITHHELD


@pytest.mark.parametrize(
    "offered",
    [
        pytest.param(registration("p.a", [declaration("", "TOOL")]), id="a bad component"),
        pytest.param({"plugin_id": "p.a", "components": 5}, id="no registration at all"),
    ],
)
async def test_a_refused_registration_leaves_no_grant_behind(
    autojump_clock: MockClock, offered: dict[str, Any]
) -> None:
    """The original revokes only when its runner asks for it."""
    async with open_stage("one") as stage:
        border = Border(stage, declared=DECLARED)
        runner = Runner(border, "p.a")
        bootstrap(runner, "send.text")

        runner.refusal(PLUGIN_REGISTER_COMPONENTS, offered, plugin_id="p.a")

        assert not border.grants.allows("p.a", "send.text")
        assert [told.reason for told in border.heard(CapabilitiesRevoked)] == ["its registration was refused"]


async def test_a_plugin_that_was_not_loaded_keeps_no_grant(autojump_clock: MockClock) -> None:
    """Its neighbour, which was, does."""
    async with open_stage("one") as stage:
        border = Border(stage, declared=DECLARED)
        runner = Runner(border, "p.a", "p.b")
        bootstrap(runner, "send.text")
        bootstrap(runner, "send.text", plugin_id="p.b")

        border.traffic.runner_ready(runner.shard, RunnerReady(loaded_plugins=["p.b"]))  # type: ignore[arg-type]

        assert not border.grants.allows("p.a", "send.text")
        assert border.grants.allows("p.b", "send.text")


async def test_a_plugin_that_was_moved_away_keeps_no_grant_of_the_runner_that_died(
    autojump_clock: MockClock,
) -> None:
    """It is taken out of its shard before the shard's traffic hears of the death."""
    async with open_stage("one") as stage:
        border = Border(stage, declared=DECLARED)
        runner = Runner(border, "p.a", "p.b")
        bootstrap(runner, "send.text")
        runner.shard.plugins = ("p.b",)

        border.traffic.runner_lost(runner.shard, report_of_end())  # type: ignore[arg-type]

        assert not border.grants.allows("p.a", "send.text")
        assert [told.plugin_id for told in border.heard(CapabilitiesRevoked)] == ["p.a"]


async def test_an_end_is_told_once(autojump_clock: MockClock) -> None:
    """Unloading and then the end of the runner take nothing back twice."""
    async with open_stage("one") as stage:
        border = Border(stage, declared=DECLARED)
        runner = Runner(border, "p.a")
        bootstrap(runner, "send.text")
        runner.ask(PLUGIN_REGISTER_COMPONENTS, registration("p.a", [TOOL]), plugin_id="p.a")

        runner.ask(PLUGIN_UNREGISTER, {"plugin_id": "p.a"}, plugin_id="p.a")
        border.traffic.runner_lost(runner.shard, report_of_end(planned=True))  # type: ignore[arg-type]

        assert [told.reason for told in border.heard(CapabilitiesRevoked)] == ["it was unloaded"]


@pytest.mark.parametrize("end", ["taken", "dropped"])
async def test_a_plugin_that_asks_for_nothing_keeps_what_everybody_may(
    autojump_clock: MockClock, end: str
) -> None:
    """Also when newer code of it was tried: what it offers while it runs can still be changed."""
    async with open_stage("one") as stage:
        border = Border(stage, declared=DECLARED)
        runner = Runner(border, "p.a", ready=True)

        def introduce() -> None:
            bootstrap(runner)
            runner.ask(PLUGIN_REGISTER_COMPONENTS, registration("p.a", [TOOL]), plugin_id="p.a")

        def step(name: str) -> None:
            exchange = Exchange(plugin_id="p.a", step=name)
            border.traffic.plugin_exchanged(runner.shard, exchange)  # type: ignore[arg-type]

        introduce()
        step("trial")
        introduce()
        step(end)

        assert border.grants.allows("p.a", "api.replace_dynamic")
