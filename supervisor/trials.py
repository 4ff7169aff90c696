"""What may a plugin do whose newer code is tried beside the code that serves, and what does the host call meanwhile?

Until the newer code is taken, dispatch sees what the older registered; what the newer registers waits. Both act in the
plugin's name, so for that time it may use what either of them may. Of a plugin that is exchanged the other way, first the old
out and then the new in, calls are held back for that time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rookery.protocol import Exchange

    from .granting import Granting
    from .holding import Holding
    from .registry import Registry
    from .shard import Shard


@attrs.define
class _Trial:
    shard: str
    older: tuple[str, ...]
    """What the code that serves has asked for."""
    newer: tuple[str, ...] = ()


class Trials:
    """The plugins of all runners, and which of them have newer code on trial."""

    def __init__(self, registry: Registry, granting: Granting, holding: Holding) -> None:
        self._registry = registry
        self._granting = granting
        self._wanted: dict[str, tuple[str, ...]] = {}
        """What each plugin asked for last."""
        self._trials: dict[str, _Trial] = {}
        self._holding = holding
        self._held: dict[str, str] = {}
        """Plugins that are away in their runner, each with its shard."""

    def __contains__(self, plugin_id: str) -> bool:
        return plugin_id in self._trials

    def grant(self, shard: Shard, plugin_id: str, wanted: Sequence[str]) -> None:
        """A runner introduces a plugin."""
        trial = self._trials.get(plugin_id)
        if trial is None:
            self._wanted[plugin_id] = tuple(wanted)
        else:
            trial.newer = tuple(wanted)
            wanted = (*trial.older, *wanted)
        if wanted:
            self._granting.grant(shard, plugin_id, wanted)
        else:
            self._granting.revoke(shard, plugin_id, "it wants nothing any more")

    def note(self, shard: Shard, exchange: Exchange) -> None:
        """A runner said how far an exchange is. A step that does not follow from the one before changes nothing."""
        plugin_id = exchange.plugin_id
        if exchange.step == "away":
            self._held[plugin_id] = shard.name
            self._holding.hold(plugin_id)
            return
        if exchange.step == "back":
            self._release([plugin_id])
            return
        if exchange.step == "trial":
            if self._registry.registration(plugin_id) is not None:
                self._trials[plugin_id] = _Trial(shard.name, self._wanted.get(plugin_id, ()))
            return
        trial = self._trials.pop(plugin_id, None)
        if trial is None:
            return
        is_taken = exchange.step == "taken"
        self.grant(shard, plugin_id, trial.newer if is_taken else trial.older)
        self._granting.admit(shard, plugin_id)  # it has registered long ago
        if is_taken:
            self._registry.publish([plugin_id], [plugin_id])
        else:
            self._registry.forget_staged([plugin_id])

    def _release(self, plugin_ids: Iterable[str]) -> None:
        for plugin_id in plugin_ids:
            self._held.pop(plugin_id, None)
            self._holding.release(plugin_id)

    def forget(self, shard: str) -> None:
        """The shard's runner is gone."""
        self._release([each for each, holder in self._held.items() if holder == shard])
        self._trials = {each: trial for each, trial in self._trials.items() if trial.shard != shard}
