"""What can a host application do with a running deployment?"""

from __future__ import annotations

from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

import attrs
import trio

from .absence import Absence
from .assignment import assign
from .capabilities import register_render
from .config_push import ConfigPush
from .court import Court
from .dead_letters import DeadLetters
from .environments import Environments
from .errors import UsageError
from .event_names import ON_STOP
from .group import Groups
from .limits import ShardLimits
from .load_status import LoadStatus, failure_reasons, load_statuses
from .log_ring import LogRing
from .logs import LogSink
from .observers import GatewayReported, ShardMoved
from .original_runner import original_of
from .outcome import Outcome
from .planning import shard_settings
from .reloading import Reloading
from .render.renderer import Renderer
from .runtime import resolve_runtime
from .shard import Shard
from .shard_state import ShardState
from .snapshot import take_status
from .suggestion import one_of, suggest
from .surface import Surface
from .wiring import Parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from rookery.protocol import AssignedPlugin, Assignment
    from rookery.sharding import ShardPlan

    from .application import Process
    from .catalog import Catalog
    from .confiner import Confiner
    from .custody import Custody
    from .log_file import LogFile
    from .reload_result import ReloadResult
    from .settings import Settings, ShardSettings
    from .status import Status
    from .store import Store

ENDED = frozenset({ShardState.FAILED, ShardState.STOPPED, ShardState.DISABLED})
"""States in which a shard does not come up by itself soon."""

RENDER_DIRECTORY = "render"

UNLOAD_SHARE = 0.25
"""The part of the time for draining that is kept for the plugins' own unloading."""

LEAST_DRAIN = 1.0
"""Seconds that a gateway gets to say good-bye, also when others have used up the budget."""


class Supervisor:
    """A running deployment; made by ``open_supervisor``.

    Attributes:
        parts: Everything that a host application may reach: registry, dispatcher, events, hooks, capabilities, …
        surface: What it may ask of its plugins; each method is one of the supervisor's as well.
        shards: By name; seats that no plugin took are left out.
        host_version: What runners and plugins are told.
        log_file: Where this process logs, for the status; None when whoever embeds the host has not said.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        plan: ShardPlan,
        store: Store,
        custody: Custody,
        *,
        confiner: Confiner,
        process: Process | None,
        observers: Sequence[Callable[[object], None]],
        terminal: Mapping[str, int],
    ) -> None:
        self.settings = settings
        self.catalog = catalog
        self.plan = plan
        self.custody, self.confiner = custody, confiner
        self.environments = Environments(settings.state_dir, confiner.before(custody.start, self._own_of))
        self.host_version = version("rookery")
        self.parts = Parts(settings, catalog, store, process)
        self.renderer = Renderer(settings.render, custody.spawn, settings.state_dir / RENDER_DIRECTORY)
        register_render(self.parts.capabilities, self.renderer)
        for observer in (self._note, *observers):
            self.parts.observers.add(observer)
        self.groups = Groups(settings.groups, self.parts.observers, self)
        self.parts.observers.add(self.groups.note)
        self.dead_letters = DeadLetters(store, self.parts.registry, self.parts.dispatcher)
        self.parts.on_lost = self.dead_letters.note_lost
        self.court = Court(self)
        self.parts.observers.add(self.court.note)
        self.reloading = Reloading(self)
        self.absence = absence = Absence(self)
        self.take_adapters_offline, self.bring_adapters_online = absence.take_offline, absence.bring_online
        push = ConfigPush(self)
        self.config_push: ConfigPush = push
        self.notify_plugin_config_updated, self.broadcast_config = push.push, push.broadcast
        self.inspect_plugin_config, self.validate_plugin_config = push.inspect, push.validate
        self.escalated = Outcome()
        self.finished = Outcome()
        self.log_sink = LogSink(self.parts.observers, limits=self._limits_of)
        self.log_ring = LogRing(self._limits_of)
        self.log_file: LogFile | None = None
        self.parts.observers.add(self.log_ring.note)
        self._terminal = dict(terminal)
        self._start_shard: Callable[[Shard], None] | None = None
        self.shards: dict[str, Shard] = {}
        surface = self.surface = Surface(self)
        self.dispatch_event, self.invoke_hook = surface.dispatch_event, surface.invoke_hook
        self.dispatch_hook = surface.dispatch_hook
        self.invoke, self.invoke_plugin = surface.invoke, surface.invoke_plugin
        self.invoke_api, self.invoke_llm_provider = surface.invoke_api, surface.invoke_llm_provider
        self.invoke_message_gateway = surface.invoke_message_gateway
        self.send_message = surface.send_message
        self.send_message_to_external = surface.send_message_to_external
        self.register_hook, self.register_action = surface.register_hook, surface.register_action
        self.set_enabled, self.set_plugin_enabled = surface.set_enabled, surface.set_plugin_enabled
        self.get_loaded_plugin_ids = surface.get_loaded_plugin_ids
        self.get_loaded_plugin_versions = surface.get_loaded_plugin_versions
        self.get_plugin_load_statuses = surface.get_plugin_load_statuses
        self.get_plugin_load_failure_reasons = surface.get_plugin_load_failure_reasons
        self._make_shards()
        self.started = trio.current_time()
        self._input_end = trio.Event()
        self._forced = trio.Event()
        self._failed = trio.Event()
        self.is_stopping = self.is_restart_wanted = False
        self._largest_lag = 0.0

    def __repr__(self) -> str:
        return f"<Supervisor of {self.settings.name!r}, {len(self.shards)} shards>"

    def _make_shards(self) -> None:
        shards = shard_settings(self.settings, self.plan)
        self.parts.admit_strangers(shards)
        for each in shards:
            plugins = self.plan.plugins_of(each.name)
            if plugins:
                self.add_shard(each, plugins)

    def add_shard(
        self, settings: ShardSettings, plugins: tuple[str, ...], *, hold: float = 0.0, reason: str = ""
    ) -> Shard:
        """One more shard; it starts when the others do, or at once when they have.

        Args:
            plugins: What lives there; the plan need not say so.
            hold: Seconds that it waits at least, and why.
        """
        manifests = [self.catalog.plugins[each].manifest for each in plugins if each in self.catalog.plugins]
        if not settings.runner:
            settings = attrs.evolve(settings, runtime=resolve_runtime(settings.runtime, manifests))
        self.parts.dispatcher.add_shard(
            settings.name, max_inflight=settings.max_inflight, queue_limit=settings.queue_limit
        )
        shard = self.shards[settings.name] = Shard(
            settings,
            plugins=plugins,
            assign=self._assign,
            traffic=self.parts.traffic,
            observers=self.parts.observers,
            log_sink=self.log_sink,
            host_version=self.settings.sdk_host_version if settings.runner else self.host_version,
            terminal=self._terminal if settings.terminal else {},
            judge=self.court,
            spawn=self.environments.start_of(settings),
        )
        here = self.settings.path.parent
        shard.original = original_of(settings, self.settings.state_dir, here)
        self.environments.prepare(shard)
        if hold:
            shard.hold(hold, reason)
        self.groups.add(shard)
        if self._start_shard is not None:
            self._start_shard(shard)
        return shard

    @property
    def is_loading(self) -> bool:
        """Whether a shard is on its way to serve its plugins."""
        return self.surface.is_loading

    @contextmanager
    def starting_shards(self, start: Callable[[Shard], None]) -> Iterator[None]:
        """While inside, shards are run by this function: those that are there now, and those that come later."""
        for shard in self.shards.values():
            start(shard)
        self._start_shard = start
        try:
            yield
        finally:
            self._start_shard = None

    def _limits_of(self, shard: str) -> ShardLimits:
        found = self.shards.get(shard)
        return ShardLimits() if found is None else found.settings.limits

    def _own_of(self, name: str) -> tuple[ShardSettings, Sequence[AssignedPlugin]]:
        shard = self.shards[name]
        return shard.settings, self._assign(shard, shard.incarnation, {}).plugins

    def _assign(self, shard: Shard, incarnation: int, blocked: Mapping[str, str]) -> Assignment:
        return assign(
            shard,
            incarnation,
            {**blocked, **self.absence.left_out(shard, incarnation)},
            settings=self.settings,
            installed=self.parts.installed,
            external=self.reloading.versions_beside(shard),
            config_of=self.config_push.values_of,
        )

    # --- orders ------------------------------------------------------------------------------------------------

    def shard(self, name: str) -> Shard:
        """A shard by its name.

        Raises:
            UsageError: There is none.
        """
        found = self.shards.get(name)
        if found is None:
            advice = suggest(name, self.shards) or f"there is {one_of(self.shards)}"
            raise UsageError(f"there is no shard {name!r}; {advice}")
        return found

    def restart_shard(self, name: str) -> Shard:
        """Put another runner in a shard, in an orderly way: what waits goes to the next one. It starts one at rest."""
        shard = self.shard(name)
        shard.restart("an operator restarts it")
        return shard

    def stop_shard(self, name: str) -> Shard:
        """Have no runner in a shard until it is started again; what waits for it fails."""
        shard = self.shard(name)
        shard.stop()
        return shard

    def start_shard(self, name: str) -> Shard:
        """Have a runner in a shard that was stopped or given up; its record is forgotten."""
        shard = self.shard(name)
        shard.start()
        return shard

    def release(self, plugin_id: str) -> Shard:
        """End the quarantine of a plugin: it gets another chance now.

        Raises:
            UsageError: It is not in quarantine.
        """
        return self.court.release(plugin_id)

    async def reload_plugin(self, plugin_id: str, reason: str = "manual") -> ReloadResult:
        """Have a plugin, and what needs it, run the code that is on the disk now; true when it does. See ``Reloading``."""
        return await self.reloading.reload([plugin_id], reason)

    async def reload_plugins(
        self, plugin_ids: Iterable[str] | None = None, reason: str = "manual"
    ) -> ReloadResult:
        """The same for several, each once, in their order as far as they do not need each other; ``None`` is all."""
        return await self.reloading.reload(plugin_ids, reason)

    def escalate(self, reason: str) -> None:
        """The deployment cannot go on; whoever runs it ends it with 70."""
        self.escalated.decide(reason)

    def finish(self, reason: str, *, restart: bool = False) -> None:
        """The deployment has done its job; whoever runs it ends it with 0, or with 75 when it is to be started again."""
        self.is_restart_wanted = restart
        self.finished.decide(reason)

    # --- waiting -----------------------------------------------------------------------------------------------

    async def wait_ready(self) -> None:
        """Return when every shard is up, or will not come up by itself."""
        for shard in tuple(self.shards.values()):
            await shard.state.wait_value(lambda state: state is ShardState.READY or state in ENDED)

    async def wait_input_end(self) -> None:
        """Return when every gateway whose input can end has reported its end; for ever when there is none."""
        await self._input_end.wait()

    async def wait_idle(self) -> None:
        """Return when no message is in flight and no call is open."""
        inbox, dispatcher = self.parts.inbox, self.parts.dispatcher
        while inbox.in_flight or dispatcher.open_calls:
            await inbox.wait_idle()
            await dispatcher.wait_idle()

    async def wait_failed(self) -> None:
        """Return when every shard has been given up, and no group has another answer to that."""
        await self._failed.wait()

    # --- stopping ----------------------------------------------------------------------------------------------

    def request_stop(self, *, force: bool = False) -> None:
        """Begin to refuse messages; ``force`` kills the runners now. The stop itself is leaving the block."""
        self.is_stopping = True
        self.parts.inbox.close()
        if force:
            self._forced.set()
            for shard in self.shards.values():
                shard.request_stop(force=True)

    async def stop(self) -> None:
        """Drain, then stop the shards, those with gateways last, so that what is said at the end still goes out.

        Called by the tree. All drain from one budget, the longest of the shards'; what stands still at its end goes by
        ``term_grace`` and ``kill_wait``.
        """
        self.request_stop()
        budget = max((shard.settings.timeouts.drain for shard in self.shards.values()), default=0.0)
        end = trio.current_time() + budget
        if any(shard.state.value is ShardState.READY for shard in self.shards.values()):
            with trio.move_on_at(end - budget * UNLOAD_SHARE):
                await self._wait_idle_or_forced()
        drivers = {driver.plugin_id for driver in self.parts.routes.drivers}
        gateways = [name for name, shard in self.shards.items() if drivers & set(shard.plugins)]
        others = [name for name in self.shards if name not in gateways]
        self._ask_to_stop(others, end)
        with trio.move_on_at(end):
            await self._wait_stopped(others)
        self._ask_to_stop(gateways, end)
        await self._wait_stopped(self.shards.keys())

    def _ask_to_stop(self, names: Iterable[str], end: float) -> None:
        drain = max(LEAST_DRAIN, end - trio.current_time())
        for name in names:
            self.shards[name].request_stop(force=self._forced.is_set(), drain=drain)

    async def _wait_stopped(self, names: Iterable[str]) -> None:
        for name in tuple(names):
            await self.shards[name].state.wait_value(ShardState.STOPPED)

    async def _wait_idle_or_forced(self) -> None:
        async with trio.open_nursery() as nursery:

            async def wait_forced() -> None:
                await self._forced.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(wait_forced)
            if self.parts.events.has_handlers(ON_STOP):
                await self.parts.events.dispatch(ON_STOP)
            await self.wait_idle()
            nursery.cancel_scope.cancel()

    # --- reading -----------------------------------------------------------------------------------------------

    def note_lag(self, lag: float) -> None:
        """The watchdog's latest look, one a second, was so many seconds late."""
        self.log_sink.tell_drops()
        self._largest_lag = max(self._largest_lag, lag)

    def take_largest_lag(self) -> float:
        """The largest lag of the host's loop since this was asked the last time, in seconds."""
        lag, self._largest_lag = self._largest_lag, 0.0
        return lag

    def plugin_load_statuses(self) -> dict[str, LoadStatus]:
        """Of every installed plugin whether it is loaded, over all shards."""
        return load_statuses(self)

    def plugin_load_failure_reasons(self) -> dict[str, str]:
        """Why plugins are not loaded, and why the newer code of those that are was not taken."""
        return failure_reasons(self)

    def status(self) -> Status:
        """A snapshot. Never blocks."""
        return take_status(self)

    def _note(self, record: object) -> None:
        if isinstance(record, ShardMoved) and record.new in ENDED:
            self.parts.traffic.shard_given_up(record.shard, f"it is {record.new.value}: {record.reason}")
            shards = self.shards.values()
            is_answered = any(self.groups.answers_for(shard) for shard in shards)
            if not (self.is_stopping or is_answered) and all(shard.is_given_up for shard in shards):
                self._failed.set()
        elif isinstance(record, GatewayReported):
            reported = self.parts.drivers.reported.values()
            finished = [each["finished"] for each in reported if "finished" in each]
            if finished and all(finished):
                self._input_end.set()
