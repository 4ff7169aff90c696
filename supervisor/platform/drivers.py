"""Which gateways are ready, and what do they say of themselves?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rookery.protocol import BadPayload, GatewayState

from .routes import Driver, RouteTable, route_key

if TYPE_CHECKING:
    from collections.abc import Collection

    from ..component import Gateway

MAX_METADATA_KEYS = 64


class Drivers:
    """Keeps the state of each gateway and binds those that are ready.

    A gateway whose runner died stays bound: its shard is expected back, and messages for it wait.
    """

    def __init__(self, routes: RouteTable) -> None:
        self._routes = routes
        self._metadata: dict[tuple[str, str], dict[str, Any]] = {}
        self._ready: dict[tuple[str, str], Driver] = {}

    def update(self, gateway: Gateway, state: GatewayState) -> Driver | None:
        """Take a gateway's word; return its driver when it is ready.

        Raises:
            BadPayload: It is ready but names no platform, or says too much.
        """
        if len(state.metadata) > MAX_METADATA_KEYS:
            raise BadPayload(f"has {len(state.metadata)} keys, at most {MAX_METADATA_KEYS}", "metadata")
        place = (gateway.plugin_id, gateway.name)
        if not state.ready:
            self._metadata[place] = state.metadata
            self.remove(*place)
            return None
        driver = Driver(
            plugin_id=gateway.plugin_id,
            gateway=gateway.name,
            key=route_key(
                state.platform or gateway.platform,
                state.account_id or gateway.account_id,
                state.scope or gateway.scope,
            ),
            sends=gateway.sends,
            receives=gateway.receives,
            metadata={"protocol": gateway.protocol, "route_type": gateway.route_type.value},
        )
        self._metadata[place] = state.metadata
        self._ready[place] = driver
        self._routes.bind(driver)
        return driver

    def remove(self, plugin_id: str, gateway: str) -> None:
        driver = self._ready.pop((plugin_id, gateway), None)
        if driver is not None:
            self._routes.unbind(driver.driver_id)

    def retain(self, plugin_id: str, gateways: Collection[str]) -> None:
        """These are the gateways that a plugin has now: forget the others, and what they said."""
        for place in [
            place for place in self._metadata if place[0] == plugin_id and place[1] not in gateways
        ]:
            del self._metadata[place]
            self.remove(*place)

    def driver_of(self, plugin_id: str, gateway: str) -> Driver | None:
        """The driver of a gateway that is ready."""
        return self._ready.get((plugin_id, gateway))

    @property
    def reported(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Everything that gateways have said, by plugin and gateway."""
        return self._metadata
