"""Keeps the runners alive and carries the traffic between plugins, gateways and the bot.

The doors: tree (open_supervisor) · supervisor: what a host application calls · config, settings: a deployment's file ·
errors, fate: what goes wrong, for whom. The tree: shard, process, isolation, restart, exit_report, shard_state, logs. The
traffic: traffic · registry, component, declaration, switches, ordering · dispatch, events, hooks, hook_specs, stages,
breaker, commands · surface, toolbox, actions, component_queries · platform · pipeline, speech · grants, capabilities,
powers · store. Operations: catalog, planning, assignment · reloading, trials, config_push, plugin_watch, load_status · control, status, snapshot · observers, counters · replay · cli.

Names are resolved on first use: the command line lives behind this door, and ``rookery status`` answers without loading
an event loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .actions import ActionDescription
    from .asyncio_host import AsyncioSupervisor, open_supervisor_in_asyncio
    from .catalog import Catalog, find_plugins
    from .config import load_settings
    from .config_push import ConfigRejected
    from .conversation import Conversation, conversation_of_session
    from .errors import ConfigError, Mistake, UsageError
    from .events import EventResult
    from .fate import DispatchFailed, Fate
    from .hook_spec import HookSpec
    from .hooks import HookResult
    from .load_status import LoadStatus
    from .planning import make_plan
    from .plugin_watch import PluginWatch
    from .reload_result import ReloadResult
    from .settings import Settings
    from .status import Status
    from .supervisor import Supervisor
    from .surface import PluginAnswer
    from .tool_results import ToolResult
    from .tree import open_supervisor

__all__ = [
    "ActionDescription",
    "AsyncioSupervisor",
    "Catalog",
    "ConfigError",
    "ConfigRejected",
    "Conversation",
    "DispatchFailed",
    "EventResult",
    "Fate",
    "HookResult",
    "HookSpec",
    "LoadStatus",
    "Mistake",
    "PluginAnswer",
    "PluginWatch",
    "ReloadResult",
    "Settings",
    "Status",
    "Supervisor",
    "ToolResult",
    "UsageError",
    "conversation_of_session",
    "find_plugins",
    "load_settings",
    "make_plan",
    "open_supervisor",
    "open_supervisor_in_asyncio",
]


def __getattr__(name: str) -> Any:
    from .door import _resolve

    return _resolve(name)
