"""Which gateways are there, are they ready, and what do they say of themselves?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from rookery.protocol import BadPayload, GatewayState, encode_value

from .routes import Driver, RouteTable, route_key

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ..component import Gateway

MAX_METADATA_KEYS = 64
MAX_METADATA_BYTES = 16 * 1024
"""Of what a gateway says of itself: the last word of each is kept, and stands in the status."""


@attrs.frozen(kw_only=True)
class GatewayReport:
    """The last word of one gateway."""

    ready: bool
    platform: str
    account_id: str
    scope: str
    metadata: dict[str, Any]


class Drivers:
    """Keeps the state of each gateway and binds those that are ready.

    A gateway whose runner died stays bound: its shard is expected back, and messages for it wait.

    Args:
        plugin_type: What a plugin's manifest says it is; "" when it does not say.
    """

    def __init__(self, routes: RouteTable, plugin_type: Callable[[str], str] = lambda _: "") -> None:
        self._routes = routes
        self._plugin_type = plugin_type
        self._reports: dict[tuple[str, str], GatewayReport] = {}
        self._ready: dict[tuple[str, str], Driver] = {}
        self._offline: dict[str, str] = {}
        """Plugins that an operator has taken off their platforms, with the reason."""

    def update(self, gateway: Gateway, state: GatewayState) -> Driver | None:
        """Take a gateway's word; return its driver when it can be used.

        Raises:
            BadPayload: It is ready but names no platform, or says too much.
        """
        if len(state.metadata) > MAX_METADATA_KEYS:
            raise BadPayload(f"has {len(state.metadata)} keys, at most {MAX_METADATA_KEYS}", "metadata")
        if (size := len(encode_value(state.metadata))) > MAX_METADATA_BYTES:
            raise BadPayload(f"has {size} bytes, at most {MAX_METADATA_BYTES}", "metadata")
        place = (gateway.plugin_id, gateway.name)
        report = GatewayReport(
            ready=state.ready,
            platform=(state.platform or gateway.platform).strip().lower(),
            account_id=(state.account_id or gateway.account_id).strip(),
            scope=(state.scope or gateway.scope).strip(),
            metadata=state.metadata,
        )
        if not state.ready:
            self._reports[place] = report
            known = self._ready.pop(place, None)
            if known is not None:
                self._routes.put_away(known)
            return None
        driver = Driver(
            plugin_id=gateway.plugin_id,
            gateway=gateway.name,
            key=route_key(report.platform, report.account_id, report.scope),
            sends=gateway.sends,
            receives=gateway.receives,
            metadata={
                "protocol": gateway.protocol,
                "route_type": gateway.route_type.value,
                "plugin_type": self._plugin_type(gateway.plugin_id),
                **gateway.metadata,
            },
        )
        self._reports[place] = report
        if gateway.plugin_id in self._offline:
            self._routes.put_away(driver)
            return None
        self._ready[place] = driver
        self._routes.bind(driver)
        return driver

    def remove(self, plugin_id: str, gateway: str) -> None:
        """Forget a driver."""
        self._ready.pop((plugin_id, gateway), None)
        self._routes.unbind(f"gateway:{plugin_id}:{gateway}")

    def retain(self, plugin_id: str, gateways: Collection[str]) -> None:
        """These are the gateways that a plugin has now: forget the others, and what they said."""
        for place in [place for place in self._reports if place[0] == plugin_id and place[1] not in gateways]:
            del self._reports[place]
            if plugin_id in self._offline and place in self._ready:
                self._routes.put_away(self._ready.pop(place))  # whoever sends there is told why it is gone
            elif plugin_id not in self._offline:
                self.remove(*place)

    def driver_of(self, plugin_id: str, gateway: str) -> Driver | None:
        """The driver of a gateway that is ready."""
        return self._ready.get((plugin_id, gateway))

    # --- operators ---------------------------------------------------------------------------------------------

    def take_offline(self, plugin_id: str, reason: str) -> bool:
        """Use none of a plugin's gateways until it is brought back; False when it was offline already."""
        if plugin_id in self._offline:
            return False
        self._offline[plugin_id] = reason
        for place, driver in tuple(self._ready.items()):
            if place[0] == plugin_id:
                del self._ready[place]
                self._routes.put_away(driver)
        return True

    def bring_online(self, plugin_id: str) -> bool:
        """Use a plugin's gateways again, as soon as they say that they are ready; False when it was not offline."""
        return self._offline.pop(plugin_id, None) is not None

    @property
    def offline(self) -> dict[str, str]:
        """Plugins that are kept off their platforms, and why."""
        return dict(self._offline)

    # --- reading -----------------------------------------------------------------------------------------------

    @property
    def reports(self) -> dict[tuple[str, str], GatewayReport]:
        """The last word of each gateway, by plugin and gateway."""
        return self._reports

    @property
    def reported(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The free-form part of what gateways have said, by plugin and gateway."""
        return {place: report.metadata for place, report in self._reports.items()}
