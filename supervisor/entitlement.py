"""What does the operator allow a plugin, and where would more have to be written?

The plugin's own list counts (``[plugins."ID"] capabilities``), else that of its trust level (``[grants.LEVEL] allow``), else that
of its shard. Where nobody has said a word, trusted plugins may use all that they declare, and the others nothing. What a
shard allows is a limit besides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from .start_mode import TRUSTED

if TYPE_CHECKING:
    from collections.abc import Collection


def covers(patterns: Collection[str], capability: str) -> bool:
    """Whether a capability is meant by one of the patterns: its name, its family or all."""
    family, _, _ = capability.partition(".")
    return capability in patterns or f"{family}.*" in patterns or "*" in patterns


@attrs.frozen(kw_only=True)
class Entitlement:
    """What the operator allows one plugin in one shard."""

    allowed: frozenset[str] | None = None
    """Patterns; ``None`` is whatever the plugin declares. So with the next but one."""
    where: str = ""
    """The place of the file where ``allowed`` stands, or would."""
    shard_allows: frozenset[str] | None = None
    shard: str = ""
    trust: str = TRUSTED
    calls_apis_of: frozenset[str] = frozenset()
    """Trusted plugins whose APIs it may call; ``*`` is every one. Of no account for one that is trusted itself."""

    @property
    def is_trusted(self) -> bool:
        """Whether it may offer components of every kind, see ``component_grants``, and call every public API."""
        return self.trust == TRUSTED

    def complaint(self, capability: str) -> str:
        """Why the operator does not allow a capability, and what to write; "" when it is allowed."""
        if self.allowed is not None and not covers(self.allowed, capability):
            return f'the operator has not allowed it: add "{capability}" to {self.where or "what it may use"}'
        if self.shard_allows is not None and not covers(self.shard_allows, capability):
            place = f'capabilities of the [[shard]] with name = "{self.shard}"'
            return f'the operator does not allow it in shard "{self.shard}": add "{capability}" to {place}'
        return ""

    def part_of(self, pattern: str) -> tuple[str, ...]:
        """What of a family that is not allowed as a whole is allowed all the same, by name."""
        if not pattern.endswith("*"):
            return ()
        front = pattern.removesuffix("*")
        limits = [each for each in (self.allowed, self.shard_allows) if each is not None]
        named = {each for limit in limits for each in limit if each.startswith(front)}
        return tuple(sorted(each for each in named if all(covers(limit, each) for limit in limits)))

    def complaint_about_call(self, plugin_id: str, target: str) -> str:
        """Why a plugin may not call APIs of a trusted one, and what to write; "" when it may."""
        if self.is_trusted or not self.calls_apis_of.isdisjoint({"*", target}):
            return ""
        place = f'calls_apis_of in [grants.{self.trust}], or in [plugins."{plugin_id}"] for it alone'
        return (
            f"plugin {plugin_id!r} is not trusted and may not call APIs of {target!r}, which is: the operator would have"
            f' to add "{target}" to {place}'
        )


@attrs.frozen(kw_only=True)
class Entitlements:
    """The operator's lists."""

    plugins: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    """Of capabilities, by plugin, of those that have one."""
    levels: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    """By trust level, likewise."""
    callees: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    """Of trusted plugins whose APIs may be called, by plugin."""
    level_callees: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    """By trust level."""

    def of(
        self, plugin_id: str, *, trust: str, shard: str = "", shard_allows: Collection[str] | None = None
    ) -> Entitlement:
        """What a plugin is allowed in a shard of that trust level, which allows no more than ``shard_allows``."""
        own, level = self.plugins.get(plugin_id), self.levels.get(trust)
        where = f"allow in [grants.{trust}]"
        if own is not None:
            allowed: Collection[str] | None = own
            where = f'capabilities in [plugins."{plugin_id}"]'
        elif level is not None or trust == TRUSTED or shard_allows is not None:
            allowed = level
        else:
            allowed = ()
        return Entitlement(
            allowed=None if allowed is None else frozenset(allowed),
            where=where,
            shard_allows=None if shard_allows is None else frozenset(shard_allows),
            shard=shard,
            trust=trust,
            calls_apis_of=frozenset((*self.callees.get(plugin_id, ()), *self.level_callees.get(trust, ()))),
        )
