"""How do the accounts of the bot outlive the host: which ones has it ever had, and when were they seen last?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .platform.accounts import MAX_ACCOUNTS, BotAccount
from .store_errors import StoreError

if TYPE_CHECKING:
    import sqlite3

    from .platform.accounts import Accounts
    from .store import Store


# An account is a claim of a gateway, and a gateway may claim as many as it likes.
_FORGET = """
DELETE FROM bot_account WHERE (platform, account_id) IN (
    SELECT platform, account_id FROM bot_account ORDER BY last_seen DESC LIMIT -1 OFFSET ?
)"""


async def restore_accounts(store: Store, accounts: Accounts) -> None:
    """Take what the store has, and keep there whatever gateways tell from now on.

    Raises:
        StoreError: It cannot be read.
    """
    accounts.restore(await store.run(_read))

    def keep(account: BotAccount) -> None:
        row = attrs.astuple(account)

        def operation(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR REPLACE INTO bot_account VALUES (?, ?, ?, ?, ?, ?)", row)
            connection.execute(_FORGET, (MAX_ACCOUNTS,))

        try:
            store.submit(operation)
        except StoreError:
            pass  # counted by the store; the status knows it until the host ends

    accounts.on_noted = keep


def _read(connection: sqlite3.Connection) -> list[BotAccount]:
    rows = connection.execute(
        "SELECT platform, account_id, source, driver_id, first_seen, last_seen FROM bot_account ORDER BY last_seen"
    )
    names = ("platform", "account_id", "source", "driver_id", "first_seen", "last_seen")
    return [BotAccount(**dict(zip(names, row, strict=True))) for row in rows]
