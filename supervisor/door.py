"""Where is each name of the door, so that it can be loaded on first use?"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_MODULES = {
    "ActionDescription": "actions",
    "AsyncioSupervisor": "asyncio_host",
    "Catalog": "catalog",
    "ConfigError": "errors",
    "ConfigRejected": "config_push",
    "Conversation": "conversation",
    "DispatchFailed": "fate",
    "EventResult": "events",
    "Fate": "fate",
    "HookResult": "hooks",
    "HookSpec": "hook_spec",
    "LoadStatus": "load_status",
    "Mistake": "errors",
    "PluginAnswer": "surface",
    "PluginWatch": "plugin_watch",
    "ReloadResult": "reload_result",
    "Settings": "settings",
    "Status": "status",
    "Supervisor": "supervisor",
    "ToolResult": "tool_results",
    "UsageError": "errors",
    "conversation_of_session": "conversation",
    "find_plugins": "catalog",
    "load_settings": "config",
    "make_plan": "planning",
    "open_supervisor": "tree",
    "open_supervisor_in_asyncio": "asyncio_host",
}


def _resolve(name: str) -> Any:
    """A name of the door.

    Raises:
        AttributeError: The door has no such name.
    """
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module 'rookery.supervisor' has no attribute {name!r}")
    return getattr(import_module(f".{module}", "rookery.supervisor"), name)
