"""Are the actions of plugins mirrored among the application's, one for each name, and never left behind?"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from trio.testing import MockClock

from rookery.protocol import ComponentDeclaration
from rookery.supervisor.actions import (
    APPLICATION,
    ActionDescription,
    Actions,
    Activation,
    action_arguments,
    action_result,
    read_action,
)
from rookery.supervisor.component import Tool
from rookery.supervisor.conversation import conversation_of_session
from rookery.supervisor.declaration import make_component
from rookery.supervisor.fate import DispatchFailed, Fate
from tests.doubles.stage import Stage, open_stage, said


def _action(stage: Stage, plugin_id: str, name: str = "smile", answer: Any = None, **metadata: Any) -> Tool:
    metadata = {"legacy_action": True, **metadata}
    tool = stage.offer("tool", plugin_id, name, answer or said([True, f"of {plugin_id}"]), **metadata)
    assert isinstance(tool, Tool)
    return tool


async def _own(**_: Any) -> tuple[bool, str]:
    return True, "our own"


async def test_an_action_of_a_plugin_is_one_of_the_host(autojump_clock: MockClock) -> None:
    """It is taken with a planner's arguments, in the plugin's process."""
    async with open_stage("one") as stage:
        _action(stage, "p.a")
        actions = Actions(stage.registry, stage.dispatcher)

        done = await actions.take(
            "smile", action_data={"mood": "glad"}, stream_id="s", action_reasoning="why"
        )

        assert done == (True, "of p.a")
        assert stage.args_of("p.a.smile") == [
            {
                "mood": "glad",
                "action_data": {"mood": "glad"},
                "stream_id": "s",
                "chat_id": "s",
                "reasoning": "why",
            }
        ]
        assert list(actions.all()) == ["smile"]


async def test_the_loser_of_a_name_takes_over_when_the_winner_goes(autojump_clock: MockClock) -> None:
    """W18: with its plugin, and with the application's own; until then it is said to be shadowed."""
    async with open_stage("one", "two") as stage:
        actions = Actions(stage.registry, stage.dispatcher)
        actions.register(ActionDescription(name="smile"), _own)
        _action(stage, "p.b")
        _action(stage, "p.a", shard="two")

        async def taken() -> str:
            return (await actions.take("smile"))[1]

        story = [await taken()]
        shadowed = [(each.full_name, each.by) for each in actions.shadowed]
        actions.unregister("smile")
        story.append(await taken())
        stage.registry.unregister("p.a")
        story.append(await taken())
        stage.registry.publish(["p.b"], [])

        assert story == ["our own", "of p.a", "of p.b"]
        assert shadowed == [("p.a.smile", APPLICATION), ("p.b.smile", APPLICATION)]
        assert (actions.all(), actions.shadowed) == ({}, ())
        with pytest.raises(DispatchFailed) as refused:
            await taken()
        assert refused.value.fate is Fate.REFUSED


async def test_a_shadowed_action_is_reached_by_its_full_name(autojump_clock: MockClock) -> None:
    """And a name that the application has is not given twice."""
    async with open_stage("one") as stage:
        actions = Actions(stage.registry, stage.dispatcher)
        _action(stage, "p.a")
        _action(stage, "p.b")

        assert await actions.take("p.b.smile") == (True, "of p.b")
        assert actions.register(ActionDescription(name="x"), _own)
        assert not actions.register(ActionDescription(name="x"), _own)
        assert [(each.full_name, each.by) for each in actions.shadowed] == [("p.b.smile", "p.a.smile")]


async def test_where_it_may_not_be_taken_another_may(autojump_clock: MockClock) -> None:
    """W24: a switch, a scope and a session do not hide the next one of the name."""
    async with open_stage("one") as stage:
        actions = Actions(stage.registry, stage.dispatcher)
        _action(stage, "p.a", chat_scope="group")
        _action(stage, "p.b")
        group, private = conversation_of_session("t:group:g"), conversation_of_session("t:private:u")

        def winner(conversation: Any) -> str:
            found = actions.get("smile", conversation)
            return found.info.plugin_name if found else ""

        before = [winner(group), winner(private), winner(None)]
        stage.registry.set_enabled("p.a.smile", False)
        after = [winner(group)]
        stage.registry.set_enabled("p.b.smile", False)

        assert (before, after, winner(group)) == (["p.a", "p.b", "p.b"], ["p.b"], "")


async def test_an_action_that_fails_says_so(autojump_clock: MockClock) -> None:
    """It raises nothing into the planner."""
    async with open_stage("one") as stage:
        _action(stage, "p.a", "bad", {"success": False, "result": "no luck"})
        _action(stage, "p.a", "slow", lambda _: None, timeout_ms=1000)
        actions = Actions(stage.registry, stage.dispatcher)

        assert await actions.take("bad") == (False, "no luck")
        assert (await actions.take("slow"))[0] is False


# --- forms -------------------------------------------------------------------------------------------------------------


def _tool(**metadata: Any) -> Tool:
    declared = ComponentDeclaration(name="a", component_type="ACTION", metadata=metadata)
    tool = make_component(declared, plugin_id="p.a", shard="one", is_trusted=True, path="")
    assert isinstance(tool, Tool)
    return tool


def test_what_an_author_spoils_is_put_right() -> None:
    """Each part by itself; what it leaves out has a default."""
    spoiled = read_action(
        _tool(
            description="d",
            action_parameters={"mood": None, "n": 3},
            action_require=[" x ", None, "", 7],
            associated_types="text",
            activation_type=" Keyword ",
            activation_keywords=["hi"],
            activation_probability="often",
            parallel_action="yes",
        )
    )
    bare = read_action(_tool(activation_type="sometimes"))

    assert spoiled == ActionDescription(
        name="a",
        plugin_name="p.a",
        description="d",
        metadata=spoiled.metadata,
        action_parameters={"mood": "", "n": "3"},
        action_require=("x", "7"),
        activation_type=Activation.KEYWORD,
        activation_keywords=("hi",),
    )
    assert (bare.activation_type, bare.random_activation_probability, bare.action_parameters) == (
        Activation.ALWAYS,
        0.0,
        {},
    )


def test_what_an_older_sdk_nests_counts() -> None:
    """The parts of a legacy action stand one map deeper there."""
    info = read_action(_tool(metadata={"activation_type": "random", "activation_probability": 0.25}))

    assert (info.activation_type, info.random_activation_probability) == (Activation.RANDOM, 0.25)


def test_the_parameters_of_a_schema_are_parameters() -> None:
    """As an author of this host declares them."""
    info = read_action(_tool(parameters_raw={"city": {"type": "string", "description": "where"}}))

    assert info.action_parameters == {"city": "where"}


def test_arguments_are_the_actions_own_and_the_hosts_over_them() -> None:
    """What the host says cannot be said by the data; what has the wrong form is left out."""
    args = action_arguments(
        {
            "action_data": {"mood": "glad", "stream_id": "forged", "reasoning": "forged"},
            "chat_stream": SimpleNamespace(session_id="s"),
            "stream_id": "other",
            "reasoning": 7,
            "thinking_id": "t",
            "cycle_timers": {"a": 1.0},
            "plugin_config": ["no"],
            "shutting_down": "no",
            "unknown": 1,
        }
    )

    assert args == {
        "mood": "glad",
        "action_data": {"mood": "glad", "stream_id": "forged", "reasoning": "forged"},
        "stream_id": "s",
        "chat_id": "s",
        "reasoning": "7",
        "thinking_id": "t",
        "cycle_timers": {"a": 1.0},
    }
    assert action_arguments({}) == {"action_data": {}, "stream_id": "", "chat_id": "", "reasoning": ""}


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        pytest.param(said([True, "text"]), (True, "text"), id="a flag and a text"),
        pytest.param(said([False, None, 1]), (False, ""), id="nothing said"),
        pytest.param(said([0]), (False, ""), id="a flag alone"),
        pytest.param(said([]), (True, "[]"), id="nothing at all"),
        pytest.param(said("text"), (True, "text"), id="a text"),
        pytest.param(said(), (True, ""), id="none"),
        pytest.param({"success": False, "result": "why"}, (False, "why"), id="it raised"),
    ],
)
def test_what_an_answer_means(answer: dict[str, Any], result: tuple[bool, str]) -> None:
    """A flag and a text, as planners want it."""
    assert action_result(answer) == result
