"""Which gateways has an operator taken off their platforms, and how do they come back?

A plugin that is offline is unloaded, so that its accounts really leave, and the next runners of its shard leave it out. What
is sent through it meanwhile fails as offline. It is forgotten when the host ends.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio

from rookery.protocol import (
    ADAPTER,
    PLUGIN_UNLOAD_BATCH,
    BadPayload,
    RookeryError,
    UnloadAnswer,
    UnloadBatch,
    structure,
    unstructure,
)

from .errors import UsageError
from .shard_state import STARTING, WORKING
from .suggestion import one_of, suggest
from .when_free import when_free

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .shard import Shard
    from .supervisor import Supervisor

OFFLINE_REASON = "local_operator_offline"
ONLINE_REASON = "local_operator_online"
"""As protocol 1.0.0 has them."""

TOLD = "an operator has taken it offline"

UNLOAD_TIMEOUT = 30.0
"""Seconds that a runner has to unload; a gateway says good-bye to its platform meanwhile."""


@attrs.define(kw_only=True)
class AbsenceResult:
    """What came of an order."""

    changed: list[str] = attrs.Factory(list)
    """Plugins that are where they were wanted now and were not before."""
    pending: dict[str, str] = attrs.Factory(dict)
    """Those that will be when their shard has a runner, with a text that says so."""
    failed: dict[str, str] = attrs.Factory(dict)

    def as_json(self) -> dict[str, Any]:
        return {"success": not self.failed, **attrs.asdict(self)}


class Absence:
    """Takes adapters offline and brings them back, one order at a time."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._turn = trio.Lock()
        self._left_out: dict[str, tuple[str, int]] = {}
        """By plugin, the shard and the incarnation of its runner that was told to leave it out."""

    def left_out(self, shard: Shard, incarnation: int) -> dict[str, str]:
        """The plugins that a new runner does not load, and why."""
        offline = self._supervisor.parts.drivers.offline
        found = {plugin_id: TOLD for plugin_id in shard.plugins if plugin_id in offline}
        self._left_out.update(dict.fromkeys(found, (shard.name, incarnation)))
        return found

    async def take_offline(self, plugin_ids: Iterable[str] | None = None) -> AbsenceResult:
        """Unload adapters, and keep them out until they are brought back.

        Args:
            plugin_ids: ``None`` is all that there are.

        Raises:
            UsageError: One of them is no adapter of this bot; nothing was done.
        """
        async with self._turn:
            result = AbsenceResult()
            for plugin_id, shard in self._find(plugin_ids).items():
                is_new = self._supervisor.parts.drivers.take_offline(plugin_id, TOLD)
                if shard.state.value in STARTING:  # it may have been told to load it
                    await shard.state.wait_value(lambda state: state not in STARTING)
                if is_new or plugin_id in shard.loaded:  # an earlier order may have failed
                    await self._unload(plugin_id, shard, result)
            return result

    async def bring_online(self, plugin_ids: Iterable[str] | None = None) -> AbsenceResult:
        """Load adapters again that were taken offline; the arguments as for ``take_offline``."""
        async with self._turn:
            result = AbsenceResult()
            for plugin_id, shard in self._find(plugin_ids).items():
                if self._supervisor.parts.drivers.bring_online(plugin_id):
                    await self._load(plugin_id, shard, result)
            return result

    def _find(self, plugin_ids: Iterable[str] | None) -> dict[str, Shard]:
        """The adapters that are meant, with their shards."""
        installed = self._supervisor.parts.installed
        known = {
            plugin_id: shard
            for shard in self._supervisor.shards.values()
            for plugin_id in shard.plugins
            if plugin_id in installed and installed[plugin_id].manifest.plugin_type == ADAPTER
        }
        if plugin_ids is None:
            return known
        wanted = tuple(dict.fromkeys(plugin_ids))
        for plugin_id in wanted:
            if plugin_id not in known:
                advice = suggest(plugin_id, known) or f"there is {one_of(known) if known else 'none'}"
                raise UsageError(f"{plugin_id!r} is no adapter of this bot; {advice}")
        return {plugin_id: known[plugin_id] for plugin_id in wanted}

    async def _unload(self, plugin_id: str, shard: Shard, result: AbsenceResult) -> None:
        link = shard.link
        if link is None or shard.state.value not in WORKING or plugin_id not in shard.loaded:
            text = f"shard {shard.name!r} is {shard.state.value.value}: its next runner leaves it out"
            result.pending[plugin_id] = text
            return
        order = UnloadBatch(plugin_ids=[plugin_id], reason=OFFLINE_REASON)
        try:
            call = partial(link.call, PLUGIN_UNLOAD_BATCH, unstructure(order), timeout=UNLOAD_TIMEOUT)
            answer = structure(await when_free(call), UnloadAnswer)
        except (BadPayload, RookeryError) as error:
            result.failed[plugin_id] = f"its runner did not unload it: {error}"
            return
        if plugin_id not in answer.unloaded_plugins:
            result.failed[plugin_id] = answer.failed_plugins.get(plugin_id) or "its runner gave no reason"
            return
        shard.loaded = tuple(each for each in shard.loaded if each != plugin_id)
        shard.failed[plugin_id] = TOLD
        result.changed.append(plugin_id)

    async def _load(self, plugin_id: str, shard: Shard, result: AbsenceResult) -> None:
        if self._left_out.pop(plugin_id, None) == (shard.name, shard.incarnation):
            # This runner was told to know nothing of it: only another one can load it.
            shard.restart(ONLINE_REASON)
            result.pending[plugin_id] = f"shard {shard.name!r} starts another runner for it"
            return
        if shard.state.value not in WORKING:
            text = f"shard {shard.name!r} is {shard.state.value.value}: its next runner loads it"
            result.pending[plugin_id] = text
            return
        reloaded = await self._supervisor.reload_plugin(plugin_id, ONLINE_REASON)
        if plugin_id in reloaded.reloaded:
            result.changed.append(plugin_id)
        elif plugin_id in reloaded.pending:
            result.pending[plugin_id] = reloaded.pending[plugin_id]
        else:
            result.failed[plugin_id] = reloaded.failed.get(plugin_id) or "its configuration switches it off"
