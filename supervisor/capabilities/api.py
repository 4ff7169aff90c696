"""``api.call``: one plugin uses what another offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from . import arguments

if TYPE_CHECKING:
    from .powers import HostPowers
    from .request import CapabilityRequest
    from .table import CapabilityTable


def register_api(table: CapabilityTable, powers: HostPowers) -> None:
    """Add ``api.call``."""

    async def call(request: CapabilityRequest) -> dict[str, Any]:
        name = arguments.text(request.args, "api_name").strip()
        version = arguments.optional_text(request.args, "version")
        if not version and "@" in name:
            before, _, after = name.rpartition("@")
            if before.strip() and after.strip():
                name, version = before.strip(), after.strip()
        args = arguments.mapping(request.args, "args", default={})
        # The callee gets what is left of the caller's time, so that it does not work on for nobody.
        left = max(0.0, request.deadline - trio.current_time())
        result = await powers.call_api(request.plugin_id, name, version, args, left)
        return {"success": True, "result": result}

    table.register("api.call", call, says_mistakes=True)
