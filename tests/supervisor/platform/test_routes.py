"""A message goes through the one gateway that fits its route best."""

from __future__ import annotations

import pytest

from rookery.protocol import BadPayload
from rookery.supervisor.platform.routes import (
    ANY_PLATFORM,
    MAX_PART_CHARS,
    Direction,
    Driver,
    DriverKind,
    Route,
    RouteKey,
    RouteTable,
    account_and_scope,
    route_key,
)


def _driver(gateway: str, key: RouteKey, *, sends: bool = True) -> Driver:
    return Driver(plugin_id="p.a", gateway=gateway, key=key, sends=sends, receives=True)


def _table(*drivers: Driver) -> RouteTable:
    table = RouteTable()
    for driver in drivers:
        table.bind(driver)
    return table


def _sender(table: RouteTable, *key: str | None) -> str | None:
    found = [driver.gateway for driver in table.resolve_senders(route_key(*key))]  # type: ignore[arg-type]
    assert len(found) <= 1, "no route asks for more"
    return found[0] if found else None


EXACT = _driver("exact", route_key("irc", "me", "net"))
ACCOUNT = _driver("account", route_key("irc", "me"))
SCOPE = _driver("scope", route_key("irc", None, "net"))
PLATFORM = _driver("platform", route_key("irc"))
ANY = _driver("any", route_key(ANY_PLATFORM))


def test_a_key_is_normalised() -> None:
    """The platform small, everything stripped, empty parts open."""
    assert route_key(" IRC ", " Me ", " ") == RouteKey("irc", "Me", None)
    assert route_key("irc", "me").as_map() == {"platform": "irc", "account_id": "me", "scope": None}


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        pytest.param([" "], "platform", id="no platform"),
        pytest.param(["p" * (MAX_PART_CHARS + 1)], "platform", id="a long platform"),
        pytest.param(["p", "a" * (MAX_PART_CHARS + 1)], "account_id", id="a long account"),
        pytest.param(["p", "a", "s" * (MAX_PART_CHARS + 1)], "scope", id="a long scope"),
    ],
)
def test_a_key_that_is_none_is_refused(parts: list[str], path: str) -> None:
    """With the part that is wrong."""
    with pytest.raises(BadPayload) as caught:
        route_key(*parts)

    assert caught.value.path == path


@pytest.mark.parametrize("first_bound", [0, 1, 2, 3, 4])
def test_the_most_exact_driver_wins_whichever_came_first(first_bound: int) -> None:
    """And when it goes, the next."""
    drivers = [EXACT, ACCOUNT, SCOPE, PLATFORM, ANY]
    table = _table(*drivers[first_bound:], *drivers[:first_bound])

    for driver in drivers:
        assert _sender(table, "irc", "me", "net") == driver.gateway
        assert table.unbind(driver.driver_id)
    assert _sender(table, "irc", "me", "net") is None
    assert not table.unbind(ANY.driver_id)


def test_an_account_of_another_is_no_way_out() -> None:
    """A message for one account does not leave through the other's."""
    assert _sender(_table(ACCOUNT), "irc", "you") is None
    assert _sender(_table(ACCOUNT), "matrix", "me") is None


def test_a_message_without_an_account_takes_any_of_its_platform() -> None:
    """The one that was ready first; a driver of every platform would come before."""
    other = _driver("other", route_key("irc", "you"))

    assert _sender(_table(other, ACCOUNT), "irc") == "other"
    assert _sender(_table(EXACT), "irc", None, "net") == "exact"
    assert _sender(_table(other, ANY), "irc") == "any"


def test_a_driver_that_only_receives_sends_nothing() -> None:
    """The next that fits does."""
    deaf = _driver("deaf", route_key("irc", "me", "net"), sends=False)

    assert _sender(_table(deaf, PLATFORM), "irc", "me", "net") == "platform"
    assert _sender(_table(deaf), "irc") is None


def test_a_driver_is_replaced_by_its_successor() -> None:
    """A gateway that reconnects under another account."""
    table = _table(ACCOUNT, _driver("account", route_key("irc", "new")))

    assert [driver.key.account_id for driver in table.drivers] == ["new"]


def test_the_first_map_that_names_an_account_counts() -> None:
    """Under any of its names; numbers are texts, empty ones are none."""
    assert account_and_scope(
        {"self_id": 17, "account_id": ""}, {"account_id": "x", "route_scope": " s "}
    ) == (
        "17",
        "s",
    )
    assert account_and_scope({}, {"scope": "no name for it"}) == (None, None)


# --- routes of the configuration --------------------------------------------------------------------------------------


def _routed(table: RouteTable, *key: str | None) -> list[str]:
    return [driver.gateway for driver in table.resolve_senders(route_key(*key))]  # type: ignore[arg-type]


def _configured(*routes: Route, drivers: tuple[Driver, ...]) -> RouteTable:
    table = RouteTable(routes)
    for driver in drivers:
        table.bind(driver)
    return table


def test_a_message_is_not_sent_twice_where_a_broad_gateway_matches_too() -> None:
    """A default gateway and one for the account: only the one for the account sends."""
    table = _table(ANY, PLATFORM, ACCOUNT)

    assert _routed(table, "irc", "me") == ["account"]


def test_an_operator_may_ask_for_a_broadcast() -> None:
    """Then every gateway that fits sends, those that are named in their order."""
    named = Route(key=route_key("irc"), gateways=("p.a:platform", "p.a:account"), broadcast=True)
    everybody = Route(key=route_key("irc"), broadcast=True)
    drivers = (ACCOUNT, PLATFORM, ANY, _driver("matrix", route_key("matrix")))

    assert _routed(_configured(named, drivers=drivers), "irc", "me") == ["account"]
    assert _routed(_configured(named, drivers=drivers), "irc") == ["platform", "account"]
    assert _routed(_configured(everybody, drivers=drivers), "irc") == ["account", "platform", "any"]


def test_a_route_says_which_gateway_is_tried_first() -> None:
    """And the next when it is away; who is not named is not tried."""
    route = Route(key=route_key("irc", "me"), gateways=("p.a:any", "p.a:account"))
    table = _configured(route, drivers=(EXACT, ACCOUNT, ANY))

    assert _routed(table, "irc", "me", "net") == ["exact"]
    assert _routed(table, "irc", "me") == ["any"]
    table.unbind(ANY.driver_id)
    assert _routed(table, "irc", "me") == ["account"]
    table.unbind(ACCOUNT.driver_id)
    assert _routed(table, "irc", "me") == []


def test_a_route_never_sends_by_another_account() -> None:
    """What a gateway says of itself still holds."""
    route = Route(key=route_key("irc"), gateways=("p.a",), broadcast=True)
    drivers = (ACCOUNT, _driver("you", route_key("irc", "you")))

    assert _routed(_configured(route, drivers=drivers), "irc", "me") == ["account"]


@pytest.mark.parametrize(
    ("own", "claimed", "accepted"),
    [
        pytest.param(("irc", "me"), ("irc", "me"), True, id="its own account"),
        pytest.param(("irc", "me"), ("irc", "me", "s"), True, id="a scope of its account"),
        pytest.param(("irc", "me"), ("irc", "you"), False, id="another account"),
        pytest.param(("irc", None, "s"), ("irc", None, "t"), False, id="another scope"),
        pytest.param(("irc",), ("irc", "you", "t"), True, id="any account"),
        pytest.param((ANY_PLATFORM,), ("matrix", "x"), True, id="any platform"),
    ],
)
def test_a_message_comes_in_by_a_gateway_of_its_key(
    own: tuple[str, ...], claimed: tuple[str, ...], accepted: bool
) -> None:
    """A gateway speaks for the account that it has reported, and for no other."""
    driver = _driver("gw", route_key(*own))

    assert _table(driver).accepts(driver, route_key(*claimed)) is accepted


def test_a_route_for_receiving_says_who_may_bring_a_message() -> None:
    """The others are turned away, whatever they say of themselves."""
    route = Route(key=route_key("irc", "me"), gateways=("p.a:exact",), direction=Direction.RECEIVE)
    table = _configured(route, drivers=(EXACT, ACCOUNT))

    assert table.accepts(EXACT, route_key("irc", "me"))
    assert not table.accepts(ACCOUNT, route_key("irc", "me"))
    assert table.accepts(ACCOUNT, route_key("irc", "me", "x")) is False
    assert _routed(table, "irc", "me") == ["account"]


def test_what_a_gateway_that_is_away_would_have_carried_is_known() -> None:
    """So that whoever sends there is told more than that there is no gateway."""
    table = _table(ACCOUNT)

    table.put_away(ACCOUNT)

    assert _routed(table, "irc", "me") == []
    assert table.find_away(route_key("irc", "me")) is ACCOUNT
    assert table.find_away(route_key("irc", "you")) is None
    table.bind(ACCOUNT)
    assert (_routed(table, "irc", "me"), table.away) == (["account"], ())


async def _nothing(_: object) -> None:
    """A sender that is never asked."""


def test_a_function_of_the_host_sends_where_no_gateway_does() -> None:
    """Only then, and only for its account."""
    table = _table()
    legacy = table.add_legacy("IRC", _nothing, account_id="me")

    assert legacy.driver_id == "legacy.send.irc"
    assert table.resolve_senders(route_key("irc", "me")) == (legacy,)
    assert table.resolve_senders(route_key("irc")) == (legacy,)
    assert table.resolve_senders(route_key("irc", "you")) == ()
    table.bind(ACCOUNT)
    assert table.resolve_senders(route_key("irc", "me")) == (ACCOUNT,)
    assert [each.kind for each in table.legacy] == [DriverKind.LEGACY]
    assert table.remove_legacy("irc ")
    assert not table.remove_legacy("irc")


def test_what_was_found_is_forgotten_when_a_driver_comes_or_goes() -> None:
    """A way that is remembered is never an old one."""
    table = _table(PLATFORM)
    before = _routed(table, "irc", "me")
    table.bind(ACCOUNT)
    with_account = _routed(table, "irc", "me")
    table.unbind(ACCOUNT.driver_id)

    assert (before, with_account, _routed(table, "irc", "me")) == (["platform"], ["account"], ["platform"])
