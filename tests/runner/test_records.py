"""The typed methods for records, persons, components, statistics, chats and what is sent: what goes out, what comes back."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol import AssignedPlugin
from rookery.runner import CapabilityFailed, Context
from tests.runner.asking import Asked, asking, check_asked
from tests.runner.makers import fake_host

RECORD = {"id": 1, "user": "ann", "success": False}
"""A record may have a field of any name."""

PNG = b"png"
SENT = {"success": True, "message_id": "x"}
CHAT = {"session_id": "irc:group:#g"}

ASKED = [
    (
        lambda ctx: ctx.records.create("t", {"user": "ann"}),
        "database.query",
        {"model_name": "t", "query_type": "create", "data": {"user": "ann"}},
        RECORD,
        RECORD,
    ),
    (
        lambda ctx: ctx.records.save("t", "user", "ann", {"x": 1}),
        "database.save",
        {"model_name": "t", "key_field": "user", "key_value": "ann", "data": {"x": 1}},
        RECORD,
        RECORD,
    ),
    (
        lambda ctx: ctx.records.find("t", {"user": "ann"}, order_by=("-x",), limit=3),
        "database.get",
        {"model_name": "t", "filters": {"user": "ann"}, "order_by": ["-x"], "limit": 3},
        [RECORD],
        [RECORD],
    ),
    (
        lambda ctx: ctx.records.find("t"),
        "database.get",
        {"model_name": "t", "filters": {}, "order_by": []},
        [],
        [],
    ),
    (
        lambda ctx: ctx.records.find_one("t", {"id": 1}),
        "database.get",
        {"model_name": "t", "filters": {"id": 1}, "single_result": True},
        RECORD,
        RECORD,
    ),
    (
        lambda ctx: ctx.records.find_one("t", {"id": 2}),
        "database.get",
        {"model_name": "t", "filters": {"id": 2}, "single_result": True},
        None,
        None,
    ),
    (
        lambda ctx: ctx.records.update("t", {"id": 1}, {"x": 2}),
        "database.query",
        {"model_name": "t", "query_type": "update", "filters": {"id": 1}, "data": {"x": 2}},
        1,
        1,
    ),
    (
        lambda ctx: ctx.records.delete("t", {"id": 1}),
        "database.delete",
        {"model_name": "t", "filters": {"id": 1}},
        1,
        1,
    ),
    (lambda ctx: ctx.records.count("t"), "database.count", {"model_name": "t", "filters": {}}, 4, 4),
    (
        lambda ctx: ctx.persons.id_of("qq", "1"),
        "person.get_id",
        {"platform": "qq", "user_id": "1"},
        {"success": True, "person_id": "qq:1"},
        "qq:1",
    ),
    (
        lambda ctx: ctx.persons.id_by_name("Ann"),
        "person.get_id_by_name",
        {"person_name": "Ann"},
        {"success": True, "person_id": ""},
        "",
    ),
    (
        lambda ctx: ctx.persons.value("qq:1", "nickname", "?"),
        "person.get_value",
        {"person_id": "qq:1", "field_name": "nickname", "default": "?"},
        {"success": True, "value": None},
        None,
    ),
    (
        lambda ctx: ctx.components.plugins(),
        "component.get_all_plugins",
        {},
        {"success": True, "plugins": {"a.b": {}}},
        {"a.b": {}},
    ),
    (lambda ctx: ctx.components.tools(), "tool.get_definitions", {}, {"success": True, "tools": []}, []),
    (
        lambda ctx: ctx.components.switch("a.b.c", "TOOL", enabled=False),
        "component.disable",
        {"name": "a.b.c", "component_type": "TOOL"},
        {"success": True},
        None,
    ),
    (
        lambda ctx: ctx.components.reload("a.b"),
        "component.reload_plugin",
        {"plugin_name": "a.b"},
        {"success": True},
        None,
    ),
    (
        lambda ctx: ctx.components.set_config("k", None),
        "component.update_plugin_config",
        {"key": "k", "value": None},
        {"success": True, "hot_updated": False},
        False,
    ),
    (
        lambda ctx: ctx.statistics.models(days=3),
        "statistics.local.models",
        {"days": 3},
        {"success": True, "models": []},
        [],
    ),
    (
        lambda ctx: ctx.statistics.messages(bucket="hour"),
        "statistics.local.message_trend",
        {"days": 7, "bucket": "hour"},
        {"success": True, "series": {"total": 0}},
        {"total": 0},
    ),
    (
        lambda ctx: ctx.chat.of_group("g", "qq"),
        "chat.get_stream_by_group_id",
        {"group_id": "g", "platform": "qq"},
        {"success": True, "stream": None},
        None,
    ),
    (
        lambda ctx: ctx.chat.of_user("u", "qq"),
        "chat.get_stream_by_user_id",
        {"user_id": "u", "platform": "qq"},
        {"success": True, "stream": CHAT},
        CHAT,
    ),
    (
        lambda ctx: ctx.chat.open("irc", user_id="ann"),
        "chat.open_session",
        {"platform": "irc", "chat_type": "private", "user_id": "ann"},
        {"success": True, "created": True, "stream": CHAT, **CHAT},
        CHAT,
    ),
    (
        lambda ctx: ctx.send.image(PNG, "s", reply_to="m"),
        "send.image",
        {"image_base64": "cG5n", "stream_id": "s", "reply_to": "m"},
        SENT,
        "x",
    ),
    (
        lambda ctx: ctx.send.emoji(PNG, "s"),
        "send.emoji",
        {"emoji_base64": "cG5n", "stream_id": "s"},
        SENT,
        "x",
    ),
    (
        lambda ctx: ctx.send.segments([{"type": "text", "data": "x"}], "s", text="t"),
        "send.hybrid",
        {"segments": [{"type": "text", "data": "x"}], "stream_id": "s", "processed_plain_text": "t"},
        SENT,
        "x",
    ),
    (
        lambda ctx: ctx.send.custom("music", {"id": 1}, "s"),
        "send.custom",
        {"message_type": "music", "content": {"id": 1}, "stream_id": "s"},
        SENT,
        "x",
    ),
    (lambda ctx: ctx.send.forward([], "s"), "send.forward", {"messages": [], "stream_id": "s"}, SENT, "x"),
]


@asking(ASKED)
async def test_a_method_asks_and_unpacks(row: Asked) -> None:
    """The table of what goes out and what comes back."""
    await check_asked(row)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param({"success": False, "error": "filters: no"}, "filters: no", id="a mistake"),
        pytest.param({"id": 1}, "should be a int, it is {'id': 1}", id="another type"),
    ],
)
async def test_a_question_that_failed_raises(answer: Any, told: str) -> None:
    """Although a record may have a field that is called success."""
    async with fake_host(capabilities={"database.count": lambda **_: answer}) as host:
        ctx = Context("test.a", host, AssignedPlugin(plugin_id="test.a"))

        with pytest.raises(CapabilityFailed) as caught:
            await ctx.records.count("t", {"x": 1})

    assert told in str(caught.value)
