"""What does a plugin of the SDK reach its host by? One function, in which the SDK's services all end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rookery.protocol import (
    CAP_CALL,
    ROUTE_MESSAGE,
    UPDATE_GATEWAY_STATE,
    RookeryError,
    check_sendable,
)

from ..border import plugin_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..context import HostServices

ALLOWED = (CAP_CALL, ROUTE_MESSAGE, UPDATE_GATEWAY_STATE)
"""The methods that a plugin may call."""

TIMEOUT_ARGUMENTS = ("rpc_timeout_ms", "_timeout_ms", "timeout_ms")
"""Under one of these names a call of a capability brings its own limit in milliseconds."""

OWN_TIMEOUT = "render.html2png"
"""The capability whose ``timeout_ms`` is an argument of its own."""

DEFAULT_TIMEOUT_MS = 30_000

REPLACE_DYNAMIC = "api.replace_dynamic"


class HostCalls:
    """The ``rpc_call`` of one plugin.

    Args:
        on_dynamic: Called when the plugin has told the host another set of dynamic APIs.
    """

    def __init__(self, plugin_id: str, host: HostServices, on_dynamic: Callable[[], None]) -> None:
        self._plugin_id = plugin_id
        self._host = host
        self._on_dynamic = on_dynamic

    async def __call__(
        self,
        method: str,
        plugin_id: str = "",
        payload: dict[str, Any] | None = None,
        timeout_ms: int | None = None,
    ) -> Any:
        """Ask the host in the plugin's own name, whatever name is given; runs on the asyncio loop.

        Raises:
            PermissionError: The method is not one for plugins.
            ValueError: The time is no positive number of milliseconds.
            RookeryError: The host refused, did not answer in time, or the arguments cannot be sent.
        """
        if method not in ALLOWED:
            raise PermissionError(f"{method} is not for plugins; they may call {', '.join(ALLOWED)}")
        if plugin_id not in ("", self._plugin_id):
            plugin_logger(self._plugin_id).warning(
                "it called %s in the name of %r; it is called in its own", method, plugin_id
            )
        sent = dict(payload or {})
        limit = _limit(method, sent, timeout_ms)
        check_sendable(sent)
        answer = await self._ask(method, sent, limit / 1000)
        if method == CAP_CALL and sent.get("capability") == REPLACE_DYNAMIC:
            self._on_dynamic()
        return answer.get("result", answer) if method == CAP_CALL else answer

    def _ask(self, method: str, payload: dict[str, Any], timeout: float) -> Awaitable[dict[str, Any]]:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[dict[str, Any]] = loop.create_future()

        def settle(outcome: dict[str, Any] | RookeryError) -> None:
            if answered.done():
                return  # nobody waits any more
            if isinstance(outcome, RookeryError):
                answered.set_exception(outcome)
            else:
                answered.set_result(outcome)

        self._host.send(method, self._plugin_id, payload, settle, timeout)
        return answered


def _limit(method: str, payload: dict[str, Any], given: int | None) -> int:
    """Milliseconds; what the arguments say is taken out of them."""
    limit: Any = given
    args = payload.get("args")
    if limit is None and method == CAP_CALL and isinstance(args, dict):
        names = TIMEOUT_ARGUMENTS[:2] if payload.get("capability") == OWN_TIMEOUT else TIMEOUT_ARGUMENTS
        args = payload["args"] = dict(args)
        found = [args.pop(name) for name in names if name in args]
        limit = found[0] if found else None
    if limit is None:
        return DEFAULT_TIMEOUT_MS
    if type(limit) is not int or limit <= 0:
        raise ValueError(f"a timeout is a number of milliseconds above 0, got {limit!r}")
    return limit


def make_sdk_context(plugin_id: str, calls: HostCalls, data_dir: str) -> Any:
    """The SDK's own context over these calls."""
    from maibot_sdk import PluginContext, PluginPaths  # an extra: only who has such plugins has it

    data = Path(data_dir) if data_dir else Path("data", "plugins", plugin_id)
    runtime = data.with_name(f"{data.name}.runtime")
    for directory in (data, runtime):
        directory.mkdir(parents=True, exist_ok=True)
    return PluginContext(plugin_id, calls, PluginPaths(data_dir=data, runtime_dir=runtime))
