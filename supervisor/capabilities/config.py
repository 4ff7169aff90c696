"""``config.*``: what of the configuration may a plugin read?

Its own, whole, and of the host's what the host shows. The original also shows every other plugin's, keys and passwords
included. Here the operator names the plugins whose settings another may read (``reads_config_of``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rookery.protocol import ErrorCode, RemoteError

from . import arguments

if TYPE_CHECKING:
    from .powers import HostPowers
    from .request import CapabilityRequest
    from .table import CapabilityTable

_MISSING = object()


def register_config(table: CapabilityTable, powers: HostPowers) -> None:
    """Add ``config.get``, ``config.get_plugin`` and ``config.get_all``."""

    def get(request: CapabilityRequest) -> None:
        key = arguments.text(request.args, "key")
        config = powers.global_config()
        bot = config.get("bot")
        # What plugins of the original ask for stands in sections of its own there, and in [bot] here.
        value = _find(config, key, _MISSING)
        if value is _MISSING and isinstance(bot, dict):
            value = _find(bot, key, _MISSING)
        default = request.args.get("default")
        request.answer({"success": True, "value": default if value is _MISSING else value})

    def target_of(request: CapabilityRequest) -> str:
        wanted = arguments.optional_text(request.args, "plugin_name") or request.plugin_id
        if powers.may_read_config(request.plugin_id, wanted):
            return wanted
        raise RemoteError(
            ErrorCode.E_CAPABILITY_DENIED,
            f"plugin {request.plugin_id!r} may not read the configuration of {wanted!r:.200}: the operator would have to"
            f' write reads_config_of = ["{wanted:.200}"] for it',
        )

    def get_plugin(request: CapabilityRequest) -> None:
        config = powers.config_of(target_of(request))
        key = arguments.optional_text(request.args, "key")
        value = _find(config, key, request.args.get("default")) if key else config
        request.answer({"success": True, "value": value})

    def get_all(request: CapabilityRequest) -> None:
        request.answer({"success": True, "value": powers.config_of(target_of(request))})

    table.register("config.get", get, says_mistakes=True)
    table.register("config.get_plugin", get_plugin, says_mistakes=True)
    table.register("config.get_all", get_all, says_mistakes=True)


def _find(config: dict[str, Any], key: str, default: Any) -> Any:
    """The value at a dotted key; ``default`` where the way ends early. Maps only, never attributes of objects."""
    value: Any = config
    for step in key.split("."):
        if not isinstance(value, dict) or step not in value:
            return default
        value = value[step]
    return value
