"""How are plugins reloaded over the whole tree: which runners are asked, in which order, and what came of it?

One order at a time, and none is given up half-way: it is carried out here and not in the task of whoever gave it. A plugin is
reloaded after what it needs, and everything that needs it is reloaded after it, in whichever shard that lives. Within a runner
plugins that need each other are exchanged as one (``rookery.runner.exchange``). From one runner to the next there is no way
back: what needs a plugin of another shard goes on in its running version when its own reload fails, and the order says so.

To unload the dependents in other shards first was rejected. They reach what they need by the host alone, which knows one
version of it or the other at every moment; unloaded, they would be missing for as long as the reload takes.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import attrs
import trio

from rookery.protocol import (
    PLUGIN_RELOAD_BATCH,
    BadPayload,
    ReloadAnswer,
    ReloadBatch,
    RookeryError,
    satisfies,
    structure,
    unstructure,
)
from rookery.sharding import sort_after

from .observers import PluginReloaded, PluginReloadFailed
from .plugin_directory import find_manifest, read_plugin
from .reload_result import ReloadResult
from .shard_state import STARTING, WORKING, ShardState
from .suggestion import one_of, suggest
from .when_free import when_free

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rookery.protocol import Manifest

    from .shard import Shard
    from .supervisor import Supervisor

BY_WATCHER = "file_watcher"
"""The reason of orders that nobody has given but a saved file."""

UNLOAD_TIME = 5.0
"""Seconds that a runner gives one plugin to unload."""

SPARE_TIME = 10.0
"""Seconds beyond what the plugins may take, until a runner that does not answer is taken for lost."""

ENDED = frozenset({ShardState.FAILED, ShardState.STOPPED, ShardState.DISABLED})


@attrs.define(eq=False)
class _Order:
    plugin_ids: tuple[str, ...]
    reason: str
    result: ReloadResult | None = None
    done: trio.Event = attrs.Factory(trio.Event)


class Reloading:
    """Carries out orders to reload plugins."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._send, self._receive = trio.open_memory_channel[_Order](float("inf"))  # people, and one watcher
        self._open: list[_Order] = []
        """Those that somebody waits for."""
        self._not_begun: dict[tuple[tuple[str, ...], str], _Order] = {}
        """By plugins and reason."""
        self.failures: dict[str, str] = {}
        """Plugins whose latest reload failed, with the reason; their running version may go on."""

    async def run(self) -> None:
        """Carry out orders until cancelled; who still waits is told that the host stops."""
        try:
            async for order in self._receive:
                del self._not_begun[order.plugin_ids, order.reason]
                order.result = await self._work(order)
                order.done.set()
        finally:
            for order in self._open:
                order.result = order.result or _refused(order.plugin_ids)
                order.done.set()

    async def reload(self, plugin_ids: Iterable[str] | None = None, reason: str = "manual") -> ReloadResult:
        """Reload plugins and what needs them. A cancel gives up waiting, not the reload; an order that waits is not given twice.

        Args:
            plugin_ids: In this order, as far as their dependencies allow; ``None`` is all.
            reason: For the logs of the runners and the observers.
        """
        if plugin_ids is None:
            plugin_ids = [each for shard in self._supervisor.shards.values() for each in shard.plugins]
        wanted = tuple(dict.fromkeys(text for each in plugin_ids if (text := each.strip())))
        if self._supervisor.is_stopping:
            return _refused(wanted)
        order = self._not_begun.get((wanted, reason))
        if order is None:
            order = self._not_begun[wanted, reason] = _Order(wanted, reason)
            self._send.send_nowait(order)
        self._open.append(order)
        try:
            await order.done.wait()
        finally:
            self._open.remove(order)
        assert order.result is not None
        return order.result

    # --- an order ----------------------------------------------------------------------------------------------

    async def _work(self, order: _Order) -> ReloadResult:
        result = ReloadResult(requested=order.plugin_ids)
        homes = {each: shard for shard in self._supervisor.shards.values() for each in shard.plugins}
        roots = []
        for plugin_id in order.plugin_ids:
            if plugin_id in homes:
                roots.append(plugin_id)
            else:
                result.failed[plugin_id] = self._why_unknown(plugin_id, homes)
        needs = self._needs(homes)
        targets = self._without_offline(_dependents(roots, needs), result)
        fresh = self._read_manifests(targets, result)
        for shard, batch in _batches(targets, needs, homes):
            there = [each for each in batch if each in fresh and self._may_go(each, roots, needs, result)]
            for plugin_id in list(there):
                if complaint := self._complaint_elsewhere(fresh[plugin_id], shard, homes, fresh):
                    there.remove(plugin_id)
                    result.failed[plugin_id] = complaint
            if there:
                declared = self._declare({each: fresh[each] for each in there})
                await self._reload_in(shard, there, order.reason, result)
                self._take_manifests(shard, fresh, there, declared, result)
        self._tell(homes, order.reason, result)
        return result

    def _without_offline(self, targets: list[str], result: ReloadResult) -> list[str]:
        """Those that no operator has taken off their platforms: a reload brings nobody back."""
        offline = self._supervisor.parts.drivers.offline
        for plugin_id in targets:
            if plugin_id in offline:
                result.pending[plugin_id] = f"{offline[plugin_id]}: `rookery online` loads its newer code"
        return [plugin_id for plugin_id in targets if plugin_id not in offline]

    def _why_unknown(self, plugin_id: str, homes: dict[str, Shard]) -> str:
        if plugin_id in self._supervisor.parts.installed:
            return "it is switched off in the configuration"
        advice = suggest(plugin_id, homes) or f"there is {one_of(homes)}"
        return f"there is no such plugin in a shard of this bot; {advice}"

    def _needs(self, homes: dict[str, Shard]) -> dict[str, set[str]]:
        installed = self._supervisor.parts.installed
        return {
            plugin_id: {each.plugin_id for each in installed[plugin_id].manifest.dependencies} & homes.keys()
            for plugin_id in homes
            if plugin_id in installed
        }

    def _read_manifests(self, targets: Iterable[str], result: ReloadResult) -> dict[str, Manifest]:
        """What the files say now; a broken one is a failure with its place."""
        fresh = {}
        for plugin_id in targets:
            path = self._supervisor.parts.installed[plugin_id].path
            file = find_manifest(path)
            if file is None:
                result.failed[plugin_id] = f"{path} has no manifest any more (the running version goes on)"
                continue
            files = read_plugin(path, file)
            if files.manifest is not None and files.plugin_id == plugin_id:
                fresh[plugin_id] = files.manifest
            else:
                told = "; ".join(map(str, files.mistakes)) or f"{file} is the plugin {files.plugin_id!r} now"
                result.failed[plugin_id] = f"{told} (the running version goes on)"
        return fresh

    def _may_go(
        self, plugin_id: str, roots: list[str], needs: dict[str, set[str]], result: ReloadResult
    ) -> bool:
        """Whether a plugin was asked for itself, or something that it needs was reloaded."""
        return plugin_id in roots or not needs[plugin_id].isdisjoint(
            {*result.reloaded, *result.inactive, *roots} - result.failed.keys() - result.pending.keys()
        )

    def _complaint_elsewhere(
        self, manifest: Manifest, shard: Shard, homes: dict[str, Shard], fresh: dict[str, Manifest]
    ) -> str:
        """Which plugin of another shard could not go on with this version; "" when all can."""
        installed = self._supervisor.parts.installed
        for other_id, home in homes.items():
            if home is shard or other_id not in home.loaded:
                continue
            for wanted in (fresh.get(other_id) or installed[other_id].manifest).dependencies:
                if wanted.plugin_id == manifest.plugin_id and not satisfies(
                    manifest.version, wanted.version_spec
                ):
                    return (
                        f"{other_id} in shard {home.name!r} needs {wanted.plugin_id} {wanted.version_spec}, its version"
                        f" is {manifest.version} now (the running version goes on)"
                    )
        return ""

    # --- one runner --------------------------------------------------------------------------------------------

    async def _reload_in(
        self, shard: Shard, plugin_ids: list[str], reason: str, result: ReloadResult
    ) -> None:
        if shard.state.value in STARTING:  # it may have read the old code already
            await shard.state.wait_value(lambda state: state not in STARTING)
        kept_out, policy = self._supervisor.court.kept_out, shard.settings.restart
        given_up = [each for each in plugin_ids if each in kept_out or shard.history.is_blocked(policy, each)]
        if given_up:
            await self._start_with(shard, given_up, result)
        plugin_ids = [each for each in plugin_ids if each not in given_up]
        link = shard.link
        if link is None or shard.state.value not in WORKING:
            text = f"shard {shard.name!r} is {shard.state.value.value}: its next start takes the new code"
            result.pending.update(dict.fromkeys(plugin_ids, text))
            return
        if not plugin_ids:
            return
        each_takes = 2 * shard.settings.timeouts.plugin_load + UNLOAD_TIME
        order = ReloadBatch(
            plugin_ids=plugin_ids, reason=reason, external_available_plugins=self.versions_beside(shard)
        )
        timeout = each_takes * len(shard.plugins) + SPARE_TIME
        try:
            call = partial(link.call, PLUGIN_RELOAD_BATCH, unstructure(order), timeout=timeout)
            answer = structure(await when_free(call), ReloadAnswer)
        except BadPayload as error:
            result.failed.update(dict.fromkeys(plugin_ids, f"the runner's answer cannot be used: {error}"))
        except RookeryError as error:
            result.failed.update(dict.fromkeys(plugin_ids, f"the runner did not do it: {error}"))
        else:
            self._take_answer(shard, answer, result)

    def _take_answer(self, shard: Shard, answer: ReloadAnswer, result: ReloadResult) -> None:
        own = set(shard.plugins)  # whatever else a runner names is none of its business
        reloaded = [each for each in answer.reloaded_plugins if each in own]
        inactive = [each for each in answer.inactive_plugins if each in own]
        result.reloaded += [each for each in reloaded if each not in result.reloaded]
        result.inactive += [each for each in inactive if each not in result.inactive]
        result.failed.update((each, text) for each, text in answer.failed_plugins.items() if each in own)
        kept = [each for each in shard.loaded if each not in (*reloaded, *inactive)]
        shard.loaded = (*kept, *reloaded)
        for plugin_id in (*reloaded, *inactive):
            shard.failed.pop(plugin_id, None)
        for plugin_id, text in answer.failed_plugins.items():
            if plugin_id in own and plugin_id not in shard.loaded:
                shard.failed[plugin_id] = text

    async def _start_with(self, shard: Shard, given_up: list[str], result: ReloadResult) -> None:
        """Plugins that are kept out because they ended their runner: newer code gets another chance, in a new runner."""
        before = shard.incarnation
        failures = {
            each: count for each, count in shard.history.load_failures.items() if each not in given_up
        }
        if kept := self._supervisor.court.kept_out.keys() & set(given_up):
            for plugin_id in kept:
                self._supervisor.release(plugin_id)
        else:
            shard.history = attrs.evolve(shard.history, load_failures=failures)
            shard.restart(f"newer code of {', '.join(given_up)}")
        while not (shard.state.value is ShardState.READY and shard.incarnation > before):
            await shard.state.wait_transition()
            if shard.state.value in ENDED or (
                shard.state.value is ShardState.BACKOFF and shard.incarnation > before
            ):
                break
        for plugin_id in given_up:
            if plugin_id in shard.loaded:
                result.reloaded.append(plugin_id)
            else:
                result.failed[plugin_id] = shard.failed.get(plugin_id) or shard.reason

    def versions_beside(self, shard: Shard) -> dict[str, str]:
        """What a runner's plugins may count on in other shards: the versions that run, or that will when they come up."""
        registry, installed = self._supervisor.parts.registry, self._supervisor.parts.installed
        versions = {}
        for plugin_id, plugin in installed.items():
            if plugin_id not in shard.plugins:
                live = registry.registration(plugin_id)
                versions[plugin_id] = plugin.manifest.version if live is None else live.version
        return versions

    # --- what the host knows of them ---------------------------------------------------------------------------

    def _declare(self, fresh: dict[str, Manifest]) -> dict[str, tuple[str, ...]]:
        """The newer code may ask for what its manifest declares, see `approvals.py`; returns what the older one's did."""
        declared = self._supervisor.parts.declared
        before = {plugin_id: declared.get(plugin_id, ()) for plugin_id in fresh}
        declared.update((plugin_id, manifest.capabilities) for plugin_id, manifest in fresh.items())
        return before

    def _take_manifests(
        self,
        shard: Shard,
        fresh: dict[str, Manifest],
        asked: list[str],
        declared: dict[str, tuple[str, ...]],
        result: ReloadResult,
    ) -> None:
        parts = self._supervisor.parts
        for plugin_id in {*asked, *result.reloaded} & set(shard.plugins) & fresh.keys():
            if plugin_id in result.failed and plugin_id in shard.loaded:
                parts.declared[plugin_id] = declared.get(plugin_id, parts.declared.get(plugin_id, ()))
            else:
                parts.installed[plugin_id] = attrs.evolve(
                    parts.installed[plugin_id], manifest=fresh[plugin_id]
                )

    def _tell(self, homes: dict[str, Shard], reason: str, result: ReloadResult) -> None:
        observers, installed = self._supervisor.parts.observers, self._supervisor.parts.installed
        for plugin_id in result.reloaded:
            self.failures.pop(plugin_id, None)
            version = installed[plugin_id].manifest.version
            observers.notify(
                PluginReloaded(
                    shard=homes[plugin_id].name, plugin_id=plugin_id, version=version, reason=reason
                )
            )
        for plugin_id, text in result.failed.items():
            if plugin_id in homes:
                self.failures[plugin_id] = text
                observers.notify(
                    PluginReloadFailed(
                        shard=homes[plugin_id].name, plugin_id=plugin_id, error=text, reason=reason
                    )
                )


def _refused(plugin_ids: tuple[str, ...]) -> ReloadResult:
    return ReloadResult(requested=plugin_ids, failed=dict.fromkeys(plugin_ids, "the host is stopping"))


def _dependents(roots: Iterable[str], needs: dict[str, set[str]]) -> list[str]:
    """The roots and everything that needs one of them, each behind what it needs."""
    found = {plugin_id for plugin_id in roots if plugin_id in needs}
    while more := {
        each for each, before in needs.items() if each not in found and not before.isdisjoint(found)
    }:
        found |= more
    return list(sort_after({each: sorted(needs[each] & found) for each in sorted(found)}))


def _batches(
    sequence: Iterable[str], needs: dict[str, set[str]], homes: dict[str, Shard]
) -> list[tuple[Shard, list[str]]]:
    """As few orders to runners as the sequence allows: a plugin joins an earlier order if all that it needs is in no later."""
    batches: list[tuple[Shard, list[str]]] = []
    place: dict[str, int] = {}
    for plugin_id in sequence:
        earliest = max((place[each] for each in needs[plugin_id] if each in place), default=0)
        for index in range(earliest, len(batches)):
            if batches[index][0] is homes[plugin_id]:
                break
        else:
            index = len(batches)
            batches.append((homes[plugin_id], []))
        batches[index][1].append(plugin_id)
        place[plugin_id] = index
    return batches
