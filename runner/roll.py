"""Which handlers does a segment ask, as they stand in this runner?

The same handlers are asked together again and again. Each is looked up when it is needed for the first time, and again when its
plugin has been exchanged; what running it needs beside its arguments is made then.
"""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from rookery.protocol import page as layout

from .border import current_plugin
from .crumbs import CRUMBS
from .invoke import RUNS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .components import Component
    from .loaded import LoadedPlugin
    from .scope import PluginScope


class Member:
    """One handler, as it was found.

    Attributes:
        message_as: The parameter that takes the message, when the handler takes nothing else; else "".
        context: With the name of the plugin; each call gets a copy.
        crumb: Of its calls, without the request.
    """

    __slots__ = ("component", "context", "crumb", "handler", "message_as", "plugin", "scope")

    def __init__(self, component: Component, plugin: LoadedPlugin, scope: PluginScope) -> None:
        self.component = component
        self.handler = component.handler
        self.message_as = component.binding.message_alone
        self.plugin = plugin
        self.scope = scope
        self.context = copy_context()
        self.context.run(current_plugin.set, plugin.plugin_id)
        self.crumb = CRUMBS.head_of(plugin.plugin_id, layout.Phase.CALL)


class Roll:
    """The handlers of one group, in their order.

    Args:
        loaded: The plugins that are here.
        plugins: Their ids, one for each handler.
        names: Of the handlers.
    """

    def __init__(
        self,
        loaded: Mapping[str, LoadedPlugin],
        scopes: Mapping[str, PluginScope],
        plugins: Sequence[str],
        names: Sequence[str],
    ) -> None:
        self._loaded = loaded
        self._scopes = scopes
        self.plugins = plugins
        self.names = names
        self.members: list[Member | None] = [None] * len(plugins)
        """As they were found the last time."""

    def find(self, place: int, method: str) -> Member | None:
        """Who stands there now; ``None`` when there is nobody who can be run on the loop."""
        plugin_id = self.plugins[place]
        plugin, scope = self._loaded.get(plugin_id), self._scopes.get(plugin_id)
        if plugin is None or scope is None or not scope.is_open:
            return None
        found = self.members[place]
        if found is None or found.plugin is not plugin:
            component: Any = plugin.components.get(self.names[place])
            if component is None or not component.is_inline:
                return None
            found = self.members[place] = Member(component, plugin, scope)
        return found if found.component.type in RUNS[method] else None
