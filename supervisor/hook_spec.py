"""What is a hook, and what may its handlers do?"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import attrs

from rookery.protocol import shown


class Unavailable(StrEnum):
    """What it means for a flow that a handler cannot be asked: its shard is down, or it took too long."""

    SKIP = "skip"
    """Fail open: the flow goes on, the skip is counted."""
    ABORT = "abort"
    """Fail closed."""
    WAIT = "wait"
    """As the deployment says for all calls: wait for the shard until the handler's deadline, or skip."""


def _object_schema(declared: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema of an object; a plain map of properties is made one."""
    if not isinstance(declared, Mapping):
        raise ValueError(f"parameters_schema must be a map, got {shown(declared)}")
    if "type" not in declared and "properties" not in declared:
        return {"type": "object", "properties": dict(declared)} if declared else {}
    if declared.get("type", "object") != "object":
        raise ValueError(f"parameters_schema must describe an object, got type {shown(declared['type'])}")
    return {"type": "object", **declared}


def _stripped(name: str) -> str:
    return name.strip()


def _check_name(_: object, __: object, name: str) -> None:
    if not name:
        raise ValueError("a hook has a name, such as 'shop.before_sale'")


def _check_seconds(_: object, __: object, seconds: float) -> None:
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"default_timeout must be seconds, 0 or more, got {seconds!r}")


@attrs.frozen(kw_only=True)
class HookSpec:
    """One named point in the host's flow.

    Raises:
        ValueError: It has no name, a time below zero, or a schema that describes no object.
    """

    name: str = attrs.field(converter=_stripped, validator=_check_name)
    description: str = ""
    parameters_schema: Mapping[str, Any] = attrs.field(factory=dict, converter=_object_schema)
    """A JSON schema of the arguments, for people and tools: arguments are not checked against it."""
    default_timeout: float = attrs.field(default=0.0, validator=_check_seconds)
    """Seconds for a handler that names none; 0 takes the deployment's."""
    allow_blocking: bool = True
    allow_observe: bool = True
    allow_abort: bool = True
    allow_mutation: bool = True
    """Whether handlers may change the arguments."""
    read_only: frozenset[str] = frozenset()
    """Arguments that nobody may change all the same."""
    on_unavailable: Unavailable = Unavailable.WAIT
    is_applications: bool = False
    """Whether only a host application fires it, because this host has not what it is about."""
