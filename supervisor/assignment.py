"""What is a runner told to load, and what may it count on?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rookery.protocol import AssignedPlugin, Assignment

from .bounds import bounds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .catalog import InstalledPlugin
    from .settings import Settings
    from .shard import Shard

PLUGIN_DIRECTORY = "plugins"
"""Below the state directory; each plugin has a directory in it."""


def assign(
    shard: Shard,
    incarnation: int,
    blocked: Mapping[str, str],
    *,
    settings: Settings,
    installed: Mapping[str, InstalledPlugin],
    external: Mapping[str, str],
    config_of: Callable[[str], dict[str, Any]],
) -> Assignment:
    """What the next runner of a shard hosts.

    Args:
        blocked: Plugins that must not be loaded now, with the reason.
        external: The versions of plugins in other shards.
        config_of: What lies over a plugin's own configuration file.
    """
    own, bounds = shard.plugins, bounds_of(shard.settings)
    return Assignment(
        shard=shard.name,
        incarnation=incarnation,
        plugins=[_assigned(installed[plugin_id], settings, config_of(plugin_id)) for plugin_id in own],
        external_plugins=dict(external),
        blocked=dict(blocked),
        plugin_load_timeout=shard.settings.timeouts.plugin_load,
        thread_limit=shard.settings.thread_limit,
        command_prefix=settings.command_prefix,
        log_level=settings.log_level,
        without=list(shard.settings.without),
        max_frame_bytes=bounds.max_frame_bytes,
        max_containers=bounds.max_containers,
    )


def _assigned(plugin: InstalledPlugin, settings: Settings, config: dict[str, Any]) -> AssignedPlugin:
    plugin_id = plugin.manifest.plugin_id
    return AssignedPlugin(
        plugin_id=plugin_id,
        path=str(plugin.path),
        config=config,
        data_dir=str(settings.state_dir / PLUGIN_DIRECTORY / plugin_id),
    )
