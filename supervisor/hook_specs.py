"""Which hooks does the host's flow have, and what may their handlers do?

The default pipeline fires these, in this order, for one message and its answer:

| hook | arguments | may |
|---|---|---|
| ``chat.receive.before_process`` | message | change the message, abort (it is dropped) |
| ``chat.receive.after_process`` | message | the same; whether it is a command is known by now |
| ``chat.command.before_execute`` | message, command_name, plugin_id, matched_groups | change, abort (it is not run) |
| ``chat.command.after_execute`` | the same, success, response, intercept_message_level, continue_process | change |
| ``send_service.after_build_message`` | message, stream_id, processed_plain_text, typing, set_reply, storage_message, show_log | change, abort |
| ``send_service.before_send`` | message, typing, set_reply, reply_message_id, storage_message, show_log | change, abort |
| ``send_service.after_send`` | the same, sent | see |

A host application makes hooks of its own known with ``open_supervisor(hooks=…)`` or ``Supervisor.register_hook``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import attrs

from rookery.protocol import shown

from .component import ErrorPolicy, HookMode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .component import HookHandler

CHAT_BEFORE_PROCESS = "chat.receive.before_process"
CHAT_AFTER_PROCESS = "chat.receive.after_process"
COMMAND_BEFORE_EXECUTE = "chat.command.before_execute"
COMMAND_AFTER_EXECUTE = "chat.command.after_execute"
SEND_AFTER_BUILD = "send_service.after_build_message"
SEND_BEFORE = "send_service.before_send"
SEND_AFTER = "send_service.after_send"


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


def _of(kind: str, *names: str) -> dict[str, Any]:
    return {name: {"type": kind} for name in names}


_MESSAGE = _of("object", "message")
_COMMAND = {**_MESSAGE, **_of("string", "command_name", "plugin_id"), **_of("object", "matched_groups")}
_FLAGS = _of("boolean", "typing", "set_reply", "storage_message", "show_log")
_SENDING = {**_MESSAGE, **_FLAGS, **_of("string", "reply_message_id")}

CATALOGUE = (
    HookSpec(
        name=CHAT_BEFORE_PROCESS,
        description="A message has come in; nothing has seen it but the store. Abort drops it.",
        parameters_schema=_MESSAGE,
    ),
    HookSpec(
        name=CHAT_AFTER_PROCESS,
        description="It is known whether a message calls a command; nobody has been called yet. Abort drops it.",
        parameters_schema=_MESSAGE,
    ),
    HookSpec(
        name=COMMAND_BEFORE_EXECUTE,
        description="A command is about to run. Abort drops the command; the message goes on.",
        parameters_schema=_COMMAND,
        read_only=frozenset({"command_name", "plugin_id"}),
    ),
    HookSpec(
        name=COMMAND_AFTER_EXECUTE,
        description="A command has run; its response may be changed before it is sent.",
        parameters_schema={
            **_COMMAND,
            **_of("boolean", "success", "intercept_message_level", "continue_process"),
            **_of("string", "response"),
        },
        allow_abort=False,
        read_only=frozenset({"command_name", "plugin_id"}),
    ),
    HookSpec(
        name=SEND_AFTER_BUILD,
        description="A message was composed for a conversation. Abort drops it.",
        parameters_schema={**_MESSAGE, **_of("string", "stream_id", "processed_plain_text"), **_FLAGS},
        default_timeout=5.0,
    ),
    HookSpec(
        name=SEND_BEFORE,
        description="A message is about to go out. Abort drops it.",
        parameters_schema=_SENDING,
        default_timeout=5.0,
    ),
    HookSpec(
        name=SEND_AFTER,
        description="A message has gone out, or has not.",
        parameters_schema={**_SENDING, **_of("boolean", "sent")},
        default_timeout=5.0,
        allow_abort=False,
        allow_mutation=False,
    ),
)
"""The hooks that the default pipeline fires."""


class HookSpecs:
    """The hooks that are known. An unknown hook cannot be registered for, but may be invoked.

    Attributes:
        generation: Counts the changes.
    """

    def __init__(self, specs: Iterable[HookSpec] = CATALOGUE) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self.generation = 0

    def add(self, spec: HookSpec) -> None:
        """Make a hook of the host application known, or replace one. Plugins that load later may register for it."""
        self._specs[spec.name] = spec
        self.generation += 1

    def remove(self, name: str) -> bool:
        """Forget a hook; those who have registered for it stay. False when it was not known."""
        self.generation += 1
        return self._specs.pop(name, None) is not None

    def get(self, name: str) -> HookSpec:
        """The spec of a hook; everything is allowed at one that nobody has described."""
        return self._specs.get(name) or HookSpec(name=name)

    @property
    def all(self) -> tuple[HookSpec, ...]:
        """By name."""
        return tuple(self._specs[name] for name in self.names)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._specs))

    def complaint_about(self, handler: HookHandler) -> str | None:
        """Why a handler may not register, or ``None``."""
        spec = self._specs.get(handler.hook)
        if spec is None:
            return f"there is no hook {handler.hook!r}; there are {', '.join(self.names)}"
        if handler.mode is HookMode.BLOCKING and not spec.allow_blocking:
            return f"{handler.hook} may only be observed: declare mode 'observe'"
        if handler.mode is HookMode.OBSERVE and not spec.allow_observe:
            return f"{handler.hook} has no observers: declare mode 'blocking'"
        if handler.error_policy is ErrorPolicy.ABORT and not spec.allow_abort:
            return f"{handler.hook} cannot be aborted: declare error_policy 'skip' or 'log'"
        return None
