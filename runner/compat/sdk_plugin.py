"""How does an instance of the SDK's plugin class become a plugin of this runner?

It is wrapped, not changed: a small native plugin stands before it, with the same callbacks and a configuration class of its
own kind. Everything behind that (loading, reload, calls, limits) is the same for both.
"""

from __future__ import annotations

import inspect
import sys
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import attrs

from rookery.protocol import CONFIG_NAME

from ..border import PluginFailed, call_guarded, plugin_logger, plugin_threads
from ..config_file import SWITCH_TABLE
from ..configuration import PluginConfig
from ..context import Context
from ..errors import DeclarationError
from ..guest import end_tasks_of, has_asyncio
from ..loaded import LoadedPlugin, make_config
from ..plugin import Plugin
from ..provider import compare_providers
from ..setting import Setting
from ..worker_threads import run_in_thread
from .sdk_components import SdkComponents, collect_providers, collect_sdk_components, on_the_loop
from .sdk_config import SECTION, VERSION, SdkConfig
from .sdk_context import HostCalls, make_sdk_context

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rookery.protocol import AssignedPlugin, Manifest, RegisterComponents

    from ..context import HostServices

CALLBACKS = ("on_load", "on_unload", "on_config_update")

TASK_GRACE = 1.0
"""Seconds that cancelled tasks of a plugin that has been unloaded may take to end."""


class SdkValues(PluginConfig):
    """What a plugin of the SDK is configured with; each plugin has a class of its own below this one."""

    source: ClassVar[SdkConfig]
    settings: ClassVar[Mapping[str, Setting]] = MappingProxyType(
        {SWITCH_TABLE: Setting(name=SWITCH_TABLE, kind=dict, default={}, help="")}
    )
    """That the table with the switch is the plugin's own."""

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        made = cls.__new__(cls)
        made.__dict__["values"] = cls.source.check(values)
        return made

    @classmethod
    def default_values(cls) -> dict[str, Any]:
        return cls.source.default()

    @classmethod
    def own_schema(cls) -> dict[str, Any]:
        return cls.source.schema()

    def as_dict(self) -> dict[str, Any]:
        return dict(self.__dict__["values"])


class SdkPlugin(Plugin[PluginConfig]):
    """Stands before one instance of the SDK's class; each has a class of its own below this one."""

    overlaps = False
    """``on_unload`` comes before the next ``on_load``, as under the original runner."""
    original: ClassVar[Any]
    plugin_id: ClassVar[str]

    def attach(self, ctx: Context, config: PluginConfig) -> None:
        super().attach(ctx, config)
        call_guarded(self.plugin_id, self.original.set_plugin_config, config.as_dict())

    async def on_load(self) -> None:
        await self._tell("on_load")

    async def on_unload(self) -> None:
        try:
            await self._tell("on_unload")
        finally:
            left = await end_tasks_of(self.plugin_id, TASK_GRACE)
            if left:
                plugin_logger(self.plugin_id).error("%d asyncio tasks of it go on although cancelled", left)

    async def on_config_update(self) -> None:
        values = self.config.as_dict()
        await self._tell("on_config_update", "self", values, _version_of(values))

    async def on_host_config(self, scope: str, values: dict[str, Any], version: str) -> None:
        await self._tell("on_config_update", scope, values, version)

    async def _tell(self, callback: str, *args: Any) -> None:
        function = getattr(self.original, callback)
        if inspect.iscoroutinefunction(function):
            await on_the_loop(function)(*args)
        else:
            await run_in_thread(partial(function, *args), plugin_threads.get())


@attrs.define(eq=False, kw_only=True)
class SdkLoadedPlugin(LoadedPlugin):
    """The same, with what the SDK declares in its own form."""

    offers: SdkComponents
    source: SdkConfig

    def registration(self) -> RegisterComponents:
        registration = super().registration()
        return attrs.evolve(registration, components=self.offers.declarations)

    def upgrade_config_file(self) -> bool:
        return self.source.upgrade_file()

    def collect_again(self) -> None:
        """Its dynamic APIs have changed."""
        assert isinstance(self.instance, SdkPlugin)
        original = self.instance.original
        self.offers = call_guarded(self.plugin_id, collect_sdk_components, original, self.plugin_id)
        self.components.clear()
        self.components.update(self.offers.by_name)


def adopt(
    original: Any, manifest: Manifest, host: HostServices, assigned: AssignedPlugin, config: Mapping[str, Any]
) -> LoadedPlugin:
    """Make a plugin of this runner of an instance of the SDK's class.

    Raises:
        DeclarationError: What the author declares cannot be, or this runner has no asyncio loop.
        PluginConfigError: Every mistake in the configuration.
        PluginFailed: The plugin's own code raised.
    """
    plugin_id = manifest.plugin_id
    _check_callbacks(original)
    if not has_asyncio():
        raise DeclarationError(
            f"{plugin_id} is written for asyncio and this runner has no asyncio loop; write runtime = "
            '"asyncio" or "auto" in its shard'
        )
    path = Path(assigned.path, CONFIG_NAME) if assigned.path else None
    source = SdkConfig(original, manifest, path)
    values = type("SdkValues", (SdkValues,), {"source": source})
    instance_class = type(
        type(original).__name__,
        (SdkPlugin,),
        {
            "original": original,
            "plugin_id": plugin_id,
            "config_class": values,
            "config_subscriptions": tuple(_subscriptions(original)),
        },
    )
    made: list[SdkLoadedPlugin] = []
    calls = HostCalls(plugin_id, host, lambda: made[0].collect_again())
    guarded = partial(call_guarded, plugin_id)
    context = make_sdk_context(plugin_id, calls, assigned.data_dir)
    guarded(original._set_context, context)
    instance = instance_class()
    checked = make_config(instance_class, plugin_id, assigned, config)
    try:
        if guarded(source.make_file):
            plugin_logger(plugin_id).info("%s was made", path)
    except PluginFailed as failure:
        plugin_logger(plugin_id).warning("%s cannot be made: %s", path, failure.reason)
    ctx = Context(plugin_id, host, assigned)
    instance.attach(ctx, checked)
    offers = guarded(collect_sdk_components, original, plugin_id)
    providers = guarded(collect_providers, original)
    compare_providers(plugin_id, manifest.llm_providers, providers)
    made.append(
        SdkLoadedPlugin(
            plugin_id,
            manifest.version,
            manifest,
            instance,
            ctx,
            dict(offers.by_name),
            assigned,
            host,
            providers,
            offers=offers,
            source=source,
        )
    )
    return made[0]


def _check_callbacks(original: Any) -> None:
    sdk_class = sys.modules["maibot_sdk"].MaiBotPlugin
    missing = [
        name for name in CALLBACKS if getattr(type(original), name, None) is getattr(sdk_class, name, None)
    ]
    if missing:
        raise DeclarationError(
            f"{type(original).__name__} has no {', '.join(missing)}: a plugin of the SDK defines {', '.join(CALLBACKS)},"
            " if only with pass"
        )


def _subscriptions(original: Any) -> list[str]:
    get = getattr(original, "get_config_reload_subscriptions", None)
    return [str(each) for each in get()] if callable(get) else []


def _version_of(values: Mapping[str, Any]) -> str:
    section = values.get(SECTION)
    return str(section.get(VERSION, "")) if isinstance(section, dict) else ""
