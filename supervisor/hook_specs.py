"""Which hooks does the host's flow have, and what may their handlers do?"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import attrs

from .component import ErrorPolicy, HookMode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .component import HookHandler

CHAT_BEFORE_PROCESS = "chat.receive.before_process"
CHAT_AFTER_PROCESS = "chat.receive.after_process"
COMMAND_BEFORE_EXECUTE = "chat.command.before_execute"
COMMAND_AFTER_EXECUTE = "chat.command.after_execute"
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


@attrs.frozen(kw_only=True)
class HookSpec:
    """One named point in the host's flow."""

    name: str
    description: str = ""
    parameters_schema: Mapping[str, Any] = attrs.Factory(dict)
    default_timeout: float = 0.0
    """Seconds for a handler that names none; 0 takes the deployment's."""
    allow_blocking: bool = True
    allow_observe: bool = True
    allow_abort: bool = True
    allow_mutation: bool = True
    """Whether handlers may change the arguments."""
    read_only: frozenset[str] = frozenset()
    """Arguments that nobody may change all the same."""
    on_unavailable: Unavailable = Unavailable.WAIT


CATALOGUE = (
    HookSpec(
        name=CHAT_BEFORE_PROCESS,
        description="A message has come in; nothing has seen it but the store. Abort drops it.",
    ),
    HookSpec(
        name=CHAT_AFTER_PROCESS,
        description="A message has passed commands and intercepting handlers.",
        allow_abort=False,
        allow_mutation=False,
    ),
    HookSpec(
        name=COMMAND_BEFORE_EXECUTE,
        description="A command is about to run. Abort drops the command; the message goes on.",
        read_only=frozenset({"command_name", "plugin_id"}),
    ),
    HookSpec(
        name=COMMAND_AFTER_EXECUTE,
        description="A command has run; its response may be changed before it is sent.",
        allow_abort=False,
        read_only=frozenset({"command_name", "plugin_id", "success"}),
    ),
    HookSpec(
        name=SEND_BEFORE,
        description="A message is about to go out. Abort drops it.",
        default_timeout=5.0,
    ),
    HookSpec(
        name=SEND_AFTER,
        description="A message has gone out, or has not.",
        default_timeout=5.0,
        allow_abort=False,
        allow_mutation=False,
    ),
)
"""The hooks that the default pipeline fires."""


class HookSpecs:
    """The hooks that are known. An unknown hook cannot be registered for, but may be invoked."""

    def __init__(self, specs: Iterable[HookSpec] = CATALOGUE) -> None:
        self._specs = {spec.name: spec for spec in specs}

    def add(self, spec: HookSpec) -> None:
        """Make a hook of the host application known, or replace one."""
        self._specs[spec.name] = spec

    def get(self, name: str) -> HookSpec:
        """The spec of a hook; everything is allowed at one that nobody has described."""
        return self._specs.get(name) or HookSpec(name=name)

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
