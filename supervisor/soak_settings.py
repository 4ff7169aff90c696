"""Which deployment is a soak test run on: one of its own, or an operator's with one more plugin in each shard.

The plugin that works and hurts is copied for each shard, since a plugin lives in one shard only. Nobody is given up, moved
or kept out for what the test does to him; how long a hang or a restart may take stays what the operator has chosen.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from rookery.protocol import ADAPTER

from .catalog import find_plugins
from .errors import UsageError
from .health import HealthPolicy
from .limits import MIB, ShardLimits
from .planning import make_plan, shard_settings
from .restart import RestartMode, RestartPolicy
from .settings import PlacementSettings, Settings, ShardSettings, ShardTimeouts
from .soak_plan import FaultKind
from .strategy import AutoShutdown, Significance

if TYPE_CHECKING:
    from collections.abc import Iterable

SHARDS = ("a", "b", "c", "d")
"""Of the deployment that a soak test makes for itself."""

NO_LIMIT = 1_000_000

TIMEOUTS = ShardTimeouts(hello=10.0, load=10.0, plugin_load=10.0, drain=3.0, term_grace=1.0, kill_wait=2.0)
HEALTH = HealthPolicy(beat_timeout=2.0, ack_timeout=2.0, hang_timeout=4.0, stopped_timeout=5.0)
"""As short as a loaded machine allows, so that hangs are over before the next fault."""

LIMITS = ShardLimits(rss_soft=160 * MIB, rss_hard=512 * MIB)
BALLAST = 160
"""Megabytes that a runner takes to be over that limit."""

MOST_BALLAST = 256
"""Megabytes that a soak test takes at once from a machine of an operator's."""

MANIFEST = """\
[plugin]
id = "{plugin_id}"
version = "1.0.0"
name = "Soak"
description = "Works, and hurts its runner on command."
license = "Apache-2.0"
capabilities = []
"""


@attrs.frozen(kw_only=True)
class SoakDeployment:
    """What a soak test runs on."""

    settings: Settings
    plugins: dict[str, str]
    """By shard: the id of the soak plugin that lives there."""
    kinds: tuple[FaultKind, ...]
    """The faults that can be done to it."""
    ballast: int
    """Megabytes that bring a runner over its soft limit of memory."""


def own_settings(state_dir: Path) -> Settings:
    """A deployment of four shards with nothing in them.

    Args:
        state_dir: Absolute.
    """
    shards = tuple(
        ShardSettings(
            name=name,
            timeouts=TIMEOUTS,
            health=HEALTH,
            limits=LIMITS,
            restart=RestartPolicy(backoff_base=0.1, backoff_max=1.0, backoff_reset=2.0),
        )
        for name in SHARDS
    )
    return Settings(path=state_dir / "rookery.toml", name="soak", state_dir=state_dir, shards=shards)


def prepare_soak(settings: Settings, directory: Path) -> SoakDeployment:
    """Change a deployment's settings so that it can be soaked.

    Gateways are disabled: the load is the test's own, and nobody outside is written to.

    Args:
        directory: Absolute; plugins are written below it, and the state is kept there.

    Raises:
        ConfigError: The settings' own plugins cannot be placed.
        UsageError: There is no shard.
    """
    settings = _without_gateways(settings)
    shards = _planned_shards(settings)
    if not shards:
        raise UsageError(f"{settings.path} has no shard with a plugin in it; there is nothing to soak")
    plugin_dir = directory / "plugins"
    plugins = {shard.name: f"soak.n{number}" for number, shard in enumerate(shards, start=1)}
    for plugin_id in plugins.values():
        _write_plugin(plugin_dir / plugin_id, plugin_id)
    limits = {shard.limits.rss_soft // MIB for shard in shards}
    ballast = max(limits)
    kinds = tuple(FaultKind)
    if len(limits) != 1 or not 0 < ballast <= MOST_BALLAST:
        kinds = tuple(kind for kind in kinds if kind is not FaultKind.ALLOCATE)
    prepared = attrs.evolve(
        settings,
        state_dir=directory,
        plugin_dirs=(*settings.plugin_dirs, plugin_dir),
        groups=tuple(
            attrs.evolve(group, auto_shutdown=AutoShutdown.NEVER, restart_limit=NO_LIMIT)
            for group in settings.groups
        ),
        shards=tuple(_tireless(shard, plugins[shard.name]) for shard in shards),
        placement=PlacementSettings(),
    )
    return SoakDeployment(settings=prepared, plugins=plugins, kinds=kinds, ballast=ballast)


def _without_gateways(settings: Settings) -> Settings:
    catalog = find_plugins(settings)
    gateways = {
        plugin_id: attrs.evolve(settings.plugin(plugin_id), enabled=False, shard=None)
        for plugin_id, plugin in catalog.plugins.items()
        if plugin.manifest.plugin_type == ADAPTER
    }
    return attrs.evolve(
        settings,
        shards=tuple(
            attrs.evolve(shard, plugins=tuple(each for each in shard.plugins if each not in gateways))
            for shard in settings.shards
        ),
        plugins={**settings.plugins, **gateways},
    )


def _planned_shards(settings: Settings) -> Iterable[ShardSettings]:
    """Every shard with what lives in it; all of them where there is no plugin yet."""
    catalog = find_plugins(settings)
    shards = shard_settings(settings, make_plan(settings, catalog))
    if not catalog.plugins:
        return shards
    return tuple(shard for shard in shards if shard.plugins)


def _tireless(shard: ShardSettings, plugin_id: str) -> ShardSettings:
    restart = attrs.evolve(
        shard.restart,
        mode=RestartMode.PERMANENT,
        burst_limit=NO_LIMIT,
        sustained_limit=NO_LIMIT,
        load_fail_limit=NO_LIMIT,
    )
    quarantine = attrs.evolve(
        shard.quarantine,
        crash_limit=float(NO_LIMIT),
        long_crash_limit=float(NO_LIMIT),
        event_max_attempts=100,
    )
    is_job = shard.significance is Significance.ONE_SHOT
    return attrs.evolve(
        shard,
        plugins=(*shard.plugins, plugin_id),
        capacity=None,
        terminal=False,
        autostart=True,
        significance=Significance.OPTIONAL if is_job else shard.significance,
        restart=restart,
        quarantine=quarantine,
    )


def _write_plugin(directory: Path, plugin_id: str) -> None:
    directory.mkdir(parents=True)
    (directory / "plugin.toml").write_text(MANIFEST.format(plugin_id=plugin_id))
    (directory / "plugin.py").write_bytes(_plugin_code().read_bytes())


def _plugin_code() -> Path:
    # As `find_bundled` does: nothing of the runner is imported by the host.
    spec = importlib.util.find_spec("rookery.runner")
    places = (spec and spec.submodule_search_locations) or ()
    return next(code for place in places if (code := Path(place, "bundled", "soak", "plugin.py")).is_file())
