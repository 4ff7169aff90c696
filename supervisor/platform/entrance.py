"""What does a gateway tell the host: that it is there, and what was said outside?

A message is answered when it is admitted, which is before anybody has seen it: the gateway never waits for the bot.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import trio

from rookery.protocol import (
    BadPayload,
    ErrorCode,
    GatewayState,
    GatewayStateAnswer,
    RouteMessage,
    RouteMessageAnswer,
    group_of,
    shown,
    structure,
    unstructure,
)

from ..observers import GatewayReported
from .accounts import INBOUND, READY, Accounts
from .inbound import read_inbound

if TYPE_CHECKING:
    from collections.abc import Callable

    from rookery.protocol import Request

    from ..component import Gateway
    from ..counters import Counters
    from ..observers import Observers
    from ..registry import Registry
    from .chat_policy import ChatPolicy
    from .drivers import Drivers
    from .inbound import Inbound
    from .inbox import Inbox
    from .routes import Driver, RouteTable
    from .sessions import Sessions


class Entrance:
    """Answers ``host.update_message_gateway_state`` and ``host.route_message``.

    Args:
        policy: The chat policy that holds now; ``None`` where the operator has none.
        refuse_platform: Why a gateway may not speak for a platform; "" when it may.

    Attributes:
        accounts: Those of the bot, as gateways tell.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        drivers: Drivers,
        routes: RouteTable,
        sessions: Sessions,
        inbox: Inbox,
        observers: Observers,
        counters: Counters,
        policy: Callable[[], ChatPolicy] | None = None,
        refuse_platform: Callable[[Gateway, str], str] = lambda *_: "",
    ) -> None:
        self._registry = registry
        self._drivers = drivers
        self._routes = routes
        self._sessions = sessions
        self._inbox = inbox
        self._observers = observers
        self._counters = counters
        self._policy = policy
        self._refuse_platform = refuse_platform
        self.accounts = Accounts()

    def report_state(self, request: Request) -> None:
        """A gateway says whether messages can come and go by it, and as whom."""
        state = structure(request.payload, GatewayState)
        gateway = self._registry.gateway(request.plugin_id, state.gateway_name)
        if gateway is None:
            request.refuse(
                ErrorCode.E_METHOD_NOT_ALLOWED,
                f"{request.plugin_id} has no gateway {shown(state.gateway_name)}",
            )
            return
        platform = (state.platform or gateway.platform).strip().lower()
        if refusal := self._refuse_platform(gateway, platform):
            request.refuse(ErrorCode.E_CAPABILITY_DENIED, refusal)
            return
        driver = self._drivers.update(gateway, state)
        if driver is not None:
            self.accounts.note(driver, driver.key, READY, time.time())
        route: dict[str, Any] = driver.key.as_map() if driver else {}
        request.answer(
            unstructure(GatewayStateAnswer(accepted=True, ready=driver is not None, route_key=route))
        )
        self._observers.notify(
            GatewayReported(
                plugin_id=request.plugin_id,
                gateway=gateway.name,
                ready=state.ready,
                platform=state.platform or gateway.platform,
                account_id=state.account_id or gateway.account_id,
                metadata=state.metadata,
            )
        )

    def route_message(self, request: Request) -> None:
        """A gateway hands a message over."""
        routed = structure(request.payload, RouteMessage)
        gateway = self._registry.gateway(request.plugin_id, routed.gateway_name)
        driver = self._drivers.driver_of(request.plugin_id, gateway.name) if gateway is not None else None
        if driver is None or not driver.receives:
            self._counters.refused += 1
            request.refuse(ErrorCode.E_METHOD_NOT_ALLOWED, self._why_not(request, routed, gateway))
            return
        wall = time.time()
        try:
            inbound = read_inbound(routed, driver, trio.current_time(), wall=wall)
        except BadPayload:
            self._counters.refused += 1
            raise
        route: dict[str, Any] = inbound.key.as_map()
        denied = self._deny(driver, inbound)
        if denied is not None:
            self._counters.denied += 1
            answer = RouteMessageAnswer(accepted=False, route_key={**route, **denied})
            request.answer(unstructure(answer))
            return
        self.accounts.note(driver, inbound.key, INBOUND, wall)
        self._sessions.remember(inbound)

        def settle(accepted: bool) -> None:
            request.answer(unstructure(RouteMessageAnswer(accepted=accepted, route_key=route)))

        self._inbox.offer(inbound, settle)

    def _deny(self, driver: Driver, inbound: Inbound) -> dict[str, Any] | None:
        """Why a message is not let in, as it stands in the answer's route key; ``None`` when it is."""
        if not self._routes.accepts(driver, inbound.key):
            return {"refused": f"no route leads from {inbound.key} to {driver.driver_id}"}
        if self._policy is None:
            return None
        message = inbound.message
        user_id: str = message["message_info"]["user_info"]["user_id"]
        result = self._policy().evaluate(driver, inbound.key, group_id=group_of(message), user_id=user_id)
        return None if result.allowed else {"policy": result.as_map()}

    def _why_not(self, request: Request, routed: RouteMessage, gateway: Gateway | None) -> str:
        name = f"gateway {shown(routed.gateway_name)} of {request.plugin_id}"
        if gateway is None or not gateway.receives:
            return f"{name} cannot receive"
        if request.plugin_id in self._drivers.offline:
            return f"{name} is offline: {self._drivers.offline[request.plugin_id]}"
        return f"{name} is not ready"
