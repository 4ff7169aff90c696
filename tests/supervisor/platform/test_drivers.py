"""A gateway that says it is ready is bound; whatever it says is kept for the operator."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol import BadPayload, ComponentDeclaration, GatewayState
from rookery.supervisor.component import Gateway
from rookery.supervisor.declaration import make_component
from rookery.supervisor.platform.drivers import MAX_METADATA_KEYS, Drivers
from rookery.supervisor.platform.routes import RouteTable, route_key


def _gateway(name: str = "gw", *, plugin_id: str = "p.a", **metadata: Any) -> Gateway:
    declared = ComponentDeclaration(
        name=name, component_type="MESSAGE_GATEWAY", metadata={"route_type": "duplex", **metadata}
    )
    gateway = make_component(declared, plugin_id=plugin_id, shard="one", is_trusted=True, path="")
    assert isinstance(gateway, Gateway)
    return gateway


def _state(*, ready: bool = True, **more: Any) -> GatewayState:
    return GatewayState(gateway_name="gw", ready=ready, **more)


def test_a_ready_gateway_is_bound() -> None:
    """With what it declared, unless it says otherwise now."""
    routes = RouteTable()
    drivers = Drivers(routes)

    driver = drivers.update(
        _gateway(platform="irc", account_id="declared", route_type="receive"),
        _state(account_id="now", scope="net"),
    )

    assert driver is not None
    assert driver.key == route_key("irc", "now", "net")
    assert (driver.sends, driver.receives) == (False, True)
    assert routes.drivers == (driver,)
    assert drivers.driver_of("p.a", "gw") is driver


def test_a_gateway_that_is_not_ready_any_more_is_unbound() -> None:
    """Saying so twice is no error."""
    routes = RouteTable()
    drivers = Drivers(routes)
    gateway = _gateway(platform="irc")
    drivers.update(gateway, _state())

    assert drivers.update(gateway, _state(ready=False)) is None
    assert drivers.update(gateway, _state(ready=False)) is None

    assert routes.drivers == ()
    assert drivers.driver_of("p.a", "gw") is None


def test_a_gateway_without_a_platform_is_refused() -> None:
    """And what was bound stays."""
    routes = RouteTable()
    drivers = Drivers(routes)
    drivers.update(_gateway(), _state(platform="irc"))

    with pytest.raises(BadPayload) as caught:
        drivers.update(_gateway(), _state(metadata={"odd": True}))

    assert caught.value.path == "platform"
    assert len(routes.drivers) == 1
    assert drivers.reported == {("p.a", "gw"): {}}


def test_a_gateway_may_not_say_too_much() -> None:
    """It is kept as long as the gateway lives."""
    metadata = {str(number): number for number in range(MAX_METADATA_KEYS + 1)}

    with pytest.raises(BadPayload, match="metadata: has 65 keys, at most 64"):
        Drivers(RouteTable()).update(_gateway(platform="irc"), _state(metadata=metadata))


def test_the_last_word_of_each_gateway_is_kept() -> None:
    """Also of one that is not ready."""
    drivers = Drivers(RouteTable())
    drivers.update(_gateway("one", platform="irc"), _state(metadata={"a": 1}))
    drivers.update(_gateway("one", platform="irc"), _state(metadata={"a": 2}, ready=False))
    drivers.update(_gateway("two", platform="irc"), _state(metadata={"finished": True}))
    drivers.update(_gateway("gw", plugin_id="p.b", platform="irc"), _state(metadata={"a": 9}))

    assert drivers.reported == {
        ("p.a", "one"): {"a": 2},
        ("p.a", "two"): {"finished": True},
        ("p.b", "gw"): {"a": 9},
    }


def test_gateways_that_a_plugin_has_no_more_are_forgotten() -> None:
    """With what they said; other plugins' stay."""
    routes = RouteTable()
    drivers = Drivers(routes)
    for plugin_id, name in (("p.a", "one"), ("p.a", "two"), ("p.b", "one")):
        drivers.update(_gateway(name, plugin_id=plugin_id, platform="irc"), _state(metadata={"a": 1}))

    drivers.retain("p.a", ["two"])

    assert sorted(drivers.reported) == [("p.a", "two"), ("p.b", "one")]
    assert {driver.driver_id for driver in routes.drivers} == {"gateway:p.a:two", "gateway:p.b:one"}


def test_what_a_gateway_says_of_itself_is_little() -> None:
    """The last word of each is kept, and stands in the status: a frame of it would break both."""
    drivers = Drivers(RouteTable())

    with pytest.raises(BadPayload, match=r"metadata: has 2\d{4} bytes, at most 16384"):
        drivers.update(_gateway(platform="irc"), _state(metadata={"log": ["x" * 1000] * 20}))

    assert drivers.reports == {}
