"""What is said on IRC becomes a message of rookery, and a message of rookery finds its target."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol import build_message, validate_message
from rookery.runner.bundled.irc.errors import CannotSay
from rookery.runner.bundled.irc.received import TextReceived
from rookery.runner.bundled.irc.translate import message_of, target_of


def said(**changes: Any) -> TextReceived:
    """Something that Alice said to us alone."""
    known = {"nick": "Alice", "user_id": "alice", "channel": None, "channel_id": None, "text": "hi"}
    return TextReceived(**{**known, **changes})


def reply(group: str | None = None, **additional: str) -> dict[str, Any]:
    """A message that the host wants to be said."""
    return build_message(
        message_id="1",
        platform="irc",
        user_id="alice",
        user_name="Alice",
        text="hi",
        timestamp=0.0,
        group_id=group,
        additional=additional,
    )


@pytest.mark.parametrize("text", ["hi", "", "\x02bold\x0f", "😀"])
def test_every_text_makes_a_valid_message(text: str) -> None:
    """The host's own check finds nothing to object to, also in an empty text."""
    message = message_of(said(text=text), message_id="x-1", now=12.5)

    validate_message(message)
    assert message["processed_plain_text"] == text
    assert (message["message_id"], float(message["timestamp"])) == ("x-1", 12.5)


def test_the_server_knows_time_and_id_better() -> None:
    """Its id is made unique by the place, because one text to two targets has one id."""
    here = message_of(said(msgid="m", sent_at=5.0, channel="#A", channel_id="#a"), message_id="x-1", now=12.5)
    there = message_of(said(msgid="m", sent_at=5.0), message_id="x-2", now=12.5)

    assert float(here["timestamp"]) == 5.0
    assert here["message_id"] != there["message_id"]
    assert here["message_info"]["group_info"] == {"group_id": "#a", "group_name": "#A"}


@pytest.mark.parametrize(
    ("message", "target"),
    [
        pytest.param(reply("#rookery"), "#rookery", id="the channel of the message"),
        pytest.param(reply(), "alice", id="the person of a private message"),
        pytest.param(reply("#a", platform_io_target_group_id="#b"), "#b", id="a channel named beside it"),
        pytest.param(reply(platform_io_target_user_id="bob"), "bob", id="a person named beside it"),
        pytest.param(
            reply("#a", platform_io_target_group_id=" "), "#a", id="a blank name counts for nothing"
        ),
    ],
)
def test_where_a_reply_goes(message: dict[str, Any], target: str) -> None:
    """What the host names beside the message goes first, then its chat."""
    assert target_of(message) == target


def test_a_reply_to_nobody_is_refused() -> None:
    """The error names the message."""
    message = reply()
    message["message_info"]["user_info"]["user_id"] = ""

    with pytest.raises(CannotSay, match="'1' names neither"):
        target_of(message)
