"""Which capabilities does protocol 1.0.0 name, and why has a host none of some of them?

A plugin that asks for a capability which means nothing here is told so, and its operator what to do about it: an application
that embeds the host may register an implementation of any name.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from ..suggestion import suggest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_FAMILIES: Mapping[str, str] = {
    "api": "call get list replace_dynamic",
    "chat": "get_all_streams get_group_streams get_private_streams get_stream_by_group_id get_stream_by_user_id open_session",
    "component": (
        "get_all_plugins get_plugin_info get_plugin_config_schema update_plugin_config list_loaded_plugins"
        " list_registered_plugins enable disable load_plugin unload_plugin reload_plugin"
    ),
    "config": "get get_plugin get_all",
    "database": "query save get delete count",
    "emoji": "get_by_description get_random get_count get_emotions get_all get_info register delete",
    "frequency": "get_current_talk_value get_adjust set_adjust",
    "knowledge": "search",
    "llm": "generate generate_with_tools embed transcribe_audio get_available_models",
    "maisaka": "context.append proactive.trigger",
    "message": "get_by_time get_by_time_in_chat get_by_id get_recent count_new build_readable",
    "person": "get_id get_value get_id_by_name",
    "render": "html2png",
    "send": "text emoji image forward hybrid command custom",
    "statistics": (
        "local.models local.model_trend local.token_trend local.token_distribution local.message_trend local.tool_trend"
        " local.online_time_trend"
    ),
    "tool": "get_definitions",
}

NAMES = frozenset(f"{family}.{name}" for family, names in _FAMILIES.items() for name in names.split())
"""Every capability of the protocol."""

LATER = frozenset(
    [
        "chat.get_avatar",
        "market.search",
        "market.get_detail",
        "market.get_readme",
        "webui.claim_upload",
        "maisaka.context.resolve_image",
        "maisaka.reply.generate",
    ]
)
"""What plugins of a newer SDK may ask for, of a newer bot."""

OWN = frozenset(
    [
        "database.put_row",
        "database.get_row",
        "database.find_rows",
        "database.delete_row",
        "database.increment_row",
        "database.count_rows",
        "database.sum_rows",
        "http.fetch",
    ]
)
"""What this host offers beyond the protocol."""

_WHY: Mapping[str, str] = MappingProxyType(
    {
        "emoji": "it is about the collection of pictures that one bot keeps, and this host keeps none",
        "frequency": "it is about how often one bot speaks without being asked, and this host never does",
        "knowledge": "it is about the memory of one bot's core, and this host has no such memory",
        "maisaka": "it is about the train of thought of one bot's core, and this host does not think",
        "market": "it is about the market place for plugins of one bot",
        "webui": "it is about the web interface of one bot",
    }
)
"""By family: what cannot mean anything to a host that is no particular bot."""


def absence(name: str, known: Collection[str]) -> str:
    """Why a call of a capability without an implementation is refused, in a sentence.

    Args:
        known: Those that have one.
    """
    family, _, _ = name.partition(".")
    text = f"this host has no capability {name!r:.200}"
    if name not in NAMES and name not in LATER:
        advice = suggest(name, known)
        return f"{text}; {advice}" if advice else text
    why = _WHY.get(family, "it was not set up")
    return f"{text}: {why}; the application that embeds the host may offer it: parts.capabilities.register({name!r}, …)"
