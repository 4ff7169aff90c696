"""What does one instance of a plugin reach its host by, and where do its tasks live?

Each instance has its own: while newer code is tried beside the old, both have tasks, and each task has to end with the
instance that started it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from .crumbs import current_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rookery.protocol import RookeryError

    from .host import HostOverLink
    from .scope import PluginScope


API_CALL = "api.call"


class PluginHost:
    """The services of the host for one instance.

    Attributes:
        scope: Where its tasks live, from before its ``on_load``; None before that.
        on_load_limit: Around its ``on_load``, while that runs.
    """

    def __init__(self, host: HostOverLink) -> None:
        self.terminal: Mapping[str, int] = host.terminal
        self.command_prefix = host.command_prefix
        self.scope: PluginScope | None = None
        self.on_load_limit: trio.CancelScope | None = None
        self._host = host

    async def call(
        self, method: str, plugin_id: str, payload: dict[str, Any], timeout: float | None = None
    ) -> dict[str, Any]:
        return await self._host.link.call(method, self._placed(payload), plugin_id=plugin_id, timeout=timeout)

    def send(
        self,
        method: str,
        plugin_id: str,
        payload: dict[str, Any],
        on_done: Callable[[dict[str, Any] | RookeryError], None],
        timeout: float,
    ) -> None:
        deadline = trio.current_time() + timeout
        self._host.link.send(
            method, self._placed(payload), plugin_id=plugin_id, deadline=deadline, on_done=on_done
        )

    def _placed(self, payload: dict[str, Any]) -> dict[str, Any]:
        """A call of an API with the request that it is made within, for whoever looks for circles."""
        if (
            self._host.hears_within
            and payload.get("capability") == API_CALL
            and (within := current_request())
        ):
            return {**payload, "within": within}
        return payload

    def start_task(
        self, plugin_id: str, func: Callable[..., Any], *args: Any, name: str | None = None
    ) -> None:
        if self.scope is None:
            raise RuntimeError(f"{plugin_id} is not loaded: it cannot start tasks")
        self.scope.start_task(func, *args, name=name)

    def extend_loading(self, plugin_id: str, seconds: float) -> None:
        limit = self.on_load_limit
        if limit is None:
            raise RuntimeError(f"{plugin_id} is not in its on_load: there is nothing to extend")
        limit.deadline = max(limit.deadline, trio.current_time() + seconds)
        self._host.say_extend(seconds)
