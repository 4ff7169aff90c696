"""Which plugins are in this runner, and how does one come in and go out again?"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import attrs
import trio

from rookery.protocol import RookeryError
from rookery.protocol import page as layout

from .border import PluginFailed, call_guarded, log_failure, plugin_logger, run_guarded
from .config_file import read_config, take_switch
from .host import HostOverLink, NotAccepted
from .loaded import LoadedPlugin, make_plugin
from .loader import import_plugin, module_name_of, purge_modules
from .plugin_host import PluginHost
from .scope import PluginScope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType

    from .discovery import Candidate

CLOSE_GRACE = 2.0
"""Seconds that cancelled tasks of a plugin may take to end before we go on without them."""

LEAST_CLOSE_GRACE = 0.1
"""The same when the time for unloading is used up: what ends at its cancellation needs a moment all the same."""


class NotLoaded(RookeryError):
    """A plugin did not come in.

    Attributes:
        is_inactive: True when it is merely switched off.
        told_as: The reason that the host is told when it has to forget the plugin.
    """

    def __init__(self, reason: str, *, is_inactive: bool = False, told_as: str = "on_load_failed") -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_inactive = is_inactive
        self.told_as = told_as


class Roster:
    """The plugins of this runner.

    Args:
        scopes: Shared with the host's services; this is the one who writes.
        nursery: Where the plugins' scopes run; the roster lives shorter.
        on_step_end: Told the plugin's id when code of it has ended.
        on_loading: Told when the loading of plugin code begins (True) and has ended (False).
        time_limit: Seconds for an import, and for an ``on_load``.
    """

    def __init__(
        self,
        host: HostOverLink,
        scopes: dict[str, PluginScope],
        nursery: trio.Nursery,
        *,
        on_step_end: Callable[[str], None],
        on_loading: Callable[[bool], None],
        time_limit: float,
    ) -> None:
        self.loaded: dict[str, LoadedPlugin] = {}
        """In the order of loading."""
        self.starting: dict[str, trio.Event] = {}
        """Plugins that the host knows already and whose ``on_load`` has not ended; the event is set when it has."""
        self.away: dict[str, trio.Event] = {}
        """Plugins that are being exchanged and cannot take calls; the event is set when they can, or never will."""
        self._exchanged: frozenset[str] = frozenset()
        self.configs: dict[str, dict[str, Any]] = {}
        """What the host has said since the start of a plugin's configuration, in place of what it said then."""
        self.scopes = scopes
        self.is_loading = False
        """True while the plugins come in for the first time."""
        self._host = host
        self._nursery = nursery
        self._on_step_end = on_step_end
        self._on_loading = on_loading
        self._time_limit = time_limit

    @contextlib.contextmanager
    def first_loading(self) -> Iterator[None]:
        """While inside, plugins are coming in for the first time and none can be reloaded."""
        self.is_loading = True
        try:
            yield
        finally:
            self.is_loading = False

    @contextlib.contextmanager
    def exchanging(self, plugin_ids: Iterable[str]) -> Iterator[None]:
        """While inside, these plugins are ``away`` and not simply gone when they are taken out."""
        self._exchanged = frozenset(plugin_ids)
        try:
            yield
        finally:
            for plugin_id in self._exchanged:
                self._host.say_exchange(plugin_id, "back")
            self._exchanged = frozenset()
            for plugin_id in list(self.away):
                self.away.pop(plugin_id).set()

    def say_away(self, plugin_id: str) -> None:
        """Have the host hold back what it has for a plugin; ``exchanging`` says when that is over."""
        self._host.say_exchange(plugin_id, "away")

    def _leave(self, plugin_id: str) -> None:
        """It takes no calls from now on."""
        if plugin_id in self._exchanged:
            self.away.setdefault(plugin_id, trio.Event())

    # --- in ----------------------------------------------------------------------------------------------------

    async def import_code(self, candidate: Candidate) -> ModuleType:
        """Run a plugin's module. A checkpoint, then the loop stands until the import is over.

        Raises:
            NotLoaded: It failed.
        """
        plugin_id = candidate.plugin_id
        await trio.lowlevel.checkpoint()
        self._host.say_loading(plugin_id, "import")
        self._on_loading(True)
        try:
            return import_plugin(candidate, time_limit=self._time_limit)
        except PluginFailed as failure:
            log_failure(plugin_id, "the import", failure)
            raise NotLoaded(failure.reason) from None
        finally:
            self._on_step_end(plugin_id)
            self._on_loading(False)

    async def bring_in(self, candidate: Candidate, module: ModuleType) -> None:
        """Make the plugin of an imported module and start it.

        Raises:
            NotLoaded: It failed; nothing of it is left, here or at the host.
        """
        plugin = self.make(candidate, module)
        try:
            await self.start(plugin)
        except NotLoaded:
            purge_modules(module_name_of(candidate.plugin_id))
            raise
        self.upgrade_file(plugin)

    def make(self, candidate: Candidate, module: ModuleType, *, to_look_at: bool = False) -> LoadedPlugin:
        """Make the plugin of an imported module; nobody knows it yet.

        Args:
            to_look_at: It is not to be started, so it does not matter whether it is switched off.

        Raises:
            NotLoaded: It failed, or it is switched off; its modules are gone.
        """
        plugin_id, assigned = candidate.plugin_id, candidate.assigned
        if plugin_id in self.configs:
            assigned = attrs.evolve(assigned, config=self.configs[plugin_id])
        try:
            config = read_config(candidate.path, assigned.config)
            is_on = assigned.enabled and take_switch(config, is_own=True)[1]
            if not (is_on or to_look_at):
                raise NotLoaded("it is switched off", is_inactive=True)
            return make_plugin(module, candidate.manifest, PluginHost(self._host), assigned, config)
        except RookeryError as error:
            purge_modules(module_name_of(plugin_id))
            if isinstance(error, NotLoaded):
                raise
            self._on_step_end(plugin_id)
            if isinstance(error, PluginFailed):
                log_failure(plugin_id, "making the plugin", error)
            else:
                plugin_logger(plugin_id).error("not loaded: %s", error)
            raise NotLoaded(str(error)) from None

    def say_loaded(self) -> None:
        """Tell the host that nothing is being loaded any more."""
        self._host.say_loading("")

    async def start(self, plugin: LoadedPlugin) -> None:
        """Introduce a plugin to the host and run its ``on_load``; also for one that was here before.

        Raises:
            NotLoaded: It failed; the host has forgotten it.
        """
        plugin_id = plugin.plugin_id
        self.scopes[plugin_id] = await self._open_scope(plugin)
        self.starting[plugin_id] = trio.Event()
        if plugin_id in self.away:
            self.away.pop(plugin_id).set()  # its calls wait for its on_load from now on
        try:
            await self._introduce_and_load(plugin)
            self.loaded[plugin_id] = plugin
        except NotLoaded as error:
            await self._host.dismiss(plugin_id, error.told_as)
            raise
        finally:
            if plugin_id not in self.loaded:
                self._leave(plugin_id)
            self.starting.pop(plugin_id).set()
            if plugin_id not in self.loaded:
                await self._close(plugin, CLOSE_GRACE)

    async def start_beside(self, plugin: LoadedPlugin) -> None:
        """Run the ``on_load`` of newer code while the older takes the calls; ``swap`` or ``drop`` it afterwards.

        Raises:
            NotLoaded: It failed and was dropped.
        """
        await self._open_scope(plugin)
        self._host.say_exchange(plugin.plugin_id, "trial")
        try:
            await self._introduce_and_load(plugin)
        except NotLoaded:
            await self.drop(plugin)
            raise

    async def drop(self, plugin: LoadedPlugin) -> None:
        """End newer code that was started beside the older, which goes on; it is not told, as it never served."""
        self._host.say_exchange(plugin.plugin_id, "dropped")
        await self._close(plugin, CLOSE_GRACE)

    def swap(self, plugin: LoadedPlugin) -> LoadedPlugin:
        """From now on this one takes the calls. Returns the older, which is to be retired."""
        plugin_id = plugin.plugin_id
        older = self.loaded.pop(plugin_id)
        self.loaded[plugin_id] = plugin  # behind what it needs: that was swapped before
        self.scopes[plugin_id] = _scope_of(plugin)
        self._host.say_exchange(plugin_id, "taken")
        return older

    def upgrade_file(self, plugin: LoadedPlugin) -> None:
        """Have its file say what it reads, now that it stays, with all that came with it; an older version could not read it
        any more. Where that cannot be, each start upgrades the values."""
        if not plugin.assigned.path:
            return
        logger, path = plugin_logger(plugin.plugin_id), plugin.config_file
        try:
            if call_guarded(plugin.plugin_id, plugin.upgrade_config_file):
                logger.info("%s was written anew, for a newer version of the plugin", path)
        except PluginFailed as failure:
            logger.warning("%s stays as an older version of the plugin had it: %s", path, failure.reason)

    async def _open_scope(self, plugin: LoadedPlugin) -> PluginScope:
        scope = PluginScope(plugin.plugin_id, self._on_step_end)
        await self._nursery.start(scope.run)
        _host_of(plugin).scope = scope
        return scope

    async def _introduce_and_load(self, plugin: LoadedPlugin) -> None:
        try:
            await self._host.introduce(plugin)
        except NotAccepted as error:
            plugin_logger(plugin.plugin_id).error("not loaded: %s", error)
            raise NotLoaded(str(error), told_as="not_accepted") from None
        await self._run_on_load(plugin)

    async def _run_on_load(self, plugin: LoadedPlugin) -> None:
        plugin_id = plugin.plugin_id
        host = _host_of(plugin)
        self._host.say_loading(plugin_id, "on_load")
        self._on_loading(True)
        try:
            with trio.move_on_after(self._time_limit) as limit:
                host.on_load_limit = limit
                await run_guarded(plugin_id, plugin.instance.on_load, phase=layout.Phase.LOAD)
        except PluginFailed as failure:
            log_failure(plugin_id, "on_load", failure)
            raise NotLoaded(f"on_load failed: {failure.reason}") from None
        finally:
            host.on_load_limit = None
            self._on_step_end(plugin_id)
            self._on_loading(False)
        if limit.cancelled_caught:
            plugin_logger(plugin_id).error(
                "on_load took longer than %g s and was cancelled", self._time_limit
            )
            raise NotLoaded(f"on_load took longer than {self._time_limit:g} s")

    # --- out ---------------------------------------------------------------------------------------------------

    async def take_out(self, plugin_id: str, *, grace: float, dismiss_reason: str = "") -> LoadedPlugin:
        """Unload a plugin: no new calls, the running ones may end, then ``on_unload``, then its tasks are cancelled.

        Args:
            grace: Seconds for the running calls and ``on_unload`` together.
            dismiss_reason: What the host is told; "" tells it nothing, because this process ends anyway.

        Raises:
            KeyError: It is not loaded.
        """
        plugin = self.loaded.pop(plugin_id)
        self._leave(plugin_id)
        await self.retire(plugin, grace=grace)
        if dismiss_reason:
            await self._host.dismiss(plugin_id, dismiss_reason)
        return plugin

    async def retire(self, plugin: LoadedPlugin, *, grace: float) -> None:
        """Let an instance that takes no calls any more finish those that it has, tell it to end, and cancel the rest.

        Args:
            grace: Seconds for the running calls and ``on_unload`` together.
        """
        plugin_id = plugin.plugin_id
        deadline = trio.current_time() + grace
        with trio.move_on_after(grace / 2):
            await _scope_of(plugin).wait_idle()
        try:
            with trio.CancelScope(deadline=deadline) as limit:
                await run_guarded(plugin_id, plugin.instance.on_unload, phase=layout.Phase.UNLOAD)
        except PluginFailed as failure:
            log_failure(plugin_id, "on_unload", failure)
        finally:
            self._on_step_end(plugin_id)
        if limit.cancelled_caught:
            plugin_logger(plugin_id).error("on_unload did not end in time and was cancelled")
        left = deadline - trio.current_time()
        await self._close(plugin, min(CLOSE_GRACE, max(left, LEAST_CLOSE_GRACE)))

    async def dismiss(self, plugin_id: str, reason: str) -> None:
        """Have the host forget a plugin that was taken out without a word."""
        await self._host.dismiss(plugin_id, reason)

    def stays_known(self, plugin_id: str) -> bool:
        """Whether the host may go on knowing a plugin while it is exchanged: its calls wait here.

        Not one with a gateway: the new one has to say first that it is connected.
        """
        return self._host.replaces and not self.loaded[plugin_id].has_gateway

    def may_overlap(self, plugin: LoadedPlugin) -> bool:
        """Whether a plugin can be started while its older self works."""
        older = self.loaded[plugin.plugin_id]
        both = (plugin, older)
        return self._host.tries and not any(each.has_gateway or not each.instance.overlaps for each in both)

    async def wait_idle(self) -> None:
        """Wait until no call of the host is being run."""
        for scope in list(self.scopes.values()):
            await scope.wait_idle()

    async def _close(self, plugin: LoadedPlugin, grace: float) -> None:
        scope, plugin_id = _scope_of(plugin), plugin.plugin_id
        if not await scope.close(grace):
            text = "a task of it goes on although it was cancelled %.1f s ago"
            plugin_logger(plugin_id).error(text, grace)
        if self.scopes.get(plugin_id) is scope:
            del self.scopes[plugin_id]


def _host_of(plugin: LoadedPlugin) -> PluginHost:
    assert isinstance(plugin.host, PluginHost), "a roster makes its plugins with one"
    return plugin.host


def _scope_of(plugin: LoadedPlugin) -> PluginScope:
    scope = _host_of(plugin).scope
    assert scope is not None, "it was started"
    return scope
