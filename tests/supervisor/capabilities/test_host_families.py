"""send, config and component: what a plugin asks reaches the host's powers, and their answer comes back."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from rookery.protocol import ErrorCode
from rookery.supervisor.capabilities import CapabilityTable, make_table
from rookery.supervisor.grants import Grants
from rookery.supervisor.observers import CapabilityDenied
from rookery.supervisor.platform.departure import Sending
from rookery.supervisor.platform.sessions import Sessions
from rookery.supervisor.statistics import Statistics
from rookery.supervisor.store import Store
from tests.doubles.capability_calls import Caller, FakePictures, FakePowers

CHAT = {"stream_id": "irc:group:#g"}
PNG = base64.b64encode(b"png").decode()


async def test_text_is_sent(caller: Caller, powers: FakePictures) -> None:
    """To the chat, in the plugin's name, as a reply when it is one."""
    answer = await caller.ask("send.text", {**CHAT, "text": "hi", "reply_to": "m1"})

    assert answer == {"success": True, "message_id": "out-1"}
    assert powers.sent == [{"session_id": "irc:group:#g", "text": "hi", "plugin_id": "a.b", "reply_to": "m1"}]


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("text", {"text": "hi"}),
        ("image", {"image_base64": PNG}),
        ("hybrid", {"segments": [{"type": "text", "data": "x"}]}),
    ],
)
async def test_what_is_said_of_a_message_goes_with_it(
    caller: Caller, powers: FakePictures, name: str, args: dict[str, Any]
) -> None:
    """Whether it is kept, shown, and answers something; what belongs to one bot's core is passed over."""
    core = {"sync_to_maisaka_history": True, "maisaka_source_kind": "plugin_send"}
    await caller.ask(f"send.{name}", {**CHAT, **args, **core})
    await caller.ask(
        f"send.{name}",
        {**CHAT, **args, "storage_message": False, "typing": True, "show_log": False, "reply_to": "m"},
    )

    assert powers.sendings == [
        Sending(),
        Sending(storage_message=False, typing=True, show_log=False, set_reply=True, reply_message_id="m"),
    ]


async def test_a_reply_to_nothing_is_sent_all_the_same(caller: Caller, powers: FakePictures) -> None:
    """In the original it fails each time, because a plugin cannot say what it answers."""
    answer = await caller.ask("send.text", {**CHAT, "text": "hi", "set_reply": True})

    assert answer["success"] is True
    assert powers.sent[0]["reply_to"] is None


async def test_details_of_what_was_sent(caller: Caller) -> None:
    """When the plugin asks for them."""
    answer = await caller.ask("send.text", {**CHAT, "text": "hi", "return_details": True})

    assert answer == {"success": True, "message_id": "out-1", "sent": True}


@pytest.mark.parametrize(
    ("name", "args", "segments", "text"),
    [
        pytest.param(
            "image",
            {"image_base64": PNG},
            [("image", "[image]")],
            "[image]",
            id="an image",
        ),
        pytest.param(
            "emoji",
            {"emoji_base64": f"data:image/png;base64,{PNG}"},
            [("emoji", "[emoji]")],
            "[emoji]",
            id="an emoji as a data URL",
        ),
        pytest.param(
            "command",
            {"command": "poke"},
            [("dict", {"type": "command", "data": "poke"})],
            "[command]",
            id="a command",
        ),
        pytest.param(
            "custom",
            {"custom_type": "music", "data": {"id": 1}, "processed_plain_text": "a song"},
            [("dict", {"type": "music", "data": {"id": 1}})],
            "a song",
            id="a type of nobody's",
        ),
        pytest.param(
            "custom",
            {"message_type": "text", "content": "hi"},
            [("text", "hi")],
            "hi",
            id="a native type",
        ),
        pytest.param(
            "hybrid",
            {"segments": [{"type": "text", "content": "look "}, {"type": "image", "content": PNG}]},
            [("text", "look "), ("image", "[image]")],
            "look [image]",
            id="several parts",
        ),
    ],
)
async def test_segments_are_sent(
    caller: Caller, powers: FakePictures, name: str, args: Any, segments: Any, text: str
) -> None:
    """In the message schema's own shape, with a text for those who see no pictures."""
    answer = await caller.ask(f"send.{name}", {**CHAT, **args})

    assert answer["success"] is True
    assert [(part["type"], part["data"]) for part in powers.sent[0]["segments"]] == segments
    assert powers.sent[0]["text"] == text


async def test_forwarded_messages_are_nodes(caller: Caller, powers: FakePictures) -> None:
    """A node that says nothing is left out."""
    node = {"user_id": "1", "nickname": "Ann", "content": [{"type": "text", "content": "hi"}]}

    await caller.ask("send.forward", {**CHAT, "messages": [node, {"user_id": "2", "segments": []}]})

    (segment,) = powers.sent[0]["segments"]
    assert segment["type"] == "forward"
    assert [(one["user_nickname"], one["content"]) for one in segment["data"]] == [
        ("Ann", [{"type": "text", "data": "hi"}])
    ]


@pytest.mark.parametrize(
    ("name", "args", "text"),
    [
        pytest.param("text", {"text": "hi"}, "stream_id", id="no chat"),
        pytest.param("text", {**CHAT, "text": ""}, "text", id="no text"),
        pytest.param("text", {**CHAT, "text": 5}, "text: must be a text", id="a number"),
        pytest.param(
            "image", {**CHAT, "image_base64": "no base64!"}, "image_base64: must be base64", id="no base64"
        ),
        pytest.param("custom", {**CHAT, "message_type": "x"}, "content or data", id="no content"),
        pytest.param("hybrid", {**CHAT, "segments": []}, "segments", id="no segments"),
        pytest.param("hybrid", {**CHAT, "segments": [{"data": 1}]}, "segments[0]", id="no type"),
        pytest.param("hybrid", {**CHAT, "segments": [{"type": "at"}]}, "segments[0]", id="no data"),
        pytest.param("forward", {**CHAT, "messages": [{"content": []}]}, "messages", id="empty nodes"),
    ],
)
async def test_what_cannot_be_sent_is_said_in_the_result(
    caller: Caller, powers: FakePictures, name: str, args: Any, text: str
) -> None:
    """As plugins of protocol 1.0.0 expect it, naming the argument."""
    answer = await caller.ask(f"send.{name}", args)

    assert answer["success"] is False
    assert text in answer["error"]
    assert powers.sent == []


async def test_a_host_without_pictures_has_no_such_capabilities(store: Store, grants: Grants) -> None:
    """It says so instead of dropping them."""
    table = make_table(store, grants, FakePowers(), sessions=Sessions(), statistics=Statistics(store))

    error = await Caller(table).refusal("send.image", {**CHAT, "image_base64": PNG})

    assert error.code is ErrorCode.E_METHOD_NOT_ALLOWED
    assert "send.text" in table.names


async def test_a_plugin_reads_its_own_configuration(caller: Caller, powers: FakePictures) -> None:
    """Whole, by a dotted key, or the default; a null for the name is itself."""
    powers.configs["a.b"] = {"words": {"bad": ["x"]}}

    assert (await caller.ask("config.get_all"))["value"] == {"words": {"bad": ["x"]}}
    assert (await caller.ask("config.get_plugin", {"plugin_name": None, "key": "words.bad"}))["value"] == [
        "x"
    ]
    assert (await caller.ask("config.get_plugin", {"key": "words.bad.more", "default": 5}))["value"] == 5


async def test_another_plugins_configuration_is_not_shown(
    caller: Caller, table: CapabilityTable, powers: FakePictures
) -> None:
    """W13: it may hold keys and passwords. Whoever tries is heard of."""
    powers.configs["a.c"] = {"key": "secret"}
    denied: list[CapabilityDenied] = []
    table.on_denied = denied.append

    error = await caller.refusal("config.get_plugin", {"plugin_name": "a.c"})

    assert error.code is ErrorCode.E_CAPABILITY_DENIED
    assert "secret" not in repr(error)
    assert 'reads_config_of = ["a.c"]' in error.message
    assert [(each.plugin_id, each.capability) for each in denied] == [("a.b", "config.get_plugin")]


async def test_the_operator_may_show_one_plugin_the_configuration_of_another(
    caller: Caller, powers: FakePictures
) -> None:
    """And not the other way round."""
    powers.configs["a.c"] = {"key": "shared"}
    powers.readers.add(("a.b", "a.c"))

    assert (await caller.ask("config.get_all", {"plugin_name": "a.c"}))["value"] == {"key": "shared"}
    await caller.refusal("config.get_all", {"plugin_name": "a.b"}, plugin_id="a.c")


async def test_a_null_is_no_plugin_called_none(caller: Caller, powers: FakePictures) -> None:
    """W13: the proxies send a null for the plugin itself, and a null for a default stays one."""
    powers.configs["a.b"] = {"mine": True}

    assert (await caller.ask("config.get_plugin", {"plugin_name": None}))["value"] == {"mine": True}
    assert (await caller.ask("config.get_plugin", {"key": "no", "default": None}))["value"] is None
    assert (await caller.ask("config.get", {"key": "no", "default": None}))["value"] is None


async def test_what_the_operator_writes_of_the_bot_is_found_without_its_section(
    caller: Caller, powers: FakePictures
) -> None:
    """Plugins of the original ask for sections that stand in [bot] here; what the host itself says comes first."""
    powers.shown_config = {"name": "host", "bot": {"name": "Rook", "personality": {"mood": None}}}

    assert (await caller.ask("config.get", {"key": "personality.mood", "default": "d"}))["value"] is None
    assert (await caller.ask("config.get", {"key": "bot.name"}))["value"] == "Rook"
    assert (await caller.ask("config.get", {"key": "name"}))["value"] == "host"


async def test_the_hosts_configuration_is_walked_by_keys_only(caller: Caller, powers: FakePictures) -> None:
    """No attribute of an object is ever reached."""
    powers.shown_config = {"bot": {"name": "Rook"}}

    assert (await caller.ask("config.get", {"key": "bot.name"}))["value"] == "Rook"
    assert (await caller.ask("config.get", {"key": "bot.__class__", "default": "no"}))["value"] == "no"
    assert (await caller.ask("config.get", {}))["success"] is False
