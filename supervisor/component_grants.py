"""Which components may a plugin that is not trusted only offer by leave of its operator?

What is called by its name gets what is said to it: commands, tools, actions, APIs. Everybody may offer that. A handler of
events or hooks sees what everybody says and, if it may, changes or stops it; a gateway speaks for a platform; a provider of
language models reads every question. Each of these has a name that a grant can have beside those of capabilities:

| name | components |
|---|---|
| ``listen.events`` | event handlers that only see |
| ``listen.aliases`` | texts that call a command without the prefix of commands: a few words overhear a chat |
| ``change.events`` | event handlers that may change or stop the event |
| ``listen.hooks`` | hook and stage handlers that only see |
| ``change.hooks`` | hook and stage handlers that may change or end the flow |
| ``gateway.PLATFORM`` | message gateways of that platform |
| ``provide.models`` | providers of language models |

The operator's word is enough: no manifest of the original declares them. Components that are not granted are left out, and the
others of the plugin work; to refuse the whole plugin, the rival, would take a plugin's commands away for one observer too many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from rookery.protocol import BadPayload, ComponentDeclaration

from .component import Component, EventHandler, Gateway, HookHandler, HookMode, StageHandler
from .declaration import MAX_NAME_CHARS, laid_flat, make_component
from .event_names import ON_START, ON_STOP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .entitlement import Entitlement

LISTEN_EVENTS = "listen.events"
LISTEN_ALIASES = "listen.aliases"
CHANGE_EVENTS = "change.events"
LISTEN_HOOKS = "listen.hooks"
CHANGE_HOOKS = "change.hooks"
PROVIDE_MODELS = "provide.models"
GATEWAY = "gateway"
"""The family; what follows is a platform's name."""

NAMES = frozenset({LISTEN_EVENTS, LISTEN_ALIASES, CHANGE_EVENTS, LISTEN_HOOKS, CHANGE_HOOKS, PROVIDE_MODELS})
FAMILIES = frozenset({"listen", "change", "provide", GATEWAY})

MAX_OFFERED = 50
"""Capabilities that one plugin's components want, for all of which there are words."""

_WITHOUT_MESSAGE = frozenset({ON_START, ON_STOP})
"""Events that say nothing of anybody."""


def grants_components(pattern: str) -> bool:
    """Whether a pattern of a grant is about components, and not about capabilities alone."""
    return pattern == "*" or pattern.partition(".")[0] in FAMILIES


def capability_for(component: Component) -> str:
    """What a plugin has to be granted that offers it; "" for what everybody may offer."""
    if isinstance(component, EventHandler):
        if component.intercepts:
            return CHANGE_EVENTS
        return "" if component.event_type in _WITHOUT_MESSAGE else LISTEN_EVENTS
    if isinstance(component, HookHandler):
        return CHANGE_HOOKS if component.mode is HookMode.BLOCKING else LISTEN_HOOKS
    if isinstance(component, StageHandler):
        return CHANGE_HOOKS if component.blocks else LISTEN_HOOKS
    return gateway_capability(component.platform) if isinstance(component, Gateway) else ""


def gateway_capability(platform: str) -> str:
    """What a gateway of a platform needs; one that does not say which needs the whole family."""
    return f"{GATEWAY}.{platform or '*'}"


def _bare_aliases(declared: ComponentDeclaration, prefix: str) -> tuple[str, ...]:
    aliases = laid_flat(declared.metadata).get("aliases")
    if type(aliases) is not list:
        return ()
    return tuple(each for each in aliases if type(each) is str and each and not _is_called(each, prefix))


def _is_called(alias: str, prefix: str) -> bool:
    return alias.startswith(prefix) and len(alias) > len(prefix)


@attrs.frozen(kw_only=True)
class Look:
    """What a component needs."""

    declared: ComponentDeclaration
    wanted: str
    """The capability; "" when everybody may offer it, or it cannot be read."""
    is_missing: bool
    """The operator has not allowed that."""
    bare: tuple[str, ...] = ()
    """Of a command: the aliases that call it without the prefix."""

    @property
    def wants(self) -> tuple[str, ...]:
        """All that it needs."""
        return (*filter(None, [self.wanted]), *([LISTEN_ALIASES] if self.bare else ()))

    @property
    def without_bare(self) -> ComponentDeclaration:
        """The command without these aliases."""
        kept = [each for each in laid_flat(self.declared.metadata)["aliases"] if each not in self.bare]
        return attrs.evolve(self.declared, metadata={**self.declared.metadata, "aliases": kept})


def look_at(declared: ComponentDeclaration, plugin_id: str, entitlement: Entitlement, prefix: str) -> Look:
    """What a component of a plugin that is not trusted needs.

    Args:
        prefix: What a message begins with to be a command.
    """
    wanted, is_missing = _wanted_for(declared, plugin_id, entitlement)
    bare = _bare_aliases(declared, prefix)
    return Look(declared=declared, wanted=wanted, is_missing=is_missing, bare=bare)


def _wanted_for(declared: ComponentDeclaration, plugin_id: str, entitlement: Entitlement) -> tuple[str, bool]:
    try:
        component = make_component(
            declared, plugin_id=plugin_id, shard=entitlement.shard, is_trusted=False, path=""
        )
    except BadPayload:
        return "", False  # whoever registers it says what is wrong
    wanted = capability_for(component)
    if isinstance(component, Gateway) and not component.platform and _has_gateways(entitlement):
        return wanted, False  # it says later which platform it has
    return wanted, bool(wanted and entitlement.complaint(wanted))


def shortened(names: Iterable[str]) -> frozenset[str]:
    """As many names as can be kept for each plugin: one that claims a hundred platforms, or one with an endless name, claims all."""
    found = frozenset(names)
    if len(found) <= MAX_OFFERED and all(len(name) <= MAX_NAME_CHARS for name in found):
        return found
    return frozenset(f"{GATEWAY}.*" if name.startswith(f"{GATEWAY}.") else name for name in found)


def _has_gateways(entitlement: Entitlement) -> bool:
    lists = (entitlement.allowed, entitlement.shard_allows)
    return all(
        patterns is None or any(each == "*" or each.startswith(f"{GATEWAY}.") for each in patterns)
        for patterns in lists
    )
