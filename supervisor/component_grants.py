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

from rookery.protocol import BadPayload

from .component import Component, EventHandler, Gateway, HookHandler, HookMode, StageHandler
from .declaration import laid_flat, make_component
from .event_names import ON_START, ON_STOP

if TYPE_CHECKING:
    from rookery.protocol import ComponentDeclaration

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


def with_prefix_only(declared: ComponentDeclaration, prefix: str) -> tuple[ComponentDeclaration, list[str]]:
    """A command without the aliases that call it without the prefix; and these."""
    aliases = laid_flat(declared.metadata).get("aliases")
    if type(aliases) is not list:
        return declared, []
    bare = [each for each in aliases if type(each) is str and each and not _is_called(each, prefix)]
    if not bare:
        return declared, []
    kept = [each for each in aliases if each not in bare]
    return attrs.evolve(declared, metadata={**declared.metadata, "aliases": kept}), bare


def _is_called(alias: str, prefix: str) -> bool:
    return alias.startswith(prefix) and len(alias) > len(prefix)


def missing_for(declared: ComponentDeclaration, plugin_id: str, entitlement: Entitlement) -> str:
    """The capability that a component would need and its plugin has not; "" when it may be offered, or cannot be read."""
    try:
        component = make_component(
            declared, plugin_id=plugin_id, shard=entitlement.shard, is_trusted=False, path=""
        )
    except BadPayload:
        return ""  # whoever registers it says what is wrong
    if isinstance(component, Gateway) and not component.platform and _has_gateways(entitlement):
        return ""  # it says later which platform it has
    wanted = capability_for(component)
    return wanted if wanted and entitlement.complaint(wanted) else ""


def _has_gateways(entitlement: Entitlement) -> bool:
    lists = (entitlement.allowed, entitlement.shard_allows)
    return all(
        patterns is None or any(each == "*" or each.startswith(f"{GATEWAY}.") for each in patterns)
        for patterns in lists
    )
