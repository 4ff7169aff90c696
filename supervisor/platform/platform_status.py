"""How do messages come and go, as a value that people and programs can read?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from ..wiring import Parts
    from .routes import Driver


@attrs.frozen(kw_only=True)
class DriverStatus:
    """One gateway of a plugin, or one function of the host."""

    driver_id: str
    kind: str
    """``plugin`` or ``legacy``."""
    plugin_id: str
    gateway: str
    state: str
    """``ready``, ``not ready`` by its own word, or ``offline`` by an operator's."""
    route: dict[str, str | None]
    """The key that it serves."""
    sends: bool
    receives: bool
    reported: dict[str, Any] = attrs.Factory(dict)
    """What else the gateway says of itself."""


@attrs.frozen(kw_only=True)
class RouteStatus:
    """A route of the configuration."""

    key: str
    direction: str
    gateways: tuple[str, ...]
    broadcast: bool
    senders: tuple[str, ...]
    """The drivers by which a message to exactly this key would leave now."""


@attrs.frozen(kw_only=True)
class AccountStatus:
    """An account of the bot."""

    platform: str
    account_id: str
    state: str
    """``online`` while a ready gateway speaks for it."""
    source: str
    driver_id: str
    first_seen: float
    last_seen: float


@attrs.frozen(kw_only=True)
class PlatformStatus:
    """Everything between the host and the platforms."""

    drivers: tuple[DriverStatus, ...] = ()
    routes: tuple[RouteStatus, ...] = ()
    accounts: tuple[AccountStatus, ...] = ()
    offline: dict[str, str] = attrs.Factory(dict)
    """Plugins that an operator has taken off their platforms, and why."""
    sending: int = 0
    """Messages that are being sent, once for each driver."""
    receipts: int = 0
    """Receipts that are still found by the platform's id."""
    chat_policy: str | None = None
    """The file of the chat policy."""
    chat_policy_mistakes: tuple[str, ...] = ()
    """What is wrong with it as it stands; an older one holds then."""


def take_platform_status(parts: Parts) -> PlatformStatus:
    """A snapshot. Never blocks."""
    routes, policy = parts.routes, parts.chat_policy
    online = {(driver.key.platform, driver.key.account_id) for driver in routes.drivers}
    return PlatformStatus(
        drivers=tuple(
            _driver(driver, state, parts)
            for drivers, state in ((routes.drivers, "ready"), (routes.away, ""), (routes.legacy, "ready"))
            for driver in drivers
        ),
        routes=tuple(
            RouteStatus(
                key=str(route.key),
                direction=route.direction.value,
                gateways=route.gateways,
                broadcast=route.broadcast,
                senders=tuple(driver.driver_id for driver in routes.resolve_senders(route.key))
                if route.for_sending
                else (),
            )
            for route in routes.routes
        ),
        accounts=tuple(
            AccountStatus(
                platform=account.platform,
                account_id=account.account_id,
                state="online" if (account.platform, account.account_id) in online else "offline",
                source=account.source,
                driver_id=account.driver_id,
                first_seen=account.first_seen,
                last_seen=account.last_seen,
            )
            for account in parts.entrance.accounts.all
        ),
        offline=parts.drivers.offline,
        sending=parts.outbound.tracker.pending,
        receipts=len(parts.outbound.tracker),
        chat_policy=None if policy is None else str(policy.path),
        chat_policy_mistakes=() if policy is None else tuple(map(str, policy.mistakes)),
    )


def _driver(driver: Driver, state: str, parts: Parts) -> DriverStatus:
    away = "offline" if driver.plugin_id in parts.drivers.offline else "not ready"
    report = parts.drivers.reports.get((driver.plugin_id, driver.gateway))
    return DriverStatus(
        driver_id=driver.driver_id,
        kind=driver.kind.value,
        plugin_id=driver.plugin_id,
        gateway=driver.gateway,
        state=state or away,
        route=driver.key.as_map(),
        sends=driver.sends,
        receives=driver.receives,
        reported={} if report is None else dict(report.metadata),
    )
