"""How does a message leave the bot, and did it?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from rookery.protocol import (
    PLUGIN_INVOKE_MESSAGE_GATEWAY,
    BadPayload,
    MessageMap,
    session_id_of,
    validate_message,
)

from ..fate import DispatchFailed
from ..hook_specs import SEND_AFTER, SEND_BEFORE
from .routes import account_and_scope, route_key

if TYPE_CHECKING:
    from ..counters import Counters
    from ..dispatch import Dispatcher
    from ..hooks import Hooks
    from ..registry import Registry
    from .routes import Driver, RouteTable

OnSent = Callable[[MessageMap], None]

LANE = "out:"
"""What the key of an outgoing message begins with. A gateway's plugin may have handlers of its own, and one that sends a
message in the conversation that it handles would otherwise wait for its own end."""


@attrs.frozen(kw_only=True)
class Receipt:
    """What became of a message that was to be sent."""

    sent: bool
    driver_id: str = ""
    external_id: str = ""
    """The platform's id of the message; "" when it gave none."""
    error: str = ""
    """Why it was not sent."""


class Outbound:
    """Sends messages through the gateway that their route names.

    Args:
        on_sent: Called with each message that went out; the store listens.
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

    async def send(self, message: MessageMap, *, timeout: float | None = None) -> Receipt:
        """Send a message and wait until the gateway has it, or has failed; the receipt says which.

        Messages of one session leave in the order in which they were given here, as long as no hook delays one.
        """
        if self._hooks.has_handlers(SEND_BEFORE):
            result = await self._hooks.invoke(SEND_BEFORE, message=message)
            if result.aborted:
                return Receipt(sent=False, error=f"stopped by {result.stopped_by}")
            message = self._changed(message, result.kwargs["message"])
        receipt = await self._deliver(message, timeout)
        if receipt.sent:
            self._counters.replies += 1
            sent = {"session_id": session_id_of(message), **message}
            if receipt.external_id:
                sent["message_id"] = receipt.external_id
            self._on_sent(sent)
        if self._hooks.has_handlers(SEND_AFTER):
            await self._hooks.invoke(SEND_AFTER, message=message, sent=receipt.sent)
        return receipt

    def _changed(self, message: MessageMap, changed: Any) -> MessageMap:
        """What a hook made of a message; which conversation it goes to stays as it was."""
        try:
            validate_message(changed)
        except BadPayload:
            self._counters.errors += 1
            return message
        return {**changed, **{name: message[name] for name in ("platform", "session_id") if name in message}}

    async def _deliver(self, message: MessageMap, timeout: float | None) -> Receipt:
        additional = message["message_info"].get("additional_config") or {}
        try:
            key = route_key(message["platform"], *account_and_scope(additional))
        except BadPayload as error:
            self._counters.errors += 1
            return Receipt(sent=False, error=str(error))
        driver = self._routes.resolve_sender(key)
        gateway = self._registry.gateway(driver.plugin_id, driver.gateway) if driver is not None else None
        if driver is None or gateway is None:
            self._counters.errors += 1
            return Receipt(sent=False, error=f"no gateway carries platform {key.platform!r} now")
        args = {"message": message, "route": key.as_map(), "metadata": {}}
        try:
            answer = await self._dispatcher.call(
                gateway,
                PLUGIN_INVOKE_MESSAGE_GATEWAY,
                args,
                timeout=timeout,
                key=f"{LANE}{message.get('session_id') or ''}",
            )
        except DispatchFailed as failure:
            return Receipt(sent=False, driver_id=driver.driver_id, error=str(failure))
        return _receipt(driver, answer)


def _receipt(driver: Driver, answer: dict[str, Any]) -> Receipt:
    result = answer.get("result")
    if answer.get("success") is False:
        return Receipt(sent=False, driver_id=driver.driver_id, error=str(result))
    if isinstance(result, dict):
        if result.get("success") is False:
            return Receipt(
                sent=False, driver_id=driver.driver_id, error=str(result.get("error") or "it failed")
            )
        external = result.get("external_message_id") or result.get("message_id") or ""
        return Receipt(sent=True, driver_id=driver.driver_id, external_id=str(external))
    external = result.strip() if isinstance(result, str) else ""
    return Receipt(sent=True, driver_id=driver.driver_id, external_id=external)
