"""How does a gateway plugin hand messages to the host and tell that it is there?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from rookery.protocol import (
    ROUTE_MESSAGE,
    UPDATE_GATEWAY_STATE,
    RookeryError,
    check_sendable,
    limits,
)
from rookery.protocol import page as layout

from .border import PluginFailed, call_guarded, log_failure
from .message import Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from rookery.protocol import MessageMap

    from .context import HostServices


class Gateway:
    """The inbound half of a plugin's message gateways."""

    def __init__(self, plugin_id: str, host: HostServices) -> None:
        self._plugin_id = plugin_id
        self._host = host

    async def route_message(
        self,
        gateway: str,
        message: MessageMap | Message,
        *,
        route_metadata: dict[str, Any] | None = None,
        external_message_id: str = "",
        dedupe_key: str = "",
    ) -> bool:
        """Hand a message from outside to the host and wait until it is admitted.

        The request is queued before anything is awaited, so that calls made one after the other keep their order.

        Args:
            gateway: The name of the component that the message came by.
            message: As ``rookery.protocol.build_message`` makes it.
            external_message_id: The id that the platform gave it.
            dedupe_key: The host drops a message whose key it has seen; "" takes the message's id.

        Returns:
            True when it was taken; False when it is a repeat.

        Raises:
            RemoteError: Refused: ``E_BACK_PRESSURE`` when the host has too much to do, ``E_BAD_PAYLOAD`` with the path
                when the message is crooked.
            RequestTimedOut, ConnectionLost: Nobody knows whether it was taken; a repeat with the same key is safe.
        """
        payload = _route_payload(gateway, message, route_metadata, external_message_id, dedupe_key)
        answer = await self._host.call(ROUTE_MESSAGE, self._plugin_id, payload)
        return answer.get("accepted") is True

    def route_message_nowait(
        self,
        gateway: str,
        message: MessageMap | Message,
        *,
        on_done: Callable[[bool | RookeryError], None],
        route_metadata: dict[str, Any] | None = None,
        external_message_id: str = "",
        dedupe_key: str = "",
        timeout: float = limits.INVOKE_TIMEOUT,
    ) -> None:
        """Hand a message to the host without waiting: many may be under way, and they keep their order.

        Args:
            on_done: Told once what ``route_message`` would have returned or raised. It runs in the loop, in the midst of
                other work, and must be quick.
            timeout: Seconds.
        """
        payload = _route_payload(gateway, message, route_metadata, external_message_id, dedupe_key)
        plugin_id = self._plugin_id

        def settle(outcome: dict[str, Any] | RookeryError) -> None:
            verdict = outcome if isinstance(outcome, RookeryError) else outcome.get("accepted") is True
            try:
                call_guarded(plugin_id, on_done, verdict, phase=layout.Phase.TASK)
            except PluginFailed as failure:
                log_failure(plugin_id, "on_done of route_message_nowait", failure)

        def send() -> None:
            try:
                self._host.send(ROUTE_MESSAGE, plugin_id, payload, settle, timeout)
            except RookeryError as error:
                settle(error)

        if trio.lowlevel.in_trio_run():
            send()
        else:
            trio.from_thread.run_sync(send)

    async def update_state(
        self,
        gateway: str,
        *,
        ready: bool,
        platform: str = "",
        account_id: str = "",
        scope: str = "",
        metadata: dict[str, Any] | None = None,
    ) -> bool:
        """Tell the host whether messages can be sent by a gateway, and as whom.

        Returns:
            True when the host will use it so.
        """
        payload = {
            "gateway_name": gateway,
            "ready": ready,
            "platform": platform,
            "account_id": account_id,
            "scope": scope,
            "metadata": metadata or {},
        }
        check_sendable(payload)
        answer = await self._host.call(UPDATE_GATEWAY_STATE, self._plugin_id, payload)
        return answer.get("accepted") is True


def _route_payload(
    gateway: str,
    message: MessageMap | Message,
    route_metadata: dict[str, Any] | None,
    external_message_id: str,
    dedupe_key: str,
) -> dict[str, Any]:
    payload = {
        "gateway_name": gateway,
        "message": message.raw if isinstance(message, Message) else message,
        "route_metadata": route_metadata or {},
        "external_message_id": external_message_id,
        "dedupe_key": dedupe_key,
    }
    check_sendable(payload)
    return payload
