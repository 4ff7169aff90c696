"""What in the grants of a deployment is right and will surprise its operator all the same?

Nothing of it keeps a bot from running: an application may offer capabilities that no file knows of, and a plugin that is not
granted all that it asks for does what it can without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .capabilities.catalogue import LATER, NAMES, OWN
from .component_grants import FAMILIES
from .component_grants import NAMES as COMPONENT_NAMES
from .entitlement import covers
from .errors import Mistake
from .planning import shard_settings
from .start_mode import TRUSTED
from .suggestion import suggest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rookery.sharding import ShardPlan

    from .catalog import Catalog
    from .entitlement import Entitlement
    from .settings import Settings

KNOWN = frozenset({*NAMES, *LATER, *OWN, *COMPONENT_NAMES})
_FAMILIES = frozenset({name.partition(".")[0] for name in KNOWN} | FAMILIES)


def review_grants(settings: Settings, catalog: Catalog, plan: ShardPlan | None) -> tuple[Mistake, ...]:
    """Warnings: names that nothing of rookery's has, what plugins ask for and do not get, and neighbours that get different things.

    Args:
        plan: ``None`` where none can be made: nobody knows then which plugin belongs to which level.
    """
    unknown = tuple(_unknown_names(settings))
    if plan is None:
        return unknown
    return (*unknown, *_not_granted(settings, catalog, plan), *_within_reach(settings, plan))


def _unknown_names(settings: Settings) -> Iterator[Mistake]:
    lists = [(f"grants.{level}.allow", granted.allow) for level, granted in settings.levels.items()]
    lists += [
        (f'plugins."{plugin_id}".capabilities', allowed) for plugin_id, allowed in settings.grants.items()
    ]
    lists += [(f"shard.{shard.name}.capabilities", shard.capabilities or ()) for shard in settings.shards]
    for key, patterns in lists:
        for index, pattern in enumerate(patterns):
            if not _is_known(pattern):
                advice = suggest(pattern, {*KNOWN, *(f"{family}.*" for family in _FAMILIES)})
                yield Mistake(
                    file=str(settings.path),
                    key=f"{key}[{index}]",
                    given=f"{pattern!r}, which is no capability of rookery's",
                    advice=advice or "it counts only if the program that embeds the bot offers it",
                )


def _is_known(pattern: str) -> bool:
    family, _, rest = pattern.partition(".")
    return pattern in KNOWN or pattern == "*" or (rest == "*" and family in _FAMILIES) or family == "gateway"


def _not_granted(settings: Settings, catalog: Catalog, plan: ShardPlan) -> Iterator[Mistake]:
    entitlements = settings.entitlements
    for shard in shard_settings(settings, plan):
        for plugin_id in shard.plugins:
            if shard.trust == TRUSTED or plugin_id in settings.grants or plugin_id not in catalog.plugins:
                continue  # whoever wrote a list for a plugin knows what it leaves out
            entitlement = entitlements.of(
                plugin_id, trust=shard.trust, shard=shard.name, shard_allows=shard.capabilities
            )
            asked = catalog.plugins[plugin_id].manifest.capabilities
            if withheld := [each for each in asked if entitlement.complaint(each)]:
                yield _withheld(settings, plugin_id, shard.trust, withheld, entitlement)


def _within_reach(settings: Settings, plan: ShardPlan) -> Iterator[Mistake]:
    """Code of one plugin can act in the name of another in the same process."""
    for shard in shard_settings(settings, plan):
        chosen = {plugin_id: settings.plugin(plugin_id) for plugin_id in shard.plugins}
        own = {
            each: (plugin.capabilities, plugin.calls_apis_of, plugin.fetch) for each, plugin in chosen.items()
        }
        special = [plugin_id for plugin_id, words in own.items() if words != (None, (), None)]
        if shard.trust != TRUSTED and len(own) > 1 and special:
            yield Mistake(
                file=str(settings.path),
                key=f"shard.{shard.name}",
                given=f"{', '.join(special)} and its neighbours share a process, and not what they are granted: what one of"
                " them may, code of every other can do in its name",
                advice="give whoever is to have less a shard of its own",
            )


def _withheld(
    settings: Settings, plugin_id: str, trust: str, withheld: list[str], entitlement: Entitlement
) -> Mistake:
    names = ", ".join(f'"{each}"' for each in withheld)
    level = entitlement.allowed
    if level is not None and any(not covers(level, each) for each in withheld):
        line = ", ".join(f'"{each}"' for each in dict.fromkeys((*sorted(level), *withheld)))
        advice = f"[grants.{trust}] allow = [{line}]"
    else:
        advice = f'{names} in capabilities of the [[shard]] with name = "{entitlement.shard}"'
    return Mistake(
        file=str(settings.path),
        key=f"grants.{trust}",
        given=f"{plugin_id} asks in its manifest for {names}, which it is not granted",
        advice=f"to grant it, write {advice}",
    )
