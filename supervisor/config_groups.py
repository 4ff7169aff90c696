"""Which groups does a configuration file name, and do its shards fit them?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .config_table import as_written, join, read_table
from .strategy import DEFAULT_GROUP, GROUP_FORM, AutoShutdown, GroupSettings, Significance
from .suggestion import one_of, suggest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .config_table import Notes
    from .settings import ShardSettings


def read_groups(tables: object, shards: Sequence[ShardSettings], notes: Notes) -> tuple[GroupSettings, ...]:
    """Read every [[group]]; the default one is added when the file does not have it.

    Args:
        shards: Those of the file; a shard of a group that is not there is a mistake.
    """
    groups = _read_tables(tables, notes)
    groups.setdefault(DEFAULT_GROUP, GroupSettings())
    for shard in shards:
        if shard.group not in groups:
            path = f"{join('shard', shard.name)}.group"
            advice = suggest(shard.group, groups) or f'add a [[group]] with the name "{shard.group}"'
            notes.add(path, as_written(shard.group), one_of(groups), advice)
    for group in groups.values():
        _check(group, [shard for shard in shards if shard.group == group.name], notes)
    return tuple(groups.values())


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
    jobs = [shard for shard in members if shard.significance is Significance.ONE_SHOT]
    if group.auto_shutdown is not AutoShutdown.NEVER and not jobs:
        notes.add(
            f"{join('group', group.name)}.auto_shutdown",
            f"{as_written(str(group.auto_shutdown))}, and no shard of the group is one_shot: the host would never end",
            advice='set significance = "one_shot" for the shards that have a job, or auto_shutdown = "never"',
        )
