"""How does what was switched on and off outlive the host?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .store_errors import StoreError
from .switches import Switch

if TYPE_CHECKING:
    import sqlite3

    from .store import Store
    from .switches import Switches


async def restore_switches(store: Store, switches: Switches) -> None:
    """Take what the store has, and keep there whatever is switched from now on.

    Raises:
        StoreError: It cannot be read.
    """
    switches.restore(await store.run(_read))

    def keep(switch: Switch) -> None:
        row = (switch.plugin_id, switch.name, switch.enabled, json.dumps(sorted(switch.disabled_sessions)))

        def operation(connection: sqlite3.Connection) -> None:
            if switch.says_nothing:
                connection.execute("DELETE FROM component_switch WHERE plugin_id = ? AND name = ?", row[:2])
            else:
                connection.execute("INSERT OR REPLACE INTO component_switch VALUES (?, ?, ?, ?)", row)

        try:
            store.submit(operation)
        except StoreError:
            pass  # counted by the store; the switch holds until the host ends

    switches.on_turned = keep


def _read(connection: sqlite3.Connection) -> list[Switch]:
    return [
        Switch(
            plugin_id=plugin_id,
            name=name,
            enabled=None if enabled is None else bool(enabled),
            disabled_sessions=frozenset(json.loads(sessions)),
        )
        for plugin_id, name, enabled, sessions in connection.execute("SELECT * FROM component_switch")
    ]
