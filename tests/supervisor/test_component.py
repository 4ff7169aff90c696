"""A declaration becomes a component, or one clear mistake with its path."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol import BadPayload, ComponentDeclaration, ComponentType
from rookery.supervisor.component import (
    Api,
    Command,
    Component,
    ErrorPolicy,
    EventHandler,
    Gateway,
    HookHandler,
    HookMode,
    HookOrder,
    RouteType,
)
from rookery.supervisor.declaration import (
    MAX_NAME_CHARS,
    MAX_PATTERN_CHARS,
    MAX_TIMEOUT_MS,
    make_component,
)


def _make(kind: str, *, name: str = "c", is_trusted: bool = True, **metadata: Any) -> Component:
    declared = ComponentDeclaration(name=name, component_type=kind, metadata=metadata)
    return make_component(declared, plugin_id="p.a", shard="one", is_trusted=is_trusted, path="components[3]")


def test_a_tool_is_what_was_declared() -> None:
    """Its metadata is kept as it came; the host says whose it is and where it lives."""
    tool = _make("TOOL", description="d", timeout_ms=1500)

    assert (tool.full_name, tool.type, tool.shard) == ("p.a.c", ComponentType.TOOL, "one")
    assert (tool.timeout, tool.enabled, tool.chat_scope) == (1.5, True, "all")
    assert tool.metadata == {"description": "d", "timeout_ms": 1500}


def test_a_time_of_zero_is_none() -> None:
    """Then the method's own holds."""
    assert _make("TOOL", timeout_ms=0).timeout is None
    assert _make("TOOL", timeout_ms=None).timeout is None


def test_a_type_may_be_written_small() -> None:
    """As authors do."""
    assert _make(" tool ").type is ComponentType.TOOL


def test_an_event_handler_has_a_weight_and_may_intercept() -> None:
    """Only a plain true makes it do so."""
    handler = _make("EVENT_HANDLER", event_type=" on_message ", weight=-3, intercept_message=True)
    watcher = _make("EVENT_HANDLER", event_type="on_message", intercept_message="yes")

    assert isinstance(handler, EventHandler)
    assert (handler.event_type, handler.weight, handler.intercepts) == ("on_message", -3, True)
    assert isinstance(watcher, EventHandler)
    assert (watcher.weight, watcher.intercepts) == (0, False)


def test_a_hook_handler_has_defaults() -> None:
    """Blocking, normal, skip; texts in any case."""
    plain = _make("HOOK_HANDLER", hook="h")
    full = _make("HOOK_HANDLER", hook="h", mode="OBSERVE", order=" Late ", error_policy="log")

    assert isinstance(plain, HookHandler)
    assert (plain.mode, plain.order, plain.error_policy) == (
        HookMode.BLOCKING,
        HookOrder.NORMAL,
        ErrorPolicy.SKIP,
    )
    assert isinstance(full, HookHandler)
    assert (full.mode, full.order, full.error_policy) == (HookMode.OBSERVE, HookOrder.LATE, ErrorPolicy.LOG)


def test_a_command_is_found_by_name_alias_or_pattern() -> None:
    """Names know no case, empty aliases count for nothing."""
    command = _make("COMMAND", command_name="Roll", aliases=["/r", ""], command_pattern=r"^roll (?P<n>\d+)")

    assert isinstance(command, Command)
    assert (command.command_name, command.aliases) == ("roll", ("/r",))
    assert command.pattern is not None


@pytest.mark.parametrize(
    ("declared", "route", "sends", "receives"),
    [
        pytest.param("send", RouteType.SEND, True, False, id="send"),
        pytest.param("receive", RouteType.RECEIVE, False, True, id="receive"),
        pytest.param("recv", RouteType.RECEIVE, False, True, id="as some write it"),
        pytest.param("recive", RouteType.RECEIVE, False, True, id="as others misspell it"),
        pytest.param("duplex", RouteType.DUPLEX, True, True, id="duplex"),
    ],
)
def test_a_gateway_has_directions(declared: str, route: RouteType, sends: bool, receives: bool) -> None:
    """And names that are stripped, the platform small."""
    gateway = _make("MESSAGE_GATEWAY", route_type=declared, platform=" IRC ", account_id=" a ")

    assert isinstance(gateway, Gateway)
    assert (gateway.route_type, gateway.sends, gateway.receives) == (route, sends, receives)
    assert (gateway.platform, gateway.account_id, gateway.scope) == ("irc", "a", "")


def test_an_api_has_a_version() -> None:
    """And is private unless it says otherwise."""
    api = _make("API", version=2, public=True)

    assert isinstance(api, Api)
    assert (api.version, api.is_public) == ("2", True)
    assert not _make("API").is_public  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "metadata", "path", "words"),
    [
        pytest.param("GADGET", {}, "component_type", "must be one of ACTION, COMMAND", id="no such type"),
        pytest.param(
            "TOOL", {"timeout_ms": -1}, "metadata.timeout_ms", "milliseconds from 0", id="negative time"
        ),
        pytest.param(
            "TOOL",
            {"timeout_ms": MAX_TIMEOUT_MS + 1},
            "metadata.timeout_ms",
            "to 3600000",
            id="more than an hour",
        ),
        pytest.param("TOOL", {"timeout_ms": 1.5}, "metadata.timeout_ms", "got 1.5", id="half a millisecond"),
        pytest.param(
            "TOOL", {"timeout_ms": True}, "metadata.timeout_ms", "got True", id="a truth for a time"
        ),
        pytest.param("EVENT_HANDLER", {}, "metadata.event_type", "got None", id="an event without a type"),
        pytest.param(
            "EVENT_HANDLER",
            {"event_type": "e", "weight": "9"},
            "metadata.weight",
            "must be an integer, got '9'",
            id="a text for a weight",
        ),
        pytest.param("HOOK_HANDLER", {"hook": " "}, "metadata.hook", "not empty", id="a hook without a name"),
        pytest.param(
            "HOOK_HANDLER",
            {"hook": "h", "order": "first"},
            "metadata.order",
            "must be one of early, normal, late, got 'first'",
            id="no such order",
        ),
        pytest.param(
            "HOOK_HANDLER", {"hook": "h", "mode": 1}, "metadata.mode", "got 1", id="a number for a mode"
        ),
        pytest.param(
            "COMMAND", {"aliases": "/r"}, "metadata.aliases", "a list of texts", id="an alias alone"
        ),
        pytest.param("COMMAND", {"aliases": [1]}, "metadata.aliases", "got [1]", id="a number among aliases"),
        pytest.param(
            "COMMAND", {"command_name": 1}, "metadata.command_name", "a text", id="a number for a name"
        ),
        pytest.param(
            "COMMAND",
            {"command_pattern": "("},
            "metadata.command_pattern",
            "not a regular",
            id="half a pattern",
        ),
        pytest.param(
            "COMMAND",
            {"command_pattern": "a" * (MAX_PATTERN_CHARS + 1)},
            "metadata.command_pattern",
            "at most 1000 characters",
            id="an endless pattern",
        ),
        pytest.param(
            "COMMAND",
            {"command_pattern": "a{1,4294967297}"},
            "metadata.command_pattern",
            "not a regular",
            id="a pattern beyond all numbers",
        ),
        pytest.param(
            "MESSAGE_GATEWAY", {}, "metadata.route_type", "send, receive, duplex", id="no direction"
        ),
    ],
)
def test_a_mistake_is_told_with_its_path(kind: str, metadata: dict[str, Any], path: str, words: str) -> None:
    """From the root of the registration."""
    with pytest.raises(BadPayload) as caught:
        _make(kind, **metadata)

    assert caught.value.path == f"components[3].{path}"
    assert words in caught.value.message


@pytest.mark.parametrize("name", ["", "n" * (MAX_NAME_CHARS + 1)])
def test_a_name_is_neither_empty_nor_endless(name: str) -> None:
    """It stands in logs and keys."""
    assert _make("TOOL", name="n" * MAX_NAME_CHARS)
    with pytest.raises(BadPayload, match=r"components\[3\].name: must be a text of 1 to 128"):
        _make("TOOL", name=name)


def test_only_trusted_plugins_may_bring_patterns() -> None:
    """One pattern can hold the host for ever; a name cannot."""
    assert _make("COMMAND", is_trusted=False, command_name="roll")
    with pytest.raises(BadPayload, match="only plugins of trusted shards"):
        _make("COMMAND", is_trusted=False, command_pattern="a")


@pytest.mark.parametrize(
    ("scope", "sessions", "in_group", "in_private"),
    [
        pytest.param("all", [], True, True, id="everywhere"),
        pytest.param("group", [], True, False, id="groups only"),
        pytest.param("private", [], False, True, id="private chats only"),
        pytest.param("everyone", [], True, True, id="an unknown scope is no limit"),
        pytest.param("all", ["irc:group:g"], True, False, id="a session by its id"),
        pytest.param("all", [" g ", ""], True, False, id="a group by its id"),
        pytest.param("all", ["irc:g"], True, False, id="a group with its platform"),
        pytest.param("private", ["g"], False, False, id="scope and session together"),
    ],
)
def test_where_a_component_may_be_used(
    scope: str, sessions: list[str], in_group: bool, in_private: bool
) -> None:
    """By its scope and its sessions."""
    declared = ComponentDeclaration(
        name="c", component_type="TOOL", chat_scope=scope, allowed_session=sessions
    )
    tool = make_component(declared, plugin_id="p.a", shard="one", is_trusted=True, path="")

    assert tool.serves(session_id="irc:group:g", group_id="g", platform="irc") is in_group
    assert tool.serves(session_id="irc:private:u", group_id=None, platform="irc") is in_private


def test_a_component_that_is_switched_off_serves_nobody() -> None:
    """Only a plain false switches it off."""
    assert not _make("TOOL", enabled=False).serves(session_id="s", group_id=None, platform="p")
    assert _make("TOOL", enabled=None).serves(session_id="s", group_id=None, platform="p")
