"""The OneBot gateway as a plugin: its component, its configuration, and the host behind the client."""

from __future__ import annotations

from typing import Any

import attrs

from rookery.protocol import MessageMap
from rookery.runner import Context, Message, Plugin, message_gateway

from .config import OneBotConfig, settings_of
from .errors import ActionFailed, BadSettings, CannotSend, NotConnected
from .settings import Dial, Settings

try:
    from .client import Client
except ModuleNotFoundError as missing:
    if missing.name is None or missing.name.partition(".")[0] != "websockets":
        raise
    raise BadSettings(
        "the gateway needs the library websockets, 17 or newer: pip install 'rookery[onebot]'"
    ) from missing

GATEWAY = "onebot"
GOOD_BYE = "rookery is going home"


@attrs.frozen
class _HostOverLink:
    """The host as the client knows it, reached through the plugin's context."""

    ctx: Context
    platform: str

    async def route(self, message: MessageMap) -> bool:
        # Nothing is awaited before the request is queued on the link: the order of messages rests on it.
        message_id = message["message_id"]
        return await self.ctx.gateway.route_message(
            GATEWAY, message, external_message_id=message_id, dedupe_key=message_id
        )

    async def report(self, *, ready: bool, account: str, details: dict[str, str]) -> None:
        await self.ctx.gateway.update_state(
            GATEWAY, ready=ready, platform=self.platform, account_id=account, metadata=details
        )


class OneBot(Plugin[OneBotConfig]):
    async def on_load(self) -> None:
        settings = settings_of(self.config)
        self._warn(settings)
        self._client = Client(settings, _HostOverLink(self.ctx, settings.platform), self.ctx.logger)
        self.ctx.start_task(self._client.run, name="stay connected")

    async def on_unload(self) -> None:
        await self._client.leave(GOOD_BYE)

    async def on_config_update(self) -> None:
        settings = settings_of(self.config)
        self._warn(settings)
        if settings.platform != self._client.settings.platform:
            raise BadSettings("platform cannot change while the gateway runs: reload the plugin")
        self._client.reconfigure(settings)

    @message_gateway(GATEWAY, route_type="duplex", platform="qq", protocol="onebot v11")
    async def send(self, message: Message) -> dict[str, Any]:
        """Send a message to its group or person; what it returns is the platform's word."""
        try:
            sent = await self._client.say(message.raw)
        except ActionFailed as error:
            return {"success": False, "error": str(error), "metadata": {"retcode": error.retcode}}
        except (CannotSend, NotConnected) as error:
            return {"success": False, "error": str(error)}
        return {"success": True, "external_message_id": sent.message_id, "metadata": {"action": sent.action}}

    def _warn(self, settings: Settings) -> None:
        way = settings.way
        if isinstance(way, Dial) and settings.token and way.url.startswith("ws:"):
            self.ctx.logger.warning("the access token goes to %s in the clear: wss:// would hide it", way.url)
