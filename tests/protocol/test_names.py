"""Identifiers: what is one, what is none, and the texts that cross the wire."""

from __future__ import annotations

import pytest

from rookery.protocol import (
    PROTOCOL_VERSION,
    ComponentType,
    Side,
    full_name,
    is_plugin_id,
    is_shard_name,
)


@pytest.mark.parametrize("text", ["a.b", "example.dice", "Author-Plugin_2", "a.b-c.d", "0.1", "_._"])
def test_plugin_ids(text: str) -> None:
    """Two or more parts of letters, digits and underscores, joined by dots or dashes."""
    assert is_plugin_id(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("dice", id="one part"),
        pytest.param("a..b", id="two dots"),
        pytest.param(".a.b", id="leading dot"),
        pytest.param("a.b.", id="trailing dot"),
        pytest.param("a.b\n", id="trailing newline"),
        pytest.param("a/b.c", id="slash"),
        pytest.param("a.b c", id="space"),
        pytest.param("é.b", id="letter outside ASCII"),
    ],
)
def test_texts_that_are_no_plugin_id(text: str) -> None:
    """Nothing that could leave its directory or break a log line is an id."""
    assert not is_plugin_id(text)


@pytest.mark.parametrize("text", ["a", "gateway", "shard-1", "0_x", "a" * 32])
def test_shard_names(text: str) -> None:
    """Short, lower case, safe in a file name."""
    assert is_shard_name(text)


@pytest.mark.parametrize("text", ["", "-a", "_a", "A", "a" * 33, "a.b", "a\n", "ä"])
def test_texts_that_are_no_shard_name(text: str) -> None:
    """Everything else is refused."""
    assert not is_shard_name(text)


def test_full_names_join_plugin_and_component() -> None:
    """The name that is unique over the whole tree."""
    assert full_name("example.dice", "roll") == "example.dice.roll"


def test_component_types_are_their_texts_on_the_wire() -> None:
    """Nine kinds, spelt in capitals."""
    assert [kind.value for kind in ComponentType] == [
        "ACTION",
        "COMMAND",
        "TOOL",
        "EVENT_HANDLER",
        "HOOK_HANDLER",
        "MESSAGE_GATEWAY",
        "API",
        "LLM_PROVIDER",
        "HOME_CARD",
    ]


def test_each_side_has_the_other_as_its_peer() -> None:
    """There are two sides."""
    assert Side.HOST.peer is Side.RUNNER
    assert Side.RUNNER.peer is Side.HOST


def test_the_version_is_that_of_the_wire() -> None:
    """Peers put it into every envelope."""
    assert PROTOCOL_VERSION == "1.0.0"
