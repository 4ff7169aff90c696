"""A handler gets what it names; what no call can bring is told before any call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rookery.protocol import BadPayload, ComponentType
from rookery.runner import DeclarationError, Message
from rookery.runner.binding import make_binding
from tests.runner.makers import message_map

COMMAND = ComponentType.COMMAND
TOOL = ComponentType.TOOL


def bound(
    handler: Callable[..., Any],
    args: dict[str, Any],
    kind: ComponentType = COMMAND,
    groups: tuple[str, ...] = (),
) -> dict[str, Any]:
    return make_binding(handler, kind, where="here", groups=groups).bind(args)


def test_a_handler_gets_only_what_it_names() -> None:
    """The rest of the call stays out."""

    def handler(args: str) -> None: ...

    assert bound(handler, {"args": "2d6", "text": "!roll 2d6"}) == {"args": "2d6"}


def test_a_parameter_of_type_message_gets_the_message() -> None:
    """By its type, whatever its name; without the type it is the map."""
    raw = message_map("hi")

    def typed(said: Message) -> None: ...
    def optional(said: Message | None = None) -> None: ...
    def plain(message: dict[str, Any]) -> None: ...

    assert bound(typed, {"message": raw}) == {"said": Message(raw)}
    assert bound(optional, {"message": None}) == {"said": None}
    assert bound(plain, {"message": raw}) == {"message": raw}


def test_double_star_gets_everything() -> None:
    """A key that is no text cannot be a name, and stays out."""

    def handler(args: str, **rest: Any) -> None: ...

    assert bound(handler, {"args": "a", "text": "t", b"x": 1}) == {"args": "a", "text": "t"}  # type: ignore[dict-item]


def test_named_groups_of_a_pattern_are_arguments() -> None:
    """A group that took no part in the match leaves the default."""

    def handler(city: str, day: str = "today") -> None: ...

    matched = {"city": "Oslo", "day": None}
    assert bound(handler, {"matched_groups": matched}, groups=("city", "day")) == {"city": "Oslo"}


def test_what_a_command_never_gets_is_told_at_once() -> None:
    """With the name that was probably meant."""

    def handler(mesage: str) -> None: ...

    with pytest.raises(
        DeclarationError, match=r"here asks for 'mesage'; a command is called with text, args"
    ):
        make_binding(handler, COMMAND, where="here")
    with pytest.raises(DeclarationError, match="did you mean 'message'"):
        make_binding(handler, COMMAND, where="here")


def test_positional_only_parameters_are_refused() -> None:
    """Arguments are passed by name."""

    def handler(args: str, /) -> None: ...

    with pytest.raises(DeclarationError, match="cannot be positional-only; remove the /"):
        make_binding(handler, COMMAND, where="here")


@pytest.mark.parametrize(
    ("args", "path"),
    [
        pytest.param({}, "args.city", id="missing"),
        pytest.param({"city": "Oslo", "said": 3}, "args.said", id="no message"),
    ],
)
def test_a_call_that_lacks_something_is_refused_with_the_path(args: dict[str, Any], path: str) -> None:
    """The caller is told which argument."""

    def handler(city: str, said: Message) -> None: ...

    with pytest.raises(BadPayload) as caught:
        bound(handler, args, TOOL)

    assert caught.value.path == path


def test_arguments_that_others_have_too_are_given_as_such() -> None:
    """A message copies itself before it gives its map away; everything else is for the caller to judge."""
    args = {"message": message_map("hi"), "box": [1]}
    event = ComponentType.EVENT_HANDLER

    def handler(said: Message, box: list[int]) -> None: ...

    binding = make_binding(handler, event, where="here")
    found = binding.bind(args, lambda: {"message": message_map("hi"), "box": [1]})
    found["said"].raw["processed_plain_text"] = "changed"

    assert found["box"] is args["box"]
    assert args["message"] == message_map("hi")
