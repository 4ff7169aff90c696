"""What has to be placed, where may it go, and by which policy?"""

from __future__ import annotations

import math
from collections import Counter
from enum import StrEnum

import attrs

from rookery.protocol import is_plugin_id, is_shard_name

DEFAULT_WEIGHT = 1.0


class Policy(StrEnum):
    """How plugins that nobody named a shard for find one."""

    EXPLICIT = "explicit"
    """They do not: each needs a named shard, its own or that of a plugin it is tied to."""
    PACK = "pack"
    """By weight: shards get their part of the weight in proportion to their capacities."""
    SPREAD = "spread"
    """By number: every open shard is as good as another, whatever its plugins weigh."""
    ISOLATE = "isolate"
    """Each plugin in a shard of its own, together only with what it is tied to."""
    TRUST = "trust"
    """One set of shards for each trust level, spread within; a level without an open shard gets one."""


def _check_weight(instance: object, attribute: attrs.Attribute[float], value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{attribute.name} is {value!r}, expected a number from 0 up")


def _check_capacity(instance: object, attribute: attrs.Attribute[float | None], value: float | None) -> None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise ValueError(f"{attribute.name} is {value!r}, expected a number above 0, or None for no limit")


def _check_plugin_id(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not is_plugin_id(value):
        raise ValueError(f"{attribute.name} is {value!r}, expected two or more words joined by '.' or '-'")


def _check_shard_name(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not is_shard_name(value):
        raise ValueError(
            f"{attribute.name} is {value!r}, expected at most 32 of a-z, 0-9, '_' and '-', a letter or digit first"
        )


def _check_seats(
    instance: object, attribute: attrs.Attribute[tuple[Seat, ...]], value: tuple[Seat, ...]
) -> None:
    twice = sorted(name for name, count in Counter(seat.name for seat in value).items() if count > 1)
    if twice:
        raise ValueError(f"two seats are called {twice[0]!r}, expected a name of its own for each")


@attrs.frozen
class Candidate:
    """One plugin that needs a shard, and the wishes that come with it."""

    plugin_id: str = attrs.field(validator=_check_plugin_id)
    weight: float = attrs.field(default=DEFAULT_WEIGHT, validator=_check_weight, kw_only=True)
    """What it costs beside others; a unit of nobody's, 1.0 is an ordinary plugin, 0.0 costs nothing."""
    trust: str = attrs.field(default="trusted", kw_only=True)
    """Its trust level. Levels are never mixed within a shard."""
    shard: str | None = attrs.field(default=None, kw_only=True)
    """The shard that the configuration names for it; None leaves the choice to the policy."""
    depends_on: tuple[str, ...] = attrs.field(default=(), converter=tuple, kw_only=True)
    """Ids of plugins it needs. One that is not installed is no mistake here."""
    together_with: tuple[str, ...] = attrs.field(default=(), converter=tuple, kw_only=True)
    """Ids of plugins whose shard it shares; this plugin follows them, not they it."""
    separate_from: tuple[str, ...] = attrs.field(default=(), converter=tuple, kw_only=True)
    """Ids of plugins whose shard it avoids; this plugin gives way, not they."""


@attrs.frozen
class Seat:
    """A shard that the configuration provides; it may stay empty."""

    name: str = attrs.field(validator=_check_shard_name)
    trust: str = "trusted"
    """The only trust level whose plugins may sit here."""
    capacity: float | None = attrs.field(default=None, validator=_check_capacity, kw_only=True)
    """The total weight it carries at most; None is no limit."""
    explicit_only: bool = attrs.field(default=False, kw_only=True)
    """Takes the plugins that name it and no other, such as the shard of a gateway."""


@attrs.frozen(kw_only=True)
class PlacementRequest:
    """Everything a plan depends on. The order of candidates and seats means nothing."""

    candidates: tuple[Candidate, ...] = attrs.field(converter=tuple)
    seats: tuple[Seat, ...] = attrs.field(default=(), converter=tuple, validator=_check_seats)
    policy: Policy = attrs.field(default=Policy.EXPLICIT, converter=Policy)
    keep_dependencies_together: bool = True
    """Whether `depends_on` ties plugins to one shard. `together_with` always does."""
