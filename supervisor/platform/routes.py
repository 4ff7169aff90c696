"""Which gateway carries a message to where it belongs?

A route key names a platform, an account on it and a scope within; account and scope may be open. A key is looked up
from the most to the least exact: as given, without scope, without account, with neither. Unlike the original, a message
goes through the first gateway that matches and not through every broader one too, which delivered it twice; whoever
wants that says ``broadcast`` in a route of the configuration.

What the operator configured for a key goes before what gateways say of themselves, and is all there is for that key.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

import attrs

from rookery.protocol import BadPayload

ANY_PLATFORM = "*"
"""A gateway that carries every platform for which nobody else is there."""

MAX_PART_CHARS = 512
"""Of each part of a key: keys are remembered and repeated in answers."""

MAX_REMEMBERED = 4096
"""Keys whose way is remembered."""

ACCOUNT_KEYS = ("platform_io_account_id", "account_id", "self_id", "bot_account")
SCOPE_KEYS = ("platform_io_scope", "route_scope", "adapter_scope", "connection_id")
_ROUTE_KEYS = frozenset((*ACCOUNT_KEYS, *SCOPE_KEYS))

Sender = Callable[[dict[str, Any]], Awaitable[Any]]
"""Sends a message out of this process; what it returns says what a gateway's answer would."""


@attrs.frozen
class RouteKey:
    """Where a message comes from or goes to; make one with ``route_key``."""

    platform: str
    account_id: str | None = None
    scope: str | None = None

    def as_map(self) -> dict[str, str | None]:
        return {"platform": self.platform, "account_id": self.account_id, "scope": self.scope}

    def __str__(self) -> str:
        return ":".join((self.platform, self.account_id or "*", self.scope or "*"))

    @property
    def resolution_order(self) -> tuple[RouteKey, ...]:
        """The keys to look under, the most exact first."""
        platform, account, scope = self.platform, self.account_id, self.scope
        keys = [self, RouteKey(platform, account), RouteKey(platform, None, scope), RouteKey(platform)]
        keys.append(RouteKey(ANY_PLATFORM))
        return tuple(dict.fromkeys(keys))

    def admits(self, wide: RouteKey) -> bool:
        """Whether this key lies within a wider one of the same platform."""
        return (
            self.platform == wide.platform
            and wide.account_id in (None, self.account_id)
            and wide.scope in (None, self.scope)
        )


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


class DriverKind(StrEnum):
    """Who stands behind a driver."""

    PLUGIN = "plugin"
    """A gateway of a plugin."""
    LEGACY = "legacy"
    """A function of the embedding host, asked when no gateway matches."""


@attrs.frozen(kw_only=True)
class Driver:
    """What messages can be sent by or come from: a gateway that is ready, or a function of the host."""

    plugin_id: str = ""
    gateway: str = ""
    key: RouteKey
    sends: bool
    receives: bool
    kind: DriverKind = DriverKind.PLUGIN
    sender: Sender | None = attrs.field(default=None, eq=False)
    """Of a legacy driver."""
    metadata: Mapping[str, Any] = attrs.Factory(dict)

    @property
    def driver_id(self) -> str:
        if self.kind is DriverKind.LEGACY:
            return f"legacy.send.{self.key.platform}"
        return f"gateway:{self.plugin_id}:{self.gateway}"


class Direction(StrEnum):
    """What a configured route is for."""

    SEND = "send"
    RECEIVE = "receive"
    BOTH = "both"


@attrs.frozen(kw_only=True)
class Route:
    """What the operator says about one key."""

    key: RouteKey
    gateways: tuple[str, ...] = ()
    """``PLUGIN`` or ``PLUGIN:GATEWAY``, the preferred first; none means whoever fits."""
    direction: Direction = Direction.BOTH
    broadcast: bool = False
    """A message leaves through all of them, and not only the first."""
    place: int = attrs.field(default=0, eq=False)
    """Among those of the configuration, from 0."""

    @property
    def for_sending(self) -> bool:
        return self.direction is not Direction.RECEIVE

    @property
    def for_receiving(self) -> bool:
        return self.direction is not Direction.SEND

    def place_of(self, driver: Driver) -> int | None:
        """Where a driver stands among the route's; ``None`` when it is none of them."""
        if not self.gateways:
            return 0
        names = (f"{driver.plugin_id}:{driver.gateway}", driver.plugin_id)
        return next((place for place, name in enumerate(self.gateways) if name in names), None)


class RouteTable:
    """The ready gateways, found by route key.

    Args:
        routes: Of the configuration; one for each key and direction at most.
    """

    def __init__(self, routes: Iterable[Route] = ()) -> None:
        self.routes = tuple(routes)
        self._for_sending = {route.key: route for route in self.routes if route.for_sending}
        self._for_receiving = {route.key: route for route in self.routes if route.for_receiving}
        self._drivers: dict[str, Driver] = {}
        self._away: dict[str, Driver] = {}
        self._legacy: dict[str, Driver] = {}
        self._remembered: dict[RouteKey, tuple[Driver, ...]] = {}

    @property
    def drivers(self) -> tuple[Driver, ...]:
        """The gateways that are ready."""
        return tuple(self._drivers.values())

    @property
    def away(self) -> tuple[Driver, ...]:
        """Gateways that are there and cannot be used now."""
        return tuple(self._away.values())

    @property
    def legacy(self) -> tuple[Driver, ...]:
        return tuple(self._legacy.values())

    # --- changing ----------------------------------------------------------------------------------------------

    def bind(self, driver: Driver) -> None:
        """Add a driver, or replace the one with its id."""
        self._away.pop(driver.driver_id, None)
        self._drivers[driver.driver_id] = driver
        self._remembered.clear()

    def unbind(self, driver_id: str) -> bool:
        """Forget a driver, also one that is away."""
        self._remembered.clear()
        away = self._away.pop(driver_id, None)
        return self._drivers.pop(driver_id, away) is not None

    def put_away(self, driver: Driver) -> None:
        """A driver cannot be used for now: what it would have carried fails, and is told so."""
        self._remembered.clear()
        self._drivers.pop(driver.driver_id, None)
        self._away[driver.driver_id] = driver

    def add_legacy(
        self, platform: str, sender: Sender, *, account_id: str | None = None, scope: str | None = None
    ) -> Driver:
        """Send by a function of the host where no gateway carries a platform; it replaces the platform's last one.

        Args:
            account_id, scope: Messages of others do not go there; ``None`` takes all.
        """
        key = route_key(platform, account_id, scope)
        driver = Driver(key=key, sends=True, receives=False, kind=DriverKind.LEGACY, sender=sender)
        self._legacy[key.platform] = driver
        return driver

    def remove_legacy(self, platform: str) -> bool:
        return self._legacy.pop(platform.strip().lower(), None) is not None

    # --- looking up --------------------------------------------------------------------------------------------

    def resolve_senders(self, key: RouteKey) -> tuple[Driver, ...]:
        """The drivers that carry a message to this key, in order: one, unless a route asks for more; of equals the one that was
        ready first."""
        known = self._remembered.get(key)
        if known is None:
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            known = self._remembered[key] = self._find_senders(key, self._drivers.values())
        return known or self._find_legacy(key)

    def find_away(self, key: RouteKey) -> Driver | None:
        """The driver that would carry a message to this key if it were not away."""
        found = self._find_senders(key, self._away.values())
        return found[0] if found else None

    def accepts(self, driver: Driver, key: RouteKey) -> bool:
        """Whether a message that says to come from this key may come in by this driver."""
        if not self._for_receiving and key == driver.key:
            return True
        for wanted in key.resolution_order:
            route = self._for_receiving.get(wanted)
            if route is not None:
                return route.place_of(driver) is not None
            if driver.key == wanted:
                return True
        return driver.key.platform == ANY_PLATFORM

    def _find_senders(self, key: RouteKey, drivers: Iterable[Driver]) -> tuple[Driver, ...]:
        senders = [driver for driver in drivers if driver.sends]
        for wanted in key.resolution_order:
            route = self._for_sending.get(wanted)
            if route is not None:
                return _along(route, key, senders)
            for driver in senders:
                if driver.key == wanted:
                    return (driver,)
        # A message that names no account goes through whichever account serves its platform.
        return tuple(driver for driver in senders if driver.key.admits(key))[:1]

    def _find_legacy(self, key: RouteKey) -> tuple[Driver, ...]:
        driver = self._legacy.get(key.platform)
        if driver is None or not (key.admits(driver.key) or driver.key.admits(key)):
            return ()
        return (driver,)


def _along(route: Route, key: RouteKey, senders: Iterable[Driver]) -> tuple[Driver, ...]:
    """The drivers of a route that can carry a message to a key, the preferred first."""
    placed = [
        (place, driver)
        for driver in senders
        if (place := route.place_of(driver)) is not None and _carries(driver, key)
    ]
    placed.sort(key=lambda each: each[0])
    found = tuple(driver for _, driver in placed)
    return found if route.broadcast else found[:1]


def _carries(driver: Driver, key: RouteKey) -> bool:
    """Whether what a driver says of itself contradicts a key nowhere."""
    own = driver.key
    return (
        own.platform in (ANY_PLATFORM, key.platform)
        and (own.account_id is None or key.account_id in (None, own.account_id))
        and (own.scope is None or key.scope in (None, own.scope))
    )


def account_and_scope(*sources: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The first account and the first scope that any of the maps names."""
    telling = [source for source in sources if not _ROUTE_KEYS.isdisjoint(source)]
    if not telling:
        return None, None
    return _first(ACCOUNT_KEYS, telling), _first(SCOPE_KEYS, telling)


def _first(names: tuple[str, ...], sources: Iterable[Mapping[str, Any]]) -> str | None:
    for source in sources:
        for name in names:
            text = str(source.get(name) or "").strip()
            if text:
                return text
    return None
