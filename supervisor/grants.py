"""May this plugin use this capability: what its manifest declares and its operator allows.

A grant names a capability (``send.text``), a family of them (``database.*``) or all (``*``). It belongs to the shard whose
runner introduced the plugin and ends with that runner: the next one has to be given it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .entitlement import Entitlement, covers

if TYPE_CHECKING:
    from collections.abc import Iterable

ALWAYS_ALLOWED = frozenset({"api.replace_dynamic"})
"""What every plugin with a grant may do, whatever it declares (protocol 1.0.0)."""


@attrs.frozen(kw_only=True)
class _Grant:
    declared: frozenset[str]
    entitlement: Entitlement
    approved: frozenset[str] | None
    """What of it was there when the operator looked last; ``None``: it does not matter."""


class Grants:
    """Which plugin may use what, now. A plugin that was granted nothing may use nothing."""

    def __init__(self) -> None:
        self._grants: dict[str, _Grant] = {}

    def __repr__(self) -> str:
        return f"<Grants of {len(self._grants)} plugins>"

    def grant(
        self,
        plugin_id: str,
        declared: Iterable[str],
        allowed: Iterable[str] | None,
        *,
        shard: str | None = None,
        shard_allows: Iterable[str] | None = None,
    ) -> None:
        """Give a plugin what it declares as far as its operator allows it, in place of what it had.

        Args:
            declared: Of the manifest that the host read, not of what a runner says.
            allowed: What the operator allows this plugin; ``None`` allows all that is declared.
            shard: Whose runner introduced it: nobody else may use the grant. ``None`` leaves that, and what the shard
                allows, as it was; a first grant is then bound to nobody.
            shard_allows: What the operator allows every plugin there; ``None`` as above.
        """
        before = self._grants.get(plugin_id)
        entitlement = Entitlement(
            allowed=None if allowed is None else frozenset(allowed),
            where=f'capabilities in [plugins."{plugin_id}"]',
            shard_allows=None if shard_allows is None else frozenset(shard_allows),
            shard=shard or "",
        )
        if shard is None and before is not None:
            entitlement = attrs.evolve(
                entitlement, shard=before.entitlement.shard, shard_allows=before.entitlement.shard_allows
            )
        self.entitle(plugin_id, declared, entitlement)

    def entitle(
        self,
        plugin_id: str,
        declared: Iterable[str],
        entitlement: Entitlement,
        *,
        approved: Iterable[str] | None = None,
    ) -> None:
        """The same with all that the operator has said.

        Args:
            approved: What it may use of that which it declares, until the operator has seen the rest; ``None`` is all.
        """
        self._grants[plugin_id] = _Grant(
            declared=frozenset(declared),
            entitlement=entitlement,
            approved=None if approved is None else frozenset(approved),
        )

    def approve(self, plugin_id: str, approved: Iterable[str]) -> None:
        """Somebody has looked at what a plugin asks for; nothing happens when it has no grant, or none that waits for that."""
        grant = self._grants.get(plugin_id)
        if grant is not None and grant.approved is not None:
            self._grants[plugin_id] = attrs.evolve(grant, approved=frozenset(approved))

    def knows(self, plugin_id: str) -> bool:
        """Whether the plugin was granted anything, be it nothing."""
        return plugin_id in self._grants

    def revoke(self, plugin_id: str) -> bool:
        """Take everything back; False when there was nothing."""
        return self._grants.pop(plugin_id, None) is not None

    def revoke_shard(self, shard: str) -> tuple[str, ...]:
        """Take back what was granted to plugins of a shard whose runner has ended; the plugins, sorted."""
        ended = tuple(
            sorted(plugin_id for plugin_id, grant in self._grants.items() if grant.entitlement.shard == shard)
        )
        for plugin_id in ended:
            del self._grants[plugin_id]
        return ended

    def allows(self, plugin_id: str, capability: str) -> bool:
        """Whether the plugin may use the capability."""
        return self.refusal(plugin_id, capability) is None

    def refusal(self, plugin_id: str, capability: str, shard: str = "") -> str | None:
        """Why the plugin may not use the capability and what would help; ``None`` if it may.

        Args:
            shard: Where the question comes from; "" asks for the plugin wherever it lives.
        """
        grant = self._grants.get(plugin_id)
        no = f"plugin {plugin_id!r} may not use {capability!r}"
        if grant is None or (shard and grant.entitlement.shard and grant.entitlement.shard != shard):
            return f"{no}: it is not registered"
        if capability in ALWAYS_ALLOWED:
            return None
        if not covers(grant.declared, capability):
            return f'{no}: its manifest would have to declare "{capability}" in its list of capabilities'
        if complaint := grant.entitlement.complaint(capability):
            return f"{no}: its manifest declares it, but {complaint}"
        if grant.approved is not None and not covers(grant.approved, capability):
            return (
                f"{no}: its manifest asks for it since an update, and nobody has approved that:"
                f" rookery grants approve {plugin_id} {capability}"
            )
        return None
