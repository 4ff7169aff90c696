"""How do messages come in from outside and how does a gateway say that it is there."""

from __future__ import annotations

from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class GatewayState:
    """``host.update_message_gateway_state``."""

    gateway_name: str
    ready: bool
    platform: str = ""
    account_id: str = ""
    scope: str = ""
    metadata: dict[str, Any] = attrs.Factory(dict)


@attrs.frozen(kw_only=True)
class GatewayStateAnswer:
    accepted: bool
    ready: bool = False
    route_key: dict[str, Any] = attrs.Factory(dict)


@attrs.frozen(kw_only=True)
class RouteMessage:
    """``host.route_message``: one message from outside."""

    gateway_name: str
    message: dict[str, Any]
    route_metadata: dict[str, Any] = attrs.Factory(dict)
    external_message_id: str = ""
    dedupe_key: str = ""


@attrs.frozen(kw_only=True)
class RouteMessageAnswer:
    accepted: bool
    route_key: dict[str, Any] = attrs.Factory(dict)
