"""How does a message leave the bot, and did it?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
import trio

from rookery.protocol import PLUGIN_INVOKE_MESSAGE_GATEWAY, BadPayload, MessageMap, session_id_of

from ..conversation import conversation_of
from ..fate import DispatchFailed
from .departure import Departure, Sending
from .legacy import ask_sender
from .receipts import DeliveryBatch, OutboundTracker, Receipt, SendFailure, read_result
from .routes import DriverKind, account_and_scope, route_key

if TYPE_CHECKING:
    from ..component import Gateway
    from ..counters import Counters
    from ..dispatch import Dispatcher
    from ..events import Events
    from ..hooks import Hooks
    from ..registry import Registry
    from .routes import Driver, RouteKey, RouteTable

__all__ = ["DeliveryBatch", "Outbound", "Receipt", "SendFailure", "Sending"]

OnSent = Callable[[MessageMap], None]

LANE = "out:"
"""What the key of an outgoing message begins with. A gateway's plugin may have handlers of its own, and one that sends a
message in the conversation that it handles would otherwise wait for its own end."""


class Outbound:
    """Sends messages through the gateway that their route names.

    Args:
        on_sent: Called with each message that went out; the store listens.
        events: ``None`` dispatches none.

    Attributes:
        departure: Who has a say in a message that leaves.
        tracker: What is being sent, and the receipts of what was.
    """

    def __init__(
        self,
        registry: Registry,
        dispatcher: Dispatcher,
        hooks: Hooks,
        routes: RouteTable,
        counters: Counters,
        *,
        on_sent: OnSent,
        events: Events | None = None,
    ) -> None:
        self._registry = registry
        self._dispatcher = dispatcher
        self.departure = Departure(hooks, events, counters)
        self._routes = routes
        self._counters = counters
        self._on_sent = on_sent
        self.tracker = OutboundTracker()

    async def send(
        self, message: MessageMap, *, timeout: float | None = None, sending: Sending | None = None
    ) -> Receipt:
        """Send a message and wait until the gateway has it, or has failed; the receipt says which.

        Messages of one session leave in the order in which they were given here, as long as no hook delays one.
        """
        return (await self.deliver(message, timeout=timeout, sending=sending)).receipt

    async def deliver(
        self, message: MessageMap, *, timeout: float | None = None, sending: Sending | None = None
    ) -> DeliveryBatch:
        """The same with a receipt for every driver that was asked: more than one where a route asks for a broadcast.

        Args:
            timeout: Seconds for each of them; ``None`` takes the gateway's own.
        """
        sending = sending or Sending()
        passed = await self.departure.before(message, sending)
        message = passed.message
        if passed.stopped_by:
            return _nobody(message, SendFailure.STOPPED, f"stopped by {passed.stopped_by}")
        batch = await self._deliver(message, timeout, sending)
        receipt = batch.receipt
        if receipt.sent:
            self._counters.replies += 1
            if sending.storage_message:
                sent = {"session_id": session_id_of(message), **message}
                if receipt.external_id:
                    sent["message_id"] = receipt.external_id
                self._on_sent(sent)
        await self.departure.after(message, sending, sent=receipt.sent)
        return batch

    async def _deliver(self, message: MessageMap, timeout: float | None, sending: Sending) -> DeliveryBatch:
        additional = message["message_info"].get("additional_config") or {}
        try:
            key = route_key(message["platform"], *account_and_scope(additional))
        except BadPayload as error:
            self._counters.errors += 1
            return _nobody(message, SendFailure.BAD_MESSAGE, str(error))
        drivers = self._routes.resolve_senders(key)
        if not drivers:
            self._counters.errors += 1
            return self._explain_nobody(message, key)
        # One after the other: with several, the order of the chat in each of them is the order of the sends here.
        receipts = [await self._send_by(driver, message, key, timeout, sending) for driver in drivers]
        return DeliveryBatch(message_id=_id_of(message), route=key, receipts=tuple(receipts))

    def _explain_nobody(self, message: MessageMap, key: RouteKey) -> DeliveryBatch:
        away = self._routes.find_away(key)
        if away is None:
            return _nobody(
                message, SendFailure.NO_ROUTE, f"no gateway carries platform {key.platform!r} now", route=key
            )
        error = f"gateway {away.gateway!r} of {away.plugin_id} is offline"
        return _nobody(message, SendFailure.OFFLINE, error, route=key, driver=away)

    async def _send_by(
        self,
        driver: Driver,
        message: MessageMap,
        key: RouteKey,
        timeout: float | None,
        sending: Sending,
    ) -> Receipt:
        message_id = _id_of(message)
        blank = Receipt(
            sent=False,
            driver_id=driver.driver_id,
            driver_kind=driver.kind,
            message_id=message_id,
            route=key,
        )
        if message_id and not self.tracker.begin(message_id, driver.driver_id, trio.current_time()):
            return attrs.evolve(
                blank, failure=SendFailure.PENDING, error=f"message {message_id!r} is being sent already"
            )
        receipt: Receipt | None = None
        try:
            if driver.kind is DriverKind.LEGACY:
                receipt = await ask_sender(driver, message, blank)
            else:
                receipt = await self._ask_gateway(driver, message, timeout, sending, blank)
        finally:
            self.tracker.finish(message_id, driver.driver_id, receipt, trio.current_time())
        return receipt

    async def _ask_gateway(
        self, driver: Driver, message: MessageMap, timeout: float | None, sending: Sending, blank: Receipt
    ) -> Receipt:
        gateway = self._registry.gateway(driver.plugin_id, driver.gateway)
        if gateway is None or not _may_send(gateway, message, sending):
            self._counters.errors += 1
            error = f"{driver.plugin_id} has no gateway {driver.gateway!r} now"
            if gateway is not None:
                error = f"gateway {gateway.full_name} is switched off here"
            return attrs.evolve(blank, failure=SendFailure.OFFLINE, error=error)
        route: dict[str, Any] = {} if blank.route is None else blank.route.as_map()
        try:
            answer = await self._dispatcher.call(
                gateway,
                PLUGIN_INVOKE_MESSAGE_GATEWAY,
                {"message": message, "route": route, "metadata": {}},
                timeout=timeout,
                key=f"{LANE}{message.get('session_id') or ''}",
            )
        except DispatchFailed as failure:
            return attrs.evolve(
                blank, failure=SendFailure.FAILED, error=str(failure), maybe_sent=failure.maybe_executed
            )
        if answer.get("success") is False:
            return attrs.evolve(
                blank, failure=SendFailure.FAILED, error=str(answer.get("result")), maybe_sent=True
            )
        return read_result(answer.get("result"), blank)


def _may_send(gateway: Gateway, message: MessageMap, sending: Sending) -> bool:
    if not sending.enabled_only:
        return True
    return gateway.enabled and (
        gateway.is_everywhere or gateway.serves_in(conversation_of({"message": message}))
    )


def _nobody(
    message: MessageMap,
    failure: SendFailure,
    error: str,
    *,
    route: RouteKey | None = None,
    driver: Driver | None = None,
) -> DeliveryBatch:
    """Nobody was asked."""
    receipt = Receipt(
        sent=False,
        driver_id="" if driver is None else driver.driver_id,
        driver_kind=None if driver is None else driver.kind,
        message_id=_id_of(message),
        route=route,
        error=error,
        failure=failure,
    )
    return DeliveryBatch(message_id=_id_of(message), route=route, receipts=(receipt,))


def _id_of(message: MessageMap) -> str:
    return str(message.get("message_id") or "")
