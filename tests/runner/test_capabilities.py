"""Each typed method asks for the right service with the right arguments, and gives back what is meant."""

from __future__ import annotations

import pytest

from rookery.protocol import AssignedPlugin
from rookery.runner import CapabilityFailed, Context, Message
from tests.runner.asking import Asked, asking, check_asked
from tests.runner.makers import fake_host, message_map

ASKED = [
    (
        lambda ctx: ctx.send.text("hi", "s", reply_to="m"),
        "send.text",
        {"text": "hi", "stream_id": "s", "reply_to": "m"},
        {"success": True, "message_id": "x"},
        "x",
    ),
    (
        lambda ctx: ctx.send.text("hi", "s"),
        "send.text",
        {"text": "hi", "stream_id": "s"},
        {"success": True},
        None,
    ),
    (
        lambda ctx: ctx.db.put("t", "k", {"a": 1}),
        "database.put_row",
        {"table": "t", "key": "k", "row": {"a": 1}},
        {"success": True},
        None,
    ),
    (lambda ctx: ctx.db.get("t", "k"), "database.get_row", {"table": "t", "key": "k"}, {"row": None}, None),
    (
        lambda ctx: ctx.db.get("t", "k"),
        "database.get_row",
        {"table": "t", "key": "k"},
        {"row": {"a": 1}},
        {"a": 1},
    ),
    (
        lambda ctx: ctx.db.find("t", prefix="p", limit=3),
        "database.find_rows",
        {"table": "t", "prefix": "p", "limit": 3},
        {"rows": [{"key": "k"}]},
        [{"key": "k"}],
    ),
    (lambda ctx: ctx.db.find("t"), "database.find_rows", {"table": "t"}, {"rows": []}, []),
    (
        lambda ctx: ctx.db.delete("t", "k"),
        "database.delete_row",
        {"table": "t", "key": "k"},
        {"deleted": True},
        True,
    ),
    (
        lambda ctx: ctx.db.increment("t", "k", points=1, table=2),
        "database.increment_row",
        {"table": "t", "key": "k", "fields": {"points": 1, "table": 2}},
        {"row": {"points": 4}},
        {"points": 4},
    ),
    (lambda ctx: ctx.db.count("t"), "database.count_rows", {"table": "t"}, {"count": 3}, 3),
    (lambda ctx: ctx.db.sum("t", "f"), "database.sum_rows", {"table": "t", "field": "f"}, {"sum": 3}, 3.0),
    (
        lambda ctx: ctx.config.get("bot.name", "x"),
        "config.get",
        {"key": "bot.name", "default": "x"},
        {"success": True, "value": "y"},
        "y",
    ),
    (lambda ctx: ctx.config.get_plugin(), "config.get_plugin", {}, {"value": {"a": 1}}, {"a": 1}),
    (
        lambda ctx: ctx.config.get_plugin("a.b"),
        "config.get_plugin",
        {"plugin_name": "a.b"},
        {"value": None},
        {},
    ),
    (lambda ctx: ctx.config.get_all(), "config.get_all", {}, {"value": {}}, {}),
    (
        lambda ctx: ctx.api.call("a.b.c", version="2", x=1),
        "api.call",
        {"api_name": "a.b.c", "version": "2", "args": {"x": 1}},
        {"success": True, "result": 5},
        5,
    ),
    (
        lambda ctx: ctx.chat.streams(),
        "chat.get_all_streams",
        {"platform": "all_platforms"},
        {"streams": [{"session_id": "s"}]},
        [{"session_id": "s"}],
    ),
    (
        lambda ctx: ctx.messages.recent("s", limit=2, hours=1),
        "message.get_recent",
        {"chat_id": "s", "limit": 2, "hours": 1},
        {"messages": [message_map()]},
        [Message(message_map())],
    ),
    (
        lambda ctx: ctx.messages.count("s", since=1.5),
        "message.count_new",
        {"chat_id": "s", "since": 1.5},
        {"count": 7},
        7,
    ),
    (
        lambda ctx: ctx.messages.get("m1", session_id="s"),
        "message.get_by_id",
        {"message_id": "m1", "chat_id": "s"},
        {"message": message_map()},
        Message(message_map()),
    ),
    (lambda ctx: ctx.messages.get("m1"), "message.get_by_id", {"message_id": "m1"}, {"message": None}, None),
]


@asking(ASKED)
async def test_a_method_asks_and_unpacks(row: Asked) -> None:
    """The table of what goes out and what comes back."""
    await check_asked(row)


async def test_a_service_that_failed_raises() -> None:
    """A text that was not delivered must not look delivered."""
    refused = {"send.text": lambda **_: {"success": False, "error": "no gateway"}}
    async with fake_host(capabilities=refused) as host:
        ctx = Context("test.a", host, AssignedPlugin(plugin_id="test.a"))

        with pytest.raises(CapabilityFailed, match=r"^send\.text: no gateway$"):
            await ctx.send.text("hi", "s")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param({"rows": 5}, "the host's answer should be a list, it is 5", id="a number for a list"),
        pytest.param({"other": []}, "should be a list, it is {'other': []}", id="another map"),
    ],
)
async def test_an_answer_of_another_type_is_explained(answer: object, told: str) -> None:
    """The plugin does not stumble over it three lines later."""
    async with fake_host(capabilities={"database.find_rows": lambda **_: answer}) as host:
        ctx = Context("test.a", host, AssignedPlugin(plugin_id="test.a"))

        with pytest.raises(CapabilityFailed) as caught:
            await ctx.db.find("t")

    assert told in str(caught.value)


async def test_null_is_nothing() -> None:
    """Other hosts answer so where there is nothing to tell."""
    async with fake_host(capabilities={"database.find_rows": lambda **_: None}) as host:
        ctx = Context("test.a", host, AssignedPlugin(plugin_id="test.a"))

        assert await ctx.db.find("t") == []
