"""What can the capabilities do: the host's own powers, in the words of the capabilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from .catalog import InstalledPlugin
from .dispatch import Dispatcher
from .plugin_config import laid_over, own_config
from .registry import Registry
from .settings import EVERY, Settings
from .speech import Speech

if TYPE_CHECKING:
    from .platform.departure import Sending
    from .platform.outbound import Receipt

SHARED = "*"
"""Owns the tables that plugins share; no plugin is called so."""

"""A plugin's own configuration, beside its manifest."""


@attrs.frozen(kw_only=True, eq=False)
class Powers:
    """Implements what `capabilities` asks of the host."""

    settings: Settings
    registry: Registry
    dispatcher: Dispatcher
    speech: Speech
    installed: Mapping[str, InstalledPlugin]
    config_over: Callable[[str], Mapping[str, Any]]
    """What lies over a plugin's own configuration, by its id."""

    async def send_text(
        self, session_id: str, text: str, *, plugin_id: str, sending: Sending
    ) -> dict[str, Any]:
        """Say something in a session, in a plugin's name."""
        reply_to = sending.reply_message_id or None
        return _outcome(
            await self.speech.say(session_id, text, plugin_id=plugin_id, reply_to=reply_to, sending=sending)
        )

    async def send_segments(
        self,
        session_id: str,
        segments: list[dict[str, Any]],
        *,
        text: str,
        plugin_id: str,
        sending: Sending,
    ) -> dict[str, Any]:
        """The same with the parts of the message; ``text`` is what a person would read."""
        receipt = await self.speech.say(
            session_id,
            text,
            plugin_id=plugin_id,
            reply_to=sending.reply_message_id or None,
            segments=segments,
            sending=sending,
        )
        return _outcome(receipt)

    def config_of(self, plugin_id: str) -> dict[str, Any]:
        """A plugin's configuration: its defaults, its own file over them, and over both what the deployment says."""
        registration = self.registry.registration(plugin_id)
        defaults = registration.default_config if registration else {}
        installed = self.installed.get(plugin_id)
        own = own_config(installed.path) if installed else {}
        return laid_over(laid_over(defaults, own), self.config_over(plugin_id))

    def global_config(self) -> dict[str, Any]:
        """What plugins may know of the deployment."""
        return {
            "name": self.settings.name,
            "command_prefix": self.settings.command_prefix,
            "shards": [shard.name for shard in self.settings.shards],
            "bot": dict(self.settings.bot),
        }

    def may_read_config(self, plugin_id: str, target: str) -> bool:
        """Whether a plugin may read another's configuration: its operator says so."""
        return plugin_id == target or not {EVERY, target}.isdisjoint(
            self.settings.plugin(plugin_id).reads_config_of
        )

    def table_owner(self, plugin_id: str, table: str) -> str:
        """Whose a table is that a plugin names: its own, or everybody's where the operator shares it."""
        return SHARED if table in self.settings.plugin(plugin_id).shares_tables else plugin_id


def _outcome(receipt: Receipt) -> dict[str, Any]:
    outcome: dict[str, Any] = {"success": receipt.sent}
    if receipt.external_id:
        outcome["message_id"] = receipt.external_id
    if receipt.error:
        outcome["error"] = receipt.error
    return outcome
