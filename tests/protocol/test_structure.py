"""Plain maps into typed values: nothing is coerced, nothing is walked that is free, every mistake has a path."""

from __future__ import annotations

import gc
import sys
from typing import Any

import pytest

from rookery.protocol import (
    Assignment,
    BadPayload,
    EventAnswer,
    HelloAnswer,
    HookAnswer,
    Invocation,
    LogBatch,
    RegisterComponents,
    RunnerReady,
    Started,
    structure,
    unstructure,
)
from rookery.protocol.limits import MAX_LIST_ITEMS

_GOOD = {"name": "n", "component_type": "TOOL"}


def _register(**fields: Any) -> dict[str, Any]:
    return {"plugin_id": "a.b", **fields}


def test_a_list_is_bounded_before_its_items_are_looked_at() -> None:
    """Each takes a microsecond or thirty, and a frame has room for a million."""
    with pytest.raises(BadPayload, match="request_ids: has 10001 items, at most 10000 are allowed"):
        structure({"request_ids": ["no number"] * (MAX_LIST_ITEMS + 1)}, Started)

    assert len(structure({"request_ids": [1] * MAX_LIST_ITEMS}, Started).request_ids) == MAX_LIST_ITEMS


def test_a_payload_that_was_refused_is_let_go_at_once() -> None:
    """Not when cycles are looked for: a peer can send a gigabyte of them before that."""
    large = [1] * (MAX_LIST_ITEMS + 1)
    held = sys.getrefcount(large)
    gc.disable()
    try:
        for payload in ({"plugin_id": 3, "x": large}, {"plugin_id": "a.b", "components": [{"name": large}]}):
            with pytest.raises(BadPayload):
                structure(payload, RegisterComponents)
        del payload
        assert sys.getrefcount(large) == held
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("kind", "plain", "told"),
    [
        pytest.param(
            RegisterComponents, {}, "plugin_id: is required and missing", id="a missing field at the top"
        ),
        pytest.param(
            RegisterComponents,
            _register(components=[_GOOD, {"name": "m"}]),
            "components[1].component_type: is required and missing",
            id="a missing field in the second item of a list",
        ),
        pytest.param(
            RegisterComponents,
            _register(components=[{**_GOOD, "metadata": 5}]),
            "components[0].metadata: must be a map, got int 5",
            id="a wrong type in an item",
        ),
        pytest.param(
            RegisterComponents,
            _register(components=["tool"]),
            "components[0]: must be a map, got str 'tool'",
            id="an item that is no map",
        ),
        pytest.param(
            RegisterComponents,
            _register(components={"0": _GOOD}),
            "components: must be a list, got dict {'0': {'component_type': 'TOOL', 'name': 'n'}}",
            id="a map for a list",
        ),
        pytest.param(
            RunnerReady,
            {"loaded_plugins": "a.b"},
            "loaded_plugins: must be a list, got str 'a.b'",
            id="a text for a list of texts",
        ),
        pytest.param(
            RunnerReady,
            {"loaded_plugins": ["a.b", 2]},
            "loaded_plugins[1]: must be a text, got int 2",
            id="a number in a list of texts",
        ),
        pytest.param(
            RunnerReady,
            {"failed_plugin_reasons": {"a.b": None}},
            "failed_plugin_reasons['a.b']: must be a text, got NoneType None",
            id="null in a map of texts",
        ),
        pytest.param(
            RunnerReady,
            {"failed_plugin_reasons": ["a.b"]},
            "failed_plugin_reasons: must be a map, got list ['a.b']",
            id="a list for a map of texts",
        ),
        pytest.param(
            HelloAnswer,
            {"accepted": 1},
            "accepted: must be true or false, got int 1",
            id="a number for true",
        ),
        pytest.param(
            HelloAnswer,
            {"accepted": True, "assignment": {"shard": "s", "incarnation": True}},
            "assignment.incarnation: must be an integer, got bool True",
            id="true for a number, in an optional value",
        ),
        pytest.param(
            HelloAnswer,
            {"accepted": True, "assignment": {"shard": "s", "incarnation": 1, "plugins": [{"plugin_id": 3}]}},
            "assignment.plugins[0].plugin_id: must be a text, got int 3",
            id="three levels down",
        ),
        pytest.param(
            LogBatch,
            {"entries": None},
            "entries: must be a list, got NoneType None",
            id="null for a list",
        ),
    ],
)
def test_a_mistake_has_its_path(kind: type, plain: dict[str, Any], told: str) -> None:
    """From the payload's top to the value."""
    with pytest.raises(BadPayload) as caught:
        structure(plain, kind)

    assert str(caught.value) == told


@pytest.mark.parametrize("data", [None, [], "x", 5, True], ids=repr)
def test_a_payload_is_a_map(data: object) -> None:
    """Nothing else is."""
    with pytest.raises(BadPayload, match="must be a map") as caught:
        structure(data, RunnerReady)

    assert caught.value.path == ""


def test_free_maps_are_passed_through_uncopied() -> None:
    """Walking the arguments of a call would cost more than the rest of it."""
    args = {"message": {"a": [1]}, 5: "even this"}

    invocation = structure({"component_name": "c", "args": args}, Invocation)
    plain = unstructure(invocation)

    assert invocation.args is args
    assert plain["args"] is args


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        pytest.param(
            EventAnswer(modified_message={"x": {1, 2}}), "modified_message", id="an optional free map"
        ),
        pytest.param(HookAnswer(custom_result=[object()]), "custom_result", id="any value"),
    ],
)
def test_free_values_are_passed_through_uncopied(answer: Any, field: str) -> None:
    """Whether they can be sent is found out when they are sent."""
    assert unstructure(answer)[field] is getattr(answer, field)


def test_whole_numbers_are_numbers_of_seconds() -> None:
    """The one widening there is: 20 for 20.0."""
    assignment = structure({"shard": "s", "incarnation": 1, "plugin_load_timeout": 5}, Assignment)

    assert assignment.plugin_load_timeout == 5.0
    assert type(assignment.plugin_load_timeout) is float


def test_an_error_about_a_deep_value_is_short() -> None:
    """Where repr gives up after a thousand levels."""
    deep: list[Any] = []
    for _ in range(1_000):
        deep = [deep]

    with pytest.raises(BadPayload) as caught:
        structure({"plugin_id": deep}, RegisterComponents)

    assert str(caught.value) == "plugin_id: must be a text, got list [[[[...]]]]"
