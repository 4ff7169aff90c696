"""How is a plugin replaced by the newer code on the disk, such that a broken file never costs the running plugin?

What is asked for, and everything here that depends on it, is cut into groups that have nothing to do with each other. Each
group is exchanged as a whole (``exchange.py``), and one that fails keeps no other from succeeding.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import trio

from rookery.protocol import ReloadAnswer, UnloadAnswer

from .dependencies import dependents_of, groups_of, plan_order, sort_by_needs
from .exchange import GOES_ON, UNLOAD_GRACE, Exchange, Exchanged
from .loader import module_name_of, purge_modules
from .roster import NotLoaded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from .discovery import Candidate, Found
    from .loaded import LoadedPlugin
    from .roster import Roster


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
        total = Exchanged()
        for group in groups_of(targets, self._needs_with(found.candidates)):
            exchanged = await self._exchange(group, found, {**self._external, **external}, reason)
            total.reloaded += exchanged.reloaded
            total.unloaded += exchanged.unloaded
            total.inactive += exchanged.inactive
            total.failed |= exchanged.failed
        self._roster.say_loaded()
        return ReloadAnswer(
            success=not total.failed,
            requested_plugin_id=wanted[0] if len(wanted) == 1 else "",
            requested_plugin_ids=wanted,
            reloaded_plugins=total.reloaded,
            unloaded_plugins=total.unloaded,
            inactive_plugins=total.inactive,
            failed_plugins=total.failed,
        )

    async def _exchange(
        self, group: list[str], found: Found, external: Mapping[str, str], reason: str
    ) -> Exchanged:
        loaded = self._roster.loaded
        kept = {plugin_id: plugin.version for plugin_id, plugin in loaded.items() if plugin_id not in group}
        failed = {
            plugin_id: found.failed.get(plugin_id, "it is neither loaded nor to be found")
            for plugin_id in group
            if plugin_id not in found.candidates
        }
        if not failed:
            manifests = {plugin_id: found.candidates[plugin_id].manifest for plugin_id in group}
            order = plan_order(manifests, {**external, **kept})
            failed = order.failed
        if failed:
            blocks = ", ".join(sorted(failed))
            texts = {each: failed.get(each, f"it is exchanged with {blocks}, which failed") for each in group}
            return Exchanged(
                failed={
                    each: f"{text} ({GOES_ON})" if each in loaded else text for each, text in texts.items()
                }
            )
        candidates = [found.candidates[plugin_id] for plugin_id in order.sequence]
        return await Exchange(self._roster, candidates, self._unload_sequence(group), reason).run()

    async def make_to_look_at(self, plugin_id: str) -> LoadedPlugin:
        """A plugin that is not loaded, imported and made but not started; its modules are the caller's to purge.

        Raises:
            NotLoaded: There is none, or its code fails; nothing of it is left.
        """
        found = self._discover()
        if plugin_id not in found.candidates:
            raise NotLoaded(found.failed.get(plugin_id, f"the plugin {plugin_id!r:.100} is not here"))
        candidate = found.candidates[plugin_id]
        try:
            module = await self._roster.import_code(candidate)
        finally:
            self._roster.say_loaded()
        return self._roster.make(candidate, module, to_look_at=True)

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

    def _needs_with(self, candidates: Mapping[str, Candidate]) -> dict[str, set[str]]:
        """What plugins need as they are, and as they are to be."""
        needs = self._needs()
        for plugin_id, candidate in candidates.items():
            needs.setdefault(plugin_id, set()).update(
                wanted.plugin_id for wanted in candidate.manifest.dependencies
            )
        return needs

    def _unload_sequence(self, plugin_ids: Iterable[str]) -> list[str]:
        here = set(plugin_ids)
        needs = {plugin_id: needs for plugin_id, needs in self._needs().items() if plugin_id in here}
        return list(reversed(sort_by_needs(needs)))
