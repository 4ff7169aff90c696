"""How is the status of a running deployment taken?"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import attrs
import trio

from .actions import APPLICATION
from .connection_status import take_connection_status
from .log_file import LogState
from .platform.platform_status import take_platform_status
from .shard_state import ShardState
from .start_mode import TRUSTED
from .status import GatewayStatus, QuarantineStatus, ShardStatus, Status

if TYPE_CHECKING:
    from .shard import Shard
    from .supervisor import Supervisor
    from .wiring import Parts


def take_status(supervisor: Supervisor) -> Status:
    """A snapshot of everything. Never blocks."""
    now = trio.current_time()
    parts = supervisor.parts
    uptime = now - supervisor.started
    return Status(
        name=supervisor.settings.name,
        pid=os.getpid(),
        version=supervisor.host_version,
        config=str(supervisor.settings.path),
        started_at=time.time() - uptime,
        uptime=uptime,
        state=_state(supervisor),
        shards=tuple(_status_of(shard, supervisor, now) for shard in supervisor.shards.values()),
        gateways=tuple(
            GatewayStatus(
                plugin_id=driver.plugin_id,
                gateway=driver.gateway,
                platform=driver.key.platform,
                account_id=driver.key.account_id,
                scope=driver.key.scope,
            )
            for driver in parts.routes.drivers
        ),
        platform=take_platform_status(parts),
        counters=attrs.asdict(parts.counters, filter=attrs.filters.exclude("latencies")),
        quarantine=tuple(
            QuarantineStatus(
                plugin_id=plugin_id,
                shard=kept.shard,
                left=max(0.0, kept.until - now),
                reason=kept.reason,
            )
            for plugin_id, kept in supervisor.court.kept_out.items()
        ),
        dead_letters=supervisor.dead_letters.count,
        logs=LogState() if supervisor.log_file is None else supervisor.log_file.state,
        shadowed_commands=tuple(
            f"{each.name!r} calls {each.by.full_name}, not {each.command.full_name}"
            for each in parts.registry.commands.shadowed
        ),
        components=parts.queries.counts().summary,
        shadowed=_shadowed(parts),
        circuits=parts.breaker.open_circuits(now),
        held=_held(supervisor),
        custody=dict(supervisor.custody.means),
    )


def _held(supervisor: Supervisor) -> dict[str, tuple[str, ...]]:
    parts = supervisor.parts
    strangers = [
        plugin_id
        for shard in supervisor.shards.values()
        if shard.settings.trust != TRUSTED
        for plugin_id in shard.plugins
    ]
    found = {each: parts.approvals.held(each, parts.declared.get(each, ())) for each in strangers}
    return {plugin_id: names for plugin_id, names in found.items() if names}


def _shadowed(parts: Parts) -> tuple[str, ...]:
    tools = [
        f"{name!r} is {winner.full_name}, not {loser.full_name}"
        for name, loser, winner in parts.toolbox.shadowed
    ]
    by_us = [
        f"{each.name!r} is an action of {each.by}, not {each.full_name}"
        for each in parts.actions.shadowed
        if each.by == APPLICATION
    ]
    return (*tools, *by_us)


def _state(supervisor: Supervisor) -> str:
    if supervisor.is_stopping:
        return "stopping"
    if all(shard.state.value is ShardState.READY for shard in supervisor.shards.values()):
        return "running"
    return "degraded" if supervisor.parts.inbox.is_open else "starting"


def _status_of(shard: Shard, supervisor: Supervisor, now: float) -> ShardStatus:
    queue, in_flight = supervisor.parts.dispatcher.load_of(shard.name)
    return ShardStatus(
        name=shard.name,
        incarnation=shard.incarnation,
        pid=shard.pid,
        state=shard.state.value.value,
        since=now - (shard.since or supervisor.started),  # one that waits for its first start has not moved
        reason=shard.reason,
        restarts=shard.restarts,
        plugins=shard.loaded or shard.plugins,
        failed_plugins=dict(shard.failed),
        queue=queue,
        in_flight=in_flight,
        trust=shard.settings.trust,
        last_exit=shard.last_exit.describe() if shard.last_exit else None,
        group=shard.settings.group,
        significance=shard.settings.significance.value,
        failures=shard.history.failures,
        flaps=supervisor.parts.counters.of_shard(shard.name).flaps,
        counted=len(shard.history.deaths),
        rss=shard.rss,
        lost=shard.lost_pids,
        **_isolation_of(shard, supervisor),
        runner=shard.settings.runner,
        dropped_lines=supervisor.log_sink.dropped_of(shard.name),
        connection=take_connection_status(shard, supervisor.parts.counters.of_shard(shard.name)),
        next_start=None if shard.next_start is None else max(0.0, shard.next_start - now),
    )


def _isolation_of(shard: Shard, supervisor: Supervisor) -> dict[str, Any]:
    reached = supervisor.confiner.reached.get(shard.name)
    if reached is not None:
        profile, mechanisms = reached.profile.value, reached.mechanisms
        return {"isolation": profile, "mechanisms": mechanisms, "is_weaker": reached.is_weaker}
    return {"isolation": "none" if shard.incarnation else shard.settings.isolation.value}
