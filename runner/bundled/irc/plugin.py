"""The IRC gateway as a plugin: its component, its configuration, and the host behind the client."""

from __future__ import annotations

import attrs

from rookery.protocol import MessageMap
from rookery.runner import Context, Message, Plugin, message_gateway

from .client import Client
from .config import IrcConfig, settings_of
from .settings import Settings
from .translate import PLATFORM, target_of

GATEWAY = "irc"
GOOD_BYE = "rookery is going home"


@attrs.frozen
class _HostOverLink:
    """The host as the client knows it, reached through the plugin's context."""

    ctx: Context

    async def route(self, message: MessageMap) -> bool:
        # Nothing is awaited before the request is queued on the link: the order of messages rests on it.
        message_id = message["message_id"]
        return await self.ctx.gateway.route_message(
            GATEWAY, message, external_message_id=message_id, dedupe_key=message_id
        )

    async def report(self, *, ready: bool, account: str, details: dict[str, str]) -> None:
        await self.ctx.gateway.update_state(
            GATEWAY, ready=ready, platform=PLATFORM, account_id=account, metadata=details
        )


class Irc(Plugin[IrcConfig]):
    async def on_load(self) -> None:
        settings = settings_of(self.config)
        self._warn(settings)
        self._client = Client(settings, _HostOverLink(self.ctx), self.ctx.logger)
        self.ctx.start_task(self._client.run, name="stay connected")

    async def on_unload(self) -> None:
        await self._client.leave(GOOD_BYE)

    async def on_config_update(self) -> None:
        settings = settings_of(self.config)
        self._warn(settings)
        self._client.reconfigure(settings)

    @message_gateway(GATEWAY, route_type="duplex", platform=PLATFORM)
    async def send(self, message: Message) -> None:
        """Say a message in its channel or to its nick; returns when the last line is written."""
        await self._client.say(target_of(message.raw), message.text)

    def _warn(self, settings: Settings) -> None:
        endpoint, who = settings.endpoint, settings.identity
        if (who.password or who.sasl_user) and not endpoint.tls:
            self.ctx.logger.warning("passwords go to %s in the clear: tls = true would hide them", endpoint)
        if endpoint.tls and not endpoint.verify:
            self.ctx.logger.warning("tls_verify is off: anybody on the way can pretend to be %s", endpoint)
