"""Which plugin goes to which shard in this deployment, and which wishes of its configuration exclude each other?

`rookery.sharding` decides. This file turns settings and manifests into its words, finds names that mean nothing, and
tells its contradictions as mistakes of the configuration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from rookery.sharding import (
    Candidate,
    Contradiction,
    PlacementError,
    PlacementRequest,
    Policy,
    Seat,
    ShardPlan,
    place,
)

from .component_grants import grants_components
from .errors import ConfigError, Mistake
from .llm.offers import check_offers
from .original_settings import wrong_plugins
from .profiles import Isolation
from .runtime import Runtime
from .settings import EVERY, Settings, ShardSettings
from .start_mode import StartMode, resolve
from .suggestion import one_of, suggest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from .catalog import Catalog, InstalledPlugin

DEFAULT_TRUST = "trusted"
NOWHERE = ""
"""For a plugin whose shard is a mistake: it is not placed, so that the one mistake does not cause others."""


def make_plan(settings: Settings, catalog: Catalog) -> ShardPlan:
    """Place every plugin that is not disabled; the same plan for the same files on every machine.

    Raises:
        ConfigError: With the catalog's mistakes and everything that stands against a plan.
    """
    mistakes = list(catalog.mistakes)
    seats = make_seats(settings)
    mistakes += _unknown_names(settings, catalog)
    mistakes += _useless_capabilities(settings, catalog)
    mistakes += check_offers(settings, catalog)
    shard_of, quarrels = _named_shards(settings, catalog, {seat.name for seat in seats})
    mistakes += quarrels
    request = PlacementRequest(
        candidates=tuple(
            _candidate(plugin, settings, shard_of.get(plugin_id), seats)  # type: ignore[misc]  # mypy cannot see through converter=tuple
            for plugin_id, plugin in catalog.plugins.items()
            if settings.plugin(plugin_id).enabled and shard_of.get(plugin_id) != NOWHERE
        ),
        seats=seats,  # type: ignore[arg-type]  # as above
        policy=settings.placement.policy,
        keep_dependencies_together=settings.placement.keep_dependencies_together,
    )
    try:
        plan = place(request)
    except PlacementError as error:
        raise ConfigError(
            [*mistakes, *(_retell(found, settings) for found in error.contradictions)]
        ) from None
    mistakes += wrong_plugins(settings, catalog, plan)
    mistakes += _loopless(settings, catalog, plan)
    if mistakes:
        raise ConfigError(mistakes)
    return plan


def _loopless(settings: Settings, catalog: Catalog, plan: ShardPlan) -> Iterator[Mistake]:
    """Plugins of the SDK in a shard that is told to have no asyncio loop."""
    for shard in settings.shards:
        if shard.runtime is not Runtime.TRIO:
            continue
        for plugin_id in plan.plugins_of(shard.name):
            if not catalog.plugins[plugin_id].manifest.is_native:
                yield _mistake(
                    settings,
                    f"shard.{shard.name}.runtime",
                    f"'trio', and {plugin_id} is written for asyncio",
                    advice="write 'auto' or 'asyncio', or name another shard for the plugin",
                )


def make_seats(settings: Settings) -> tuple[Seat, ...]:
    """The shards of the file, then those that the policy may use beside them.

    A [[shard]] that has the name of one of these sets it up; it is no second one.
    """
    named = {
        shard.name: Seat(
            shard.name,
            shard.trust,
            capacity=shard.capacity,
            explicit_only=bool(shard.plugins or shard.plugin_dirs or shard.runner),
        )
        for shard in settings.shards
    }
    numbered = (f"shard-{number}" for number in range(1, settings.placement.shards + 1))
    return (*named.values(), *(Seat(name) for name in numbered if name not in named))


def shard_settings(settings: Settings, plan: ShardPlan) -> tuple[ShardSettings, ...]:
    """Every shard of the plan with the plugins that it has there: those of the file in its order, then the others."""
    named = {shard.name: shard for shard in settings.shards}
    made = {seat.name: seat for seat in plan.made}
    others = [
        ShardSettings(name=name, trust=made[name].trust if name in made else DEFAULT_TRUST)
        for name in plan.shards
        if name not in named
    ]
    return tuple(
        attrs.evolve(
            shard,
            plugins=plan.plugins_of(shard.name),
            start=StartMode.SPAWN
            if shard.runner
            else resolve(
                shard.start, settings.start, shard.trust, is_confined=shard.isolation is not Isolation.PROCESS
            ),
        )
        for shard in (*named.values(), *sorted(others, key=_place_of))
    )


def wants_zygote(settings: Settings, plan: ShardPlan) -> bool:
    """Whether a shard with plugins is to have its runners forked."""
    return any(shard.start is StartMode.ZYGOTE and shard.plugins for shard in shard_settings(settings, plan))


def _place_of(shard: ShardSettings) -> tuple[int, str]:
    """shard-2 before shard-10."""
    return len(shard.name) if shard.name.startswith("shard-") else 0, shard.name


def _candidate(
    plugin: InstalledPlugin, settings: Settings, shard: str | None, seats: Iterable[Seat]
) -> Candidate:
    manifest, chosen = plugin.manifest, settings.plugin(plugin.plugin_id)
    trust_of_shard = next((seat.trust for seat in seats if seat.name == shard), DEFAULT_TRUST)
    return Candidate(
        plugin.plugin_id,
        weight=manifest.weight if chosen.weight is None else chosen.weight,
        trust=chosen.trust or trust_of_shard,
        shard=shard,
        depends_on=tuple(each.plugin_id for each in manifest.dependencies),  # type: ignore[misc]  # as above
        together_with=chosen.together_with,  # type: ignore[arg-type]  # as above
        separate_from=chosen.separate_from,  # type: ignore[arg-type]  # as above
    )


def _named_shards(
    settings: Settings, catalog: Catalog, seats: Collection[str]
) -> tuple[dict[str, str], list[Mistake]]:
    """The shard that the configuration names for each plugin, and where it names two, or one that is not there."""
    shard_of: dict[str, str] = {}
    mistakes = []
    for shard in settings.shards:
        for plugin_id in dict.fromkeys(shard.plugins):
            if plugin_id in shard_of:
                told = f"{plugin_id!r}, which shard {shard_of[plugin_id]!r} has too"
                advice = "take it out of one of them: a plugin lives in one shard"
                mistakes.append(_mistake(settings, f"shard.{shard.name}.plugins", told, advice=advice))
            shard_of.setdefault(plugin_id, shard.name)
    for plugin_id, plugin in catalog.plugins.items():
        if plugin.shard is None:
            continue
        if shard_of.setdefault(plugin_id, plugin.shard) != plugin.shard:
            told = f"{plugin.path.parent}, whose plugin {plugin_id!r} shard {shard_of[plugin_id]!r} has in its plugins"
            key = f"shard.{plugin.shard}.plugin_dirs"
            mistakes.append(_mistake(settings, key, told, advice="take it out of one of them"))
    for plugin_id, chosen in settings.plugins.items():
        if chosen.shard is None:
            continue
        key = f'plugins."{plugin_id}".shard'
        if chosen.shard not in seats:
            told, advice = f"{chosen.shard!r}, a shard that is not there", suggest(chosen.shard, seats)
            mistakes.append(_mistake(settings, key, told, one_of(seats), advice))
            shard_of.setdefault(plugin_id, NOWHERE)
        elif shard_of.get(plugin_id, chosen.shard) != chosen.shard:
            told = f"{chosen.shard!r}, but shard {shard_of[plugin_id]!r} has it"
            mistakes.append(_mistake(settings, key, told, advice="take one of the two out"))
        else:
            shard_of[plugin_id] = chosen.shard
    return shard_of, mistakes


def _unknown_names(settings: Settings, catalog: Catalog) -> list[Mistake]:
    """Every plugin that the configuration speaks of and that is not there."""
    spoken: list[tuple[str, str]] = [
        (f"shard.{shard.name}.plugins", plugin_id) for shard in settings.shards for plugin_id in shard.plugins
    ]
    for owner, chosen in settings.plugins.items():
        spoken.append((f'plugins."{owner}"', owner))
        spoken += [(f'plugins."{owner}".together_with', other) for other in chosen.together_with]
        spoken += [(f'plugins."{owner}".separate_from', other) for other in chosen.separate_from]
        spoken += [(f'plugins."{owner}".manages', other) for other in chosen.manages if other != EVERY]
        spoken += [
            (f'plugins."{owner}".reads_config_of', other)
            for other in chosen.reads_config_of
            if other != EVERY
        ]
        spoken += [
            (f'plugins."{owner}".calls_apis_of', other) for other in chosen.calls_apis_of if other != EVERY
        ]
    for level, granted in settings.levels.items():
        spoken += [
            (f"grants.{level}.calls_apis_of", other) for other in granted.calls_apis_of if other != EVERY
        ]
    known = catalog.plugins.keys() | catalog.broken
    return [
        _mistake(
            settings,
            key,
            f"{plugin_id!r}, which is not installed",
            advice=_find_it(plugin_id, settings, known),
        )
        for key, plugin_id in spoken
        if plugin_id not in known
    ]


def _useless_capabilities(settings: Settings, catalog: Catalog) -> list[Mistake]:
    """What the operator allows and the plugin never asks for: most often a slip of the pen that would deny the rest."""
    mistakes = []
    for plugin_id, allowed in settings.grants.items():
        if plugin_id not in catalog.plugins:
            continue
        declared = catalog.plugins[plugin_id].manifest.capabilities
        for index, pattern in enumerate(allowed):
            if grants_components(pattern):
                continue  # no manifest says which components there will be
            if not any(_overlap(pattern, other) for other in declared):
                key = f'plugins."{plugin_id}".capabilities[{index}]'
                told = f"{pattern!r}, which its manifest does not declare"
                expected = one_of(declared) if declared else "an empty list: it declares no capability"
                mistakes.append(_mistake(settings, key, told, expected, suggest(pattern, declared)))
    return mistakes


def _overlap(one: str, other: str) -> bool:
    """Whether some capability is meant by both patterns."""
    families = {pattern: pattern.removesuffix("*") for pattern in (one, other) if pattern.endswith("*")}
    return (
        one == other
        or (one in families and other.startswith(families[one]))
        or (other in families and one.startswith(families[other]))
    )


def _find_it(plugin_id: str, settings: Settings, known: Iterable[str]) -> str:
    if close := suggest(plugin_id, known):
        return close
    where = (
        ", ".join(str(path) for path in settings.all_plugin_dirs)
        or "no directory: rookery.plugin_dirs is empty"
    )
    bundled = (
        "" if not plugin_id.startswith("rookery.") else "add it to rookery.bundled if it comes with rookery; "
    )
    return f"{bundled}plugins were looked for in {where}"


def _mistake(settings: Settings, key: str, given: str, expected: str = "", advice: str = "") -> Mistake:
    return Mistake(file=str(settings.path), key=key, given=given, expected=expected, advice=advice)


def _retell(found: Contradiction, settings: Settings) -> Mistake:
    """A contradiction's sentence has both names and the advice in it; what is missing are the keys of the file."""
    if settings.placement.policy is Policy.EXPLICIT and not found.second:
        return _mistake(
            settings,
            f'plugins."{found.first}".shard',
            "nothing, and policy 'explicit' places only what is named for a shard",
            expected="the name of a shard",
            advice="add it to the plugins of a [[shard]], disable it, or let a policy place it: "
            "[placement] policy = 'spread', shards = 2",
        )
    advice = (
        ""
        if settings.placement.policy in (Policy.EXPLICIT, Policy.ISOLATE)
        else _more_shards(found, settings)
    )
    return _mistake(settings, "placement", found.why, advice=advice)


def _more_shards(found: Contradiction, settings: Settings) -> str:
    has_open = any(not seat.explicit_only for seat in make_seats(settings))
    return "" if found.second or has_open else "placement.shards = 2 makes two that are open"
