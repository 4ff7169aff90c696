"""Does a hook's description keep out handlers that it does not allow?"""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock

from rookery.protocol import BadPayload
from rookery.supervisor.hook_catalogue import APPLICATION_HOOKS, CATALOGUE
from rookery.supervisor.hook_spec import HookSpec, Unavailable
from rookery.supervisor.hook_specs import HookSpecs
from tests.doubles.stage import open_stage


@pytest.mark.parametrize(
    ("fields", "declared", "words"),
    [
        ({"allow_blocking": False}, {}, "declare mode 'observe'"),
        ({"allow_observe": False}, {"mode": "observe"}, "declare mode 'blocking'"),
        ({"allow_abort": False}, {"error_policy": "abort"}, "declare error_policy 'skip' or 'log'"),
    ],
)
async def test_a_handler_that_the_hook_does_not_allow_cannot_register(
    autojump_clock: MockClock, fields: dict[str, Any], declared: dict[str, Any], words: str
) -> None:
    """The author is told what to declare instead."""
    async with open_stage("one") as stage:
        stage.specs.add(HookSpec(name="test.gate", **fields))

        with pytest.raises(BadPayload, match=words):
            stage.hook("p.a", "bad", {}, hook="test.gate", **declared)

        assert not stage.hooks.has_handlers("test.gate")


async def test_an_unknown_hook_cannot_be_registered_for(autojump_clock: MockClock) -> None:
    """The error lists those that exist."""
    async with open_stage("one") as stage:
        with pytest.raises(
            BadPayload, match=r"no hook 'chat\.typo'; there are chat\.command\.after_execute, "
        ):
            stage.hook("p.a", "bad", {}, hook="chat.typo")


def test_the_catalogue_contradicts_itself_nowhere() -> None:
    """Names are unique; an abort on unavailability needs the permission to abort."""
    names = [spec.name for spec in (*CATALOGUE, *APPLICATION_HOOKS)]

    assert len(set(names)) == len(names)
    assert HookSpecs().names == tuple(sorted(names))
    assert all(spec.allow_abort or spec.on_unavailable is not Unavailable.ABORT for spec in CATALOGUE)
    assert all(spec.description for spec in CATALOGUE)


def test_the_catalogue_has_the_rights_of_the_protocol() -> None:
    """A plugin that was written for it may register what it declares."""
    rights = {spec.name: (spec.allow_abort, spec.allow_mutation) for spec in CATALOGUE}

    assert rights == {
        "chat.receive.before_process": (True, True),
        "chat.receive.after_process": (True, True),
        "chat.command.before_execute": (True, True),
        "chat.command.after_execute": (False, True),
        "send_service.after_build_message": (True, True),
        "send_service.before_send": (True, True),
        "send_service.after_send": (False, False),
    }
    assert all(spec.allow_blocking and spec.allow_observe for spec in CATALOGUE)
    assert all(spec.parameters_schema["type"] == "object" for spec in CATALOGUE)


def test_a_plain_map_of_arguments_becomes_a_schema() -> None:
    """A schema of an object stays as it is."""
    plain = HookSpec(name=" shop.sale ", parameters_schema={"price": {"type": "number"}})
    whole = HookSpec(name="a", parameters_schema={"properties": {}, "required": ["x"]})

    assert (plain.name, plain.parameters_schema) == (
        "shop.sale",
        {"type": "object", "properties": {"price": {"type": "number"}}},
    )
    assert whole.parameters_schema == {"type": "object", "properties": {}, "required": ["x"]}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "  "}, "a hook has a name"),
        ({"name": "a", "default_timeout": -1.0}, "seconds, 0 or more"),
        ({"name": "a", "parameters_schema": {"type": "array"}}, "describe an object"),
        ({"name": "a", "parameters_schema": ["x"]}, "must be a map"),
    ],
)
def test_a_description_that_describes_nothing_is_refused(fields: dict[str, Any], words: str) -> None:
    """Where it is made."""
    with pytest.raises(ValueError, match=words):
        HookSpec(**fields)


async def test_a_hook_that_is_described_anew_holds_at_once(autojump_clock: MockClock) -> None:
    """What handlers registered before may do is what the newest description says."""
    async with open_stage("one") as stage:
        stage.specs.add(HookSpec(name="test.gate", default_timeout=5.0))
        stage.hook("p.a", "late", hook="test.gate")
        first = await stage.hooks.invoke("test.gate")
        stage.specs.add(HookSpec(name="test.gate", default_timeout=2.0, on_unavailable=Unavailable.ABORT))

        second = await stage.hooks.invoke("test.gate")
        removed = [stage.specs.remove("test.gate"), stage.specs.remove("test.gate")]

        assert (first.aborted, second.aborted) == (False, True)
        assert autojump_clock.current_time() == pytest.approx(7.0, abs=0.5)
        assert (removed, stage.specs.names) == ([True, False], HookSpecs().names)


def test_hooks_of_a_brain_are_known_though_nobody_fires_them() -> None:
    """A plugin of the protocol that wants to hear of them loads; their rights and times are the protocol's."""
    planner = HookSpecs().get("maisaka.planner.before_request")
    emoji = HookSpecs().get("emoji.maisaka.before_select")

    assert len(APPLICATION_HOOKS) + len(CATALOGUE) == 22
    assert all(spec.is_applications and spec.allow_mutation for spec in APPLICATION_HOOKS)
    assert (planner.default_timeout, planner.allow_abort) == (6.0, False)
    assert (emoji.default_timeout, emoji.allow_abort) == (5.0, True)
    assert "requested_emotion" in emoji.parameters_schema["properties"]
