"""What may plugins know of plugins and do to them, and how is it done?

A plugin manages itself. Another one it manages only when the operator has said so (``manages``): a capability by itself does not
make a plugin the master of the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from .component import Api, Component, Tool, Visibility
from .observers import PluginManaged
from .settings import EVERY

if TYPE_CHECKING:
    from .api_table import ApiTable, OfferedApi
    from .catalog import InstalledPlugin
    from .observers import Observers
    from .registry import Registration, Registry
    from .reload_result import ReloadResult
    from .settings import Settings

Reload = Callable[[str, str], Awaitable["ReloadResult"]]
"""A plugin's id and a reason for logs → what came of it."""

WriteConfig = Callable[[str, str, Any], Awaitable[bool]]
"""A plugin's id, a dotted key and its value → whether the running plugin has taken it. Raises ``RookeryError``."""


MOST_SOON = 2
"""Reloads of a plugin that it has asked for and that have not ended: one is carried out, and one takes what was saved meanwhile."""


MAX_SWITCHES = 4_000
"""Of one plugin, as far as plugins turn them: they are remembered for good, also those of components that are gone."""


@attrs.frozen
class Switchable:
    """A component that can be switched."""

    component: Component
    enabled: bool
    turn: Callable[[bool], None]

    @property
    def full_name(self) -> str:
        return self.component.full_name

    @property
    def name(self) -> str:
        return self.component.name

    @property
    def plugin_id(self) -> str:
        return self.component.plugin_id


class Managing:
    """Answers what plugins ask about plugins.

    Args:
        start_soon: Runs an async function beside the caller.

    Attributes:
        reload: How a plugin is reloaded; ``None`` while nobody can.
        write_config: How a value of a plugin's configuration is changed; ``None`` while nobody can.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        apis: ApiTable,
        observers: Observers,
        installed: Mapping[str, InstalledPlugin],
        start_soon: Callable[..., None],
    ) -> None:
        self.reload: Reload | None = None
        self.write_config: WriteConfig | None = None
        self._settings = settings
        self._registry = registry
        self._apis = apis
        self._observers = observers
        self._installed = installed
        self._start_soon = start_soon
        self._soon: Counter[str] = Counter()
        """Reloads that nobody waits for, by plugin."""
        self._all_of: tuple[Any, ...] = ()
        """What ``_all`` was made of."""
        self._all: dict[str, Any] = {}

    # --- what is allowed ---------------------------------------------------------------------------------------

    def may_manage(self, plugin_id: str, target: str) -> bool:
        """Whether a plugin may switch, configure and reload another."""
        return plugin_id == target or not {EVERY, target}.isdisjoint(self._settings.plugin(plugin_id).manages)

    def tell(self, shard: str, plugin_id: str, target: str, change: str) -> None:
        """A plugin has done something to a plugin: it stands in the audit record."""
        self._observers.notify(PluginManaged(shard=shard, plugin_id=plugin_id, target=target, change=change))

    def why_not_switched(self, switchable: Switchable) -> str:
        """Why it cannot be remembered that a component is switched; "" when it can."""
        switches, plugin_id = self._registry.switches, switchable.plugin_id
        if (plugin_id, switchable.name) in switches or switches.count_of(plugin_id) < MAX_SWITCHES:
            return ""
        return f"{MAX_SWITCHES} components of {plugin_id} are switched already, the most there may be"

    def reload_soon(self, plugin_id: str, reason: str) -> None:
        """Reload a plugin without waiting for it: it could not end while a call of it waits."""
        if self._soon[plugin_id] < MOST_SOON:
            self._soon[plugin_id] += 1
            self._start_soon(self._reload, plugin_id, reason)

    async def _reload(self, plugin_id: str, reason: str) -> None:
        try:
            if self.reload is not None:
                await self.reload(plugin_id, reason)
        finally:
            self._soon[plugin_id] -= 1

    # --- what is there -----------------------------------------------------------------------------------------

    def all_plugins(self) -> dict[str, Any]:
        """Every live plugin with its components, by id; kept until something of it changes, and not to be changed by others."""
        # A reload takes the manifest after the registration, so the registry's generation alone does not tell.
        made_of = (self._registry.generation, self._apis.all(), tuple(self._installed.values()))
        if self._all_of != made_of:
            self._all = {each.plugin_id: self._described(each) for each in self._registry.registrations}
            self._all_of = made_of
        return self._all

    def plugin(self, plugin_id: str) -> dict[str, Any] | None:
        """One of them, also one that still loads; ``None`` when there is none."""
        found = self._registry.registration(plugin_id) or self._registry.loading(plugin_id)
        if found is None:
            return None
        return {
            **self._described(found),
            "default_config": dict(found.default_config),
            "config_schema": dict(found.config_schema),
        }

    def is_installed(self, plugin_id: str) -> bool:
        return plugin_id in self._installed

    def _described(self, registration: Registration) -> dict[str, Any]:
        installed = self._installed.get(registration.plugin_id)
        manifest = installed.manifest if installed is not None else None
        return {
            "name": manifest.name if manifest is not None else registration.plugin_id,
            "version": registration.version,
            "description": manifest.description if manifest is not None else "",
            "author": manifest.author if manifest is not None else "",
            "enabled": True,
            "components": [_shown(component) for component in self._components_of(registration)],
        }

    def _components_of(self, registration: Registration) -> list[Component]:
        """What a plugin has registered, and the APIs that it offers for now."""
        declared = list(registration.components)
        names = {(each.name, each.version) for each in declared if isinstance(each, Api)}
        dynamic = (offered.api for offered in self._apis.of_plugin(registration.plugin_id))
        return declared + [api for api in dynamic if (api.name, api.version) not in names]

    # --- components --------------------------------------------------------------------------------------------

    def find(self, name: str, kind: str, version: str = "") -> list[Switchable]:
        """What is called so, by its full name or else by its own.

        Args:
            kind: Its type. An action is a tool, and a tool may be an action.
            version: Of an API; "" means all its versions.
        """
        found = self._find_apis(version) if kind == "API" else self._find_components(kind)
        by_full_name = [each for each in found if each.full_name == name]
        return by_full_name or [each for each in found if each.name == name]

    def _find_components(self, kind: str) -> list[Switchable]:
        kinds = {"TOOL", "ACTION"} if kind in ("TOOL", "ACTION") else {kind}
        return [
            Switchable(
                component,
                component.enabled,
                partial(self._registry.turn, component.plugin_id, component.name),
            )
            for registration in self._registry.known
            for component in registration.components
            if component.type.value in kinds
        ]

    def _find_apis(self, version: str) -> list[Switchable]:
        versions: dict[tuple[str, str], list[OfferedApi]] = {}
        for offered in self._apis.all():
            if version in ("", offered.api.version):
                versions.setdefault((offered.plugin_id, offered.api.name), []).append(offered)
        return [
            Switchable(
                each[0].api,
                all(offered.enabled for offered in each),
                partial(self._turn_apis, each, is_for_good=not version),
            )
            for each in versions.values()
        ]

    def _turn_apis(self, versions: list[OfferedApi], enabled: bool, *, is_for_good: bool) -> None:
        if is_for_good and not all(each.is_dynamic for each in versions):
            self._registry.turn(versions[0].plugin_id, versions[0].api.name, enabled)
        for offered in versions:
            self._apis.switch(offered, enabled=enabled)

    def tool_definitions(self) -> list[dict[str, Any]]:
        """What a language model is told of the tools that are switched on and not hidden."""
        return [
            _definition(tool)
            for tool in self._registry.tools()
            if tool.enabled and tool.visibility is not Visibility.HIDDEN
        ]


def _shown(component: Component) -> dict[str, Any]:
    return {
        "name": component.name,
        "full_name": component.full_name,
        "type": component.type.value,
        "enabled": component.enabled,
        "metadata": dict(component.metadata),
    }


def _definition(tool: Tool) -> dict[str, Any]:
    return {
        "name": tool.full_name,
        "definition": {
            "name": tool.full_name,
            "description": tool.description,
            "parameters": tool.parameters or {"type": "object", "properties": {}, "required": []},
        },
    }
