"""What can an operator ask about the configuration of plugins, and what can be set?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from .control import Command, Request, RequestRefused

if TYPE_CHECKING:
    from .supervisor import Supervisor


def config_commands(supervisor: Supervisor) -> dict[str, Command]:
    """By name, as ``control_commands.command_table`` takes them."""
    orders = _ConfigOrders(supervisor)
    return {"config": orders.show, "config_set": orders.set_value}


class _ConfigOrders:
    """The commands, a method each."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._push = supervisor.config_push

    async def show(self, request: Request) -> Any:
        """What can be configured and what holds."""
        plugin_id = _text(request, "plugin")
        path = self._push.file_of(plugin_id)
        return {"file": str(path), **attrs.asdict(await self._push.inspect(plugin_id))}

    async def set_value(self, request: Request) -> Any:
        """Set a value in the plugin's own file; ``taken`` says whether the running plugin has it already."""
        plugin_id, key = _text(request, "plugin"), _text(request, "key")
        if "value" not in request:
            raise RequestRefused('the command needs "value"')
        taken = await self._push.set_value(plugin_id, key, request["value"])
        return {"file": str(self._push.file_of(plugin_id)), "taken": taken}


def _text(request: Request, name: str) -> str:
    value = request.get(name)
    if type(value) is not str:
        raise RequestRefused(f'the command needs "{name}", a text; got {value!r:.60}')
    return value
