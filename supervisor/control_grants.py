"""How does an operator see over the control socket what plugins get, and approve what they ask for?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import trio

from .component_grants import grants_components
from .control import RequestRefused
from .errors import UsageError
from .grant_table import list_grants
from .observers import CapabilitiesApproved
from .start_mode import TRUSTED
from .suggestion import one_of, suggest

if TYPE_CHECKING:
    from .control import Command, Request
    from .shard import Shard
    from .supervisor import Supervisor


def grant_commands(supervisor: Supervisor) -> dict[str, Command]:
    """The commands, by name."""
    parts, one_at_a_time = supervisor.parts, trio.Lock()

    async def grants(_: Request) -> Any:
        shards = [attrs.evolve(shard.settings, plugins=shard.plugins) for shard in supervisor.shards.values()]
        rows = list_grants(shards, parts.declared, supervisor.settings.entitlements, parts.approvals)
        return [row.as_json() for row in rows]

    async def approve(request: Request) -> Any:
        plugin_id, names = request.get("plugin"), request.get("capabilities") or []
        if (
            type(plugin_id) is not str
            or type(names) is not list
            or not all(type(each) is str for each in names)
        ):
            raise RequestRefused('the command needs "plugin", a text, and may have "capabilities", a list')
        shard = _shard_of(supervisor, plugin_id)
        if shard.settings.trust == TRUSTED:
            return {"approved": [], "offers": False}
        asked = parts.declared.get(plugin_id, ())
        async with one_at_a_time:  # in a thread, because it waits for the disk
            done = await trio.to_thread.run_sync(parts.approvals.approve, plugin_id, asked, names)
        if done:
            parts.grants.approve(plugin_id, parts.approvals.of(plugin_id))
            parts.observers.notify(
                CapabilitiesApproved(shard=shard.name, plugin_id=plugin_id, capabilities=done)
            )
        return {"approved": list(done), "offers": any(map(grants_components, done))}

    return {"grants": grants, "approve": approve}


def _shard_of(supervisor: Supervisor, plugin_id: str) -> Shard:
    homes = {each: shard for shard in supervisor.shards.values() for each in shard.plugins}
    if plugin_id not in homes:
        advice = suggest(plugin_id, homes) or f"there is {one_of(homes)}"
        raise UsageError(f"there is no plugin {plugin_id!r} in a shard of this bot; {advice}")
    return homes[plugin_id]
