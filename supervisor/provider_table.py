"""Which plugin serves language models of which client type, over all shards?

A client type belongs to one plugin. A registration that claims one of somebody else's is refused as a whole; so is one that
claims what the plugin's manifest does not declare, because a runner cannot add to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from rookery.protocol import BadPayload, ComponentType, LLMProviderDeclaration, shown

from .component import Component
from .registry import Registration

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from .registry import Registry

HOST_TYPES = frozenset({"openai"})
"""Client types that the host serves itself."""

MAX_PROVIDERS = 50
"""Of one plugin."""

MAX_NAME_CHARS = 128


class ProviderConflict(BadPayload):
    """A plugin claims a client type that is not its own.

    Attributes:
        plugin_id: Who claims it.
        count: How many it has claimed in all.
    """

    def __init__(self, message: str, path: str, plugin_id: str, count: int) -> None:
        super().__init__(message, path)
        self.plugin_id = plugin_id
        self.count = count

    @property
    def details(self) -> dict[str, object]:
        return {**super().details, "plugin_id": self.plugin_id, "llm_provider_count": self.count}


@attrs.frozen(eq=False)
class _Offer:
    """What one plugin has registered."""

    registration: Registration
    providers: Mapping[str, Component]
    """By client type."""

    def is_of(self, registration: Registration) -> bool:
        """Also when something of it was switched, or it has moved: each registration brings a configuration of its own."""
        return self.registration.default_config is registration.default_config


class ProviderTable:
    """The providers of all plugins.

    Args:
        declared: Gives the client types that a plugin's manifest declares; ``None`` holds nobody to them.
    """

    def __init__(self, registry: Registry, declared: Callable[[str], Collection[str]] | None = None) -> None:
        self._registry = registry
        self._declared = declared
        self._live: dict[str, _Offer] = {}
        self._staged: dict[str, _Offer] = {}
        registry.on_replaced.append(self._take)

    def check(self, plugin_id: str, declared: Sequence[LLMProviderDeclaration]) -> None:
        """See whether a plugin may have these in the place of those that it had. Nothing changes.

        Raises:
            ProviderConflict: It may not; with the path of the first mistake.
        """
        count = len(declared)
        if count > MAX_PROVIDERS:
            text = f"has {count}, at most {MAX_PROVIDERS} are allowed"
            raise ProviderConflict(text, "llm_providers", plugin_id, count)
        seen: set[str] = set()
        for index, each in enumerate(declared):
            path = f"llm_providers[{index}].client_type"
            client_type = each.client_type.strip()
            complaint = self._complaint(plugin_id, client_type, seen)
            if complaint:
                raise ProviderConflict(complaint, path, plugin_id, count)
            seen.add(client_type)

    def note(self, registration: Registration, declared: Sequence[LLMProviderDeclaration]) -> None:
        """A plugin has registered; they were checked."""
        plugin_id = registration.plugin_id
        providers = {each.client_type.strip(): _provider(each, registration) for each in declared}
        offer = _Offer(registration, providers)
        if self._registry.registration(plugin_id) is registration:
            self._live[plugin_id] = offer
        else:
            self._staged[plugin_id] = offer

    def find(self, client_type: str) -> Component | None:
        """Who serves a client type now."""
        return next(
            (found for offer in self._live.values() if (found := offer.providers.get(client_type))), None
        )

    def of_plugin(self, plugin_id: str) -> tuple[str, ...]:
        """The client types that a plugin has claimed, also when it is still loading; sorted."""
        offers = (self._live.get(plugin_id), self._staged.get(plugin_id))
        return tuple(sorted({name for offer in offers if offer is not None for name in offer.providers}))

    # --- inside ------------------------------------------------------------------------------------------------

    def _complaint(self, plugin_id: str, client_type: str, seen: set[str]) -> str:
        if not client_type or len(client_type) > MAX_NAME_CHARS:
            return f"must be a text of 1 to {MAX_NAME_CHARS} characters"
        if client_type in seen:
            return f"{shown(client_type)} is there twice"
        if client_type in HOST_TYPES:
            return f"{shown(client_type)} is served by the host itself"
        if self._declared is not None and client_type not in self._declared(plugin_id):
            return f"{shown(client_type)} is not among the llm_providers of the plugin's manifest"
        owner = self._owner_of(client_type)
        if owner not in ("", plugin_id):
            return f"{shown(client_type)} belongs to plugin {owner!r}"
        return ""

    def _owner_of(self, client_type: str) -> str:
        """Also a plugin that is loading or trying newer code has it for its own."""
        for plugin_id, offer in self._live.items():
            if client_type in offer.providers:
                return plugin_id
        for plugin_id, offer in self._staged.items():
            loading = self._registry.loading(plugin_id)
            if client_type in offer.providers and loading is not None and offer.is_of(loading):
                return plugin_id
        return ""

    def _take(self, plugin_id: str) -> None:
        """What a plugin has registered is live now, or is other than it was, or is gone."""
        registration = self._registry.registration(plugin_id)
        live = self._live.pop(plugin_id, None)
        staged = self._staged.get(plugin_id)
        if registration is None:
            self._staged.pop(plugin_id, None)
        elif staged is not None and staged.is_of(registration):
            del self._staged[plugin_id]
            self._live[plugin_id] = _moved(staged, registration)
        elif live is not None and live.is_of(registration):
            self._live[plugin_id] = _moved(live, registration)


def _moved(offer: _Offer, registration: Registration) -> _Offer:
    providers = {
        client_type: attrs.evolve(each, shard=registration.shard)
        for client_type, each in offer.providers.items()
    }
    return _Offer(registration, providers)


def _provider(declared: LLMProviderDeclaration, registration: Registration) -> Component:
    """It is called as components are, and is none."""
    client_type = declared.client_type.strip()
    return Component(
        plugin_id=registration.plugin_id,
        name=client_type,
        type=ComponentType.LLM_PROVIDER,
        shard=registration.shard,
        metadata={
            **declared.metadata,
            "name": declared.name,
            "description": declared.description,
            "version": declared.version,
        },
    )
