"""Which arguments does a tool take, in the form that language models are told: a JSON schema of an object?

Authors say it in three ways: as such a schema, as a map of properties, or as a list of parameters. An action of the older
kind names its parameters and what they mean, and all of them are texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rookery.protocol import BadPayload, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON_TYPES = {"float": "number", "double": "number", "int": "integer", "bool": "boolean", "str": "string"}
"""What authors call the types of JSON."""

_RENAMED = {
    "enum_values": "enum",
    "items_schema": "items",
    "required_properties": "required",
    "additional_properties": "additionalProperties",
}
_NOT_SCHEMA = frozenset({"name", "required", "param_type"})


def tool_schema(metadata: Mapping[str, Any], path: str) -> dict[str, Any] | None:
    """What a tool declares of its arguments; ``None`` when it says nothing.

    Raises:
        BadPayload: It is no schema.
    """
    whole = metadata.get("parameters_raw")
    if type(whole) is dict and whole:
        return _whole(whole, f"{path}.parameters_raw")
    listed = metadata.get("parameters")
    if type(listed) is dict and listed:
        return _whole(listed, f"{path}.parameters")
    if type(listed) is list:
        return _listed(listed)
    return None


def action_schema(metadata: Mapping[str, Any]) -> dict[str, Any] | None:
    """The same of an action: texts by name, of which none is demanded."""
    named = metadata.get("action_parameters")
    if type(named) is not dict or not named:
        return None
    properties = {
        str(name).strip(): {"type": "string", "description": "" if about is None else str(about)}
        for name, about in named.items()
        if str(name).strip()
    }
    return {"type": "object", "properties": properties, "required": []}


def _whole(declared: dict[str, Any], path: str) -> dict[str, Any]:
    if declared.get("type") == "object" or "properties" in declared:
        properties = declared.get("properties", {})
        if type(properties) is not dict:
            raise BadPayload(f"must be a map, got {shown(properties)}", f"{path}.properties")
        return declared
    required, properties = [], {}
    for name, about in declared.items():
        if type(about) is not dict:
            raise BadPayload(f"must be a map that describes {name!r}, got {shown(about)}", f"{path}.{name}")
        if about.get("required") is True:
            required.append(name)
        properties[name] = {
            key: value for key, value in about.items() if type(value) is not bool or key != "required"
        }
    return _object(properties, required)


def _listed(declared: list[Any]) -> dict[str, Any] | None:
    required, properties = [], {}
    for each in declared:
        name = each.get("name") if type(each) is dict else None
        if type(name) is not str or not name.strip():
            continue
        kind = str(each.get("type") or each.get("param_type") or "string").strip().lower()
        properties[name] = {
            **{
                _RENAMED.get(key, key): value
                for key, value in each.items()
                if key not in _NOT_SCHEMA and value is not None
            },
            "type": JSON_TYPES.get(kind, kind),
        }
        if each.get("required") is True:
            required.append(name)
    return _object(properties, required) if properties else None


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    return schema
