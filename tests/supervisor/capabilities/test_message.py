"""message.* and chat.*: what was said and where, as far as it was kept."""

from __future__ import annotations

import time

import pytest

from rookery.protocol import MessageMap, build_message, session_id_of
from rookery.supervisor.capabilities.message import readable
from rookery.supervisor.store import Store
from tests.doubles.capability_calls import Caller, FakePictures

NOW = 0.0


@pytest.fixture(autouse=True)
def now() -> None:
    """The beginning of each test: messages are told by their age."""
    global NOW
    NOW = time.time()


CHAT = {"chat_id": "irc:group:#g"}


def a_message(number: int, *, age: float, group: str | None = "#g", text: str = "hi") -> MessageMap:
    return build_message(
        message_id=f"m{number}",
        platform="irc",
        user_id="u",
        user_name="Ann",
        text=text,
        timestamp=NOW - age,
        group_id=group,
    )


@pytest.fixture
def kept(store: Store) -> list[MessageMap]:
    messages = [a_message(1, age=90_000), a_message(2, age=60), a_message(3, age=30)]
    for message in messages:
        store.save_message_nowait(message, session_id_of(message), direction="in")
    private = a_message(4, age=10, group=None)
    store.save_message_nowait(private, session_id_of(private), direction="out", plugin_id="a.b")
    return messages


async def test_recent_messages_of_a_chat(caller: Caller, kept: list[MessageMap]) -> None:
    """Of the last day, or of the hours that are asked for."""
    day = await caller.ask("message.get_recent", CHAT)
    more = await caller.ask("message.get_recent", {**CHAT, "hours": 48, "limit": 2, "limit_mode": "earliest"})

    assert day == {"success": True, "messages": kept[1:]}
    assert more["messages"] == kept[:2]


async def test_messages_of_a_span(caller: Caller, kept: list[MessageMap]) -> None:
    """In one chat or in all; an end of 0 is no end."""
    span = {"start_time": NOW - 70, "end_time": 0}
    in_chat = await caller.ask("message.get_by_time_in_chat", {**CHAT, **span})
    everywhere = await caller.ask("message.get_by_time", span)
    others = await caller.ask("message.get_by_time", {**span, "filter_mai": True})

    assert in_chat["messages"] == kept[1:]
    assert [message["message_id"] for message in everywhere["messages"]] == ["m2", "m3", "m4"]
    assert others["messages"] == kept[1:]


async def test_one_message_and_how_many_are_new(caller: Caller, kept: list[MessageMap]) -> None:
    """By id, under either name of the argument; counted after a moment."""
    found = await caller.ask("message.get_by_id", {"msg_id": "m2"})
    missing = await caller.ask("message.get_by_id", {"message_id": "m2", "chat_id": "elsewhere"})
    new = await caller.ask("message.count_new", {**CHAT, "since": NOW - 45})

    assert found == {"success": True, "message": kept[1]}
    assert missing["message"] is None
    assert new == {"success": True, "count": 1}


async def test_a_readable_transcript(caller: Caller, kept: list[MessageMap]) -> None:
    """Of given messages, or of a chat's own."""
    given = await caller.ask("message.build_readable", {"messages": kept[1:2]})
    own = await caller.ask("message.build_readable", {**CHAT, "limit": 3})
    nothing = await caller.ask("message.build_readable", {"messages": []})

    assert given == {"success": True, "text": "1 minute ago, Ann: hi"}
    assert own["text"].splitlines() == ["1 day ago, Ann: hi", "1 minute ago, Ann: hi", "just now, Ann: hi"]
    assert nothing["text"] == ""


@pytest.mark.parametrize(
    ("mode", "when"),
    [("normal", "1970-01-01 00:00:05"), ("absolute", "1970-01-01 00:00:05"), ("normal_no_YMD", "00:00:05")],
)
async def test_a_transcript_tells_times_as_plugins_of_the_original_ask(
    caller: Caller, mode: str, when: str
) -> None:
    """By three names beside the relative one."""
    said = {**a_message(1, age=0), "timestamp": "5.0"}

    answer = await caller.ask("message.build_readable", {"messages": [said], "timestamp_mode": mode})

    assert answer["text"] == f"{when}, Ann: hi"


async def test_the_bot_has_its_own_name_in_a_transcript(caller: Caller, powers: FakePictures) -> None:
    """As the operator calls it, wherever it speaks by the account that it has there; unless nobody wants that."""
    powers.shown_config = {"bot": {"nickname": "Rook"}}
    said, own = a_message(1, age=0), a_message(2, age=0)
    own["message_info"]["additional_config"] = {"platform_io_account_id": "u"}

    named = await caller.ask("message.build_readable", {"messages": [said, own]})
    plain = await caller.ask("message.build_readable", {"messages": [own], "replace_bot_name": False})

    assert [line.split(", ")[1] for line in named["text"].splitlines()] == ["Ann: hi", "Rook: hi"]
    assert plain["text"].endswith("Ann: hi")


def test_a_transcript_with_times_and_cut_texts() -> None:
    """Absolute times are in UTC; a number that is no date does not fail."""
    long = build_message(
        message_id="m", platform="p", user_id="u", user_name="Ann", text="x" * 500, timestamp=0.0
    )

    text = readable([long, {**long, "timestamp": "1e300"}], 0.0, form="%Y-%m-%d %H:%M:%S", truncate=True)

    first, second = text.splitlines()
    assert first == "1970-01-01 00:00:00, Ann: " + "x" * 199 + "…"
    assert second.startswith("at an unknown time")


@pytest.mark.parametrize(
    ("name", "args", "text"),
    [
        pytest.param("get_recent", {}, "chat_id", id="no chat"),
        pytest.param("get_recent", {**CHAT, "hours": -1}, "hours", id="hours before now"),
        pytest.param("get_recent", {**CHAT, "limit": "all"}, "limit", id="a limit that is a text"),
        pytest.param("get_recent", {**CHAT, "limit_mode": "some"}, "limit_mode", id="another mode"),
        pytest.param("count_new", {**CHAT, "since": "today"}, "since", id="a time that is a text"),
        pytest.param("build_readable", {"messages": [{}]}, "messages[0].message_id", id="no message"),
        pytest.param(
            "build_readable", {"messages": [], "timestamp_mode": "x"}, "timestamp_mode", id="a mode"
        ),
    ],
)
async def test_a_mistake_is_said_in_the_result(caller: Caller, name: str, args: object, text: str) -> None:
    """By the argument's name."""
    answer = await caller.ask(f"message.{name}", args)

    assert answer["success"] is False
    assert text in answer["error"]


async def test_chats_are_listed_by_platform_and_kind(caller: Caller, kept: list[MessageMap]) -> None:
    """Without a platform the protocol means qq; all_platforms means any."""
    every = await caller.ask("chat.get_all_streams", {"platform": "all_platforms"})
    groups = await caller.ask("chat.get_group_streams", {"platform": "irc"})
    private = await caller.ask("chat.get_private_streams", {"platform": "irc"})
    default = await caller.ask("chat.get_all_streams")

    assert [chat["stream_id"] for chat in every["streams"]] == ["irc:group:#g", "irc:private:u"]
    assert [chat["stream_id"] for chat in groups["streams"]] == ["irc:group:#g"]
    assert [chat["stream_id"] for chat in private["streams"]] == ["irc:private:u"]
    assert default["streams"] == []
