"""May this plugin use this capability: what its manifest declares and its operator allows.

A grant names a capability (``send.text``), a family of them (``database.*``) or all (``*``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable

ALWAYS_ALLOWED = frozenset({"api.replace_dynamic"})
"""What every plugin with a grant may do, whatever it declares (protocol 1.0.0)."""


@attrs.frozen(kw_only=True)
class _Grant:
    declared: frozenset[str]
    allowed: frozenset[str] | None
    """``None``: the operator allows whatever is declared."""


class Grants:
    """Which plugin may use what, now. A plugin that was granted nothing may use nothing."""

    def __init__(self) -> None:
        self._grants: dict[str, _Grant] = {}

    def __repr__(self) -> str:
        return f"<Grants of {len(self._grants)} plugins>"

    def grant(self, plugin_id: str, declared: Iterable[str], allowed: Iterable[str] | None) -> None:
        """Give a plugin what it declares as far as its operator allows it, in place of what it had.

        Args:
            declared: Of the manifest that the host read, not of what a runner says.
            allowed: ``None`` allows all that is declared.
        """
        self._grants[plugin_id] = _Grant(
            declared=frozenset(declared), allowed=None if allowed is None else frozenset(allowed)
        )

    def revoke(self, plugin_id: str) -> None:
        """Take everything back; revoking twice does nothing."""
        self._grants.pop(plugin_id, None)

    def allows(self, plugin_id: str, capability: str) -> bool:
        """Whether the plugin may use the capability."""
        return self.refusal(plugin_id, capability) is None

    def refusal(self, plugin_id: str, capability: str) -> str | None:
        """Why the plugin may not use the capability and what would help; ``None`` if it may."""
        grant = self._grants.get(plugin_id)
        if grant is None:
            return f"plugin {plugin_id!r} may not use {capability!r}: it is not registered"
        if capability in ALWAYS_ALLOWED:
            return None
        if not _covers(grant.declared, capability):
            return (
                f"plugin {plugin_id!r} may not use {capability!r}: its manifest would have to declare"
                f' "{capability}" in its list of capabilities'
            )
        if grant.allowed is not None and not _covers(grant.allowed, capability):
            return (
                f"plugin {plugin_id!r} may not use {capability!r}: its manifest declares it, but the capabilities that"
                " the operator allows this plugin do not have it"
            )
        return None


def _covers(patterns: frozenset[str], capability: str) -> bool:
    family, _, _ = capability.partition(".")
    return capability in patterns or f"{family}.*" in patterns or "*" in patterns
