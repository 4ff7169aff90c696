"""Which gateway carries a message to where it belongs?

A route key names a platform, an account on it and a scope within; account and scope may be open. A key is looked up
from the most to the least exact: as given, without scope, without account, with neither. Unlike the original, a message
goes through the first gateway that matches and not through every broader one too, which delivered it twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from rookery.protocol import BadPayload

ANY_PLATFORM = "*"
"""A gateway that carries every platform for which nobody else is there."""

MAX_PART_CHARS = 512
"""Of each part of a key: keys are remembered and repeated in answers."""

ACCOUNT_KEYS = ("platform_io_account_id", "account_id", "self_id", "bot_account")
SCOPE_KEYS = ("platform_io_scope", "route_scope", "adapter_scope", "connection_id")


@attrs.frozen
class RouteKey:
    """Where a message comes from or goes to; make one with ``route_key``."""

    platform: str
    account_id: str | None = None
    scope: str | None = None

    def as_map(self) -> dict[str, str | None]:
        return {"platform": self.platform, "account_id": self.account_id, "scope": self.scope}

    @property
    def resolution_order(self) -> tuple[RouteKey, ...]:
        """The keys to look under, the most exact first."""
        platform, account, scope = self.platform, self.account_id, self.scope
        keys = [self, RouteKey(platform, account), RouteKey(platform, None, scope), RouteKey(platform)]
        keys.append(RouteKey(ANY_PLATFORM))
        return tuple(dict.fromkeys(keys))


def route_key(platform: str, account_id: str | None = None, scope: str | None = None) -> RouteKey:
    """A normalised key.

    Raises:
        BadPayload: The platform is empty, or a part is too long; the path names the part.
    """
    name = platform.strip().lower()
    if not name:
        raise BadPayload("must be a text that is not empty", "platform")
    account_id, scope = (account_id or "").strip(), (scope or "").strip()
    for path, part in (("platform", name), ("account_id", account_id), ("scope", scope)):
        if len(part) > MAX_PART_CHARS:
            raise BadPayload(f"has {len(part)} characters, at most {MAX_PART_CHARS} are allowed", path)
    return RouteKey(name, account_id or None, scope or None)


@attrs.frozen(kw_only=True)
class Driver:
    """A gateway that is ready: the Platform IO object of one component."""

    plugin_id: str
    gateway: str
    key: RouteKey
    sends: bool
    receives: bool
    metadata: Mapping[str, Any] = attrs.Factory(dict)

    @property
    def driver_id(self) -> str:
        return f"gateway:{self.plugin_id}:{self.gateway}"


class RouteTable:
    """The ready gateways, found by route key."""

    def __init__(self) -> None:
        self._drivers: dict[str, Driver] = {}

    @property
    def drivers(self) -> tuple[Driver, ...]:
        return tuple(self._drivers.values())

    def bind(self, driver: Driver) -> None:
        """Add a driver, or replace the one with its id."""
        self._drivers[driver.driver_id] = driver

    def unbind(self, driver_id: str) -> bool:
        return self._drivers.pop(driver_id, None) is not None

    def resolve_sender(self, key: RouteKey) -> Driver | None:
        """The driver that carries a message to this key; of equals the one that was ready first."""
        for wanted in key.resolution_order:
            for driver in self._drivers.values():
                if driver.sends and driver.key == wanted:
                    return driver
        # A message that names no account goes through whichever account serves its platform.
        fitting = (each for each in self._drivers.values() if each.sends and _is_within(each.key, key))
        return next(fitting, None)


def _is_within(narrow: RouteKey, wide: RouteKey) -> bool:
    return (
        narrow.platform == wide.platform
        and wide.account_id in (None, narrow.account_id)
        and wide.scope in (None, narrow.scope)
    )


def account_and_scope(*sources: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The first account and the first scope that any of the maps names."""
    return _first(ACCOUNT_KEYS, sources), _first(SCOPE_KEYS, sources)


def _first(names: tuple[str, ...], sources: tuple[Mapping[str, Any], ...]) -> str | None:
    for source in sources:
        for name in names:
            text = str(source.get(name) or "").strip()
            if text:
                return text
    return None
