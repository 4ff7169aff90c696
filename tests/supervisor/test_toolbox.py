"""Are the tools and commands of the whole tree found by name, listed by what may be used, and used?"""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock

from rookery.supervisor.component import Visibility
from rookery.supervisor.conversation import conversation_of_session
from rookery.supervisor.fate import DispatchFailed, Fate
from rookery.supervisor.tool_results import ToolContent, ToolResult, read_tool_result
from rookery.supervisor.toolbox import CommandResult, Toolbox
from tests.doubles.stage import open_stage, said

GROUP = conversation_of_session("test:group:g")
PRIVATE = conversation_of_session("test:private:u")


async def test_tools_are_listed_as_models_are_told_of_them(autojump_clock: MockClock) -> None:
    """By name; actions only when they are asked for."""
    async with open_stage("one") as stage:
        schema = {"type": "object", "properties": {"city": {"type": "string"}}}
        stage.offer("tool", "p.a", "weather", description="Tells it.", parameters_raw=schema, core_tool=True)
        stage.offer("tool", "p.a", "smile", legacy_action=True)
        toolbox = Toolbox(stage.registry, stage.dispatcher)

        (weather,) = toolbox.tools()
        names = [each.name for each in toolbox.tools(with_actions=True)]

        assert (weather.full_name, weather.provider_name, weather.enabled) == ("p.a.weather", "p.a", True)
        assert weather.as_function() == {
            "type": "function",
            "function": {"name": "weather", "description": "Tells it.", "parameters": schema},
        }
        assert names == ["smile", "weather"]
        assert [each.name for each in toolbox.tools(visibility=Visibility.DEFERRED)] == []


async def test_only_what_may_be_used_in_a_conversation_is_listed(autojump_clock: MockClock) -> None:
    """W24: by scope, session and switch; a hidden one says that it is."""
    async with open_stage("one") as stage:
        stage.offer("tool", "p.a", "groups", chat_scope="group")
        stage.offer("tool", "p.a", "one_session", allowed_session=["test:private:u"])
        stage.offer("tool", "p.a", "hidden", visibility="hidden")
        stage.offer("tool", "p.a", "off", enabled=False)
        stage.offer("tool", "p.a", "muted")
        stage.registry.set_enabled("p.a.muted", False, "test:group:g")
        toolbox = Toolbox(stage.registry, stage.dispatcher)

        listed = {
            where: [each.name for each in toolbox.tools(conversation)]
            for where, conversation in (("group", GROUP), ("private", PRIVATE), ("anywhere", None))
        }

        assert listed == {
            "group": ["groups", "hidden"],
            "private": ["hidden", "muted", "one_session"],
            "anywhere": ["hidden", "muted"],
        }
        assert not next(each for each in toolbox.tools() if each.name == "hidden").enabled
        with pytest.raises(DispatchFailed) as refused:
            await toolbox.use("groups", conversation=PRIVATE)
        assert refused.value.fate is Fate.REFUSED


async def test_a_short_name_is_the_first_ones_until_that_goes(autojump_clock: MockClock) -> None:
    """W18: by plugin id over all shards; the full name always reaches it."""
    async with open_stage("one", "two") as stage:
        stage.offer("tool", "p.b", "roll", said("b"))
        stage.offer("tool", "p.a", "roll", said("a"), shard="two")
        toolbox = Toolbox(stage.registry, stage.dispatcher)

        first = await toolbox.use("roll")
        full = await toolbox.use("p.b.roll")
        shadowed = [(name, loser.full_name, by.full_name) for name, loser, by in toolbox.shadowed]
        stage.registry.unregister("p.a")
        second = await toolbox.use("roll")

        assert (first.content, full.content, second.content) == ("a", "b", "b")
        assert shadowed == [("roll", "p.b.roll", "p.a.roll")]
        assert toolbox.shadowed == ()


async def test_a_tool_is_told_where_it_is_used(autojump_clock: MockClock) -> None:
    """Unless its arguments say so themselves."""
    async with open_stage("one") as stage:
        stage.offer("tool", "p.a", "t", said())
        toolbox = Toolbox(stage.registry, stage.dispatcher)

        await toolbox.use("t", {"n": 1, "user_id": ""}, conversation=GROUP, context={"user_id": "u", "x": 1})
        await toolbox.use("t", {"stream_id": "other"}, context={"stream_id": "s", "group_id": ""})

        assert stage.args_of("p.a.t") == [
            {"n": 1, "user_id": "u", "stream_id": "test:group:g", "chat_id": "test:group:g"},
            {"stream_id": "other"},
        ]


async def test_an_action_is_used_as_a_tool(autojump_clock: MockClock) -> None:
    """It gets the arguments of an action."""
    async with open_stage("one") as stage:
        stage.offer("tool", "p.a", "smile", said([True, "done"]), legacy_action=True)
        toolbox = Toolbox(stage.registry, stage.dispatcher)

        result = await toolbox.use("smile", {"mood": "glad", "reasoning": "why"}, conversation=GROUP)

        assert result == ToolResult(success=True, content="done", result=[True, "done"])
        (args,) = stage.args_of("p.a.smile")
        assert (args["mood"], args["reasoning"], args["stream_id"]) == ("glad", "why", "test:group:g")
        assert args["action_data"] == {"mood": "glad", "reasoning": "why"}


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param("text", {"content": "text"}, id="a text"),
        pytest.param(None, {"content": ""}, id="nothing"),
        pytest.param(7, {"content": "7"}, id="a number"),
        pytest.param([True, "ok"], {"content": "ok"}, id="a flag and a text"),
        pytest.param(
            [False, "no"], {"success": False, "content": "no", "error": "no"}, id="a flag that says no"
        ),
        pytest.param([False], {"success": False, "error": "it failed"}, id="a flag alone"),
        pytest.param([1, 2], {"content": "[1, 2]"}, id="a list that is none of these"),
        pytest.param({"content": "c", "message": "m"}, {"content": "c"}, id="a map"),
        pytest.param({"message": "m"}, {"content": "m"}, id="a map with the other word"),
        pytest.param(
            {"success": False, "error": "e"}, {"success": False, "error": "e"}, id="a map that says no"
        ),
        pytest.param({"success": False}, {"success": False, "error": "it failed"}, id="and not why"),
    ],
)
def test_what_a_tool_returns_is_read(result: Any, expected: dict[str, Any]) -> None:
    """Whatever form its author gave it; the thing itself stays at hand."""
    read = read_tool_result({"success": True, "result": result})

    assert read == ToolResult(**{"success": True, "result": result, **expected})


def test_a_tool_that_raised_says_why() -> None:
    """In the error, not in the content."""
    read = read_tool_result({"success": False, "result": "ValueError: no"})

    assert (read.success, read.content, read.error) == (False, "", "ValueError: no")


def test_parts_of_a_result_are_read() -> None:
    """What is no known kind is unknown, and what is no map is a text."""
    items = [
        {"content_type": "Image", "base64": "eA==", "mime_type": "image/png", "metadata": {"w": 1}},
        {"type": "hologram"},
        "text",
    ]

    read = read_tool_result({"result": {"content_items": items}})

    assert read.content_items == (
        ToolContent(content_type="image", data="eA==", mime_type="image/png", metadata={"w": 1}),
        ToolContent(content_type="unknown"),
        ToolContent(content_type="unknown", text="text"),
    )


async def test_a_command_is_found_and_run(autojump_clock: MockClock) -> None:
    """Only where it may be called; the list that older plugins return says whether the message ends here."""
    async with open_stage("one") as stage:
        stage.offer(
            "command", "p.a", "roll", said([True, "a", True]), command_name="roll", chat_scope="group"
        )
        stage.offer("command", "p.b", "roll", said("b"), command_name="roll")
        stage.offer("command", "p.c", "bad", {"success": False, "result": "no"}, command_name="bad")
        toolbox = Toolbox(stage.registry, stage.dispatcher)

        async def run(text: str, conversation: Any) -> CommandResult:
            match = toolbox.find_command(text, conversation)
            assert match is not None
            return await toolbox.run_command(match, {"user_id": "u"})

        assert await run("!roll 2", GROUP) == CommandResult(success=True, text="a", intercepts=True)
        assert await run("!roll 2", PRIVATE) == CommandResult(success=True, text="b")
        assert await run("!bad", PRIVATE) == CommandResult(success=False, text="no", intercepts=True)
        assert toolbox.find_command("!nothing", GROUP) is None
        assert stage.args_of("p.b.roll") == [{"args": "2", "matched_groups": {}, "user_id": "u"}]
