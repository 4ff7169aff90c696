"""Which deployment does a seed make: shards, plugins, groups, policies, and which shards nothing is done to?"""

from __future__ import annotations

import random
from pathlib import Path

import attrs

from rookery.protocol.manifest import Manifest
from rookery.supervisor.catalog import Catalog, InstalledPlugin, Source
from rookery.supervisor.health import HealthPolicy
from rookery.supervisor.quarantine import QuarantinePolicy
from rookery.supervisor.restart import RestartMode, RestartPolicy
from rookery.supervisor.settings import (
    OnUnavailable,
    PipelineSettings,
    Settings,
    ShardSettings,
    ShardTimeouts,
)
from rookery.supervisor.strategy import GroupSettings, Significance, Strategy

NOWHERE = Path("/nowhere/simulated")

CALM = "calm"
"""The group of the shards to which nothing is done."""


@attrs.frozen(kw_only=True)
class Plan:
    """One deployment."""

    settings: Settings
    catalog: Catalog
    spared: frozenset[str]
    """Shards to which nothing is done; whatever fails there is the host's fault."""


def make_plan(chance: random.Random) -> Plan:
    """Draw a deployment."""
    count = chance.randint(2, 6)
    spared = frozenset(f"s{number}" for number in range(1 if count < 4 else 2))
    groups = (
        GroupSettings(
            strategy=chance.choice((Strategy.ONE_FOR_ONE, Strategy.ONE_FOR_ONE, *Strategy)),
            start_concurrency=chance.randint(1, 4),
            restart_limit=1000,
        ),
        GroupSettings(name=CALM),
    )
    shards = tuple(_shard(chance, f"s{number}", is_spared=f"s{number}" in spared) for number in range(count))
    plugins = [plugin_id for shard in shards for plugin_id in shard.plugins]
    settings = Settings(
        path=NOWHERE / "rookery.toml",
        name="sim",
        state_dir=NOWHERE / "state",
        groups=groups,
        shards=shards,
        pipeline=PipelineSettings(
            on_unavailable=OnUnavailable.SKIP if chance.random() < 0.1 else OnUnavailable.WAIT
        ),
    )
    catalog = Catalog(
        plugins={
            plugin_id: InstalledPlugin(
                manifest=Manifest(plugin_id=plugin_id, version="1.0.0", name=plugin_id),
                path=NOWHERE / plugin_id,
                source=Source.DIRECTORY,
            )
            for plugin_id in plugins
        }
    )
    return Plan(settings=settings, catalog=catalog, spared=spared)


def _shard(chance: random.Random, name: str, *, is_spared: bool) -> ShardSettings:
    plugins = tuple(f"sim.{name}-{letter}" for letter in "abc"[: chance.randint(1, 3)])
    if is_spared:
        return ShardSettings(name=name, plugins=plugins, group=CALM, timeouts=_timeouts(chance))
    significance = Significance.REQUIRED if chance.random() < 0.1 else Significance.OPTIONAL
    return ShardSettings(
        name=name,
        plugins=plugins,
        significance=significance,
        autostart=chance.random() > 0.05,
        restart=_restart(chance, significance),
        quarantine=QuarantinePolicy(
            crash_limit=chance.choice((2.0, 3.0)),
            quarantine_base=chance.choice((2.0, 10.0)),
            quarantine_max=20.0,
        ),
        timeouts=_timeouts(chance),
        health=HealthPolicy(
            hang_timeout=chance.choice((5.0, 15.0)), unkillable_timeout=chance.choice((2.0, 10.0, 30.0))
        ),
        max_inflight=chance.choice((1, 4, 16, 64)),
        queue_limit=chance.choice((3, 20, 1000)),
    )


def _restart(chance: random.Random, significance: Significance) -> RestartPolicy:
    modes = [RestartMode.PERMANENT] * 8 + [RestartMode.TRANSIENT]
    if significance is not Significance.REQUIRED:
        modes.append(RestartMode.TEMPORARY)
    return RestartPolicy(
        mode=chance.choice(modes),
        backoff_base=chance.choice((0.1, 0.25, 1.0)),
        backoff_max=chance.choice((2.0, 5.0)),
        backoff_jitter=chance.choice((0.0, 0.5, 1.0)),
        backoff_reset=chance.choice((10.0, 60.0)),
        burst_limit=chance.choice((2, 5)),
        burst_window=chance.choice((20.0, 60.0)),
        sustained_limit=chance.choice((8, 20)),
        sustained_window=chance.choice((120.0, 3600.0)),
        failed_retry=chance.choice((5.0, 15.0)),
        failed_retry_max=15.0,
        load_fail_limit=chance.choice((1, 2)),
    )


def _timeouts(chance: random.Random) -> ShardTimeouts:
    return ShardTimeouts(
        hello=5.0,
        load=chance.choice((10.0, 30.0)),
        plugin_load=chance.choice((5.0, 20.0)),
        start_max=60.0,
        drain=chance.choice((1.0, 5.0, 20.0)),
        term_grace=chance.choice((0.5, 5.0)),
        kill_wait=chance.choice((0.5, 2.0)),
    )
