"""A conversation is known by its last message, or read out of its own id."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol import RouteMessage, validate_message
from rookery.supervisor.platform.inbound import Inbound, read_inbound
from rookery.supervisor.platform.routes import Driver, account_and_scope, route_key
from rookery.supervisor.platform.sessions import Session, Sessions, compose
from tests.doubles.stage import chat

DRIVER = Driver(plugin_id="p.a", gateway="gw", key=route_key("test", "bot", "net"), sends=True, receives=True)


def _inbound(**message: Any) -> Inbound:
    return read_inbound(RouteMessage(gateway_name="gw", message=chat(**message)), DRIVER, 0.0)


def test_a_session_is_remembered_by_its_last_message() -> None:
    """Who spoke last, and the way back."""
    sessions = Sessions()
    sessions.remember(_inbound(user="u1", group="g"))
    sessions.remember(_inbound(user="u2", group="g"))

    [known] = sessions
    assert sessions.find("test:group:g") is known
    assert known == Session(
        session_id="test:group:g",
        key=route_key("test", "bot", "net"),
        group_id="g",
        group_name="g",
        user_id="u2",
        user_name="U2",
    )
    assert known.is_group


def test_the_session_that_was_silent_longest_is_forgotten() -> None:
    """In bounded memory."""
    sessions = Sessions(limit=2)
    for user in ("a", "b", "a", "c"):
        sessions.remember(_inbound(user=user))

    assert [session.user_id for session in sessions] == ["a", "c"]


def test_opened_conversations_drive_out_none_in_which_something_was_said() -> None:
    """A plugin may open as many as it likes; the newest of them are known, until somebody speaks in them."""
    sessions = Sessions(limit=2)
    sessions.remember(_inbound(user="a"))
    key = route_key("test", "other")

    for user in ("b", "c", "d", "a"):
        sessions.open(
            Session(session_id=f"test:private:{user}", key=key, group_id=None, user_id=user, user_name=user)
        )
    sessions.remember(_inbound(user="d"))

    found = {user: sessions.find(f"test:private:{user}") for user in "abcd"}
    assert [user for user, each in found.items() if each and each.key == DRIVER.key] == ["a", "d"]
    assert [user for user, each in found.items() if each and each.key == key] == ["c"]


@pytest.mark.parametrize(
    ("session_id", "group", "user"),
    [
        pytest.param("irc:group:#chan", "#chan", "", id="a group"),
        pytest.param("irc:private:nick", None, "nick", id="a private chat"),
        pytest.param("irc:group:a:b", "a:b", "", id="an id with a colon"),
    ],
)
def test_a_session_that_was_not_seen_is_read_out_of_its_id(
    session_id: str, group: str | None, user: str
) -> None:
    """A reminder may come back after a restart."""
    session = Sessions().find(session_id)

    assert session is not None
    assert (session.key, session.group_id, session.user_id) == (route_key("irc"), group, user)


@pytest.mark.parametrize(
    "session_id",
    ["", "irc", "irc:group:", "irc:channel:x", ":group:x", " :group:x", "group:x", "x" * 600 + ":group:x"],
)
def test_an_id_that_is_none_is_no_session(session_id: str) -> None:
    """And no error."""
    assert Sessions().find(session_id) is None


def test_a_composed_message_finds_its_way_back() -> None:
    """To the account and the scope from which the conversation came, and to the group or the person."""
    sessions = Sessions()
    sessions.remember(_inbound(group="g"))
    sessions.remember(_inbound(user="u7"))

    for session, target in zip(
        sessions, [("platform_io_target_group_id", "g"), ("platform_io_target_user_id", "u7")], strict=True
    ):
        message = compose(session, "hi", message_id="m9", timestamp=5.0, plugin_id="p.x", reply_to="m1")

        validate_message(message)
        additional = message["message_info"]["additional_config"]
        assert account_and_scope(additional) == ("bot", "net")
        assert target in additional.items()
        assert additional["plugin_id"] == "p.x"
        assert (message["session_id"], message["reply_to"]) == (session.session_id, "m1")
        assert message["message_info"]["user_info"]["user_id"] == "bot"


def test_segments_are_sent_as_they_are() -> None:
    """The text then says what a person would read."""
    session = Sessions().find("irc:private:nick")
    assert session is not None
    picture = {"type": "image", "data": "..."}

    message = compose(session, "[image]", message_id="m", timestamp=0.0, segments=[picture])

    assert message["raw_message"] == [picture]
    assert message["processed_plain_text"] == "[image]"
