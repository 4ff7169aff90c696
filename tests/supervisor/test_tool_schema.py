"""However an author says which arguments a tool takes, a language model is told one JSON schema."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.supervisor.tool_schema import action_schema, tool_schema

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"parameters_raw": SCHEMA}, id="a schema"),
        pytest.param({"parameters": SCHEMA}, id="a schema in the other place"),
        pytest.param(
            {"parameters_raw": {"city": {"type": "string", "required": True}}}, id="a map of properties"
        ),
        pytest.param({"parameters": [{"name": "city", "required": True}]}, id="a list"),
        pytest.param(
            {"parameters": [{"name": "city", "required": True}, {"name": " "}, 7]}, id="a list with nonsense"
        ),
    ],
)
def test_three_ways_to_say_the_same(metadata: dict[str, Any]) -> None:
    """All of them become the same schema."""
    assert tool_schema(metadata, "") == SCHEMA


def test_a_schema_is_taken_as_it_is() -> None:
    """Also one whose properties have a property that is called required."""
    declared = {"properties": {"a": {"type": "object", "required": ["b"]}}, "extra": 1}

    assert tool_schema({"parameters_raw": declared, "parameters": []}, "") is declared


def test_the_words_of_authors_become_those_of_json() -> None:
    """Types, and what restricts them; what is not said is not there."""
    listed = [
        {
            "name": "n",
            "param_type": "float",
            "enum_values": [1.5, 2.5],
            "description": "d",
            "default": None,
            "items_schema": None,
        }
    ]

    schema = tool_schema({"parameters": listed}, "")

    assert schema == {
        "type": "object",
        "properties": {"n": {"type": "number", "enum": [1.5, 2.5], "description": "d"}},
    }


@pytest.mark.parametrize("metadata", [{}, {"parameters": []}, {"parameters_raw": {}}, {"parameters": "city"}])
def test_a_tool_that_says_nothing_has_no_schema(metadata: dict[str, Any]) -> None:
    """Which is not the same as one without arguments."""
    assert tool_schema(metadata, "") is None


def test_an_action_without_parameters_has_none() -> None:
    """As a tool."""
    assert action_schema({}) is None
    assert action_schema({"action_parameters": ["mood"]}) is None
