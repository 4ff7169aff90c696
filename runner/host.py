"""How do plugins and the runner itself reach the host: over the link, as ``HostServices`` and for the life of a plugin?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from rookery.protocol import (
    PLUGIN_BOOTSTRAP,
    PLUGIN_REGISTER_COMPONENTS,
    PLUGIN_UNREGISTER,
    RUNNER_EXTEND,
    RUNNER_LOADING,
    Assignment,
    Bootstrap,
    BootstrapAnswer,
    Extend,
    Link,
    Loading,
    RegisterAnswer,
    RemoteError,
    RookeryError,
    Unregister,
    structure,
    unstructure,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .loaded import LoadedPlugin
    from .scope import PluginScope


class NotAccepted(RookeryError):
    """The host did not take a plugin: the text names the step and the host's reason, if it gave one."""


class HostOverLink:
    """The host at the other end of a link.

    Args:
        scopes: The scopes of the plugins by id; whoever loads plugins keeps them.
        features: What the host said it will use.
    """

    def __init__(
        self, link: Link, assignment: Assignment, scopes: Mapping[str, PluginScope], features: list[str]
    ) -> None:
        self.terminal: Mapping[str, int] = assignment.terminal
        self.command_prefix = assignment.command_prefix
        self.replaces = "assignment" in features
        """Whether it takes a second registration of a plugin in place of the first; others are not known to."""
        self._link = link
        self._scopes = scopes
        self._hears_loading = "loading" in features
        self._hears_extend = "extend" in features
        self.on_load_limit: tuple[str, trio.CancelScope] | None = None
        """The plugin whose ``on_load`` runs, and its limit."""

    # --- for plugins -------------------------------------------------------------------------------------------

    async def call(
        self, method: str, plugin_id: str, payload: dict[str, Any], timeout: float | None = None
    ) -> dict[str, Any]:
        return await self._link.call(method, payload, plugin_id=plugin_id, timeout=timeout)

    def send(
        self,
        method: str,
        plugin_id: str,
        payload: dict[str, Any],
        on_done: Callable[[dict[str, Any] | RookeryError], None],
        timeout: float,
    ) -> None:
        deadline = trio.current_time() + timeout
        self._link.send(method, payload, plugin_id=plugin_id, deadline=deadline, on_done=on_done)

    def start_task(
        self, plugin_id: str, func: Callable[..., Any], *args: Any, name: str | None = None
    ) -> None:
        scope = self._scopes.get(plugin_id)
        if scope is None:
            raise RuntimeError(f"{plugin_id} has been unloaded: it cannot start tasks any more")
        scope.start_task(func, *args, name=name)

    def extend_loading(self, plugin_id: str, seconds: float) -> None:
        limit = self.on_load_limit
        if limit is None or limit[0] != plugin_id:
            raise RuntimeError(f"{plugin_id} is not in its on_load: there is nothing to extend")
        limit[1].deadline = max(limit[1].deadline, trio.current_time() + seconds)
        if self._hears_extend:
            self._link.broadcast(RUNNER_EXTEND, unstructure(Extend(seconds=seconds)))

    # --- for the runner ----------------------------------------------------------------------------------------

    def say_loading(self, plugin_id: str, phase: str = "") -> None:
        """Tell what is about to happen, and have it on the socket before it does."""
        if self._hears_loading:
            self._link.broadcast(RUNNER_LOADING, unstructure(Loading(plugin_id=plugin_id, phase=phase)))
            self._link.flush_nowait()

    async def introduce(self, plugin: LoadedPlugin) -> None:
        """Bootstrap a plugin and register its components.

        Raises:
            NotAccepted: The host refused, or did not answer; it may know the plugin or not.
        """
        plugin_id = plugin.plugin_id
        bootstrap = Bootstrap(
            plugin_id=plugin_id,
            plugin_version=plugin.version,
            plugin_type=plugin.manifest.plugin_type,
            capabilities_required=list(plugin.manifest.capabilities),
        )
        await self._ask(PLUGIN_BOOTSTRAP, plugin_id, unstructure(bootstrap), BootstrapAnswer)
        registration = unstructure(plugin.registration())
        await self._ask(PLUGIN_REGISTER_COMPONENTS, plugin_id, registration, RegisterAnswer)

    async def dismiss(self, plugin_id: str, reason: str) -> None:
        """Have the host forget a plugin's components and take back its grants. A host that cannot has gone, or knew
        nothing of it; both are as good."""
        try:
            await self._link.call(
                PLUGIN_UNREGISTER,
                unstructure(Unregister(plugin_id=plugin_id, reason=reason)),
                plugin_id=plugin_id,
            )
            # In protocol 1.0.0 only a bootstrap without capabilities takes the grants back.
            await self._link.call(
                PLUGIN_BOOTSTRAP, unstructure(Bootstrap(plugin_id=plugin_id)), plugin_id=plugin_id
            )
        except RookeryError:
            pass

    async def _ask(
        self,
        method: str,
        plugin_id: str,
        payload: dict[str, Any],
        answer_class: type[BootstrapAnswer] | type[RegisterAnswer],
    ) -> None:
        try:
            answer = structure(await self._link.call(method, payload, plugin_id=plugin_id), answer_class)
        except RemoteError as error:
            raise NotAccepted(f"the host refused {method}: {error}") from None
        except RookeryError as error:
            raise NotAccepted(f"{method} failed: {error}") from None
        if not answer.accepted:
            raise NotAccepted(f"the host did not accept {method}")
