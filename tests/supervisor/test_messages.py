"""Stored messages: found by chat, time and id, counted, and the chats they came from."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rookery.protocol import CannotEncode, MessageMap, build_message, session_id_of
from rookery.supervisor import messages as stored
from rookery.supervisor.store_schema import open_database


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_database(tmp_path / "s.db")

    yield connection

    connection.close()


def a_message(number: int, *, group: str | None = "#g", user: str = "ann", **fields: Any) -> MessageMap:
    made = build_message(
        message_id=f"m{number}",
        platform="irc",
        user_id=user,
        user_name=user.title(),
        text=f"text {number}",
        timestamp=float(number),
        group_id=group,
    )
    return {**made, **fields}


def save(
    connection: sqlite3.Connection, message: MessageMap, direction: str = "in", session: str = ""
) -> None:
    session = session or session_id_of(message)
    stored.save_message(message, session, direction=direction, plugin_id="", now=99.0)[0](connection)


def ids(messages: list[MessageMap]) -> list[str]:
    return [message["message_id"] for message in messages]


GROUP = "irc:group:#g"


def test_messages_come_in_the_order_of_time(connection: sqlite3.Connection) -> None:
    """Of one chat, both ends of the span included."""
    for number in (3, 1, 2, 4):
        save(connection, a_message(number))
    save(connection, a_message(2, group="#other"))

    found = stored.messages_between(GROUP, 1, 3)(connection)

    assert ids(found) == ["m1", "m2", "m3"]
    assert found[0] == a_message(1)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        pytest.param({"limit": 2}, ["m3", "m4"], id="the latest"),
        pytest.param({"limit": 2, "earliest": True}, ["m1", "m2"], id="the earliest"),
        pytest.param({"with_own": False}, ["m1", "m3", "m4"], id="without the bot's own"),
        pytest.param({"with_commands": False}, ["m1", "m2", "m4"], id="without commands"),
        pytest.param({}, ["m1", "m2", "m3", "m4"], id="all"),
    ],
)
def test_a_choice_of_messages(connection: sqlite3.Connection, choice: Any, expected: list[str]) -> None:
    """A limit takes from one end, and the order stays that of time."""
    save(connection, a_message(1))
    save(connection, a_message(2), direction="out")
    save(connection, a_message(3, is_command=True))
    save(connection, a_message(4))

    assert ids(stored.messages_between(GROUP, 0, 9, **choice)(connection)) == expected


def test_the_bytes_of_pictures_are_left_out_unless_wanted(connection: sqlite3.Connection) -> None:
    """Inside forwarded messages, too."""
    picture = {"type": "image", "data": "[image]", "hash": "h", "binary_data_base64": "AAAA"}
    node = {"user_id": "u", "content": [dict(picture)]}
    save(connection, a_message(1, raw_message=[dict(picture), {"type": "forward", "data": [node]}]))

    bare = stored.message_by_id("m1")(connection)
    whole = stored.message_by_id("m1", with_binary=True)(connection)

    assert "AAAA" not in repr(bare)
    assert repr(whole).count("AAAA") == 2


def test_a_message_is_found_by_its_id(connection: sqlite3.Connection) -> None:
    """In any chat or in one; the last of several."""
    save(connection, a_message(1))
    save(connection, a_message(1, group="#h", processed_plain_text="later"))

    assert stored.message_by_id("m1")(connection)["processed_plain_text"] == "later"
    assert stored.message_by_id("m1", GROUP)(connection)["processed_plain_text"] == "text 1"
    assert stored.message_by_id("m9")(connection) is None


def test_new_messages_are_those_after_a_moment(connection: sqlite3.Connection) -> None:
    """What has exactly that time was seen already."""
    for number in range(1, 6):
        save(connection, a_message(number))

    assert stored.count_messages(GROUP, 2, 4)(connection) == 2


def test_chats_are_listed_once_each(connection: sqlite3.Connection) -> None:
    """By kind and platform; the user of a chat is a person and not the bot that spoke last."""
    save(connection, a_message(1))
    save(connection, a_message(2, user="bob"))
    save(connection, a_message(3, user="bot"), direction="out")
    save(connection, a_message(4, group=None, user="eve"))

    every = stored.chats()(connection)
    groups = stored.chats("irc", private=False)(connection)
    elsewhere = stored.chats("qq")(connection)

    assert [chat["stream_id"] for chat in every] == [GROUP, "irc:private:eve"]
    assert [chat["chat_type"] for chat in every] == ["group", "private"]
    assert groups == every[:1]
    assert groups[0]["user_nickname"] == "Bob"
    assert groups[0]["group_id"] == "#g"
    assert elsewhere == []


def test_no_messages_are_no_chats(connection: sqlite3.Connection) -> None:
    """An empty database answers too."""
    assert stored.chats()(connection) == []


@pytest.mark.parametrize("bad", ["nan", "inf", "yesterday", None, [], ""])
def test_a_message_without_a_time_gets_the_present(connection: sqlite3.Connection, bad: Any) -> None:
    """What is no finite number is no time."""
    save(connection, a_message(1, timestamp=bad))

    assert connection.execute("SELECT timestamp FROM message").fetchone() == (99.0,)


def test_what_cannot_be_packed_is_an_error_at_once() -> None:
    """In the loop, where the caller is known."""
    with pytest.raises(CannotEncode):
        stored.save_message(a_message(1, more=object()), GROUP, direction="in", plugin_id="", now=0.0)
