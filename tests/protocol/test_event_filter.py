"""What a handler says that it wants is checked to the last word, and then decides by the message alone."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol import EVERYTHING, BadPayload, MessageMap, Occasion, build_message, read_event_filter
from rookery.protocol.event_filter import MAX_NAMES


def _said(text: str, *, user: str = "ann", group: str | None = "lobby") -> MessageMap:
    return build_message(
        message_id="m",
        platform="irc",
        user_id=user,
        user_name=user,
        group_id=group,
        text=text,
        timestamp=0.0,
    )


@pytest.mark.parametrize(
    ("declared", "path", "words"),
    [
        ("irc", "f", "must be a map, got 'irc'"),
        ({"platform": ["irc"]}, "f", "has no 'platform'; it knows platforms, users, pattern"),
        ({"platforms": "irc"}, "f.platforms", "must be a list of texts that are not empty, got 'irc'"),
        ({"users": ["ann", 7]}, "f.users", "must be a list of texts that are not empty"),
        ({"users": [" "]}, "f.users", "must be a list of texts that are not empty"),
        ({"users": ["u"] * (MAX_NAMES + 1)}, "f.users", "has 1001, at most 1000 are allowed"),
        ({"pattern": ["a"]}, "f.pattern", "must be a text, got ['a']"),
        ({"pattern": "roll("}, "f.pattern", "has a parenthesis that is never closed at character 4"),
    ],
)
def test_a_wrong_filter_is_refused(declared: Any, path: str, words: str) -> None:
    """With what is wrong, and where."""
    with pytest.raises(BadPayload) as caught:
        read_event_filter(declared, "f")

    assert caught.value.path == path
    assert caught.value.message.startswith(words)


@pytest.mark.parametrize(
    "declared", [None, {}, {"platforms": [], "users": None, "pattern": ""}, {"pattern": None}]
)
def test_a_filter_that_names_nothing_wants_everything(declared: Any) -> None:
    """And is the same object, by which the host knows it."""
    assert read_event_filter(declared, "") is EVERYTHING


def test_filters_that_say_the_same_are_equal() -> None:
    """Whatever the order and the letters; so that a host judges them once."""
    one = read_event_filter({"platforms": ["irc", "QQ "], "pattern": "a+"}, "", chat_scope="group")
    other = read_event_filter({"platforms": ["qq", "IRC"], "pattern": "a+"}, "", chat_scope="group")

    assert one == other
    assert hash(one) == hash(other)
    assert one != read_event_filter({"platforms": ["qq", "IRC"], "pattern": "a*"}, "", chat_scope="group")


def test_a_pattern_is_looked_for_in_what_a_person_would_read() -> None:
    """Together with whatever else the filter names."""
    wanted = read_event_filter({"pattern": r"(?i)\bdice\b", "users": ["ann"]}, "")

    assert wanted.fits(_said("Some DICE, please"))
    assert not wanted.fits(_said("dicey"))
    assert not wanted.fits(_said("dice", user="bob"))
    assert not wanted.fits(None)
    assert wanted.fits(
        {**_said(""), "processed_plain_text": None, "raw_message": [{"type": "text", "data": "dice"}]}
    )


def test_a_pattern_is_searched_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many filters have it."""
    first = read_event_filter({"pattern": "dice"}, "")
    second = read_event_filter({"pattern": "dice", "users": ["ann"]}, "")
    occasion = Occasion(_said("no dice"))
    searched: list[str] = []
    assert first.pattern is not None
    monkeypatch.setattr(type(first.pattern), "is_in", lambda _, text: not searched.append(text))

    assert first.admits(occasion)
    assert second.admits(occasion)
    assert searched == ["no dice"]
