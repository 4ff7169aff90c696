"""Are we there: when is a connection ready to talk, and in which channels?"""

from __future__ import annotations

import logging

import attrs
import trio

from .received import ChannelJoined, ChannelLeft, ChannelRefused, NickChanged, Received, TextRefused, Welcomed
from .session import IrcSession

JOIN_TIMEOUT = 10.0  # seconds after the welcome for the channels to answer


@attrs.define(eq=False)
class Presence:
    """What one connection has reached so far."""

    session: IrcSession
    channels: set[str] = attrs.Factory(set)
    """Where we are, folded."""
    _logger: logging.Logger = attrs.field(kw_only=True)
    _awaited: set[str] = attrs.Factory(set)
    _welcomed: trio.Event = attrs.Factory(trio.Event)
    _settled: trio.Event = attrs.Factory(trio.Event)

    async def wait_ready(self) -> None:
        """Wait until the server has welcomed us and each channel has said yes or no, or has had its time."""
        await self._welcomed.wait()
        with trio.move_on_after(JOIN_TIMEOUT):
            await self._settled.wait()

    def note(self, occurrence: Received) -> None:
        """Take notice of what happened."""
        fold = self.session.naming.fold
        match occurrence:
            case Welcomed(nick):
                self._logger.info("connected as %s", nick)
                self._awaited = {fold(channel.partition(" ")[0]) for channel in self.session.channels}
                self._welcomed.set()
            case ChannelJoined(channel):
                self._logger.info("joined %s", channel)
                self.channels.add(fold(channel))
                self._awaited.discard(fold(channel))
            case ChannelRefused(channel, reason):
                self._logger.error("cannot join %s: %s", channel, reason)
                self._awaited.discard(fold(channel))
            case ChannelLeft(channel, reason):
                # Coming back at once would be a quarrel with an operator of the channel.
                self._logger.warning("no longer in %s until the next connection: %s", channel, reason)
                self.channels.discard(fold(channel))
            case TextRefused(target, reason):
                self._logger.warning("the server did not pass on a text to %s: %s", target, reason)
            case NickChanged(nick):
                self._logger.info("our nick is %s now", nick)
        if self._welcomed.is_set() and not self._awaited:
            self._settled.set()
