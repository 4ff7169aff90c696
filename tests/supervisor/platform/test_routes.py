"""A message goes through the one gateway that fits its route best."""

from __future__ import annotations

import pytest

from rookery.protocol import BadPayload
from rookery.supervisor.platform.routes import (
    ANY_PLATFORM,
    MAX_PART_CHARS,
    Driver,
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
    driver = table.resolve_sender(route_key(*key))  # type: ignore[arg-type]
    return driver.gateway if driver else None


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
