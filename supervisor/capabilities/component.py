"""``component.*`` and ``tool.get_definitions``: which plugins are there, what do they offer, and what may be changed?

A plugin changes itself, and others only by leave of the operator. What is switched stays so over restarts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rookery.protocol import BadPayload, ErrorCode, RemoteError, RookeryError

from . import arguments

if TYPE_CHECKING:
    from ..managing import Managing, Switchable
    from .request import CapabilityRequest
    from .table import CapabilityTable

Answer = dict[str, Any]


def register_component(table: CapabilityTable, managing: Managing) -> None:
    """Add everything of ``component.*``, and ``tool.get_definitions``."""
    _Reading(managing).register(table)
    _Changing(managing).register(table)


class _Reading:
    """What a plugin may know of plugins; nothing in it is secret."""

    def __init__(self, managing: Managing) -> None:
        self._managing = managing

    def register(self, table: CapabilityTable) -> None:
        for name, implementation in (
            ("component.get_all_plugins", self._get_all_plugins),
            ("component.get_plugin_info", self._get_plugin_info),
            ("component.get_plugin_config_schema", self._get_schema),
            ("component.list_loaded_plugins", self._list_plugins),
            ("component.list_registered_plugins", self._list_plugins),
            ("tool.get_definitions", self._get_definitions),
        ):
            table.register(name, implementation, says_mistakes=True)

    def _get_all_plugins(self, request: CapabilityRequest) -> None:
        request.answer({"success": True, "plugins": self._managing.all_plugins()})

    def _get_plugin_info(self, request: CapabilityRequest) -> None:
        request.answer({"success": True, "plugin": self._plugin(request)[1]})

    def _get_schema(self, request: CapabilityRequest) -> None:
        plugin_id, plugin = self._plugin(request)
        request.answer(
            {
                "success": True,
                "plugin_id": plugin_id,
                "schema": plugin["config_schema"],
                "default_config": plugin["default_config"],
            }
        )

    def _list_plugins(self, request: CapabilityRequest) -> None:
        request.answer({"success": True, "plugins": sorted(self._managing.all_plugins())})

    def _get_definitions(self, request: CapabilityRequest) -> None:
        request.answer({"success": True, "tools": self._managing.tool_definitions()})

    def _plugin(self, request: CapabilityRequest) -> tuple[str, dict[str, Any]]:
        plugin_id = arguments.optional_text(request.args, "plugin_name") or request.plugin_id
        plugin = self._managing.plugin(plugin_id)
        if plugin is None:
            raise BadPayload(f"must name a plugin that is loaded, got {plugin_id!r:.200}", "plugin_name")
        return plugin_id, plugin


class _Changing:
    """What a plugin may do to plugins."""

    def __init__(self, managing: Managing) -> None:
        self._managing = managing

    def register(self, table: CapabilityTable) -> None:
        table.register("component.enable", self._enable, says_mistakes=True)
        table.register("component.disable", self._disable, says_mistakes=True)
        table.register("component.load_plugin", self._load, says_mistakes=True)
        table.register("component.reload_plugin", self._reload, says_mistakes=True)
        table.register("component.unload_plugin", self._unload, says_mistakes=True)
        table.register("component.update_plugin_config", self._update_config, says_mistakes=True)

    # --- components --------------------------------------------------------------------------------------------

    def _enable(self, request: CapabilityRequest) -> None:
        self._switch(request, enabled=True)

    def _disable(self, request: CapabilityRequest) -> None:
        self._switch(request, enabled=False)

    def _switch(self, request: CapabilityRequest, *, enabled: bool) -> None:
        args = request.args
        name = arguments.text(args, "name")
        kind = arguments.text(args, "component_type").strip().upper()
        scope = arguments.optional_text(args, "scope", default="global")
        if scope != "global" or arguments.optional_text(args, "stream_id"):
            raise BadPayload("must be 'global', with no stream_id: for all chats or for none", "scope")
        component = self._component(name, kind, arguments.optional_text(args, "version"))
        self._check(request, component.plugin_id)
        if component.enabled is not enabled:
            if complaint := self._managing.why_not_switched(component):
                raise BadPayload(complaint, "name")
            component.turn(enabled)
            did = "enabled" if enabled else "disabled"
            self._tell(request, component.plugin_id, f"{did} {component.full_name}")
        request.answer({"success": True})

    def _component(self, name: str, kind: str, version: str) -> Switchable:
        found = self._managing.find(name, kind, version)
        if len(found) == 1:
            return found[0]
        if not found:
            raise BadPayload(f"there is no {kind:.40} {name!r:.200}", "name")
        names = ", ".join(sorted(each.full_name for each in found)[:5])
        raise BadPayload(f"{name!r:.200} may be {names}; give the full name", "name")

    # --- plugins -----------------------------------------------------------------------------------------------

    async def _load(self, request: CapabilityRequest) -> Answer:
        target = arguments.text(request.args, "plugin_name")
        answer = await self._reload_target(request, target, "load")
        return {**answer, "count": 1} if answer["success"] else answer

    async def _reload(self, request: CapabilityRequest) -> Answer:
        target = arguments.text(request.args, "plugin_name")
        return await self._reload_target(request, target, "reload")

    async def _reload_target(self, request: CapabilityRequest, target: str, what: str) -> Answer:
        if not self._managing.is_installed(target):
            raise BadPayload(f"there is no plugin {target!r:.200}", "plugin_name")
        self._check(request, target)
        if self._managing.reload is None:
            return {"success": False, "error": f"{target} cannot be {what}ed now"}
        self._tell(request, target, f"{what}s {target}")
        reason = f"plugin {request.plugin_id} {what}s it"
        if target == request.plugin_id:
            self._managing.reload_soon(target, reason)
            return {"success": True}
        result = await self._managing.reload(target, reason)
        failed = {**result.failed, **result.pending}
        return {"success": False, "error": failed[target]} if target in failed else {"success": True}

    def _unload(self, request: CapabilityRequest) -> None:
        request.answer(
            {
                "success": False,
                "error": "a plugin is not unloaded while the bot runs: switch it off in the configuration, or reload it",
            }
        )

    async def _update_config(self, request: CapabilityRequest) -> Answer:
        target = arguments.optional_text(request.args, "plugin_name") or request.plugin_id
        key = arguments.text(request.args, "key")
        if "value" not in request.args:
            raise BadPayload("is required and missing", "value")
        if not self._managing.is_installed(target):
            raise BadPayload(f"there is no plugin {target!r:.200}", "plugin_name")
        self._check(request, target)
        if self._managing.write_config is None:
            return {"success": False, "error": "this host changes no configuration for plugins"}
        try:
            is_taken = await self._managing.write_config(target, key, request.args["value"])
        except RookeryError as error:
            return {"success": False, "error": str(error)}
        self._tell(request, target, f"set {key:.200} of its configuration")
        return {"success": True, "hot_updated": is_taken}

    # --- leave -------------------------------------------------------------------------------------------------

    def _check(self, request: CapabilityRequest, target: str) -> None:
        if self._managing.may_manage(request.plugin_id, target):
            return
        reason = (
            f"plugin {request.plugin_id!r} may not change {target!r}: the operator would have to write"
            f' manages = ["{target}"] for it'
        )
        raise RemoteError(ErrorCode.E_CAPABILITY_DENIED, reason)

    def _tell(self, request: CapabilityRequest, target: str, change: str) -> None:
        self._managing.tell(request.shard, request.plugin_id, target, change)
