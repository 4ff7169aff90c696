"""How do newer plugins take the place of older ones that work, such that code which fails never costs what works?

A group is exchanged as a whole: plugins that need each other, each behind what it needs. All of it is imported and made
while the old plugins work, and nothing is done to them before that has succeeded. Then there are two ways.

*Beside each other*, the usual one: the new plugins run their ``on_load`` while the old ones still take the calls. When all
have come up, they take over in one step, no call waits, and the old ones finish what they have and run their ``on_unload``,
dependents first. When one fails, the new ones are dropped and nothing has happened to the old: not even their
``on_unload`` has run.

*In turn*, where two cannot be at once (a gateway, a plugin whose ``overlaps`` is False, a host that cannot keep two
registrations apart): the old ones end first, and calls wait for the new ones. When one of these fails, the old instances
are started again; their ``on_unload`` and ``on_load`` have run then.

To start a copy of each plugin in a process of its own, and keep it when it works, was rejected: its memory, its sockets and
its place in the conversations would have to move.

While new code is tried, the names of its modules mean the new modules. A function of the old code that imports a neighbour
only when it is called may then get the new one.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import attrs

from .loader import module_name_of, purge_modules
from .roster import NotLoaded

if TYPE_CHECKING:
    from types import ModuleType

    from .discovery import Candidate
    from .loaded import LoadedPlugin
    from .roster import Roster

UNLOAD_GRACE = 5.0
"""Seconds for the running calls and ``on_unload`` of one plugin."""

GOES_ON = "the running version goes on"


@attrs.define
class Exchanged:
    """What became of one group."""

    reloaded: list[str] = attrs.Factory(list)
    unloaded: list[str] = attrs.Factory(list)
    inactive: list[str] = attrs.Factory(list)
    failed: dict[str, str] = attrs.Factory(dict)


class Exchange:
    """One exchange of a group.

    Args:
        candidates: The new plugins, each behind what it needs.
        unload: Those of them that are loaded, dependents first.
        reason: What the host is told about those that go.
    """

    def __init__(self, roster: Roster, candidates: list[Candidate], unload: list[str], reason: str) -> None:
        self._roster = roster
        self._candidates = candidates
        self._unload = unload
        self._reason = reason
        self._old_modules: dict[str, dict[str, ModuleType]] = {}
        self._inactive: list[str] = []

    async def run(self) -> Exchanged:
        """Exchange them. Raises nothing that a plugin could cause."""
        made: list[LoadedPlugin] = []
        for candidate in self._candidates:
            try:
                made += await self._make(candidate)
            except NotLoaded as error:
                self._restore_modules()
                return self._failed(candidate.plugin_id, error, GOES_ON if self._unload else "")
        loaded = self._roster.loaded
        if all(self._roster.may_overlap(plugin) for plugin in made if plugin.plugin_id in loaded):
            return await self._beside(made)
        with self._roster.exchanging(self._unload):
            return await self._in_turn(made)

    # --- before anything is done to the old --------------------------------------------------------------------

    async def _make(self, candidate: Candidate) -> list[LoadedPlugin]:
        """The new instance; none when it is switched off, or needs one that is."""
        plugin_id = candidate.plugin_id
        self._old_modules[plugin_id] = purge_modules(module_name_of(plugin_id))
        if any(need.plugin_id in self._inactive for need in candidate.manifest.dependencies):
            self._inactive.append(plugin_id)
            return []
        try:
            return [self._roster.make(candidate, await self._roster.import_code(candidate))]
        except NotLoaded as error:
            if not error.is_inactive:
                raise
            self._inactive.append(plugin_id)
            return []

    # --- beside each other -------------------------------------------------------------------------------------

    async def _beside(self, made: list[LoadedPlugin]) -> Exchanged:
        roster = self._roster
        started: list[LoadedPlugin] = []
        newer = [plugin for plugin in made if plugin.plugin_id in roster.loaded]
        for plugin in made:
            try:
                await (roster.start_beside(plugin) if plugin in newer else roster.start(plugin))
            except NotLoaded as error:
                await self._drop(started)
                self._restore_modules()
                return self._failed(plugin.plugin_id, error, GOES_ON if self._unload else "")
            started.append(plugin)
        if any(plugin.plugin_id not in roster.loaded for plugin in newer):  # this runner has begun to leave
            await self._drop(started)
            return self._failed(newer[0].plugin_id, NotLoaded("this runner is shutting down"), "")
        older = [roster.swap(plugin) for plugin in newer]
        self._upgrade_files(made)
        for plugin in reversed(older):
            await roster.retire(plugin, grace=UNLOAD_GRACE)
        for plugin_id in self._unload:
            if plugin_id in self._inactive:
                await roster.take_out(plugin_id, grace=UNLOAD_GRACE, dismiss_reason=self._reason)
        return Exchanged([plugin.plugin_id for plugin in made], self._unload, self._inactive)

    async def _drop(self, started: list[LoadedPlugin]) -> None:
        for plugin in reversed(started):
            if self._roster.loaded.get(plugin.plugin_id) is plugin:
                await self._roster.take_out(
                    plugin.plugin_id, grace=UNLOAD_GRACE, dismiss_reason=f"{self._reason}_rollback_cleanup"
                )
            else:
                await self._roster.drop(plugin)

    # --- in turn -----------------------------------------------------------------------------------------------

    async def _in_turn(self, made: list[LoadedPlugin]) -> Exchanged:
        roster = self._roster
        older: list[LoadedPlugin] = []
        for plugin_id in self._unload:
            roster.say_away(plugin_id)
        for plugin_id in self._unload:
            told = "" if roster.stays_known(plugin_id) else self._reason
            older.append(await roster.take_out(plugin_id, grace=UNLOAD_GRACE, dismiss_reason=told))
        started: list[str] = []
        for plugin in made:
            try:
                await roster.start(plugin)
            except NotLoaded as error:
                return await self._roll_back(started, older, plugin.plugin_id, error)
            started.append(plugin.plugin_id)
        self._upgrade_files(made)
        for plugin_id in self._inactive:
            await roster.dismiss(plugin_id, self._reason)
        return Exchanged(started, self._unload, self._inactive)

    async def _roll_back(
        self, started: list[str], older: list[LoadedPlugin], failed: str, error: NotLoaded
    ) -> Exchanged:
        for plugin_id in reversed(started):
            reason = f"{self._reason}_rollback_cleanup"
            await self._roster.take_out(plugin_id, grace=UNLOAD_GRACE, dismiss_reason=reason)
        self._restore_modules()
        lost: dict[str, str] = {}
        for plugin in reversed(older):
            try:
                await self._roster.start(plugin)
            except NotLoaded as again:
                lost[plugin.plugin_id] = f"its previous version could not be restored: {again.reason}"
        outcome = f"not restored: {', '.join(lost)}" if lost else "the previous version was restored"
        exchanged = self._failed(failed, error, outcome if older else "")
        exchanged.failed |= {plugin_id: text for plugin_id, text in lost.items() if plugin_id != failed}
        return exchanged

    # --- inside ------------------------------------------------------------------------------------------------

    def _upgrade_files(self, made: list[LoadedPlugin]) -> None:
        """All of the group is up. Not one after the other as they come up: those that a neighbour's failure brings back would
        find a file that they cannot read."""
        for plugin in made:
            self._roster.upgrade_file(plugin)

    def _failed(self, plugin_id: str, error: NotLoaded, outcome: str) -> Exchanged:
        """The one that failed, and those that were to be exchanged with it."""
        texts = {plugin_id: error.reason} | {
            other.plugin_id: f"the plugin {plugin_id}, which is exchanged with it, failed"
            for other in self._candidates
            if other.plugin_id != plugin_id
        }
        end = f" ({outcome})" if outcome else ""
        return Exchanged(failed={each: f"{text}{end}" for each, text in texts.items()})

    def _restore_modules(self) -> None:
        for plugin_id, modules in self._old_modules.items():
            purge_modules(module_name_of(plugin_id))
            sys.modules.update(modules)
