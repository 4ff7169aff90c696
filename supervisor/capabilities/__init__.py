"""The host services that plugins may use, a file a family.

table: from a call to its implementation · request: one call, answered once · arguments: reading them · powers: what the
host lends · catalogue: the protocol's names · send, database, records, config, component, message, chat, person, statistics,
api, llm, render, http: the families.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .api import register_api
from .chat import register_chat
from .component import register_component
from .config import register_config
from .database import register_database
from .http import register_http
from .llm import register_llm
from .message import register_message
from .person import register_person
from .powers import HostPowers, SegmentSender
from .records import register_records
from .render import register_render
from .request import CapabilityRequest
from .send import register_send
from .statistics import register_statistics
from .table import CapabilityTable

if TYPE_CHECKING:
    from ..grants import Grants
    from ..platform.sessions import Sessions
    from ..statistics import Statistics
    from ..store import Store

__all__ = [
    "CapabilityRequest",
    "CapabilityTable",
    "HostPowers",
    "SegmentSender",
    "make_table",
    "register_api",
    "register_component",
    "register_http",
    "register_llm",
    "register_render",
]


def make_table(
    store: Store, grants: Grants, powers: HostPowers, *, sessions: Sessions, statistics: Statistics
) -> CapabilityTable:
    """The table with the families that need only these; register more, or others, on it.

    Args:
        sessions: Where a chat that a plugin opens is found when something is sent into it.
    """
    table = CapabilityTable(grants)
    register_send(table, powers)
    register_database(table, store, powers.table_owner)
    register_records(table, store, powers.table_owner)
    register_config(table, powers)
    register_message(table, store, partial(_bot_name, powers))
    register_chat(table, store, sessions)
    register_person(table, store)
    register_statistics(table, store, statistics)
    return table


def _bot_name(powers: HostPowers) -> str:
    bot = powers.global_config().get("bot")
    name = bot.get("nickname") if isinstance(bot, dict) else None
    return name if isinstance(name, str) else ""
