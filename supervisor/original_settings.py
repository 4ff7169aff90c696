"""Which settings and plugins go with a runner of the original kind?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import Mistake
from .ranges import Clash
from .runtime import Runtime
from .start_mode import StartMode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rookery.sharding import ShardPlan

    from .catalog import Catalog
    from .settings import Settings, ShardSettings


def check_original(shard: ShardSettings) -> None:
    """Settings that mean nothing to an original runner.

    Raises:
        Clash: There are some.
    """
    if not shard.runner:
        if shard.runner_directory is not None:
            raise Clash(
                "runner_directory", "runner", given="a directory for no runner", advice="name the runner too"
            )
        return
    useless: dict[str, tuple[bool, str]] = {
        "plugin_dirs": (
            bool(shard.plugin_dirs),
            "name what it holds in plugins, and the directory in rookery.plugin_dirs",
        ),
        "python": (shard.python is not None, "put that interpreter first in runner"),
        "requirements": (shard.requirements is not None, "install them where the runner's interpreter is"),
        "start": (shard.start is StartMode.ZYGOTE, "leave it out: a foreign program is always spawned"),
        "runtime": (
            shard.runtime is not Runtime.AUTO,
            "leave it out: it has the loop that it is written for",
        ),
        "terminal": (shard.terminal, "give the terminal to a shard with a runner of rookery"),
    }
    for key, (is_set, advice) in useless.items():
        if is_set:
            told = "a setting for runners of rookery, and runner names an original one"
            raise Clash(key, "runner", given=told, advice=advice)


def plugins_of_originals(settings: Settings) -> frozenset[str]:
    """The plugins that the configuration puts into shards with such a runner."""
    runners = {shard.name for shard in settings.shards if shard.runner}
    by_shard = {each for shard in settings.shards if shard.runner for each in shard.plugins}
    return frozenset(
        by_shard | {each for each, chosen in settings.plugins.items() if chosen.shard in runners}
    )


def wrong_plugins(settings: Settings, catalog: Catalog, plan: ShardPlan) -> Iterator[Mistake]:
    """Plugins that such a runner cannot hold as the configuration wants it."""
    runners = {shard.name for shard in settings.shards if shard.runner}
    for plugin_id, placement in plan.placements.items():
        if placement.shard not in runners:
            continue
        key = f'plugins."{plugin_id}"'
        if catalog.plugins[plugin_id].manifest.is_native:
            yield Mistake(
                file=str(settings.path),
                key=f"shard.{placement.shard}.runner",
                given=f"an original runner for {plugin_id}, which has a plugin.toml",
                expected="plugins with a _manifest.json: it knows no others",
                advice="put that plugin into a shard without a runner",
            )
        elif settings.plugin(plugin_id).config:
            yield Mistake(
                file=str(settings.path),
                key=f"{key}.config",
                given="values for a plugin in an original runner, which reads the plugin's own config.toml only",
                advice="write them there",
            )
