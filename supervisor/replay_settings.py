"""Which deployment plays a recording: the same plugins in the same shards, with the replay gateway for all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from rookery.protocol import ADAPTER

from .catalog import find_plugins
from .restart import RestartPolicy
from .settings import PluginSettings, ShardSettings
from .strategy import AutoShutdown, GroupSettings

if TYPE_CHECKING:
    from pathlib import Path

    from .catalog import Catalog
    from .settings import Settings

REPLAY_PLUGIN = "rookery.replay"
REPLAY_SHARD = "replay"
DROP_REPLIES = "-"

NEVER_GIVEN_UP = RestartPolicy(
    backoff_max=1.0, backoff_reset=2.0, burst_limit=1_000_000, sustained_limit=1_000_000
)
"""A recording is to be played to its end, however often somebody kills the runner that plays it; that runner notes how
far it is."""


def settings_for_replay(
    settings: Settings,
    *,
    input: Path,
    output: Path | None,
    to_stdout: bool = False,
    rate: float,
    state_dir: Path,
    catalog: Catalog | None = None,
) -> Settings:
    """Change a deployment's settings so that a recording takes the place of its gateways.

    The gateways are disabled rather than forgotten: what the configuration says about them stays valid. Shards that
    are theirs alone go, so that a replay needs no process for nothing. The shard that plays has a group of its own: no other
    one takes it along. No job ends the host before the recording does.

    Args:
        input: The recording, absolute.
        output: Where replies are written, absolute; None drops them.
        to_stdout: Replies are printed instead; the gateway's shard then has the terminal, as no other has in a replay.
        rate: Messages a second; 0 is as fast as they are taken.
        state_dir: The state of the replay, absolute.
        catalog: The plugins of `settings`; None looks for them.
    """
    catalog = find_plugins(settings) if catalog is None else catalog
    gateways = {
        plugin_id
        for plugin_id, plugin in catalog.plugins.items()
        if plugin.manifest.plugin_type == ADAPTER and plugin_id != REPLAY_PLUGIN
    }
    left_out = gateways | {REPLAY_PLUGIN}
    disabled = {
        plugin_id: attrs.evolve(settings.plugin(plugin_id), enabled=False, shard=None)
        for plugin_id in gateways
    }
    kept = tuple(
        attrs.evolve(shard, terminal=False, plugins=_without(shard.plugins, REPLAY_PLUGIN))
        for shard in settings.shards
        if not (named := _named_for(shard, settings)) or named - left_out
    )
    replay = PluginSettings(
        config={
            "input": str(input),
            "output": "" if to_stdout else DROP_REPLIES if output is None else str(output),
            "rate": rate,
        }
    )
    group = GroupSettings(name=_free_name({group.name for group in settings.groups}))
    shard = ShardSettings(
        name=_free_name({shard.name for shard in kept}),
        plugins=(REPLAY_PLUGIN,),
        group=group.name,
        terminal=to_stdout,
        restart=NEVER_GIVEN_UP,
    )
    return attrs.evolve(
        settings,
        state_dir=state_dir,
        bundled=(*_without(settings.bundled, REPLAY_PLUGIN), REPLAY_PLUGIN),
        groups=(*(attrs.evolve(each, auto_shutdown=AutoShutdown.NEVER) for each in settings.groups), group),
        shards=(*kept, shard),
        plugins={**settings.plugins, **disabled, REPLAY_PLUGIN: replay},
    )


def _named_for(shard: ShardSettings, settings: Settings) -> set[str]:
    others = {plugin_id for plugin_id, chosen in settings.plugins.items() if chosen.shard == shard.name}
    return {*shard.plugins} | others


def _without(plugins: tuple[str, ...], left_out: str) -> tuple[str, ...]:
    return tuple(plugin_id for plugin_id in plugins if plugin_id != left_out)


def _free_name(taken: set[str]) -> str:
    names = (REPLAY_SHARD, *(f"{REPLAY_SHARD}-{number}" for number in range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken)
