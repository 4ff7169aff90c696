"""The chat message: built whole, checked by name, read and changed without surprises."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol import (
    BadPayload,
    build_message,
    group_of,
    message_text,
    session_id_of,
    user_of,
    validate_message,
    with_text,
)


def _message(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "message_id": "m1",
        "platform": "irc",
        "user_id": "u1",
        "user_name": "Ada",
        "text": "hello",
        "timestamp": 1.5,
    }
    return build_message(**{**fields, **changes})


def test_a_private_message_has_every_field() -> None:
    """Those of the schema, with nothing set that is not."""
    assert _message() == {
        "message_id": "m1",
        "timestamp": "1.5",
        "platform": "irc",
        "message_info": {
            "user_info": {"user_id": "u1", "user_nickname": "Ada", "user_cardname": None},
            "group_info": None,
            "additional_config": {},
        },
        "raw_message": [{"type": "text", "data": "hello"}],
        "is_mentioned": False,
        "is_at": False,
        "is_emoji": False,
        "is_picture": False,
        "is_command": False,
        "is_notify": False,
        "session_id": "irc:private:u1",
        "processed_plain_text": "hello",
    }


def test_a_group_message_names_its_group() -> None:
    """By id, and by name when it has one."""
    message = _message(group_id="#rooks", group_name="Rooks", reply_to="m0", additional={"x": 1})

    assert message["message_info"]["group_info"] == {"group_id": "#rooks", "group_name": "Rooks"}
    assert message["message_info"]["additional_config"] == {"x": 1}
    assert message["session_id"] == "irc:group:#rooks"
    assert message["reply_to"] == "m0"
    assert group_of(message) == "#rooks"


def test_a_group_without_a_name_is_called_by_its_id() -> None:
    """The schema wants both to be texts that are not empty."""
    assert _message(group_id="#r")["message_info"]["group_info"]["group_name"] == "#r"


def test_segments_replace_the_single_text() -> None:
    """Whoever has pictures says so."""
    segments = [{"type": "image", "data": "a cat"}, {"type": "text", "data": "look"}]

    assert _message(segments=segments)["raw_message"] == segments


@pytest.mark.parametrize(
    "changes", [{}, {"group_id": "g"}, {"segments": []}], ids=["private", "group", "empty"]
)
def test_what_is_built_is_valid(changes: dict[str, Any]) -> None:
    """By the same rules as what comes from outside."""
    validate_message(_message(**changes))


def _changed(path: str, value: object) -> Any:
    """The message with one place changed, or removed when the value is Ellipsis."""
    message: Any = _message(group_id="g")
    *parents, last = path.split(".")
    place = message
    for step in parents:
        place = place[int(step) if step.isdigit() else step]
    if value is ...:
        del place[last]
    else:
        place[int(last) if last.isdigit() else last] = value
    return message


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("message_id", ..., "message_id: must be a text that is not empty, got None"),
        ("message_id", "", "message_id: must be a text that is not empty, got ''"),
        ("message_id", 5, "message_id: must be a text that is not empty, got 5"),
        ("platform", None, "platform: must be a text that is not empty, got None"),
        ("message_info", [], "message_info: must be a map, got list"),
        ("message_info.user_info", ..., "message_info.user_info: must be a map, got NoneType"),
        (
            "message_info.user_info.user_id",
            7,
            "message_info.user_info.user_id: must be a text that is not empty, got 7",
        ),
        (
            "message_info.user_info.user_nickname",
            "",
            "message_info.user_info.user_nickname: must be a text that is not empty, got ''",
        ),
        ("message_info.group_info", "g", "message_info.group_info: must be a map or null, got str"),
        (
            "message_info.group_info.group_name",
            None,
            "message_info.group_info.group_name: must be a text that is not empty, got None",
        ),
        ("message_info.additional_config", [], "message_info.additional_config: must be a map, got list"),
        ("raw_message", "hello", "raw_message: must be a list of segments, got str"),
        ("raw_message", ..., "raw_message: must be a list of segments, got NoneType"),
        ("raw_message.0", "hello", "raw_message[0]: must be a map with a text 'type'"),
        ("raw_message.0.type", 1, "raw_message[0]: must be a map with a text 'type'"),
    ],
)
def test_a_wrong_field_is_named(path: str, value: object, told: str) -> None:
    """With its place."""
    with pytest.raises(BadPayload) as caught:
        validate_message(_changed(path, value))

    assert str(caught.value) == told


@pytest.mark.parametrize("message", [None, [], "x", 5], ids=repr)
def test_a_message_is_a_map(message: object) -> None:
    """Nothing else is."""
    with pytest.raises(BadPayload, match="message: must be a map"):
        validate_message(message)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("message_info.group_info", None),
        ("message_info.group_info", {}),
        ("message_info.additional_config", None),
        ("session_id", 7),
        ("is_at", "yes"),
        ("timestamp", 12),
        ("from_the_future", 1),
    ],
)
def test_what_nobody_relies_on_is_not_checked(path: str, value: object) -> None:
    """Gateways of many hands fill it in."""
    validate_message(_changed(path, value))


def test_a_value_too_deep_to_print_is_still_only_a_bad_payload() -> None:
    """The host reads messages of runners that it does not trust."""
    deep: list[Any] = []
    for _ in range(1_000):
        deep = [deep]

    with pytest.raises(BadPayload, match="message_id"):
        validate_message(_changed("message_id", deep))


def test_the_text_is_the_plain_one() -> None:
    """The gateway has made it of the segments."""
    assert message_text(_message(text="plain", segments=[{"type": "text", "data": "raw"}])) == "plain"


def test_without_a_plain_text_the_segments_are_joined() -> None:
    """Only those of text, and only where it is one."""
    message = _message(
        segments=[
            {"type": "text", "data": "one "},
            {"type": "image", "data": "no"},
            {"type": "text", "data": 5},
            {"type": "text"},
            {"type": "text", "data": "two"},
        ]
    )
    message["processed_plain_text"] = None

    assert message_text(message) == "one two"


def test_a_user_is_shown_by_the_name_of_the_group() -> None:
    """The card name, else the nickname."""
    message = _message()

    assert user_of(message) == ("u1", "Ada")
    message["message_info"]["user_info"]["user_cardname"] = "Countess"
    assert user_of(message) == ("u1", "Countess")


@pytest.mark.parametrize("card", [7, [], {"a": 1}, b"x"], ids=repr)
def test_a_card_that_is_no_text_is_no_name(card: object) -> None:
    """It came from outside and nobody checked it; what is shown and stored is the nickname."""
    message = _changed("message_info.user_info.user_cardname", card)

    assert user_of(message) == ("u1", "Ada")


@pytest.mark.parametrize("group", [None, {}], ids=["null", "empty"])
def test_no_group_is_a_private_chat(group: object) -> None:
    """Of the one user."""
    message = _changed("message_info.group_info", group)

    assert group_of(message) is None
    assert session_id_of(message) == "irc:private:u1"


def test_another_text_is_a_copy() -> None:
    """One text segment in front, the other kinds behind it, the original untouched."""
    message = _message(
        segments=[
            {"type": "text", "data": "a"},
            {"type": "image", "data": "p"},
            {"type": "text", "data": "b"},
        ]
    )

    changed = with_text(message, "new")

    assert changed["raw_message"] == [{"type": "text", "data": "new"}, {"type": "image", "data": "p"}]
    assert message_text(changed) == "new"
    assert message_text(message) == "hello"
    assert len(message["raw_message"]) == 3
