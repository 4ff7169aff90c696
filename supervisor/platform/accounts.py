"""Which accounts does the bot have on its platforms, as its gateways tell?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .routes import Driver, RouteKey

MAX_ACCOUNTS = 1000
"""Above it the one that was heard of least lately is forgotten: an account is a claim of a gateway."""

READY = "ready"
INBOUND = "inbound"


@attrs.frozen(kw_only=True)
class BotAccount:
    """One account of the bot."""

    platform: str
    account_id: str
    source: str
    """What told of it last: ``ready`` a gateway's report, ``inbound`` a message."""
    driver_id: str
    """Who told."""
    first_seen: float
    """Unix seconds."""
    last_seen: float
    """Unix seconds, to a minute."""


NOTE_PERIOD = 60.0
"""Seconds in which a busy account is noted once."""


class Accounts:
    """The accounts that gateways have told of, in bounded memory."""

    def __init__(self, limit: int = MAX_ACCOUNTS) -> None:
        self._limit = limit
        self._known: dict[tuple[str, str], BotAccount] = {}
        self.on_noted: Callable[[BotAccount], None] = lambda _: None
        """Told what is noted; it must not raise."""

    def restore(self, accounts: Iterable[BotAccount]) -> None:
        """Those of earlier runs, the one that was heard of last at the end."""
        self._known = {(each.platform, each.account_id): each for each in accounts} | self._known
        while len(self._known) > self._limit:
            del self._known[next(iter(self._known))]

    def note(self, driver: Driver, key: RouteKey, source: str, now: float) -> None:
        """A gateway speaks for an account. Costs a look-up for one that is known.

        Args:
            now: Unix seconds.
        """
        if key.account_id is None:
            return
        place = (key.platform, key.account_id)
        known = self._known.get(place)
        if known is not None and source != READY and now - known.last_seen < NOTE_PERIOD:
            return
        self._known.pop(place, None)  # the latest stands last
        noted = self._known[place] = BotAccount(
            platform=key.platform,
            account_id=key.account_id,
            source=source,
            driver_id=driver.driver_id,
            first_seen=now if known is None else known.first_seen,
            last_seen=now,
        )
        if len(self._known) > self._limit:
            del self._known[next(iter(self._known))]
        self.on_noted(noted)

    @property
    def all(self) -> tuple[BotAccount, ...]:
        """In the order in which they were heard of last."""
        return tuple(self._known.values())
