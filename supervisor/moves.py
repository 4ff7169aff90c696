"""How does a plugin that has crashed too often get a shard of its own?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from .strategy import Significance

if TYPE_CHECKING:
    from collections.abc import Collection

    from .settings import ShardSettings
    from .shard import Shard
    from .supervisor import Supervisor

NEVER = 10**9
"""Failed loads after which the plugin would be left out of the only shard that it is for."""

_NOT_IN_NAMES = re.compile(r"[^a-z0-9_-]+")
_MOST_CHARS = 28
"""Leaves room for a number."""


def isolate(supervisor: Supervisor, plugin_id: str, shard: Shard, *, hold: float, reason: str) -> Shard:
    """Carry a plugin from a shard without a runner into one of its own; what waits for it follows.

    Args:
        hold: Seconds until it may start there.
    """
    settings = isolated_settings(shard.settings, plugin_id, supervisor.shards)
    shard.remove_plugin(plugin_id)
    parts = supervisor.parts
    made = supervisor.add_shard(settings, (plugin_id,), hold=hold, reason=reason)
    parts.registry.move_plugin(plugin_id, made.name)
    parts.dispatcher.move_plugin(plugin_id, made.name)
    return made


def isolated_settings(settings: ShardSettings, plugin_id: str, taken: Collection[str]) -> ShardSettings:
    """The settings of a shard for one plugin: those of the shard that it comes from, without its part in the whole."""
    return attrs.evolve(
        settings,
        name=isolated_name(plugin_id, taken),
        plugins=(plugin_id,),
        capacity=None,
        terminal=False,
        autostart=True,
        significance=Significance.OPTIONAL,
        restart=attrs.evolve(settings.restart, load_fail_limit=NEVER),
    )


def isolated_name(plugin_id: str, taken: Collection[str]) -> str:
    """A name that says which plugin it is for and that no other shard has."""
    base = _NOT_IN_NAMES.sub("-", plugin_id.lower()).strip("-_")[:_MOST_CHARS].strip("-_") or "isolated"
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    return name
