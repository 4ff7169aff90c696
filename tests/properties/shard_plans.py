"""With which settings does a program of the state machine begin? Small numbers, so that a few steps reach every limit."""

from __future__ import annotations

import attrs
from hypothesis import strategies as st

from rookery.supervisor.health import HealthPolicy
from rookery.supervisor.limits import ShardLimits
from rookery.supervisor.quarantine import QuarantinePolicy
from rookery.supervisor.restart import RestartMode, RestartPolicy
from rookery.supervisor.settings import ShardSettings, ShardTimeouts
from rookery.supervisor.strategy import AutoShutdown, GroupSettings, Significance, Strategy
from tests.properties.shard_puppet import MIB
from tests.properties.shard_stage import Plan

PLUGINS = ("test.one", "test.two")

HEALTH = HealthPolicy(hang_timeout=8.0, unkillable_timeout=10.0)

QUARANTINE = QuarantinePolicy(crash_limit=2.0, quarantine_base=5.0, quarantine_max=20.0)

quarantines = st.sampled_from([QUARANTINE, attrs.evolve(QUARANTINE, max_fraction=0.0)])
"""With and without carrying plugins away."""

restarts = st.builds(
    RestartPolicy,
    mode=st.sampled_from([*[RestartMode.PERMANENT] * 3, RestartMode.TRANSIENT, RestartMode.TEMPORARY]),
    backoff_base=st.sampled_from([0.5, 2.0]),
    backoff_max=st.sampled_from([4.0, 2.0]),
    backoff_jitter=st.sampled_from([0.5, 0.0]),
    backoff_reset=st.sampled_from([8.0, 20.0]),
    burst_limit=st.sampled_from([2, 0, 1, 20]),
    burst_window=st.sampled_from([8.0, 20.0]),
    sustained_limit=st.sampled_from([20, 3]),
    sustained_window=st.just(40.0),
    failed_retry=st.sampled_from([12.0, 0.0]),
    failed_retry_max=st.just(40.0),
    load_fail_limit=st.sampled_from([2, 1]),
)

timeouts = st.builds(
    ShardTimeouts,
    hello=st.just(2.0),
    load=st.just(5.0),
    plugin_load=st.just(3.0),
    start_max=st.sampled_from([12.0, 5.0]),
    drain=st.sampled_from([4.0, 0.0]),
    term_grace=st.sampled_from([1.0, 0.0]),
    kill_wait=st.sampled_from([1.0, 0.0]),
)

limits = st.builds(
    ShardLimits,
    rss_soft=st.sampled_from([100 * MIB, 0]),
    rss_hard=st.sampled_from([200 * MIB, 0]),
    max_dispatches=st.sampled_from([0, 0, 2]),
    max_age=st.sampled_from([0.0, 0.0, 20.0]),
)

groups = st.builds(
    GroupSettings,
    strategy=st.sampled_from(
        [*[Strategy.ONE_FOR_ONE] * 3, Strategy.REST_FOR_ONE, Strategy.ONE_FOR_ALL],
    ),
    restart_limit=st.sampled_from([1, 0]),
    auto_shutdown=st.sampled_from(list(AutoShutdown)),
    start_concurrency=st.sampled_from([1, 2]),
    start_stagger=st.just(0.0),
)


@st.composite
def _shards(draw: st.DrawFn, name: str, *, autostarts: list[bool]) -> ShardSettings:
    restart = draw(restarts)
    significances = [Significance.OPTIONAL, Significance.OPTIONAL]
    if restart.mode is not RestartMode.TEMPORARY:
        significances.append(Significance.REQUIRED)
    if restart.mode is not RestartMode.PERMANENT:
        significances.append(Significance.ONE_SHOT)
    return ShardSettings(
        name=name,
        autostart=draw(st.sampled_from(autostarts)),
        restart=restart,
        quarantine=draw(quarantines),
        timeouts=draw(timeouts),
        health=HEALTH,
        limits=draw(limits),
        significance=draw(st.sampled_from(significances)),
    )


@st.composite
def _plans(draw: st.DrawFn) -> Plan:
    shards: list[tuple[ShardSettings, tuple[str, ...]]] = [
        (draw(_shards("a", autostarts=[True, True, False])), PLUGINS)
    ]
    if draw(st.booleans()):
        shards.append((draw(_shards("b", autostarts=[False, True])), ("test.three",)))
    return Plan(
        shards=tuple(shards),
        group=draw(groups),
        chance=draw(st.sampled_from([0.0, 0.5, 1.0])),
        comes_up=draw(st.booleans()),
    )


plans = _plans()
"""One shard or two, of one group."""
