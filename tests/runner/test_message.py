"""What a plugin reads of a message is what the map says."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from rookery.protocol import MessageMap, build_message
from rookery.runner import Message


def a_map(**changes: object) -> MessageMap:
    message = build_message(
        message_id="m1",
        platform="irc",
        user_id="u1",
        user_name="ann",
        text="hello",
        timestamp=12.5,
        group_id="#lobby",
        reply_to="m0",
        additional={"mood": "good"},
    )
    return {**message, **changes}


def test_a_message_of_a_group_tells_everything() -> None:
    """Each property reads its field."""
    message = Message(a_map())

    assert (message.id, message.text, message.platform) == ("m1", "hello", "irc")
    assert (message.user_id, message.user_name) == ("u1", "ann")
    assert (message.group_id, message.chat_id, message.session_id) == (
        "#lobby",
        "#lobby",
        "irc:group:#lobby",
    )
    assert (message.timestamp, message.reply_to, message.additional) == (12.5, "m0", {"mood": "good"})
    assert not message.is_command


def test_a_private_chat_is_called_by_its_user() -> None:
    """Without a group the user stands for the chat."""
    private = build_message(
        message_id="m1", platform="irc", user_id="u1", user_name="ann", text="", timestamp=0
    )

    message = Message(private)

    assert (message.group_id, message.chat_id, message.session_id) == (None, "u1", "irc:private:u1")
    assert message.reply_to is None


@pytest.mark.parametrize("stamp", [None, "yesterday", [], ""], ids=repr)
def test_a_time_that_nobody_can_read_is_zero(stamp: object) -> None:
    """A careless platform does not break the handlers of all messages."""
    assert Message(a_map(timestamp=stamp)).timestamp == 0.0


def test_another_text_leaves_the_original_alone() -> None:
    """with_text makes a copy."""
    message = Message(a_map())

    other = message.with_text("bye")

    assert (message.text, other.text, other.id) == ("hello", "bye", "m1")
    assert message == Message(a_map())
    assert message != other


def _shared() -> tuple[Message, Message, MessageMap, list[int]]:
    """Two messages of one map, that map, and a note for each copy that was made."""
    raw, copies = a_map(), list[int]()

    def again() -> MessageMap:
        copies.append(1)
        return a_map()

    return Message.shared(raw, again), Message.shared(raw, again), raw, copies


def test_a_shared_message_is_read_without_a_copy() -> None:
    """Most handlers look at the text and let it pass."""
    one, other, _, copies = _shared()

    told = [_read(one), _read(other), _read(Message(a_map()))]

    assert told[0] == told[1] == told[2]
    assert one == other
    assert copies == []


def _read(message: Message) -> list[Any]:
    names = (
        "id",
        "text",
        "user_id",
        "user_name",
        "group_id",
        "chat_id",
        "session_id",
        "platform",
        "timestamp",
    )
    return [*(getattr(message, name) for name in names), message.reply_to, message.is_command, repr(message)]


@pytest.mark.parametrize(
    "reach",
    [
        lambda message: message.raw,
        lambda message: message.raw["message_info"],
        lambda message: message.additional,
        lambda message: message.with_text("bye").raw,
        lambda message: copy.copy(message).raw,
        lambda message: copy.deepcopy(message).raw,
        lambda message: pickle.loads(pickle.dumps(message)).raw,
    ],
    ids=["raw", "inside", "additional", "with_text", "copy", "deepcopy", "pickle"],
)
def test_what_a_shared_message_gives_away_is_nobody_elses(reach: Callable[[Message], Any]) -> None:
    """A change of it is seen by no other handler, however deep it is."""
    one, other, raw, _ = _shared()

    reach(one).clear()

    assert raw == a_map()
    assert other == Message(a_map())
    assert other.raw == a_map()


def test_a_shared_message_makes_one_copy_and_keeps_it() -> None:
    """What its handler changes there, it sees itself, as if it had never shared anything."""
    one, _, _, copies = _shared()

    one.raw["processed_plain_text"] = "changed"
    one.additional["mood"] = "bad"

    assert (one.text, one.additional, one.raw["processed_plain_text"]) == (
        "changed",
        {"mood": "bad"},
        "changed",
    )
    assert copies == [1]
