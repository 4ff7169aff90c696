"""How does an operator take gateways off their platforms over the control socket?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .control import RequestRefused

if TYPE_CHECKING:
    from .control import Command, Request
    from .supervisor import Supervisor


def absence_commands(supervisor: Supervisor) -> dict[str, Command]:
    """The commands, by name."""

    async def offline(request: Request) -> Any:
        return (await supervisor.take_adapters_offline(_plugins(request))).as_json()

    async def online(request: Request) -> Any:
        return (await supervisor.bring_adapters_online(_plugins(request))).as_json()

    return {"offline": offline, "online": online}


def _plugins(request: Request) -> list[str] | None:
    plugins = request.get("plugins")
    if plugins is None:
        return None
    if type(plugins) is not list or not plugins or not all(type(each) is str for each in plugins):
        raise RequestRefused(f'"plugins" is a list of ids, or left out for all; got {plugins!r:.60}')
    return plugins
