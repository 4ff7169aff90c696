"""Which groups does a configuration file name, and do its shards fit them?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .config_table import as_written, join, read_table
from .strategy import DEFAULT_GROUP, GROUP_FORM, AutoShutdown, GroupSettings, Significance
from .suggestion import one_of, suggest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .config_table import Notes
    from .settings import ShardSettings

_WHO_BELONGS_WHERE = re.compile(r"shard(?:\[.*|\.[^.]+(?:\.(?:name|group|significance|restart.*))?)?")
"""Mistakes that leave it open which shards a group has, and what they mean for it."""


def read_groups(tables: object, shards: Sequence[ShardSettings], notes: Notes) -> tuple[GroupSettings, ...]:
    """Read every [[group]]; the default one is added when the file does not have it.

    Args:
        shards: Those of the file; a shard of a group that is not there is a mistake.
    """
    groups = _read_tables(tables, notes)
    named = groups.keys() | _names(tables)
    for shard in shards:
        if shard.group not in named | {DEFAULT_GROUP}:
            path = f"{join('shard', shard.name)}.group"
            advice = suggest(shard.group, named) or f'add a [[group]] with the name "{shard.group}"'
            notes.add(path, as_written(shard.group), one_of(named | {DEFAULT_GROUP}), advice)
    groups.setdefault(DEFAULT_GROUP, GroupSettings())
    for group in groups.values():
        _check(group, [shard for shard in shards if shard.group == group.name], notes)
    return tuple(groups.values())


def _names(tables: object) -> set[str]:
    """Also of those sections that have a mistake: a shard may name them."""
    tables = tables if type(tables) is list else []
    names = (table.get("name") for table in tables if type(table) is dict)
    return {name for name in names if type(name) is str}


def _read_tables(tables: object, notes: Notes) -> dict[str, GroupSettings]:
    groups: dict[str, GroupSettings] = {}
    if type(tables) is not list:
        advice = "write [[group]], with two brackets" if type(tables) is dict else ""
        notes.add("group", as_written(tables), "a section [[group]] for each group", advice)
        return groups
    for index, table in enumerate(tables):
        name = table.get("name") if type(table) is dict else None
        named = type(name) is str and bool(GROUP_FORM.accepts(name))
        path = join("group", str(name)) if named else f"group[{index}]"
        if type(table) is dict and name is None:
            notes.add(join(path, "name"), "nothing", GROUP_FORM.expected)
            continue
        group = read_table(GroupSettings, table, path, notes)
        if group is None or not named:
            continue
        if group.name in groups:
            notes.add(path, f"a second [[group]] with the name {group.name!r}", "a name of its own for each")
        groups.setdefault(group.name, group)
    return groups


def _check(group: GroupSettings, members: Sequence[ShardSettings], notes: Notes) -> None:
    path = join("group", group.name)
    if not any(_WHO_BELONGS_WHERE.fullmatch(mistake.key) for mistake in notes.mistakes):
        _check_end(group, members, path, notes)
    if group.is_ordered:
        _check_order(group, members, notes)


def _check_end(group: GroupSettings, members: Sequence[ShardSettings], path: str, notes: Notes) -> None:
    jobs = [shard for shard in members if shard.significance is Significance.ONE_SHOT]
    if group.auto_shutdown is not AutoShutdown.NEVER and not jobs:
        notes.add(
            f"{path}.auto_shutdown",
            f"{as_written(str(group.auto_shutdown))}, and no shard of the group is one_shot: the host would never end",
            advice='set significance = "one_shot" for the shards that have a job, or auto_shutdown = "never"',
        )
    required = [shard.name for shard in members if shard.significance is Significance.REQUIRED]
    if not group.restart_limit and required:
        notes.add(
            f"{path}.restart_limit",
            f"0, and shard {required[0]!r} is required: the host would end without one restart of the group",
            advice="set restart_limit to 1 or more, or take the significance of the shard away",
        )


def _check_order(group: GroupSettings, members: Sequence[ShardSettings], notes: Notes) -> None:
    taken: dict[int, str] = {}
    for shard in members:
        if shard.order is None:
            continue
        if shard.order in taken:
            notes.add(
                f"{join('shard', shard.name)}.order",
                f"{shard.order}, which shard {taken[shard.order]!r} has too, and group {group.name!r} is {group.strategy}",
                "a number of its own for each",
                "change one of the two, or leave order out: the file has an order of its own",
            )
        taken.setdefault(shard.order, shard.name)
