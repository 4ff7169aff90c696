"""What does each plugin ask for, what of it does it get, and why not the rest?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from .start_mode import TRUSTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .approvals import Approvals
    from .entitlement import Entitlement, Entitlements
    from .settings import ShardSettings


@attrs.frozen(kw_only=True)
class AskedFor:
    """One capability, or a family of them, in a manifest or wanted by components."""

    name: str
    verdict: str
    """``granted``, ``in part``, ``withheld`` or ``held back``."""
    remark: str = ""
    """What to do about it, or which part it is."""


@attrs.frozen(kw_only=True)
class PluginGrants:
    """What one plugin gets."""

    plugin_id: str
    shard: str
    trust: str
    asks: tuple[AskedFor, ...]
    """In the manifest's order, and then what its components wanted when it registered last."""

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return attrs.asdict(self)


def list_grants(
    shards: Iterable[ShardSettings],
    declared: Mapping[str, tuple[str, ...]],
    entitlements: Entitlements,
    approvals: Approvals,
) -> list[PluginGrants]:
    """A row for each plugin, by its id.

    Args:
        shards: With the plugins that live there.
        declared: By plugin, what its manifest asks for.
    """
    rows = []
    for shard in shards:
        for plugin_id in shard.plugins:
            asked = (*declared.get(plugin_id, ()), *approvals.offered(plugin_id))
            entitlement = entitlements.of(
                plugin_id, trust=shard.trust, shard=shard.name, shard_allows=shard.capabilities
            )
            is_old = shard.trust != TRUSTED and approvals.knows(plugin_id)
            held = approvals.held(plugin_id, asked) if is_old else ()
            asks = tuple(
                _judge(plugin_id, name, entitlement, is_held=name in held) for name in dict.fromkeys(asked)
            )
            rows.append(PluginGrants(plugin_id=plugin_id, shard=shard.name, trust=shard.trust, asks=asks))
    return sorted(rows, key=lambda row: row.plugin_id)


def _judge(plugin_id: str, name: str, entitlement: Entitlement, *, is_held: bool) -> AskedFor:
    complaint = entitlement.complaint(name)
    part = entitlement.part_of(name) if complaint else ()
    if complaint and not part:
        return AskedFor(name=name, verdict="withheld", remark=complaint)
    if is_held:
        return AskedFor(name=name, verdict="held back", remark=f"rookery grants approve {plugin_id} {name}")
    if complaint:
        return AskedFor(name=name, verdict="in part", remark=", ".join(part))
    return AskedFor(name=name, verdict="granted")
