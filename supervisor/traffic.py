"""What may a runner ask of the host, and what becomes of it?

Identity comes from the connection: a connection belongs to one shard, and every plugin id that arrives on it must be one
of that shard's. A runner that names another is not answered with an error: it is accused, and killed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from rookery.protocol import (
    CAP_CALL,
    PLUGIN_BOOTSTRAP,
    PLUGIN_REGISTER_COMPONENTS,
    PLUGIN_REGISTER_PLUGIN,
    PLUGIN_UNREGISTER,
    ROUTE_MESSAGE,
    UPDATE_GATEWAY_STATE,
    BadPayload,
    Bootstrap,
    BootstrapAnswer,
    ErrorCode,
    FrameTooLarge,
    RegisterAnswer,
    RegisterComponents,
    Shortcut,
    Unregister,
    UnregisterAnswer,
    shown,
    structure,
    unstructure,
)

from .bounds import bounds_of
from .component import Api, Gateway
from .ledger import Ledger
from .observers import SecurityViolation
from .quota import Quota
from .shard_state import HAS_LOADED
from .trials import Trials

if TYPE_CHECKING:
    from collections.abc import Callable

    from rookery.protocol import Exchange, Link, Request, RunnerReady

    from .capabilities.table import CapabilityTable
    from .counters import Counters
    from .dispatch import Dispatcher
    from .exit_report import ExitReport
    from .granting import Granting
    from .observers import Observers
    from .platform.drivers import Drivers
    from .platform.entrance import Entrance
    from .provider_table import ProviderTable
    from .registry import Registry
    from .shard import Shard

T = TypeVar("T")

TRUSTED = "trusted"


class Traffic:
    """Answers the requests of all runners, and keeps the dispatcher told which of them are there.

    Args:
        granting: Gives plugins what they may use, and takes it back.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        dispatcher: Dispatcher,
        granting: Granting,
        capabilities: CapabilityTable,
        providers: ProviderTable,
        drivers: Drivers,
        entrance: Entrance,
        observers: Observers,
        counters: Counters,
    ) -> None:
        self._registry = registry
        self._dispatcher = dispatcher
        self._granting = granting
        self._trials = Trials(registry, self._granting, dispatcher.holding)
        self._capabilities = capabilities
        self._providers = providers
        self._drivers = drivers
        self._observers = observers
        self._counters = counters
        self._quotas: dict[str, Quota] = {}
        """By shard; none of one that is held to nothing."""
        self._handlers: dict[str, Callable[[Shard, Request], None]] = {
            PLUGIN_BOOTSTRAP: self._bootstrap,
            PLUGIN_REGISTER_COMPONENTS: self._register,
            PLUGIN_REGISTER_PLUGIN: self._register,
            PLUGIN_UNREGISTER: self._unregister,
            CAP_CALL: self._capability,
            UPDATE_GATEWAY_STATE: lambda _, request: entrance.report_state(request),
            ROUTE_MESSAGE: lambda _, request: entrance.route_message(request),
        }

    # --- the life of a runner ----------------------------------------------------------------------------------

    def runner_connected(self, shard: Shard, link: Link) -> None:
        """It said hello; it loads its plugins now."""
        bounds = bounds_of(shard.settings)
        self._quotas.pop(shard.name, None)
        if bounds.calls_rate or bounds.max_open:
            self._quotas[shard.name] = Quota(bounds)

    def runner_ready(self, shard: Shard, ready: RunnerReady) -> None:
        """Its plugins are loaded: what they registered becomes visible at once, and calls go out."""
        loaded = [plugin_id for plugin_id in ready.loaded_plugins if plugin_id in shard.plugins]
        self._registry.publish(shard.plugins, loaded)
        self._granting.revoke_missing(shard, loaded)
        for plugin_id in shard.plugins:
            self._retain_gateways(plugin_id)
        self._open(shard)

    def _open(self, shard: Shard) -> None:
        assert shard.link is not None
        features, session = shard.features, shard.link.session
        self._dispatcher.gate_of(shard.name).keeps_groups = Shortcut.GROUPS not in shard.settings.without
        self._dispatcher.open_shard(
            shard.name,
            shard.link,
            orders="ordered" in features,
            cancels="cancel" in features,
            read_started=session.read_started
            if "segments" in features and isinstance(session, Ledger)
            else None,
        )

    def runner_suspect(self, shard: Shard) -> None:
        """It shows no sign of life: it keeps what it has and gets nothing more."""
        self._dispatcher.close_shard(shard.name)

    def runner_recovered(self, shard: Shard) -> None:
        """It does again: what has waited meanwhile goes out."""
        self._counters.flaps += 1
        self._counters.of_shard(shard.name).flaps += 1
        self._open(shard)

    def runner_works(self, shard: Shard) -> None:
        """What it gave back, as one that leaves does, may go to it again: it did not leave."""
        if not self._dispatcher.is_open(shard.name) and shard.link is not None and not shard.link.is_closed:
            self._open(shard)

    def plugin_exchanged(self, shard: Shard, exchange: Exchange) -> None:
        """It tries newer code of a plugin, or has come to an end with that."""
        if exchange.plugin_id in shard.plugins:
            self._trials.note(shard, exchange)
        else:
            self._accuse(shard, exchange.plugin_id, "an exchange")

    def runner_draining(self, shard: Shard) -> None:
        """It finishes what it has and takes nothing more."""
        self._dispatcher.close_shard(shard.name)

    def runner_lost(self, shard: Shard, report: ExitReport) -> None:
        """It is gone; calls wait for its successor."""
        self._registry.forget_staged(shard.plugins)
        self._granting.revoke_shard(shard, "its runner ended")
        self._dispatcher.close_shard(shard.name)
        self._trials.forget(shard.name)
        self._quotas.pop(shard.name, None)
        if not report.planned:
            self._counters.restarts += 1
            self._counters.of_shard(shard.name).restarts += 1

    def shard_given_up(self, shard: str, reason: str) -> None:
        """Nobody knows when it will be back: what waits for it fails."""
        self._dispatcher.close_shard(shard, given_up=reason)

    # --- requests ----------------------------------------------------------------------------------------------

    def handle_request(self, shard: Shard, request: Request) -> None:
        """Answer one request, now or later. Called in the order of arrival."""
        if request.plugin_id not in shard.plugins:
            self._accuse(shard, request.plugin_id, request.method.name)
            request.refuse(ErrorCode.E_UNAUTHORIZED, "this connection does not belong to that plugin")
            return
        if (quota := self._quotas.get(shard.name)) and (refusal := quota.refusal(request)):
            self._counters.of_shard(shard.name).refused_requests += 1
            refusal.send(request)
            return
        handler = self._handlers.get(request.method.name)
        if handler is None:
            request.refuse(ErrorCode.E_METHOD_NOT_ALLOWED, f"{request.method.name} is not answered here")
            return
        try:
            handler(shard, request)
        except BadPayload as error:
            request.refuse_bad_payload(error)
        except FrameTooLarge as error:
            # An answer repeats parts of its request, which may itself be as large as a frame.
            request.refuse(ErrorCode.E_BAD_PAYLOAD, f"the answer cannot be sent: {error}")

    def _bootstrap(self, shard: Shard, request: Request) -> None:
        payload = self._read(shard, request, Bootstrap)
        if payload is None:
            return
        self._trials.grant(shard, payload.plugin_id, payload.capabilities_required)
        request.answer(unstructure(BootstrapAnswer(accepted=True, plugin_id=payload.plugin_id)))

    def _register(self, shard: Shard, request: Request) -> None:
        try:
            payload = self._read(shard, request, RegisterComponents)
            if payload is None:
                return
            payload = self._granting.admitted(shard, payload)
            self._providers.check(payload.plugin_id, payload.llm_providers)
            registration = self._registry.register(
                payload,
                shard=shard.name,
                is_trusted=shard.settings.trust == TRUSTED,
                live=shard.state.value in HAS_LOADED and payload.plugin_id not in self._trials,
            )
        except BadPayload:
            # It may have been introduced already: a plugin that is not there may use nothing.
            if request.plugin_id not in self._trials:
                self._granting.revoke(shard, request.plugin_id, "its registration was refused")
            raise
        self._providers.note(registration, payload.llm_providers)
        self._granting.admit(shard, payload.plugin_id)
        if self._registry.registration(payload.plugin_id) is registration:
            self._retain_gateways(payload.plugin_id)
        components = registration.components
        apis = sum(isinstance(each, Api) for each in components)
        answer = RegisterAnswer(
            accepted=True,
            plugin_id=payload.plugin_id,
            registered_components=len(components) - apis,
            registered_apis=apis,
            llm_providers=len(payload.llm_providers),
            message_gateways=sum(isinstance(each, Gateway) for each in components),
        )
        request.answer(unstructure(answer))

    def _unregister(self, shard: Shard, request: Request) -> None:
        payload = self._read(shard, request, Unregister)
        if payload is None:
            return
        known = self._registry.registration(payload.plugin_id) or self._registry.loading(payload.plugin_id)
        apis = sum(isinstance(each, Api) for each in known.components) if known is not None else 0
        providers = len(self._providers.of_plugin(payload.plugin_id))
        removed = self._registry.unregister(payload.plugin_id)
        self._granting.revoke(shard, payload.plugin_id, "it was unloaded")
        self._drivers.retain(payload.plugin_id, ())
        answer = UnregisterAnswer(
            accepted=True,
            plugin_id=payload.plugin_id,
            reason=payload.reason,
            removed_components=removed - apis,
            removed_apis=apis,
            removed_llm_providers=providers,
            removed_registration=known is not None,
        )
        request.answer(unstructure(answer))

    def _capability(self, shard: Shard, request: Request) -> None:
        self._capabilities.handle(request, shard.name)

    def _retain_gateways(self, plugin_id: str) -> None:
        registration = self._registry.registration(plugin_id)
        components = registration.components if registration is not None else ()
        self._drivers.retain(plugin_id, {each.name for each in components if isinstance(each, Gateway)})

    # --- identity ----------------------------------------------------------------------------------------------

    def _read(self, shard: Shard, request: Request, kind: type[T]) -> T | None:
        """The payload, if the plugin that it names is the envelope's; else the runner is accused."""
        payload = structure(request.payload, kind)
        named = getattr(payload, "plugin_id", request.plugin_id)
        if named == request.plugin_id:
            return payload
        self._accuse(shard, named, request.method.name, by=request.plugin_id)
        request.refuse(ErrorCode.E_UNAUTHORIZED, "the envelope names another plugin than the payload")
        return None

    def _accuse(self, shard: Shard, claimed: str, method: str, by: str = "") -> None:
        """It claimed what is not its own.

        Args:
            by: The plugin of its own in whose name it did; "" when nobody knows.
        """
        self._counters.violations += 1
        claim = f"{method} in the name of {shown(claimed)}"
        record = SecurityViolation(
            shard=shard.name,
            incarnation=shard.incarnation,
            claim=claim,
            plugin_id=by or (shard.plugins[0] if len(shard.plugins) == 1 else ""),
        )
        self._observers.notify(record)
        shard.accuse(f"it sent {claim}, which is not one of its plugins")
