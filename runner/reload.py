"""How is a plugin replaced by the newer code on the disk, such that a broken file never costs the running plugin?

New modules are imported while the old plugins still run. Only when every import has succeeded the old ones are unloaded
(dependents first) and the new ones started; when one does not start, the old instances come back. The alternative,
unloading first, loses the plugin for as long as its author needs to find the missing bracket.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import trio

from rookery.protocol import ReloadAnswer, UnloadAnswer

from .dependencies import dependents_of, plan_order, sort_by_needs
from .loader import module_name_of, purge_modules
from .roster import NotLoaded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import ModuleType

    from .discovery import Candidate, Found
    from .loaded import LoadedPlugin
    from .roster import Roster

UNLOAD_GRACE = 5.0
"""Seconds for the running calls and ``on_unload`` of one plugin."""

Modules = dict[str, "ModuleType"]


class Reloader:
    """Replaces plugins of a roster, one request at a time.

    Args:
        discover: Looks at the disk again.
        external: Plugins of other runners as they were known at the start: id to version.
    """

    def __init__(
        self, roster: Roster, discover: Callable[[], Found], external: Mapping[str, str] | None = None
    ) -> None:
        self._roster = roster
        self._discover = discover
        self._external = dict(external or {})
        self._done: trio.Event | None = None

    @property
    def is_running(self) -> bool:
        return self._done is not None

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """While inside, nobody else may come in."""
        self._done = trio.Event()
        try:
            yield
        finally:
            self._done.set()
            self._done = None

    async def wait_done(self) -> None:
        """Wait until nothing is being replaced."""
        if self._done is not None:
            await self._done.wait()

    async def reload(self, plugin_ids: list[str], reason: str, external: Mapping[str, str]) -> ReloadAnswer:
        """Load plugins anew, and everything here that depends on them.

        Args:
            external: What the host knows of other runners' plugins now, over what it said at the start.
        """
        wanted = list(dict.fromkeys(plugin_id.strip() for plugin_id in plugin_ids if plugin_id.strip()))
        found = self._discover()
        targets = dependents_of(wanted, self._needs())
        kept = {
            plugin_id: plugin.version
            for plugin_id, plugin in self._roster.loaded.items()
            if plugin_id not in targets
        }
        failed = {
            plugin_id: found.failed.get(plugin_id, "it is neither loaded nor to be found")
            for plugin_id in targets
            if plugin_id not in found.candidates
        }
        if not failed:
            manifests = {plugin_id: found.candidates[plugin_id].manifest for plugin_id in targets}
            order = plan_order(manifests, {**self._external, **external, **kept})
            failed = order.failed
        if failed or not wanted:
            return _answer(wanted, failed=failed)
        swap = _Swap(self._roster, [found.candidates[plugin_id] for plugin_id in order.sequence], reason)
        return await swap.run(wanted, self._unload_sequence(targets))

    async def unload(self, plugin_ids: list[str], reason: str) -> UnloadAnswer:
        """Unload exactly these plugins, dependents first."""
        wanted = list(dict.fromkeys(plugin_ids))
        here = [plugin_id for plugin_id in wanted if plugin_id in self._roster.loaded]
        failed = {plugin_id: "it is not loaded" for plugin_id in wanted if plugin_id not in here}
        unloaded = []
        for plugin_id in self._unload_sequence(here):
            await self._roster.take_out(plugin_id, grace=UNLOAD_GRACE, dismiss_reason=reason)
            purge_modules(module_name_of(plugin_id))
            unloaded.append(plugin_id)
        return UnloadAnswer(
            success=not failed, requested_plugin_ids=wanted, unloaded_plugins=unloaded, failed_plugins=failed
        )

    def _needs(self) -> dict[str, set[str]]:
        return {
            plugin_id: {wanted.plugin_id for wanted in plugin.manifest.dependencies}
            for plugin_id, plugin in self._roster.loaded.items()
        }

    def _unload_sequence(self, plugin_ids: Iterable[str]) -> list[str]:
        here = set(plugin_ids)
        needs = {plugin_id: needs for plugin_id, needs in self._needs().items() if plugin_id in here}
        return list(reversed(sort_by_needs(needs)))


class _Swap:
    """One exchange of old plugins for new ones."""

    def __init__(self, roster: Roster, candidates: list[Candidate], reason: str) -> None:
        self._roster = roster
        self._candidates = candidates
        self._reason = reason
        self._old_modules: dict[str, Modules] = {}
        self._old_plugins: list[LoadedPlugin] = []
        """In the order of unloading."""

    async def run(self, wanted: list[str], unload: list[str]) -> ReloadAnswer:
        modules, failed = await self._import_all()
        if failed:
            self._restore_modules()
            return _answer(wanted, failed=_with_outcome(failed, "the running version goes on"))
        with self._roster.exchanging(unload):
            return await self._exchange(wanted, unload, modules)

    async def _exchange(self, wanted: list[str], unload: list[str], modules: Modules) -> ReloadAnswer:
        for plugin_id in unload:
            told = "" if self._roster.stays_known(plugin_id) else self._reason
            self._old_plugins.append(
                await self._roster.take_out(plugin_id, grace=UNLOAD_GRACE, dismiss_reason=told)
            )
        started, inactive, failed = await self._start_all(modules)
        if failed:
            lost = await self._roll_back(started)
            outcome = f"not restored: {', '.join(lost)}" if lost else "the previous version was restored"
            return _answer(wanted, failed=_with_outcome(failed, outcome) | lost)
        for plugin_id in inactive:
            await self._roster.dismiss(plugin_id, self._reason)
        return _answer(wanted, reloaded=started, unloaded=unload, inactive=inactive)

    async def _import_all(self) -> tuple[Modules, dict[str, str]]:
        modules: Modules = {}
        for candidate in self._candidates:
            plugin_id = candidate.plugin_id
            self._old_modules[plugin_id] = purge_modules(module_name_of(plugin_id))
            try:
                modules[plugin_id] = await self._roster.import_code(candidate)
            except NotLoaded as error:
                return modules, {plugin_id: error.reason}
        return modules, {}

    async def _start_all(self, modules: Modules) -> tuple[list[str], list[str], dict[str, str]]:
        started: list[str] = []
        inactive: list[str] = []
        for candidate in self._candidates:
            plugin_id = candidate.plugin_id
            asleep = [
                need.plugin_id for need in candidate.manifest.dependencies if need.plugin_id in inactive
            ]
            try:
                if asleep:
                    raise NotLoaded(f"needs the plugin {asleep[0]}, which is switched off", is_inactive=True)
                await self._roster.bring_in(candidate, modules[plugin_id])
            except NotLoaded as error:
                if not error.is_inactive:
                    return started, inactive, {plugin_id: error.reason}
                inactive.append(plugin_id)
            else:
                started.append(plugin_id)
        return started, inactive, {}

    async def _roll_back(self, started: list[str]) -> dict[str, str]:
        """Bring the old instances back; return those that did not come, with the reason."""
        for plugin_id in reversed(started):
            await self._roster.take_out(
                plugin_id, grace=UNLOAD_GRACE, dismiss_reason=f"{self._reason}_rollback_cleanup"
            )
        self._restore_modules()
        lost = {}
        for plugin in reversed(self._old_plugins):
            try:
                await self._roster.start(plugin)
            except NotLoaded as error:
                lost[plugin.plugin_id] = f"its previous version could not be restored: {error.reason}"
        return lost

    def _restore_modules(self) -> None:
        for plugin_id, modules in self._old_modules.items():
            purge_modules(module_name_of(plugin_id))
            sys.modules.update(modules)


def _with_outcome(failed: dict[str, str], outcome: str) -> dict[str, str]:
    return {plugin_id: f"{reason} ({outcome})" for plugin_id, reason in failed.items()}


def _answer(
    wanted: list[str],
    *,
    failed: dict[str, str] | None = None,
    reloaded: list[str] | None = None,
    unloaded: list[str] | None = None,
    inactive: list[str] | None = None,
) -> ReloadAnswer:
    return ReloadAnswer(
        success=not failed,
        requested_plugin_id=wanted[0] if len(wanted) == 1 else "",
        requested_plugin_ids=wanted,
        reloaded_plugins=reloaded or [],
        unloaded_plugins=unloaded or [],
        inactive_plugins=inactive or [],
        failed_plugins=failed or {},
    )
