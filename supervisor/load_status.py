"""Is a plugin loaded, and if not, why not?"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import attrs

from .shard_state import HAS_LOADED, ShardState

if TYPE_CHECKING:
    from .shard import Shard
    from .supervisor import Supervisor

_NOT_COMING = frozenset({ShardState.FAILED, ShardState.STOPPED, ShardState.DISABLED})


class LoadState(StrEnum):
    """What has become of a plugin."""

    SUCCESS = "success"
    """It works, perhaps in an older version than that on the disk."""
    FAILED = "failed"
    INACTIVE = "inactive"
    """It is switched off, or needs one that is."""
    LOADING = "loading"
    """Its shard is on the way."""


@attrs.frozen(kw_only=True)
class LoadStatus:
    """One plugin at one moment."""

    state: LoadState
    shard: str
    """"" for a plugin that no shard holds."""
    reason: str = ""
    """Why it is not loaded; for one that works, why its latest reload failed."""


def load_statuses(supervisor: Supervisor) -> dict[str, LoadStatus]:
    """Of every installed plugin, by id, over all shards."""
    statuses = {
        plugin_id: LoadStatus(
            state=LoadState.INACTIVE, shard="", reason="it is switched off in the configuration"
        )
        for plugin_id in supervisor.parts.installed
    }
    kept_out = supervisor.court.kept_out
    for shard in supervisor.shards.values():
        for plugin_id in shard.plugins:
            if plugin_id in kept_out:
                reason = f"it is in quarantine: {kept_out[plugin_id].reason}"
                statuses[plugin_id] = LoadStatus(state=LoadState.FAILED, shard=shard.name, reason=reason)
            else:
                statuses[plugin_id] = _status_of(
                    plugin_id, shard, supervisor.reloading.failures.get(plugin_id, "")
                )
    return dict(sorted(statuses.items()))


def failure_reasons(supervisor: Supervisor) -> dict[str, str]:
    """Why plugins are not loaded, and why the newer code of those that are was not taken; by id."""
    told = {LoadState.FAILED, LoadState.SUCCESS}
    statuses = load_statuses(supervisor).items()
    return {each: status.reason for each, status in statuses if status.state in told and status.reason}


def _status_of(plugin_id: str, shard: Shard, reload_failure: str) -> LoadStatus:
    state = shard.state.value
    if plugin_id in shard.loaded:
        return LoadStatus(state=LoadState.SUCCESS, shard=shard.name, reason=reload_failure)
    if plugin_id in shard.failed:
        return LoadStatus(state=LoadState.FAILED, shard=shard.name, reason=shard.failed[plugin_id])
    if state in HAS_LOADED:
        reason = "it, or what it needs, is switched off"
        return LoadStatus(state=LoadState.INACTIVE, shard=shard.name, reason=reason)
    reason = f"shard {shard.name!r} is {state.value}"
    if shard.reason:
        reason += f": {shard.reason}"
    found = LoadState.FAILED if state in _NOT_COMING else LoadState.LOADING
    return LoadStatus(state=found, shard=shard.name, reason=reason)
