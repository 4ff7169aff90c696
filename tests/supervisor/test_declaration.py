"""What a declaration says counts wherever an SDK puts it, and a mistake names its component."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol import BadPayload, ComponentDeclaration, RegisterComponents
from rookery.supervisor.component import CardWidth, Component, HomeCard, StageHandler, Tool, Visibility
from rookery.supervisor.conversation import Conversation, conversation_of, conversation_of_session
from rookery.supervisor.declaration import BadComponent, make_component
from rookery.supervisor.registry import Registry
from tests.doubles.stage import chat


def _make(kind: str, *, scope: str = "all", sessions: list[str] | None = None, **metadata: Any) -> Component:
    declared = ComponentDeclaration(
        name="c", component_type=kind, metadata=metadata, chat_scope=scope, allowed_session=sessions or []
    )
    return make_component(declared, plugin_id="p.a", shard="one", is_trusted=True, path="components[3]")


# --- where it may be said ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["COMMAND", "TOOL", "ACTION", "EVENT_HANDLER", "HOOK_HANDLER"])
@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"chat_scope": "group", "allowed_session": [" g "]}, id="in the metadata"),
        pytest.param({"metadata": {"chat_scope": "Group", "allowed_session": ["g"]}}, id="one map deeper"),
    ],
)
def test_a_restriction_in_the_metadata_restricts(kind: str, metadata: dict[str, Any]) -> None:
    """W24: also when the declaration itself says everything is allowed, as an SDK without the two fields does."""
    component = _make(kind, **{"event_type": "e", "hook": "h", **metadata})

    assert (component.chat_scope, component.allowed_session) == ("group", frozenset({"g"}))


def test_what_the_declaration_says_goes_before_its_metadata() -> None:
    """Both are said by the same author; the declaration is the protocol's own place."""
    component = _make("TOOL", scope="private", sessions=["a"], chat_scope="group", allowed_session=["b"])

    assert (component.chat_scope, component.allowed_session) == ("private", frozenset({"a"}))


def test_a_scope_that_is_none_restricts_nothing() -> None:
    """As in the original."""
    assert _make("TOOL", scope="everyone", chat_scope=7, allowed_session="g").is_everywhere


def test_extras_one_map_deeper_count() -> None:
    """An older SDK puts what an author adds there; the top goes first, and the metadata stays as declared."""
    tool = _make(
        "TOOL",
        description="top",
        metadata={"timeout_ms": 1500, "description": "inner", "visibility": "hidden"},
    )

    assert isinstance(tool, Tool)
    assert (tool.timeout, tool.description, tool.visibility) == (1.5, "top", Visibility.HIDDEN)
    assert tool.metadata["metadata"]["timeout_ms"] == 1500


# --- conversations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "conversation", "serves"),
    [
        pytest.param({}, None, True, id="nobody's, no demand"),
        pytest.param({"scope": "group"}, None, False, id="nobody's, a demand"),
        pytest.param({"scope": "group"}, conversation_of_session("t:group:g"), True, id="a group"),
        pytest.param({"scope": "private"}, conversation_of_session("t:group:g"), False, id="no group wanted"),
        pytest.param({"scope": "private"}, conversation_of_session("t:private:u"), True, id="private"),
        pytest.param({"scope": "group"}, conversation_of_session("opaque"), False, id="nobody knows"),
        pytest.param({"scope": "group"}, conversation_of_session("opaque", group_id="g"), True, id="told"),
        pytest.param({"sessions": ["g"]}, conversation_of_session("t:group:g"), True, id="by the group's id"),
        pytest.param(
            {"sessions": ["t:g"]}, conversation_of_session("t:group:g"), True, id="with its platform"
        ),
        pytest.param({"sessions": ["x"]}, conversation_of_session("t:group:g"), False, id="another session"),
        pytest.param({"enabled": False}, conversation_of_session("t:group:g"), False, id="off"),
    ],
)
def test_a_declared_demand_has_to_be_known_to_hold(
    declared: dict[str, Any], conversation: Conversation | None, serves: bool
) -> None:
    """What nobody knows fits no demand."""
    assert _make("TOOL", **declared).serves_in(conversation) is serves


def test_arguments_tell_the_conversation() -> None:
    """By their message, else by a session's id; and none when they name none."""
    message = chat(group="g")
    of_message = conversation_of({"message": message, "session_id": "other"})
    of_session = conversation_of({"stream_id": "test:group:g"})

    assert (
        of_message
        == of_session
        == Conversation("test:group:g", frozenset({"test:group:g", "g", "test:g"}), True)
    )
    assert conversation_of({"price": 1, "session_id": 7}) is None
    assert conversation_of({"message": {}}) == Conversation("", frozenset(), False)


# --- types -------------------------------------------------------------------------------------------------------------


def test_an_action_is_a_tool_that_is_called_as_an_action() -> None:
    """Whether it is declared as one or, by a newer SDK, as a legacy tool; its parameters are texts."""
    new = _make("TOOL", invoke_method="plugin.invoke_action", metadata={"legacy_action": True})
    old = _make("ACTION", action_parameters={"mood": "how", " ": "no", "n": None})

    assert isinstance(new, Tool)
    assert isinstance(old, Tool)
    assert (new.is_action, new.invoke_method, old.invoke_method) == (
        True,
        "plugin.invoke_action",
        "plugin.invoke_action",
    )
    assert old.parameters == {
        "type": "object",
        "properties": {
            "mood": {"type": "string", "description": "how"},
            "n": {"type": "string", "description": ""},
        },
        "required": [],
    }


def test_a_tool_is_seen_when_it_is_asked_for() -> None:
    """Unless it is a core tool, or says otherwise."""
    plain, core = _make("TOOL"), _make("TOOL", core_tool=True)

    assert isinstance(plain, Tool)
    assert isinstance(core, Tool)
    assert (plain.visibility, core.visibility) == (Visibility.DEFERRED, Visibility.VISIBLE)
    assert (plain.invoke_method, plain.parameters) == ("plugin.invoke_tool", None)


def test_a_home_card_has_a_place() -> None:
    """With defaults; its name is its title when it has no other."""
    plain, full = _make("HOME_CARD"), _make("HOME_CARD", title=" T ", width="Wide", order=3)

    assert isinstance(plain, HomeCard)
    assert isinstance(full, HomeCard)
    assert (plain.title, plain.width, plain.order) == ("c", CardWidth.MEDIUM, 1000)
    assert (full.title, full.width, full.order) == ("T", CardWidth.WIDE, 3)


def test_a_hook_handler_with_a_stage_is_a_stage_handler() -> None:
    """The older kind: by priority, and only a plain true blocks."""
    handler = _make("HOOK_HANDLER", stage="pre_send", priority=4, blocking=True)

    assert isinstance(handler, StageHandler)
    assert (handler.stage, handler.priority, handler.blocks) == ("pre_send", 4, True)


@pytest.mark.parametrize(
    ("kind", "metadata", "path"),
    [
        pytest.param("HOME_CARD", {"width": "huge"}, "components[3].metadata.width", id="a width"),
        pytest.param("HOME_CARD", {"order": "1"}, "components[3].metadata.order", id="a place"),
        pytest.param("TOOL", {"visibility": "loud"}, "components[3].metadata.visibility", id="a visibility"),
        pytest.param(
            "TOOL", {"parameters_raw": {"a": 1}}, "components[3].metadata.parameters_raw.a", id="a schema"
        ),
        pytest.param(
            "HOOK_HANDLER", {"stage": "s", "priority": "1"}, "components[3].metadata.priority", id="priority"
        ),
        pytest.param(
            "COMMAND", {"command_pattern": "("}, "components[3].metadata.command_pattern", id="a pattern"
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_path(kind: str, metadata: dict[str, Any], path: str) -> None:
    """And nothing else is looked at."""
    with pytest.raises(BadPayload) as refused:
        _make(kind, **metadata)

    assert refused.value.path == path


def test_a_bad_pattern_names_its_component_and_leaves_every_command_as_it_was() -> None:
    """W18: the plugin is refused as a whole; its old commands and everybody else's go on."""
    registry = Registry()

    def offer(plugin_id: str, **metadata: Any) -> None:
        command = ComponentDeclaration(name="roll", component_type="COMMAND", metadata=metadata)
        registry.register(
            RegisterComponents(plugin_id=plugin_id, components=[command]),
            shard="one",
            is_trusted=True,
            live=True,
        )

    offer("p.a", command_pattern="^a")
    offer("p.b", command_pattern="^b")
    with pytest.raises(
        BadComponent, match=r"is not a regular expression.*component 'roll' of p\.a"
    ) as refused:
        offer("p.a", command_pattern="(")

    assert (refused.value.component_name, refused.value.component_type) == ("roll", "COMMAND")
    found = [registry.commands.match(text, lambda _: True) for text in ("apple", "ball")]
    assert [match.command.full_name if match else "" for match in found] == ["p.a.roll", "p.b.roll"]


@pytest.mark.parametrize("kind", ["WORKFLOW_STEP", "spell", ""])
def test_an_unknown_type_is_refused(kind: str) -> None:
    """With the types that there are; the older system's workflow steps are none."""
    with pytest.raises(BadPayload, match=r"must be one of ACTION, COMMAND, .*HOME_CARD") as refused:
        _make(kind)

    assert refused.value.path == "components[3].component_type"
