"""Which plugin sits in which shard, and why?"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs

from .request import Seat


@attrs.frozen
class Placement:
    """One plugin's shard."""

    plugin_id: str
    shard: str
    reason: str = ""
    """A sentence for the operator."""


def _frozen_by_id(placements: Mapping[str, Placement]) -> Mapping[str, Placement]:
    return MappingProxyType(dict(sorted(placements.items())))


def _sorted(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(names))


@attrs.frozen
class ShardPlan:
    """Every plugin in exactly one shard. A new plan has a new generation; plans are never changed."""

    generation: int = attrs.field(validator=attrs.validators.ge(0))
    """Counts the plans of a deployment; the first is 1, and 0 is the plan before it that places nothing."""
    placements: Mapping[str, Placement] = attrs.field(converter=_frozen_by_id)
    """By plugin id."""
    shards: tuple[str, ...] = attrs.field(converter=_sorted)
    """All shards by name, those that the policy made and those without a plugin too."""
    made: tuple[Seat, ...] = attrs.field(default=(), kw_only=True)
    """The seats among them that the policy made (`isolate`, `trust`), by name."""

    @placements.validator
    def _are_keyed_by_id(self, attribute: object, value: Mapping[str, Placement]) -> None:
        for plugin_id, placement in value.items():
            if placement.plugin_id != plugin_id:
                raise ValueError(f"the placement of {placement.plugin_id!r} is kept under {plugin_id!r}")

    @shards.validator
    def _hold_every_placement(self, attribute: object, value: tuple[str, ...]) -> None:
        known = {*value}
        for placement in self.placements.values():
            if placement.shard not in known:
                raise ValueError(
                    f"{placement.plugin_id} is in shard {placement.shard!r}, which is not one of the plan's: "
                    f"{', '.join(value) or 'none'}"
                )

    @classmethod
    def empty(cls) -> ShardPlan:
        """The plan before the first."""
        return cls(0, {}, ())

    def shard_of(self, plugin_id: str) -> str:
        """The shard of a plugin.

        Raises:
            KeyError: The plan does not place this plugin.
        """
        return self.placements[plugin_id].shard

    def plugins_of(self, shard: str) -> tuple[str, ...]:
        """The plugins of a shard, by id; none for a shard that the plan does not have."""
        return tuple(plugin_id for plugin_id, found in self.placements.items() if found.shard == shard)
