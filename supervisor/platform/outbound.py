"""How does a message leave the bot, and did it?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
import trio

from rookery.protocol import (
    PLUGIN_INVOKE_MESSAGE_GATEWAY,
    BadPayload,
    MessageMap,
    session_id_of,
    validate_message,
)

from ..fate import DispatchFailed
from ..hook_specs import SEND_AFTER, SEND_BEFORE
from .legacy import ask_sender
from .receipts import DeliveryBatch, OutboundTracker, Receipt, SendFailure, read_result
from .routes import DriverKind, account_and_scope, route_key

if TYPE_CHECKING:
    from ..counters import Counters
    from ..dispatch import Dispatcher
    from ..hooks import Hooks
    from ..registry import Registry
    from .routes import Driver, RouteKey, RouteTable

__all__ = ["DeliveryBatch", "Outbound", "Receipt", "SendFailure"]

OnSent = Callable[[MessageMap], None]

LANE = "out:"
"""What the key of an outgoing message begins with. A gateway's plugin may have handlers of its own, and one that sends a
message in the conversation that it handles would otherwise wait for its own end."""


class Outbound:
    """Sends messages through the gateway that their route names.

    Args:
        on_sent: Called with each message that went out; the store listens.

    Attributes:
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
    ) -> None:
        self._registry = registry
        self._dispatcher = dispatcher
        self._hooks = hooks
        self._routes = routes
        self._counters = counters
        self._on_sent = on_sent
        self.tracker = OutboundTracker()

    async def send(self, message: MessageMap, *, timeout: float | None = None) -> Receipt:
        """Send a message and wait until the gateway has it, or has failed; the receipt says which.

        Messages of one session leave in the order in which they were given here, as long as no hook delays one.
        """
        return (await self.deliver(message, timeout=timeout)).receipt

    async def deliver(self, message: MessageMap, *, timeout: float | None = None) -> DeliveryBatch:
        """The same with a receipt for every driver that was asked: more than one where a route asks for a broadcast.

        Args:
            timeout: Seconds for each of them; ``None`` takes the gateway's own.
        """
        if self._hooks.has_handlers(SEND_BEFORE):
            result = await self._hooks.invoke(SEND_BEFORE, message=message)
            if result.aborted:
                return _nobody(message, SendFailure.STOPPED, f"stopped by {result.stopped_by}")
            message = self._changed(message, result.kwargs["message"])
        batch = await self._deliver(message, timeout)
        receipt = batch.receipt
        if receipt.sent:
            self._counters.replies += 1
            sent = {"session_id": session_id_of(message), **message}
            if receipt.external_id:
                sent["message_id"] = receipt.external_id
            self._on_sent(sent)
        if self._hooks.has_handlers(SEND_AFTER):
            await self._hooks.invoke(SEND_AFTER, message=message, sent=receipt.sent)
        return batch

    def _changed(self, message: MessageMap, changed: Any) -> MessageMap:
        """What a hook made of a message; which conversation it goes to stays as it was."""
        try:
            validate_message(changed)
        except BadPayload:
            self._counters.errors += 1
            return message
        return {**changed, **{name: message[name] for name in ("platform", "session_id") if name in message}}

    async def _deliver(self, message: MessageMap, timeout: float | None) -> DeliveryBatch:
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
        receipts = [await self._send_by(driver, message, key, timeout) for driver in drivers]
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
        self, driver: Driver, message: MessageMap, key: RouteKey, timeout: float | None
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
                receipt = await self._ask_gateway(driver, message, key, timeout, blank)
        finally:
            self.tracker.finish(message_id, driver.driver_id, receipt, trio.current_time())
        return receipt

    async def _ask_gateway(
        self, driver: Driver, message: MessageMap, key: RouteKey, timeout: float | None, blank: Receipt
    ) -> Receipt:
        gateway = self._registry.gateway(driver.plugin_id, driver.gateway)
        if gateway is None:
            self._counters.errors += 1
            error = f"{driver.plugin_id} has no gateway {driver.gateway!r} now"
            return attrs.evolve(blank, failure=SendFailure.OFFLINE, error=error)
        try:
            answer = await self._dispatcher.call(
                gateway,
                PLUGIN_INVOKE_MESSAGE_GATEWAY,
                {"message": message, "route": key.as_map(), "metadata": {}},
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
