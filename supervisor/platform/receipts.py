"""What became of a message that was to be sent, driver by driver, and which receipts are still known?"""

from __future__ import annotations

from collections import OrderedDict
from enum import StrEnum
from typing import Any

import attrs

from .routes import DriverKind, RouteKey

TRACKER_TTL = 1800.0
"""Seconds that a receipt is found by the platform's id of its message (protocol 1.0.0), and the longest that a message
counts as being sent."""

MAX_EXTERNAL_ID_CHARS = 512
"""No platform has longer ids; a receipt is not kept for one."""

MAX_KEPT_ITEMS, MAX_KEPT_CHARS = 16, 256
"""Of what else a gateway says of a message, in a receipt that is kept."""

MAX_TRACKED = 10_000
"""Receipts, and messages that are being sent."""


class SendFailure(StrEnum):
    """Why a message was not sent, for callers that would act differently."""

    STOPPED = "stopped"
    """A hook has stopped it."""
    BAD_MESSAGE = "bad message"
    """It cannot be routed; trying again would not help."""
    NO_ROUTE = "no route"
    """No gateway carries its platform."""
    OFFLINE = "offline"
    """Its gateway is there and is not connected, or was taken offline. It may be back."""
    PENDING = "pending"
    """The very same message is being sent by the same gateway."""
    REFUSED = "refused"
    """The gateway says that it could not send it."""
    FAILED = "failed"
    """The gateway was not reached, or gave no answer in time; ``maybe_sent`` says whether it may have gone out."""


class DeliveryStatus(StrEnum):
    SENT = "sent"
    FAILED = "failed"
    DROPPED = "dropped"
    """On purpose: by a hook."""


@attrs.frozen(kw_only=True)
class Receipt:
    """What became of a message with one driver."""

    sent: bool
    driver_id: str = ""
    driver_kind: DriverKind | None = None
    """``None`` when no driver was asked."""
    message_id: str = ""
    """The host's own."""
    route: RouteKey | None = None
    external_id: str = ""
    """The platform's id of the message; "" when it gave none."""
    error: str = ""
    """Why it was not sent."""
    failure: SendFailure | None = None
    """The same for programs; ``None`` when it was sent."""
    maybe_sent: bool = False
    """It failed, and may have gone out all the same: a repetition is a risk."""
    metadata: dict[str, Any] = attrs.Factory(dict)
    """What else the gateway said."""

    @property
    def status(self) -> DeliveryStatus:
        if self.sent:
            return DeliveryStatus.SENT
        return DeliveryStatus.DROPPED if self.failure is SendFailure.STOPPED else DeliveryStatus.FAILED


@attrs.frozen(kw_only=True)
class DeliveryBatch:
    """What became of a message with every driver that it was given to: one, unless a route asks for more."""

    message_id: str
    route: RouteKey | None = None
    """``None`` when it names none."""
    receipts: tuple[Receipt, ...]
    """At least one: where nobody was there to ask, it says so."""

    @property
    def sent_receipts(self) -> tuple[Receipt, ...]:
        return tuple(receipt for receipt in self.receipts if receipt.sent)

    @property
    def failed_receipts(self) -> tuple[Receipt, ...]:
        return tuple(receipt for receipt in self.receipts if not receipt.sent)

    @property
    def has_success(self) -> bool:
        return any(receipt.sent for receipt in self.receipts)

    @property
    def receipt(self) -> Receipt:
        """The one that counts: the first that was sent, with an id if any has one; else the first."""
        sent = self.sent_receipts
        return next((each for each in sent if each.external_id), sent[0] if sent else self.receipts[0])


def read_result(result: Any, blank: Receipt) -> Receipt:
    """What a gateway's handler, or a function of the host, says by what it returns.

    Args:
        blank: The receipt that is filled in.
    """
    if isinstance(result, dict):
        metadata = result.get("metadata")
        told = attrs.evolve(blank, metadata=metadata if isinstance(metadata, dict) else {})
        if result.get("success") is False:
            error = str(result.get("error") or "it failed")
            return attrs.evolve(told, failure=SendFailure.REFUSED, error=error)
        external = result.get("external_message_id") or result.get("message_id") or ""
        return attrs.evolve(told, sent=True, external_id=str(external))
    external = result.strip() if isinstance(result, str) else ""
    return attrs.evolve(blank, sent=True, external_id=external)


def _kept(receipt: Receipt) -> Receipt:
    told = receipt.metadata
    is_little = len(told) <= MAX_KEPT_ITEMS and all(
        type(value) in (int, float, bool, type(None)) or (type(value) is str and len(value) <= MAX_KEPT_CHARS)
        for value in (*told, *told.values())
    )
    return receipt if is_little else attrs.evolve(receipt, metadata={})


class OutboundTracker:
    """Which messages are being sent, and which receipts belong to the ids that platforms gave.

    Both are kept by driver: two platforms may give the same id, and a broadcast is the same message for several.
    """

    def __init__(self, *, ttl: float = TRACKER_TTL, limit: int = MAX_TRACKED) -> None:
        self._ttl = ttl
        self._limit = limit
        self._pending: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._receipts: OrderedDict[tuple[str, str], tuple[float, Receipt]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._receipts)

    @property
    def pending(self) -> int:
        """Messages that are being sent, once for each driver."""
        return len(self._pending)

    def begin(self, message_id: str, driver_id: str, now: float) -> bool:
        """A message is given to a driver; False when that is so already."""
        self._forget_old(now)
        place = (message_id, driver_id)
        if place in self._pending:
            return False
        self._pending[place] = now + self._ttl
        return True

    def finish(self, message_id: str, driver_id: str, receipt: Receipt | None, now: float) -> None:
        """The driver has it, or has not.

        Args:
            receipt: ``None`` when nobody waited for it any more. What else the gateway said is kept with it if it is little:
                it may be as large as a frame.
        """
        self._pending.pop((message_id, driver_id), None)
        if receipt is not None and receipt.sent and 0 < len(receipt.external_id) <= MAX_EXTERNAL_ID_CHARS:
            place = (driver_id, receipt.external_id)
            self._receipts.pop(place, None)
            self._receipts[place] = (now + self._ttl, _kept(receipt))
            if len(self._receipts) > self._limit:
                self._receipts.popitem(last=False)

    def find(self, driver_id: str, external_id: str, now: float) -> Receipt | None:
        """The receipt of the message to which a driver's platform gave this id."""
        self._forget_old(now)
        found = self._receipts.get((driver_id, external_id))
        return None if found is None else found[1]

    def _forget_old(self, now: float) -> None:
        while self._pending and (
            next(iter(self._pending.values())) <= now or len(self._pending) >= self._limit
        ):
            self._pending.popitem(last=False)
        while self._receipts and next(iter(self._receipts.values()))[0] <= now:
            self._receipts.popitem(last=False)
