"""What does the runner hold of a plugin once it is there: instance, context, configuration, components?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from rookery.protocol import CONFIG_NAME, AssignedPlugin, ComponentType, Manifest, RegisterComponents, shown
from rookery.protocol import page as layout

from .border import PluginFailed, call_guarded
from .components import Component, collect_components, collect_providers
from .config_file import SWITCH_TABLE, take_switch, upgrade_file, with_sources
from .config_schema import config_schema
from .context import Context, HostServices
from .errors import DeclarationError, PluginConfigError
from .plugin import Plugin
from .provider import compare_providers, declarations_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from .configuration import PluginConfig


HOST_SCOPES = ("bot", "model")
"""The configurations besides its own that a plugin can hear of."""


@attrs.define(eq=False)
class LoadedPlugin:
    """One plugin in this runner."""

    plugin_id: str
    version: str
    manifest: Manifest
    instance: Plugin[Any]
    ctx: Context
    components: dict[str, Component]
    """By name."""
    assigned: AssignedPlugin
    host: HostServices
    """What its context reaches the host by."""
    providers: dict[str, Component] = attrs.field(factory=dict)
    """Of language models, by client type."""

    @property
    def has_gateway(self) -> bool:
        return any(each.type is ComponentType.MESSAGE_GATEWAY for each in self.components.values())

    def registration(self) -> RegisterComponents:
        """What the host is told about it."""
        config_class = self.instance.config_class
        return RegisterComponents(
            plugin_id=self.plugin_id,
            plugin_version=self.version,
            plugin_type=self.manifest.plugin_type,
            components=[component.declaration(self.plugin_id) for component in self.components.values()],
            llm_providers=declarations_of(self.providers),
            capabilities_required=list(self.manifest.capabilities),
            dependencies=[dependency.plugin_id for dependency in self.manifest.dependencies],
            config_reload_subscriptions=list(self.instance.config_subscriptions),
            default_config=config_class.default_values(),
            config_schema=config_schema(config_class, self.manifest),
        )

    @property
    def config_file(self) -> Path:
        """Its own configuration file, which need not be there."""
        return Path(self.assigned.path, CONFIG_NAME)

    def upgrade_config_file(self) -> bool:
        """Have an older file say what this version reads; see ``config_file.upgrade_file``."""
        return upgrade_file(self.config_file, self.instance.config_class)

    def replace_config(self, values: Mapping[str, Any]) -> None:
        """Give the plugin a new configuration; ``on_config_update`` is the caller's to run after it.

        Args:
            values: The file's and the deployment's values, merged.

        Raises:
            PluginConfigError: Every mistake in them; the old configuration stays.
            PluginFailed: The plugin's own ``upgrade`` failed.
        """
        config = make_config(type(self.instance), self.plugin_id, self.assigned, values)
        self.instance.attach(self.ctx, config)


def make_plugin(
    module: ModuleType,
    manifest: Manifest,
    host: HostServices,
    assigned: AssignedPlugin,
    config: Mapping[str, Any],
) -> LoadedPlugin:
    """Make the plugin of an imported module.

    Args:
        module: It has one class derived from ``Plugin``, or a function ``create_plugin()``.
        config: The plugin's own values and the deployment's over them, merged (``config_file.read_config``).

    Raises:
        DeclarationError: What the author declares cannot be.
        PluginConfigError: Every mistake in the configuration.
        PluginFailed: The plugin's own code raised.
    """
    made = _guarded(manifest.plugin_id, _make_instance, module, manifest.plugin_id)
    if not isinstance(made, Plugin):
        from .compat.sdk_plugin import adopt  # only runners that have such plugins need it

        return adopt(made, manifest, host, assigned, config)
    return assemble_plugin(made, manifest, host, assigned, config)


def assemble_plugin(
    instance: Plugin[Any],
    manifest: Manifest,
    host: HostServices,
    assigned: AssignedPlugin,
    config: Mapping[str, Any],
) -> LoadedPlugin:
    """Give an instance its configuration, its context and its table of components; raises as ``make_plugin``."""
    plugin_id = manifest.plugin_id
    _check_subscriptions(instance)
    made = make_config(type(instance), plugin_id, assigned, config)
    ctx = Context(plugin_id, host, assigned)
    instance.attach(ctx, made)
    components = _guarded(plugin_id, collect_components, instance)
    ctx.api.attach(components)
    providers = _guarded(plugin_id, collect_providers, instance)
    compare_providers(plugin_id, manifest.llm_providers, providers)
    loaded = LoadedPlugin(
        plugin_id, manifest.version, manifest, instance, ctx, components, assigned, host, providers
    )
    _compare_commands(loaded)
    return loaded


def _guarded(plugin_id: str, func: Callable[..., Any], *args: Any) -> Any:
    """Plugin code behind ``func`` may raise anything; what this runner says itself stays what it is."""
    try:
        return call_guarded(plugin_id, func, *args, phase=layout.Phase.LOAD)
    except PluginFailed as failure:
        if isinstance(failure.__cause__, (DeclarationError, PluginConfigError)):
            raise failure.__cause__ from None
        raise


def _make_instance(module: ModuleType, plugin_id: str) -> Any:
    """A ``Plugin``, or an instance of the SDK's class."""
    create = getattr(module, "create_plugin", None)
    made = create() if callable(create) else _plugin_class_of(module)()
    if not isinstance(made, Plugin) and not is_sdk_plugin(made):
        raise DeclarationError(
            f"create_plugin() of {plugin_id} returned {type(made).__name__}; it returns an instance of a class derived"
            " from rookery.runner.Plugin"
        )
    return made


def is_sdk_plugin(made: object) -> bool:
    """Whether this is an instance of the plugin class of ``maibot_sdk``, which is only there when a plugin has imported it."""
    sdk = sys.modules.get("maibot_sdk")
    return sdk is not None and isinstance(made, sdk.MaiBotPlugin)


def _plugin_class_of(module: ModuleType) -> type[Plugin[Any]]:
    own = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Plugin) and value.__module__ == module.__name__
    ]
    # A class that others of the module derive from only prepares them.
    leaves = [cls for cls in dict.fromkeys(own) if not any(cls in other.__mro__[1:] for other in own)]
    file = Path(getattr(module, "__file__", None) or "plugin.py").name
    if not leaves:
        raise DeclarationError(
            f"{file} has no plugin: write `from rookery.runner import Plugin` and one `class …(Plugin):`"
        )
    if len(leaves) > 1:
        names = ", ".join(cls.__name__ for cls in leaves)
        raise DeclarationError(
            f"{file} has several plugins: {names}; keep one, or say which by `def create_plugin(): return"
            f" {leaves[0].__name__}()`"
        )
    return leaves[0]


def _check_subscriptions(instance: Plugin[Any]) -> None:
    told: object = instance.config_subscriptions
    if not isinstance(told, (tuple, list)) or not set(told) <= set(HOST_SCOPES):
        raise DeclarationError(
            f"{type(instance).__name__}.config_subscriptions is {shown(told)}; it is a tuple of"
            f" {' and '.join(map(repr, HOST_SCOPES))}"
        )


def make_config(
    plugin_class: type[Plugin[Any]], plugin_id: str, assigned: AssignedPlugin, values: Mapping[str, Any]
) -> PluginConfig:
    config_class = plugin_class.config_class
    try:
        values, _ = take_switch(values, is_own=SWITCH_TABLE in config_class.settings)
        made: PluginConfig = _guarded(plugin_id, config_class.from_values, values)
    except PluginConfigError as error:
        path = Path(assigned.path, CONFIG_NAME) if assigned.path else None
        raise with_sources(error, path=path, overrides=assigned.config, plugin_id=plugin_id) from None
    return made


def _compare_commands(loaded: LoadedPlugin) -> None:
    """Tell the author when the manifest promises other commands than the code has: `rookery check` reads the manifest."""
    declared = set(loaded.manifest.commands)
    offered = {
        component.declared.metadata["command_name"]
        for component in loaded.components.values()
        if component.type is ComponentType.COMMAND
    } - {""}
    if declared and declared != offered:
        loaded.ctx.logger.warning(
            "plugin.toml says commands = %s, the code has %s; `rookery check` finds conflicts by the former",
            sorted(declared),
            sorted(offered),
        )
