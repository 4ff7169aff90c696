"""What is a component once the host has checked its declaration?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import attrs

from rookery.protocol import (
    EVERYTHING,
    PLUGIN_INVOKE_ACTION,
    PLUGIN_INVOKE_API,
    PLUGIN_INVOKE_COMMAND,
    PLUGIN_INVOKE_MESSAGE_GATEWAY,
    PLUGIN_INVOKE_TOOL,
    ComponentType,
    EventFilter,
    full_name,
)

if TYPE_CHECKING:
    from .conversation import Conversation


class HookMode(StrEnum):
    BLOCKING = "blocking"
    OBSERVE = "observe"


class HookOrder(StrEnum):
    EARLY = "early"
    NORMAL = "normal"
    LATE = "late"


class ErrorPolicy(StrEnum):
    """What a failing hook handler means for the flow that asked it."""

    ABORT = "abort"
    SKIP = "skip"
    LOG = "log"


class Visibility(StrEnum):
    """Whether a language model is shown a tool."""

    VISIBLE = "visible"
    DEFERRED = "deferred"
    """It is found when it is asked for."""
    HIDDEN = "hidden"


class CardWidth(StrEnum):
    """How much room a card of the home page takes."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"
    WIDE = "wide"
    FULL = "full"


class RouteType(StrEnum):
    """The directions that a message gateway serves."""

    SEND = "send"
    RECEIVE = "receive"
    DUPLEX = "duplex"


@attrs.frozen(kw_only=True, eq=False)
class Component:
    """One named thing that a plugin offers, as the registry keeps it."""

    plugin_id: str
    name: str
    type: ComponentType
    shard: str
    """Where its plugin lives."""
    is_trusted: bool = True
    """The trust of its shard."""
    metadata: Mapping[str, Any]
    """As declared."""
    timeout: float | None = None
    """Seconds that the author wants for one call; ``None`` takes the method's own."""
    is_idempotent: bool = False
    """Whether the author says that a call may run again after it was cut off."""
    is_inline: bool = False
    """Whether it runs on its runner's loop, from its first line on."""
    enabled: bool = True
    chat_scope: str = "all"
    """``all``, ``group`` or ``private``."""
    allowed_session: frozenset[str] = frozenset()
    """Session ids, group ids or ``platform:group``; empty allows all."""
    disabled_sessions: frozenset[str] = frozenset()
    """Sessions, by their ids, in which an operator has switched it off."""

    @property
    def full_name(self) -> str:
        return full_name(self.plugin_id, self.name)

    @property
    def is_everywhere(self) -> bool:
        """Whether it may be used wherever it is switched on."""
        return self.chat_scope == "all" and not self.allowed_session and not self.disabled_sessions

    @property
    def invoke_method(self) -> str | None:
        """How it is called by name; ``None`` for what is not."""
        return INVOKE_METHODS.get(self.type)

    def serves(self, *, session_id: str, group_id: str | None, platform: str) -> bool:
        """Whether the component may be used in this chat: its scope, its sessions, and whether it is switched on."""
        if not self.enabled or session_id in self.disabled_sessions:
            return False
        if self.chat_scope != "all" and (self.chat_scope == "group") != (group_id is not None):
            return False
        if not self.allowed_session:
            return True
        names = {session_id} if group_id is None else {session_id, group_id, f"{platform}:{group_id}"}
        return not names.isdisjoint(self.allowed_session)

    def serves_in(self, conversation: Conversation | None) -> bool:
        """The same for a conversation of which perhaps little is known: what a declaration demands has to be known to hold.

        Args:
            conversation: ``None`` for what belongs to none.
        """
        if not self.enabled:
            return False
        if conversation is None:
            return self.chat_scope == "all" and not self.allowed_session
        if conversation.session_id in self.disabled_sessions:
            return False
        if self.chat_scope != "all" and conversation.is_group is not (self.chat_scope == "group"):
            return False
        return not self.allowed_session or not self.allowed_session.isdisjoint(conversation.names)


@attrs.frozen(kw_only=True, eq=False)
class EventHandler(Component):
    event_type: str
    weight: int = 0
    """Larger comes earlier."""
    intercepts: bool = False
    """May change or stop the event; the others only see it."""
    filter: EventFilter = EVERYTHING
    """Which events it gets at all; its chat scope and sessions are part of it."""


@attrs.frozen(kw_only=True, eq=False)
class HookHandler(Component):
    hook: str
    mode: HookMode = HookMode.BLOCKING
    order: HookOrder = HookOrder.NORMAL
    error_policy: ErrorPolicy = ErrorPolicy.SKIP


@attrs.frozen(kw_only=True, eq=False)
class StageHandler(Component):
    """A handler of a stage of the flow, which is the older kind of hook."""

    stage: str
    priority: int = 0
    """Larger comes earlier."""
    blocks: bool = False
    """May change the arguments and end the stage; the others only see them."""


@attrs.frozen(kw_only=True, eq=False)
class Command(Component):
    command_name: str = ""
    """What follows the prefix; "" for a command that is found by its pattern only."""
    aliases: tuple[str, ...] = ()
    """Texts that a message may begin with, prefix included."""
    pattern: re.Pattern[str] | None = None


@attrs.frozen(kw_only=True, eq=False)
class Tool(Component):
    """A tool of a language model, or an action that the bot may choose to take."""

    description: str = ""
    parameters: Mapping[str, Any] | None = None
    """A JSON schema of an object; ``None`` when nothing is declared."""
    visibility: Visibility = Visibility.DEFERRED
    is_action: bool = False
    """It is called with the arguments of an action; also a tool that was declared as a legacy action."""

    @property
    def invoke_method(self) -> str:
        return PLUGIN_INVOKE_ACTION if self.is_action else PLUGIN_INVOKE_TOOL


@attrs.frozen(kw_only=True, eq=False)
class Gateway(Component):
    route_type: RouteType
    platform: str = ""
    protocol: str = ""
    account_id: str = ""
    scope: str = ""

    @property
    def sends(self) -> bool:
        return self.route_type is not RouteType.RECEIVE

    @property
    def receives(self) -> bool:
        return self.route_type is not RouteType.SEND


@attrs.frozen(kw_only=True, eq=False)
class Api(Component):
    version: str = "1"
    is_public: bool = False


@attrs.frozen(kw_only=True, eq=False)
class HomeCard(Component):
    """A card on the home page of a web interface."""

    title: str
    description: str = ""
    width: CardWidth = CardWidth.MEDIUM
    order: int = 1000
    """Smaller comes earlier."""


INVOKE_METHODS: Mapping[ComponentType, str] = {
    ComponentType.COMMAND: PLUGIN_INVOKE_COMMAND,
    ComponentType.ACTION: PLUGIN_INVOKE_ACTION,
    ComponentType.TOOL: PLUGIN_INVOKE_TOOL,
    ComponentType.API: PLUGIN_INVOKE_API,
    ComponentType.MESSAGE_GATEWAY: PLUGIN_INVOKE_MESSAGE_GATEWAY,
}
"""How each type is called by name; events and hooks have methods and answers of their own."""


def readings(full_name: str) -> list[tuple[str, str]]:
    """Plugin and component, in every way in which a full name may be read: both may have dots."""
    places = [place for place, letter in enumerate(full_name) if letter == "."]
    return [(full_name[:place], full_name[place + 1 :]) for place in places]
