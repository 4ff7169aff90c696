"""Which parts does a deployment have, and which of them know each other?

Everything that is made once for a deployment is made here, in the order in which the parts need each other.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import trio

from rookery.protocol import PLUGIN_INVOKE_ACTION, PLUGIN_INVOKE_TOOL

from .actions import Actions
from .api_calls import ApiCalls
from .api_table import ApiTable
from .application import ApplicationFlow, Process
from .approvals import Approvals
from .breaker import Breaker, BreakerPolicy
from .capabilities import make_table, register_api, register_component, register_http, register_llm
from .component_queries import ComponentQueries
from .counters import Counters
from .dispatch import Dispatcher
from .events import Events
from .fetch.fetcher import Fetcher
from .granting import Granting
from .grants import Grants
from .hook_specs import HookSpecs
from .hooks import Hooks
from .llm.http import HttpProvider
from .llm.models import Models
from .llm.plugin_provider import PluginProvider
from .managing import Managing
from .observers import MessageLost, Observers
from .pipeline import Pipeline
from .platform.dedupe import Deduplicator
from .platform.drivers import Drivers
from .platform.entrance import Entrance
from .platform.inbox import Inbox
from .platform.outbound import Outbound
from .platform.policy_file import PolicyFile
from .platform.routes import RouteTable
from .platform.sessions import Sessions
from .powers import Powers
from .provider_table import ProviderTable
from .registry import Registry
from .settings import OnUnavailable
from .speech import Speech
from .stages import Stages
from .start_mode import TRUSTED
from .state_directory import APPROVALS_FILE
from .statistics import Statistics
from .toolbox import Toolbox
from .traffic import Traffic

if TYPE_CHECKING:
    from rookery.protocol import MessageMap

    from .call import Call
    from .catalog import Catalog
    from .fate import DispatchFailed
    from .settings import PipelineSettings, Settings, ShardSettings
    from .store import Store


class Parts:
    """The parts of one deployment, joined.

    Args:
        process: What to do with each message from outside; ``None`` is the default pipeline.
    """

    def __init__(self, settings: Settings, catalog: Catalog, store: Store, process: Process | None) -> None:
        pipeline = settings.pipeline
        timeout = pipeline.dispatch_timeout
        self.on_lost: Callable[[Call, DispatchFailed], None] = lambda call, failure: None
        """Told every call that was lost, before the observers are."""
        self.installed = dict(catalog.plugins)
        """By id; what a reload finds on the disk replaces what was there at the start."""
        self.declared = {
            plugin_id: plugin.manifest.capabilities for plugin_id, plugin in self.installed.items()
        }
        """What each plugin's manifest asks for."""
        self.config_over: Callable[[str], Mapping[str, Any]] = lambda each: settings.plugin(each).config
        """What lies over a plugin's own configuration, by its id."""
        self.store = store
        self.counters = Counters()
        self.observers = Observers()
        self._make_calls(settings)
        self.routes = RouteTable(settings.routes)
        self.drivers = Drivers(self.routes, _types_of(catalog))
        self.chat_policy = (
            None if settings.chat_policy is None else PolicyFile(settings.chat_policy, time.monotonic)
        )
        self.sessions = Sessions()
        self.outbound = Outbound(
            self.registry,
            self.dispatcher,
            self.hooks,
            self.routes,
            self.counters,
            on_sent=self._save_sent,
            events=self.events,
        )
        self.answers = Answers()
        # The inbox needs its flow, and the flow says things: one of the two has to be found later.
        self.speech = Speech(self.sessions, self.outbound, self._arrival_of, self.counters)
        self.inbox = Inbox(
            self._pipeline(timeout) if process is None else self._application(process),
            Deduplicator(ttl=pipeline.dedupe_ttl, max_keys=pipeline.dedupe_keys),
            self.counters,
            max_inflight=pipeline.max_inflight,
        )
        self._authorize(settings)
        self._lend(settings)
        self.managing = Managing(
            settings, self.registry, self.apis, self.observers, self.installed, self.answers.start_soon
        )
        register_component(self.capabilities, self.managing)
        self.entrance = Entrance(
            registry=self.registry,
            drivers=self.drivers,
            routes=self.routes,
            sessions=self.sessions,
            inbox=self.inbox,
            observers=self.observers,
            counters=self.counters,
            policy=None if self.chat_policy is None else self.chat_policy.current,
            refuse_platform=self.granting.refuse_platform,
        )
        self.traffic = Traffic(
            registry=self.registry,
            dispatcher=self.dispatcher,
            granting=self.granting,
            capabilities=self.capabilities,
            providers=self.providers,
            drivers=self.drivers,
            entrance=self.entrance,
            observers=self.observers,
            counters=self.counters,
        )

    def _authorize(self, settings: Settings) -> None:
        """Plugins use what they are granted."""
        self.grants = Grants()
        self.approvals = Approvals(settings.state_dir / APPROVALS_FILE)
        self.granting = Granting(
            self.grants,
            self.observers,
            entitlements=settings.entitlements,
            declared=self.declared,
            approvals=self.approvals,
            prefix=settings.command_prefix,
        )
        self.capabilities = make_table(
            self.store,
            self.grants,
            self._powers(settings),
            sessions=self.sessions,
            statistics=self.statistics,
        )
        self.capabilities.on_denied = self.observers.notify

    def admit_strangers(self, shards: Iterable[ShardSettings]) -> None:
        """Let the plugins in that are not trusted: what one asks for that comes for the first time is approved by that."""
        strangers = [plugin_id for shard in shards if shard.trust != TRUSTED for plugin_id in shard.plugins]
        self.approvals.admit({each: self.declared.get(each, ()) for each in strangers})

    def _lend(self, settings: Settings) -> None:
        """Plugins use each other, and language models."""
        self.apis = ApiTable(self.registry)
        register_api(
            self.capabilities, ApiCalls(self.apis, self.dispatcher, self.granting.refuse_call), self.registry
        )
        self.providers = ProviderTable(self.registry, self._client_types_of)
        self.models = Models(
            settings.llm,
            HttpProvider(settings.path.parent),
            PluginProvider(self.providers, self.dispatcher),
            self.statistics.note_llm_use,
            file=str(settings.path),
        )
        register_llm(self.capabilities, self.models)
        self.fetcher = _fetcher(settings)
        register_http(self.capabilities, self.fetcher)

    def _client_types_of(self, plugin_id: str) -> frozenset[str]:
        """What a plugin's manifest says that it serves."""
        installed = self.installed.get(plugin_id)
        declared = installed.manifest.llm_providers if installed is not None else ()
        return frozenset(each.client_type for each in declared)

    def _make_calls(self, settings: Settings) -> None:
        """Who offers what, and how it is called."""
        specs, timeout = HookSpecs(), settings.pipeline.dispatch_timeout
        self.registry = Registry(check_hook=specs.complaint_about, prefix=settings.command_prefix)
        self.dispatcher = Dispatcher(
            self.counters,
            waits=settings.pipeline.on_unavailable is OnUnavailable.WAIT,
            on_lost=self._tell_lost,
        )
        self.statistics = Statistics(self.store)
        for method in (PLUGIN_INVOKE_TOOL, PLUGIN_INVOKE_ACTION):
            self.dispatcher.tally.listeners[method] = self.statistics.note_tool
        self.breaker = _breaker(settings.pipeline, self.registry)
        self.hooks = Hooks(self.registry, self.dispatcher, specs, timeout=timeout, breaker=self.breaker)
        self.events = Events(
            self.registry, self.dispatcher, self.counters, timeout=timeout, breaker=self.breaker
        )
        self.stages = Stages(self.registry, self.dispatcher, self.breaker, timeout=timeout)
        self.actions = Actions(self.registry, self.dispatcher)
        self.toolbox = Toolbox(self.registry, self.dispatcher)
        self.queries = ComponentQueries(self.registry)

    def _pipeline(self, timeout: float) -> Pipeline:
        return Pipeline(
            registry=self.registry,
            dispatcher=self.dispatcher,
            hooks=self.hooks,
            events=self.events,
            speech=self.speech,
            store=self.store,
            counters=self.counters,
            timeout=timeout,
            start_soon=self.answers.start_soon,
        )

    def _application(self, process: Process) -> ApplicationFlow:
        return ApplicationFlow(process=process, start_soon=self.answers.start_soon)

    def _powers(self, settings: Settings) -> Powers:
        return Powers(
            settings=settings,
            registry=self.registry,
            dispatcher=self.dispatcher,
            speech=self.speech,
            installed=self.installed,
            config_over=lambda plugin_id: self.config_over(plugin_id),
        )

    def _arrival_of(self, message_id: str | None) -> float | None:
        return self.inbox.arrival_of(message_id)

    def _tell_lost(self, call: Call, failure: DispatchFailed) -> None:
        self.on_lost(call, failure)
        message = call.payload["args"].get("message")
        known = message if isinstance(message, dict) else {}
        self.observers.notify(
            MessageLost(
                shard=call.component.shard,
                plugin_id=call.component.plugin_id,
                component=call.component.full_name,
                session_id=str(known.get("session_id", "")),
                message_id=str(known.get("message_id", "")),
                reason=str(failure),
            )
        )

    def _save_sent(self, message: MessageMap) -> None:
        self.store.save_message_nowait(message, message["session_id"], direction="out")


def _fetcher(settings: Settings) -> Fetcher:
    def where(plugin_id: str) -> str:
        is_own = settings.plugin(plugin_id).fetch is not None
        return f'[plugins."{plugin_id}".fetch]' if is_own else "[fetch]"

    chosen = [settings.fetch, *(each.fetch for each in settings.plugins.values() if each.fetch is not None)]
    return Fetcher(
        lambda plugin_id: settings.plugin(plugin_id).fetch or settings.fetch,
        where,
        is_wanted=any(each.hosts or each.private_hosts for each in chosen),
    )


def _breaker(settings: PipelineSettings, registry: Registry) -> Breaker:
    policy = BreakerPolicy(
        failures=settings.circuit_failures,
        cooldown=settings.circuit_cooldown,
        cooldown_max=max(settings.circuit_cooldown, BreakerPolicy().cooldown_max),
    )
    breaker = Breaker(policy, is_live=registry.is_live)
    registry.on_replaced.append(breaker.forget)
    return breaker


def _types_of(catalog: Catalog) -> Callable[[str], str]:
    """What a plugin's manifest says it is."""

    def type_of(plugin_id: str) -> str:
        installed = catalog.plugins.get(plugin_id)
        return "" if installed is None else installed.manifest.plugin_type

    return type_of


class Answers:
    """Where answers to commands are sent from: tasks that outlive the message they belong to."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[
            tuple[Callable[..., Awaitable[None]], tuple[Any, ...]]
        ](
            float("inf")  # bounded by the messages in flight
        )

    def start_soon(self, function: Callable[..., Awaitable[None]], *args: Any) -> None:
        """Run a task. Never waits."""
        self._send.send_nowait((function, args))

    async def run(self) -> None:
        """Run what is started, until cancelled."""
        async with trio.open_nursery() as nursery:
            async for function, args in self._receive:
                nursery.start_soon(function, *args)
