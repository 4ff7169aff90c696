"""What does the runner itself tell the host: what it loads, which plugins come and go, and which are tried beside others?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rookery.protocol import (
    PLUGIN_BOOTSTRAP,
    PLUGIN_REGISTER_COMPONENTS,
    PLUGIN_UNREGISTER,
    RUNNER_EXCHANGE,
    RUNNER_EXTEND,
    RUNNER_LOADING,
    Assignment,
    Bootstrap,
    BootstrapAnswer,
    Exchange,
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
    from collections.abc import Mapping

    from .loaded import LoadedPlugin


class NotAccepted(RookeryError):
    """The host did not take a plugin: the text names the step and the host's reason, if it gave one."""


class HostOverLink:
    """The host at the other end of a link.

    Args:
        features: What the host said it will use.
    """

    def __init__(self, link: Link, assignment: Assignment, features: list[str]) -> None:
        self.terminal: Mapping[str, int] = assignment.terminal
        self.command_prefix = assignment.command_prefix
        self.replaces = "assignment" in features
        """Whether it takes a second registration of a plugin in place of the first; others are not known to."""
        self.tries = "exchange" in features
        """Whether it can keep what a plugin registers apart until its code has proved itself."""
        self.hears_within = "within" in features
        """Whether it wants to know what a plugin was working on when it called another's API."""
        self.link = link
        self._hears_loading = "loading" in features
        self._hears_extend = "extend" in features

    def say_loading(self, plugin_id: str, phase: str = "") -> None:
        """Tell what is about to happen, and have it on the socket before it does."""
        if self._hears_loading:
            self.link.broadcast(RUNNER_LOADING, unstructure(Loading(plugin_id=plugin_id, phase=phase)))
            self.link.flush_nowait()

    def say_extend(self, seconds: float) -> None:
        """Tell that loading takes so many seconds more."""
        if self._hears_extend:
            self.link.broadcast(RUNNER_EXTEND, unstructure(Extend(seconds=seconds)))

    def say_exchange(self, plugin_id: str, step: str) -> None:
        """Tell how far newer code of a plugin has come; see ``Exchange``."""
        if self.tries:
            self.link.broadcast(RUNNER_EXCHANGE, unstructure(Exchange(plugin_id=plugin_id, step=step)))

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
            await self.link.call(
                PLUGIN_UNREGISTER,
                unstructure(Unregister(plugin_id=plugin_id, reason=reason)),
                plugin_id=plugin_id,
            )
            # In protocol 1.0.0 only a bootstrap without capabilities takes the grants back.
            await self.link.call(
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
            answer = structure(await self.link.call(method, payload, plugin_id=plugin_id), answer_class)
        except RemoteError as error:
            raise NotAccepted(f"the host refused {method}: {error}") from None
        except RookeryError as error:
            raise NotAccepted(f"{method} failed: {error}") from None
        if not answer.accepted:
            raise NotAccepted(f"the host did not accept {method}")
