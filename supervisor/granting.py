"""When does a plugin get its capabilities, when does it lose them, and who is told?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .observers import CapabilitiesGranted, CapabilitiesRevoked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .grants import Grants
    from .observers import Observers
    from .shard import Shard

MAX_WITHHELD = 50
"""Names in the record of a grant: a hostile runner may ask for as many as a frame holds."""


class Granting:
    """Grants and revokes, and tells the observers.

    Args:
        allowed: The operator's limits, by plugin; a plugin that is not there may use all that its manifest declares.
        declared: What each plugin's manifest declares, read by the host: a runner cannot add to it.
    """

    def __init__(
        self,
        grants: Grants,
        observers: Observers,
        *,
        allowed: Mapping[str, tuple[str, ...]],
        declared: Mapping[str, tuple[str, ...]],
    ) -> None:
        self._grants = grants
        self._observers = observers
        self._allowed = allowed
        self._declared = declared

    def grant(self, shard: Shard, plugin_id: str, wanted: Sequence[str]) -> None:
        """A runner introduces a plugin. It says what the plugin wants; the manifest on disk says what it may want."""
        declared = self._declared.get(plugin_id, ())
        names = dict.fromkeys(name.strip() for name in wanted)
        granted = tuple(name for name in names if name in declared)
        limits = shard.settings.capabilities
        self._grants.grant(
            plugin_id, granted, self._allowed.get(plugin_id), shard=shard.name, shard_allows=limits
        )
        usable = tuple(name for name in granted if name.endswith("*") or self._grants.allows(plugin_id, name))
        withheld = tuple(name for name in names if name and name not in usable)[:MAX_WITHHELD]
        self._observers.notify(
            CapabilitiesGranted(
                shard=shard.name,
                incarnation=shard.incarnation,
                plugin_id=plugin_id,
                capabilities=usable,
                withheld=withheld,
            )
        )

    def admit(self, shard: Shard, plugin_id: str) -> None:
        """A plugin has registered. One that asks for nothing may use what everybody may."""
        if not self._grants.knows(plugin_id):
            self._grants.grant(plugin_id, (), (), shard=shard.name)

    def revoke(self, shard: Shard, plugin_id: str, reason: str) -> None:
        """Take everything back; nothing happens when there is nothing."""
        if self._grants.revoke(plugin_id):
            self._tell(shard, [plugin_id], reason)

    def revoke_missing(self, shard: Shard, loaded: Iterable[str]) -> None:
        """A runner has come up: what it could not load may use nothing."""
        there = set(loaded)
        for plugin_id in shard.plugins:
            if plugin_id not in there:
                self.revoke(shard, plugin_id, "it was not loaded")

    def revoke_shard(self, shard: Shard, reason: str) -> None:
        """A runner has ended. By the shard and not by its plugins: one that was to blame may live elsewhere by now."""
        self._tell(shard, self._grants.revoke_shard(shard.name), reason)

    def _tell(self, shard: Shard, plugins: Iterable[str], reason: str) -> None:
        for plugin_id in plugins:
            self._observers.notify(
                CapabilitiesRevoked(
                    shard=shard.name, incarnation=shard.incarnation, plugin_id=plugin_id, reason=reason
                )
            )
