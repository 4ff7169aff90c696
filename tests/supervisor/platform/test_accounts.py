"""The accounts of the bot are known from their first word on, also after a restart, at the price of a look-up."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.supervisor import account_record
from rookery.supervisor.account_record import restore_accounts
from rookery.supervisor.platform.accounts import INBOUND, NOTE_PERIOD, READY, Accounts, BotAccount
from rookery.supervisor.platform.routes import Driver, RouteKey, route_key
from rookery.supervisor.store import open_store

DRIVER = Driver(plugin_id="p.a", gateway="chat", key=route_key("qq", "me"), sends=True, receives=True)


def _note(accounts: Accounts, key: RouteKey = DRIVER.key, source: str = INBOUND, now: float = 0.0) -> None:
    accounts.note(DRIVER, key, source, now)


def _written(accounts: Accounts) -> list[BotAccount]:
    written: list[BotAccount] = []
    accounts.on_noted = written.append
    return written


def test_a_busy_account_is_noted_once_a_minute() -> None:
    """Whatever comes in meanwhile costs a look-up; its first time stays."""
    accounts = Accounts()
    written = _written(accounts)
    for second in range(int(2 * NOTE_PERIOD)):
        _note(accounts, now=float(second))

    assert [each.last_seen for each in written] == [0.0, NOTE_PERIOD]
    assert {each.first_seen for each in written} == {0.0}


def test_a_gateway_that_becomes_ready_is_noted_at_once() -> None:
    """Its word counts more than that of a message."""
    accounts = Accounts()
    _note(accounts, now=0.0)
    _note(accounts, source=READY, now=1.0)
    _note(accounts, source=INBOUND, now=2.0)

    (account,) = accounts.all
    assert (account.source, account.first_seen, account.last_seen) == (READY, 0.0, 1.0)


def test_a_gateway_without_an_account_notes_none() -> None:
    """There is nothing to remember."""
    accounts = Accounts()
    _note(accounts, route_key("qq"))

    assert accounts.all == ()


def test_memory_is_bounded() -> None:
    """The one that was heard of least lately goes."""
    accounts = Accounts(limit=3)
    for number in range(10):
        _note(accounts, route_key("qq", str(number)), now=float(number))

    assert [each.account_id for each in accounts.all] == ["7", "8", "9"]


async def test_accounts_outlive_the_host(tmp_path: Path) -> None:
    """With when they were seen first and last."""
    async with open_store(tmp_path / "store.db") as store:
        before = Accounts()
        await restore_accounts(store, before)
        _note(before, now=5.0)
        _note(before, route_key("irc", "you"), now=6.0)
    async with open_store(tmp_path / "store.db") as store:
        after = Accounts()

        await restore_accounts(store, after)

    assert after.all == before.all


async def test_the_store_keeps_no_more_than_memory_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many accounts a gateway claims."""
    monkeypatch.setattr(account_record, "MAX_ACCOUNTS", 3)
    async with open_store(tmp_path / "store.db") as store:
        accounts = Accounts(limit=3)
        await restore_accounts(store, accounts)
        for number in range(10):
            _note(accounts, route_key("qq", str(number)), now=float(number))

        again = Accounts()
        await restore_accounts(store, again)

    assert [each.account_id for each in again.all] == ["7", "8", "9"]
