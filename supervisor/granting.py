"""When does a plugin get its capabilities, when does it lose them, and who is told?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .component_grants import (
    LISTEN_ALIASES,
    PROVIDE_MODELS,
    gateway_capability,
    look_at,
    shortened,
)
from .entitlement import Entitlement, covers
from .observers import (
    CapabilitiesGranted,
    CapabilitiesHeld,
    CapabilitiesRevoked,
    CapabilityDenied,
    ComponentsWithheld,
)
from .registry import MAX_COMPONENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rookery.protocol import RegisterComponents

    from .approvals import Approvals
    from .component import Api, Gateway
    from .entitlement import Entitlements
    from .grants import Grants
    from .observers import Observers
    from .shard import Shard

MAX_WITHHELD = 50
"""Names in the record of a grant: a hostile runner may ask for as many as a frame holds."""

HOST_CONFIG = "config.get"
"""What a plugin has to be allowed that wants to hear of the configuration of the bot and its models."""

NOTHING = Entitlement(allowed=frozenset(), trust="")
"""Of a plugin that nobody has introduced."""


class Granting:
    """Grants and revokes, and tells the observers.

    Args:
        entitlements: What the operator allows.
        declared: What each plugin's manifest declares, read by the host: a runner cannot add to it.
        approvals: What plugins that are not trusted may ask for; ``None`` holds nothing back.
        prefix: What a message begins with to be a command.
    """

    def __init__(
        self,
        grants: Grants,
        observers: Observers,
        *,
        entitlements: Entitlements,
        declared: Mapping[str, tuple[str, ...]],
        approvals: Approvals | None = None,
        prefix: str = "!",
    ) -> None:
        self._grants = grants
        self._observers = observers
        self._entitlements = entitlements
        self._declared = declared
        self._approvals = approvals
        self._prefix = prefix
        self._told_held: dict[str, tuple[str, ...]] = {}
        self._known: dict[str, Entitlement] = {}
        """Of each plugin that a runner has introduced or registered."""

    def grant(self, shard: Shard, plugin_id: str, wanted: Sequence[str]) -> None:
        """A runner introduces a plugin. It says what the plugin wants; the manifest on disk says what it may want."""
        declared = self._declared.get(plugin_id, ())
        names = dict.fromkeys(name.strip() for name in wanted)
        granted = tuple(name for name in names if name in declared)
        entitlement = self._entitlement(shard, plugin_id)
        approved = None
        if self._approvals is not None and not entitlement.is_trusted:
            approved = self._approvals.of(plugin_id)
            self._tell_held(shard, plugin_id, self._approvals.held(plugin_id, declared))
        self._grants.entitle(plugin_id, granted, entitlement, approved=approved)
        usable = tuple(
            each
            for name in granted
            for each in (entitlement.part_of(name) if entitlement.complaint(name) else (name,))
            if self._grants.allows(plugin_id, each)
        )
        withheld = tuple(name for name in names if name and name not in usable)[:MAX_WITHHELD]
        self._observers.notify(
            CapabilitiesGranted(
                shard=shard.name,
                incarnation=shard.incarnation,
                plugin_id=plugin_id,
                capabilities=usable,
                withheld=withheld,
            )
        )

    def admit(self, shard: Shard, plugin_id: str) -> None:
        """A plugin has registered. One that asks for nothing may use what everybody may."""
        if not self._grants.knows(plugin_id):
            self._grants.entitle(plugin_id, (), Entitlement(allowed=frozenset(), shard=shard.name))

    def admitted(self, shard: Shard, registered: RegisterComponents) -> RegisterComponents:
        """A registration without what the plugin may not offer and hear of; what was left out is told."""
        plugin_id = registered.plugin_id
        entitlement = self._entitlement(shard, plugin_id)
        if entitlement.is_trusted or len(registered.components) > MAX_COMPONENTS:
            return registered
        looked = [look_at(each, plugin_id, entitlement, self._prefix) for each in registered.components]
        providers, subscriptions = registered.llm_providers, registered.config_reload_subscriptions
        offered = {name for each in looked for name in each.wants}
        offered |= {PROVIDE_MODELS} if providers else set()
        offered |= {HOST_CONFIG} if subscriptions else set()
        held = self._hold(shard, plugin_id, offered)

        def lacks(capability: str) -> bool:
            return bool(entitlement.complaint(capability)) or covers(held, capability)

        withheld: dict[str, list[str]] = {}
        components = []
        for each in looked:
            if each.is_missing or covers(held, each.wanted):
                withheld.setdefault(each.wanted, []).append(each.declared.name)
            elif each.bare and lacks(LISTEN_ALIASES):
                withheld.setdefault(LISTEN_ALIASES, []).extend(map(repr, each.bare))
                components.append(each.without_bare)
            else:
                components.append(each.declared)
        if providers and lacks(PROVIDE_MODELS):
            withheld[PROVIDE_MODELS] = [each.client_type for each in providers]
            providers = []
        if subscriptions and lacks(HOST_CONFIG):
            withheld[HOST_CONFIG] = [f"the configuration of {each}" for each in subscriptions]
            subscriptions = []
        for capability, names in withheld.items():
            self._tell_withheld(shard, plugin_id, capability, names, entitlement)
        return attrs.evolve(
            registered,
            components=components,
            llm_providers=providers,
            config_reload_subscriptions=subscriptions,
        )

    def _hold(self, shard: Shard, plugin_id: str, offered: Iterable[str]) -> frozenset[str]:
        """What the components of a plugin want that it did not offer at first, and nobody has approved since."""
        if self._approvals is None:
            return frozenset()
        held = self._approvals.offer(plugin_id, shortened(offered))
        declared = self._declared.get(plugin_id, ())
        self._tell_held(shard, plugin_id, self._approvals.held(plugin_id, declared))
        return held

    def refuse_platform(self, gateway: Gateway, platform: str) -> str:
        """Why a gateway may not speak for a platform; "" when it may. A refusal is told."""
        if gateway.is_trusted:
            return ""
        entitlement = self._known.get(gateway.plugin_id, NOTHING)
        capability = gateway_capability(platform)
        complaint = entitlement.complaint(capability) or self._complaint_of_update(gateway, capability)
        if complaint:
            reason = (
                f"gateway {gateway.name!r} of {gateway.plugin_id} may not carry {platform!r}: {complaint}"
            )
            self._observers.notify(
                CapabilityDenied(
                    shard=gateway.shard, plugin_id=gateway.plugin_id, capability=capability, reason=reason
                )
            )
            return reason
        return ""

    def _complaint_of_update(self, gateway: Gateway, capability: str) -> str:
        if self._approvals is None or covers(self._approvals.of(gateway.plugin_id), capability):
            return ""
        return _since_update(gateway.plugin_id, capability)

    def refuse_call(self, plugin_id: str, api: Api) -> str:
        """Why a plugin may not call an API, as far as the operator has a say in that; "" when it may."""
        return (
            self._known.get(plugin_id, NOTHING).complaint_about_call(plugin_id, api.plugin_id)
            if api.is_trusted
            else ""
        )

    def revoke(self, shard: Shard, plugin_id: str, reason: str) -> None:
        """Take everything back; nothing happens when there is nothing."""
        if self._grants.revoke(plugin_id):
            self._tell(shard, [plugin_id], reason)

    def revoke_missing(self, shard: Shard, loaded: Iterable[str]) -> None:
        """A runner has come up: what it could not load may use nothing."""
        there = set(loaded)
        for plugin_id in shard.plugins:
            if plugin_id not in there:
                self.revoke(shard, plugin_id, "it was not loaded")

    def revoke_shard(self, shard: Shard, reason: str) -> None:
        """A runner has ended. By the shard and not by its plugins: one that was to blame may live elsewhere by now."""
        self._tell(shard, self._grants.revoke_shard(shard.name), reason)

    def _entitlement(self, shard: Shard, plugin_id: str) -> Entitlement:
        settings = shard.settings
        found = self._known[plugin_id] = self._entitlements.of(
            plugin_id, trust=settings.trust, shard=shard.name, shard_allows=settings.capabilities
        )
        return found

    def _tell_held(self, shard: Shard, plugin_id: str, held: tuple[str, ...]) -> None:
        """Once for each manifest, not at each start of a runner."""
        if held and held != self._told_held.get(plugin_id):
            self._observers.notify(
                CapabilitiesHeld(shard=shard.name, plugin_id=plugin_id, capabilities=held[:MAX_WITHHELD])
            )
        self._told_held[plugin_id] = held

    def _tell_withheld(
        self, shard: Shard, plugin_id: str, capability: str, names: Sequence[str], entitlement: Entitlement
    ) -> None:
        self._observers.notify(
            ComponentsWithheld(
                shard=shard.name,
                incarnation=shard.incarnation,
                plugin_id=plugin_id,
                capability=capability,
                components=tuple(names[:MAX_WITHHELD]),
                reason=entitlement.complaint(capability) or _since_update(plugin_id, capability),
            )
        )

    def _tell(self, shard: Shard, plugins: Iterable[str], reason: str) -> None:
        for plugin_id in plugins:
            self._observers.notify(
                CapabilitiesRevoked(
                    shard=shard.name, incarnation=shard.incarnation, plugin_id=plugin_id, reason=reason
                )
            )


def _since_update(plugin_id: str, capability: str) -> str:
    return f"it did not offer that when it was let in: rookery grants approve {plugin_id} {capability}"
