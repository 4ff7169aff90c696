"""What a plugin reads of a message is what the map says."""

from __future__ import annotations

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
