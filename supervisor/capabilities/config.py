"""``config.*``: what of the configuration may a plugin read?

Its own, whole, and of the host's what the host shows. The original also shows every other plugin's, keys and passwords
included; a plugin that wants another's settings asks that plugin's API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rookery.protocol import BadPayload

from . import arguments

if TYPE_CHECKING:
    from .powers import HostPowers
    from .request import CapabilityRequest
    from .table import CapabilityTable


def register_config(table: CapabilityTable, powers: HostPowers) -> None:
    """Add ``config.get``, ``config.get_plugin`` and ``config.get_all``."""

    def get(request: CapabilityRequest) -> None:
        key = arguments.text(request.args, "key")
        value = _find(powers.global_config(), key, request.args.get("default"))
        request.answer({"success": True, "value": value})

    def get_plugin(request: CapabilityRequest) -> None:
        config = powers.config_of(_own_id(request))
        key = arguments.optional_text(request.args, "key")
        value = _find(config, key, request.args.get("default")) if key else config
        request.answer({"success": True, "value": value})

    def get_all(request: CapabilityRequest) -> None:
        request.answer({"success": True, "value": powers.config_of(_own_id(request))})

    table.register("config.get", get, says_mistakes=True)
    table.register("config.get_plugin", get_plugin, says_mistakes=True)
    table.register("config.get_all", get_all, says_mistakes=True)


def _own_id(request: CapabilityRequest) -> str:
    wanted = arguments.optional_text(request.args, "plugin_name") or request.plugin_id
    if wanted != request.plugin_id:
        raise BadPayload(
            f"must be empty or {request.plugin_id!r}: another plugin's configuration is not shown",
            "plugin_name",
        )
    return wanted


def _find(config: dict[str, Any], key: str, default: Any) -> Any:
    """The value at a dotted key; ``default`` where the way ends early. Maps only, never attributes of objects."""
    value: Any = config
    for step in key.split("."):
        if not isinstance(value, dict) or step not in value:
            return default
        value = value[step]
    return value
