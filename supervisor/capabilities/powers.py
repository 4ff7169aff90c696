"""What do capabilities need of the host beside its store?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from ..platform.departure import Sending


class HostPowers(Protocol):
    """What every host that offers capabilities can do."""

    def send_text(
        self, session_id: str, text: str, *, plugin_id: str, sending: Sending
    ) -> Awaitable[dict[str, Any]]:
        """Say something in a chat; ``{success, message_id?, error?}``."""

    def config_of(self, plugin_id: str) -> dict[str, Any]:
        """A plugin's configuration in effect; empty for a plugin that has none."""

    def global_config(self) -> dict[str, Any]:
        """What of the deployment's configuration plugins may read: no secrets, no paths."""

    def may_read_config(self, plugin_id: str, target: str) -> bool:
        """Whether a plugin may read the configuration of another."""

    def table_owner(self, plugin_id: str, table: str) -> str:
        """Whose a table of rows or records is that a plugin names, as the store knows it."""


@runtime_checkable
class SegmentSender(Protocol):
    """A host that can also send what is not text alone. Without it ``send.image`` and its like do not exist."""

    def send_segments(
        self,
        session_id: str,
        segments: list[dict[str, Any]],
        *,
        text: str,
        plugin_id: str,
        sending: Sending,
    ) -> Awaitable[dict[str, Any]]:
        """Send message segments; ``text`` is what a person would read. Answers as ``send_text``."""
