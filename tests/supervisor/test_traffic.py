"""Is a runner answered as what its connection says that it is, and as nothing else?"""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock

from rookery.protocol import (
    CAP_CALL,
    PLUGIN_BOOTSTRAP,
    PLUGIN_REGISTER_COMPONENTS,
    PLUGIN_REGISTER_PLUGIN,
    PLUGIN_UNREGISTER,
    ROUTE_MESSAGE,
    RUNNER_READY,
    UPDATE_GATEWAY_STATE,
    ErrorCode,
    RunnerReady,
)
from rookery.protocol.limits import MAX_FRAME_BYTES
from rookery.supervisor.observers import SecurityViolation
from tests.doubles.connections import GATEWAY, TOOL, Border, Runner, declaration, registration, report_of_end
from tests.doubles.stage import chat, open_stage

# --- identity ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "payload"),
    [
        (PLUGIN_BOOTSTRAP, {"plugin_id": "p.other", "capabilities_required": ["send.text"]}),
        (PLUGIN_REGISTER_COMPONENTS, registration("p.other", [TOOL])),
        (PLUGIN_REGISTER_PLUGIN, registration("p.other", [TOOL])),
        (PLUGIN_UNREGISTER, {"plugin_id": "p.other"}),
        (CAP_CALL, {"capability": "send.text", "args": {}}),
        (UPDATE_GATEWAY_STATE, {"gateway_name": "chat", "ready": True}),
        (ROUTE_MESSAGE, {"gateway_name": "chat", "message": chat()}),
    ],
)
@pytest.mark.parametrize("plugin_id", ["p.other", "", "p.a ", "P.A"])
async def test_a_runner_that_names_a_foreign_plugin_is_accused(
    autojump_clock: MockClock, method: str, payload: dict[str, Any], plugin_id: str
) -> None:
    """The request is refused, nothing of it is done, and a record says which shard claimed what."""
    async with open_stage("one", "two") as stage:
        border = Border(stage, declared={"p.other": ("send.text",)})
        victim = Runner(border, "p.other", shard="two", ready=True)
        victim.ask(
            PLUGIN_BOOTSTRAP,
            {"plugin_id": "p.other", "capabilities_required": ["send.text"]},
            plugin_id="p.other",
        )
        victim.ask(PLUGIN_REGISTER_COMPONENTS, registration("p.other", [GATEWAY]), plugin_id="p.other")
        before = border.registry.registration("p.other")
        runner = Runner(border, "p.a")

        refused = runner.refusal(method, payload, plugin_id=plugin_id)

        assert refused.code is ErrorCode.E_UNAUTHORIZED
        assert len(runner.shard.accusations) == 1
        (violation,) = border.heard(SecurityViolation)
        assert (violation.shard, violation.incarnation) == ("one", 1)
        assert method in violation.claim
        assert repr(plugin_id) in violation.claim
        assert border.counters.violations == 1
        assert border.registry.registration("p.other") is before
        assert border.grants.allows("p.other", "send.text")
        assert (border.table.handled, border.inbox.offered, border.routes.drivers) == ([], [], ())


@pytest.mark.parametrize(
    ("method", "payload"),
    [
        (PLUGIN_BOOTSTRAP, {"plugin_id": "p.b", "capabilities_required": ["send.text"]}),
        (PLUGIN_REGISTER_COMPONENTS, registration("p.b", [TOOL])),
        (PLUGIN_UNREGISTER, {"plugin_id": "p.b"}),
    ],
)
async def test_a_payload_that_names_another_plugin_than_its_envelope_is_accused(
    autojump_clock: MockClock, method: str, payload: dict[str, Any]
) -> None:
    """Even another one of the same shard."""
    async with open_stage("one") as stage:
        border = Border(stage, declared={"p.b": ("send.text",)})
        runner = Runner(border, "p.a", "p.b", ready=True)
        runner.ask(PLUGIN_REGISTER_COMPONENTS, registration("p.b", [GATEWAY]), plugin_id="p.b")

        refused = runner.refusal(method, payload, plugin_id="p.a")

        assert refused.code is ErrorCode.E_UNAUTHORIZED
        assert len(runner.shard.accusations) == 1
        assert not border.grants.allows("p.b", "send.text")
        assert border.registry.component("p.b", "chat") is not None
        assert border.registry.component("p.b", "add") is None


async def test_an_accusation_quotes_no_megabytes(autojump_clock: MockClock) -> None:
    """What a hostile runner sends stands in logs and records, shortened."""
    async with open_stage("one") as stage:
        border = Border(stage)
        runner = Runner(border, "p.a")

        runner.refusal(PLUGIN_UNREGISTER, {"plugin_id": "x" * 1_000_000}, plugin_id="p.a")

        assert len(runner.shard.accusations[0]) < 300
        assert len(border.heard(SecurityViolation)[0].claim) < 300


# --- grants ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "allowed", "wanted", "granted"),
    [
        pytest.param(("send.text",), None, ["send.text"], True, id="declared and wanted"),
        pytest.param((), None, ["send.text"], False, id="wanted and not declared"),
        pytest.param(("config.get",), None, ["send.text", "*"], False, id="everything wanted"),
        pytest.param(("send.*",), None, ["send.*"], True, id="a family"),
        pytest.param(("send.text",), ("config.*",), ["send.text"], False, id="the operator forbids it"),
        pytest.param(("send.text",), ("send.*",), ["send.text"], True, id="the operator allows it"),
        pytest.param(("send.text",), None, ["config.get"], False, id="declared and not wanted"),
        pytest.param(None, None, ["send.text"], False, id="no manifest on disk"),
    ],
)
async def test_a_grant_is_what_the_manifest_on_disk_declares(
    autojump_clock: MockClock,
    declared: tuple[str, ...] | None,
    allowed: tuple[str, ...] | None,
    wanted: list[str],
    granted: bool,
) -> None:
    """As far as the operator allows it; what the runner says can only make it less."""
    async with open_stage("one") as stage:
        border = Border(
            stage,
            declared={} if declared is None else {"p.a": declared},
            allowed={} if allowed is None else {"p.a": allowed},
        )
        runner = Runner(border, "p.a")

        answer = runner.ask(
            PLUGIN_BOOTSTRAP, {"plugin_id": "p.a", "capabilities_required": wanted}, plugin_id="p.a"
        )

        assert (answer["accepted"], answer["plugin_id"]) == (True, "p.a")
        assert border.grants.allows("p.a", "send.text") is granted


async def test_a_grant_ends_with_its_runner(autojump_clock: MockClock) -> None:
    """And with an empty bootstrap, and with the plugin."""
    async with open_stage("one") as stage:
        border = Border(stage, declared={"p.a": ("send.text",)})
        runner = Runner(border, "p.a")
        wants = {"plugin_id": "p.a", "capabilities_required": ["send.text"]}
        ends = {
            "runner lost": lambda: border.traffic.runner_lost(runner.shard, report_of_end()),  # type: ignore[arg-type]
            "empty bootstrap": lambda: runner.ask(PLUGIN_BOOTSTRAP, {"plugin_id": "p.a"}, plugin_id="p.a"),
            "unregister": lambda: runner.ask(PLUGIN_UNREGISTER, {"plugin_id": "p.a"}, plugin_id="p.a"),
        }

        for end in ends.values():
            runner.ask(PLUGIN_BOOTSTRAP, wants, plugin_id="p.a")
            had_it = border.grants.allows("p.a", "send.text")
            end()

            assert had_it
            assert not border.grants.allows("p.a", "send.text")


async def test_a_capability_call_goes_to_the_table_with_its_shard(autojump_clock: MockClock) -> None:
    """Whose plugin it is has been checked before."""
    async with open_stage("one") as stage:
        border = Border(stage)
        runner = Runner(border, "p.a", shard="one")

        runner.ask(CAP_CALL, {"capability": "send.text", "args": {}}, plugin_id="p.a")

        assert border.table.handled == [("p.a", "one")]


# --- registration ------------------------------------------------------------------------------------------------------


async def test_a_registration_is_answered_with_counts(autojump_clock: MockClock) -> None:
    """APIs are counted apart, gateways twice, as protocol 1.0.0 has it."""
    async with open_stage("one") as stage:
        runner = Runner(Border(stage), "p.a")
        offered = registration("p.a", [TOOL, GATEWAY, declaration("lookup", "API")])
        offered["llm_providers"] = [{"client_type": "x"}]

        answer = runner.ask(PLUGIN_REGISTER_PLUGIN, offered, plugin_id="p.a")

        assert answer == {
            "accepted": True,
            "plugin_id": "p.a",
            "registered_components": 2,
            "registered_apis": 1,
            "llm_providers": 1,
            "message_gateways": 1,
        }


async def test_a_registration_with_one_mistake_changes_nothing(autojump_clock: MockClock) -> None:
    """All or nothing: the old one stays, and the runner is told where the mistake is."""
    async with open_stage("one") as stage:
        border = Border(stage)
        runner = Runner(border, "p.a", ready=True)
        runner.ask(PLUGIN_REGISTER_COMPONENTS, registration("p.a", [TOOL]), plugin_id="p.a")
        bad = [declaration("good", "TOOL"), declaration("bad", "EVENT_HANDLER", event_type="")]

        refused = runner.refusal(PLUGIN_REGISTER_COMPONENTS, registration("p.a", bad), plugin_id="p.a")

        assert refused.code is ErrorCode.E_BAD_PAYLOAD
        assert refused.details == {
            "path": "components[1].metadata.event_type",
            "component_name": "bad",
            "component_type": "EVENT_HANDLER",
            "plugin_id": "p.a",
        }
        assert border.registry.component("p.a", "add") is not None
        assert border.registry.component("p.a", "good") is None
        assert runner.shard.accusations == []


async def test_what_a_loading_runner_registers_is_seen_when_it_is_ready(autojump_clock: MockClock) -> None:
    """As a whole; then its calls go out."""
    async with open_stage(closed=("one",)) as stage:
        border = Border(stage)
        runner = Runner(border, "p.a", "p.b")
        for plugin_id in ("p.a", "p.b"):
            runner.ask(PLUGIN_REGISTER_COMPONENTS, registration(plugin_id, [TOOL]), plugin_id=plugin_id)
        before = border.registry.registrations

        border.traffic.runner_ready(runner.shard, RunnerReady(loaded_plugins=["p.a", "p.x"]))  # type: ignore[arg-type]

        assert before == ()
        assert [each.plugin_id for each in border.registry.registrations] == ["p.a"]
        assert stage.dispatcher.is_open("one")


async def test_a_runner_that_dies_while_loading_has_changed_nothing(autojump_clock: MockClock) -> None:
    """What its predecessor offered stays: the shard is expected back, and its calls wait."""
    async with open_stage(closed=("one",)) as stage:
        border = Border(stage)
        first = Runner(border, "p.a")
        first.ask(PLUGIN_REGISTER_COMPONENTS, registration("p.a", [TOOL]), plugin_id="p.a")
        border.traffic.runner_ready(first.shard, RunnerReady(loaded_plugins=["p.a"]))  # type: ignore[arg-type]
        border.traffic.runner_lost(first.shard, report_of_end())  # type: ignore[arg-type]
        second = Runner(border, "p.a")
        second.ask(
            PLUGIN_REGISTER_COMPONENTS, registration("p.a", [declaration("new", "TOOL")]), plugin_id="p.a"
        )

        border.traffic.runner_lost(second.shard, report_of_end())  # type: ignore[arg-type]
        third = Runner(border, "p.a")
        border.traffic.runner_ready(third.shard, RunnerReady(loaded_plugins=["p.a"]))  # type: ignore[arg-type]
        border.traffic.runner_lost(third.shard, report_of_end())  # type: ignore[arg-type]

        assert border.registry.component("p.a", "add") is not None
        assert border.registry.component("p.a", "new") is None
        assert not stage.dispatcher.is_open("one")
        assert border.counters.restarts == border.counters.of_shard("one").restarts == 3


async def test_a_planned_end_is_no_restart(autojump_clock: MockClock) -> None:
    """Only what was not planned is counted."""
    async with open_stage("one") as stage:
        border = Border(stage)
        runner = Runner(border, "p.a")

        border.traffic.runner_draining(runner.shard)  # type: ignore[arg-type]
        border.traffic.runner_lost(runner.shard, report_of_end(planned=True))  # type: ignore[arg-type]

        assert not stage.dispatcher.is_open("one")
        assert border.counters.restarts == 0


async def test_unregistering_removes_everything(autojump_clock: MockClock) -> None:
    """Components, drivers and what the gateways said; twice is once."""
    async with open_stage("one") as stage:
        border = Border(stage)
        runner = Runner(border, "p.a", ready=True)
        runner.ask(PLUGIN_REGISTER_COMPONENTS, registration("p.a", [GATEWAY, TOOL]), plugin_id="p.a")
        runner.report_gateway(metadata={"finished": False})

        first = runner.ask(PLUGIN_UNREGISTER, {"plugin_id": "p.a", "reason": "test"}, plugin_id="p.a")
        second = runner.ask(PLUGIN_UNREGISTER, {"plugin_id": "p.a"}, plugin_id="p.a")

        assert (first["removed_components"], first["removed_registration"], first["reason"]) == (
            2,
            True,
            "test",
        )
        assert (second["removed_components"], second["removed_registration"]) == (0, False)
        assert border.routes.drivers == ()
        assert border.drivers.reported == {}


# --- everything else ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "payload"),
    [
        (PLUGIN_BOOTSTRAP, {}),
        (PLUGIN_BOOTSTRAP, {"plugin_id": "p.a", "capabilities_required": "send.text"}),
        (PLUGIN_REGISTER_COMPONENTS, {"plugin_id": "p.a", "components": {"a": 1}}),
        (PLUGIN_REGISTER_COMPONENTS, {"plugin_id": "p.a", "components": [{"name": "x"}]}),
        (PLUGIN_UNREGISTER, {"plugin_id": 7}),
        (UPDATE_GATEWAY_STATE, {"gateway_name": "chat", "ready": 1}),
        (UPDATE_GATEWAY_STATE, {"gateway_name": "chat", "ready": True, "platform": " " * 10}),
        (UPDATE_GATEWAY_STATE, {"gateway_name": "chat", "ready": True, "platform": "x" * 1000}),
        (UPDATE_GATEWAY_STATE, {"gateway_name": "chat", "ready": True, "scope": "x" * 1000}),
        (ROUTE_MESSAGE, {"gateway_name": "chat", "message": "hello"}),
    ],
)
async def test_a_payload_of_the_wrong_shape_is_refused(
    autojump_clock: MockClock, method: str, payload: dict[str, Any]
) -> None:
    """It is one request's mistake: nobody is accused, and the next request is served."""
    async with open_stage("one") as stage:
        border = Border(stage)
        runner = Runner(border, "p.a")
        gateway = declaration("chat", "MESSAGE_GATEWAY", route_type="duplex")
        runner.ask(PLUGIN_REGISTER_COMPONENTS, registration("p.a", [gateway]), plugin_id="p.a")

        refused = runner.refusal(method, payload, plugin_id="p.a")

        assert refused.code is ErrorCode.E_BAD_PAYLOAD
        assert runner.shard.accusations == []
        assert runner.ask(PLUGIN_BOOTSTRAP, {"plugin_id": "p.a"}, plugin_id="p.a")["accepted"]


async def test_an_answer_that_is_too_large_is_refused(autojump_clock: MockClock) -> None:
    """A request may be as large as a frame, and its answer repeats it: that must not end the host."""
    async with open_stage("one") as stage:
        runner = Runner(Border(stage), "p.a")
        room = MAX_FRAME_BYTES - 170

        refused = runner.refusal(
            PLUGIN_UNREGISTER, {"plugin_id": "p.a", "reason": "x" * room}, plugin_id="p.a"
        )

        assert refused.code is ErrorCode.E_BAD_PAYLOAD


async def test_a_method_that_is_answered_elsewhere_is_refused(autojump_clock: MockClock) -> None:
    """`runner.ready` never comes this way."""
    async with open_stage("one") as stage:
        runner = Runner(Border(stage), "p.a")

        refused = runner.refusal(RUNNER_READY, {"loaded_plugins": []}, plugin_id="p.a")

        assert refused.code is ErrorCode.E_METHOD_NOT_ALLOWED


async def test_a_shard_that_is_given_up_fails_its_calls(autojump_clock: MockClock) -> None:
    """With the reason for it."""
    async with open_stage(closed=("one",)) as stage:
        border = Border(stage)
        tool = stage.offer("tool", "p.a", "add")
        told: list[Any] = []
        stage.dispatcher.submit(tool, PLUGIN_REGISTER_PLUGIN, {}, told.append, deadline=100.0)

        border.traffic.shard_given_up("one", "it failed five times")

        assert "it failed five times" in str(told[0])


async def test_a_runner_that_is_suspect_for_a_while_is_counted(autojump_clock: MockClock) -> None:
    """T11: it flaps. One that only goes on working does not, and is opened again when it had given calls back."""
    async with open_stage(closed=("one",)) as stage:
        border = Border(stage)
        shard: Any = Runner(border, "p.a").shard
        border.traffic.runner_ready(shard, RunnerReady(loaded_plugins=["p.a"]))

        border.traffic.runner_suspect(shard)
        border.traffic.runner_recovered(shard)
        stage.dispatcher.close_shard("one")
        border.traffic.runner_works(shard)

        assert stage.dispatcher.is_open("one")
        assert border.counters.flaps == border.counters.of_shard("one").flaps == 1
