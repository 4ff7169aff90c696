"""``component.*``: which plugins are there and what do they offer?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rookery.protocol import BadPayload

from . import arguments

if TYPE_CHECKING:
    from .powers import HostPowers
    from .request import CapabilityRequest
    from .table import CapabilityTable


def register_component(table: CapabilityTable, powers: HostPowers) -> None:
    """Add ``component.get_all_plugins``, ``get_plugin_info`` and the two lists of ids."""

    def get_all_plugins(request: CapabilityRequest) -> None:
        request.answer({"success": True, "plugins": powers.all_plugins()})

    def get_plugin_info(request: CapabilityRequest) -> None:
        plugin_id = arguments.optional_text(request.args, "plugin_name") or request.plugin_id
        plugin = powers.all_plugins().get(plugin_id)
        if plugin is None:
            raise BadPayload(f"must name a plugin that is loaded, got {plugin_id!r:.200}", "plugin_name")
        request.answer({"success": True, "plugin": plugin})

    def list_plugins(request: CapabilityRequest) -> None:
        request.answer({"success": True, "plugins": sorted(powers.all_plugins())})

    table.register("component.get_all_plugins", get_all_plugins, says_mistakes=True)
    table.register("component.get_plugin_info", get_plugin_info, says_mistakes=True)
    table.register("component.list_loaded_plugins", list_plugins, says_mistakes=True)
    table.register("component.list_registered_plugins", list_plugins, says_mistakes=True)
