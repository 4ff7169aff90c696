"""What is there of which kind, for whoever wants to list it?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from rookery.protocol import ComponentType

from .component import Component, Gateway, HomeCard, RouteType, Tool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conversation import Conversation
    from .registry import Registry


@attrs.frozen(kw_only=True)
class ComponentCounts:
    """How many live components there are."""

    total: int
    plugins: int
    by_type: Mapping[str, int]
    """Every type is there, in small letters, those without a component too."""
    by_plugin: Mapping[str, int]
    by_shard: Mapping[str, int]
    disabled: int

    @property
    def summary(self) -> dict[str, int]:
        """In one map: ``total``, ``plugins``, ``disabled``, and each type."""
        return {
            "total": self.total,
            "plugins": self.plugins,
            "disabled": self.disabled,
            **self.by_type,
        }


class ComponentQueries:
    """Lists live components, by plugin id and then as their plugins declared them."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def by_type(
        self,
        component_type: ComponentType | str,
        *,
        enabled_only: bool = True,
        conversation: Conversation | None = None,
    ) -> tuple[Component, ...]:
        """Those of a type; of ``ACTION`` also tools that were declared as legacy actions.

        Args:
            conversation: Only those that may be used in it; ``None`` asks for no conversation.

        Raises:
            ValueError: There is no such type.
        """
        wanted = ComponentType(component_type.strip().upper())
        return tuple(
            each
            for each in self._all()
            if _is_of(each, wanted)
            and (each.enabled or not enabled_only)
            and (conversation is None or each.serves_in(conversation))
        )

    def by_plugin(self, plugin_id: str, *, enabled_only: bool = False) -> tuple[Component, ...]:
        """Those of a plugin."""
        registration = self._registry.registration(plugin_id)
        components = registration.components if registration else ()
        return tuple(each for each in components if each.enabled or not enabled_only)

    def get(self, full_name: str) -> Component | None:
        """The one of this full name; of an API with several versions one of them."""
        return self._registry.by_full_name(full_name)

    def gateways(
        self,
        *,
        plugin_id: str = "",
        platform: str = "",
        route_type: RouteType | None = None,
        enabled_only: bool = True,
    ) -> tuple[Gateway, ...]:
        """Those that fit everything that is said."""
        return tuple(
            each
            for each in self._all()
            if isinstance(each, Gateway)
            and plugin_id in ("", each.plugin_id)
            and platform.lower() in ("", each.platform)
            and route_type in (None, each.route_type)
            and (each.enabled or not enabled_only)
        )

    def home_cards(self) -> tuple[HomeCard, ...]:
        """Cards of the home page that are switched on, in their order."""
        cards = [each for each in self._all() if isinstance(each, HomeCard) and each.enabled]
        return tuple(sorted(cards, key=lambda card: (card.order, card.plugin_id, card.name)))

    def counts(self) -> ComponentCounts:
        """How many there are."""
        everything = list(self._all())
        by_type = Counter({kind.value.lower(): 0 for kind in ComponentType})
        by_type.update(
            "action" if isinstance(each, Tool) and each.is_action else each.type.value.lower()
            for each in everything
        )
        return ComponentCounts(
            total=len(everything),
            plugins=len(self._registry.registrations),
            by_type=dict(by_type),
            by_plugin=dict(Counter(each.plugin_id for each in everything)),
            by_shard=dict(Counter(each.shard for each in everything)),
            disabled=sum(not each.enabled for each in everything),
        )

    def _all(self) -> Iterator[Component]:
        for registration in self._registry.registrations:
            yield from registration.components


def _is_of(component: Component, wanted: ComponentType) -> bool:
    if isinstance(component, Tool):
        return component.is_action is (wanted is ComponentType.ACTION) and wanted in (
            ComponentType.ACTION,
            ComponentType.TOOL,
        )
    return component.type is wanted
