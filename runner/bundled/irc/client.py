"""How does the gateway stay connected, and how do words get in and out meanwhile?"""

from __future__ import annotations

import logging
import random
import time
import uuid
from typing import Protocol

import attrs
import trio

from rookery.protocol import MessageMap, RookeryError
from rookery.runner import Inbound

from .connection import Connection
from .errors import CannotSay, NotConnected
from .presence import Presence
from .received import Received, TextReceived
from .session import IrcSession
from .settings import Settings
from .stream import open_stream
from .translate import message_of

CONNECT_TIMEOUT = 30.0  # seconds for TCP and TLS
REPORT_DELAY = 1.0  # seconds until the host is told again that we are ready
DRAIN_TIMEOUT = 5.0  # seconds for the host to take what came before the connection ended
STABLE = 60.0  # seconds online after which an end counts as the first failure again
QUEUE = 50_000  # messages that wait for a slow host: a server drops a client that does not read
SPEAKERS = 256  # outgoing messages that wait for their turn


class Host(Protocol):
    """What the client asks of rookery."""

    async def route(self, message: MessageMap) -> bool:
        """Hand over one message; the request is sent before this waits for anything."""

    async def report(self, *, ready: bool, account: str, details: dict[str, str]) -> None:
        """Tell whether messages of this account can come and go."""


@attrs.define(eq=False)
class Client:
    """One account on one server, for as long as :meth:`run` runs."""

    settings: Settings
    _host: Host
    _logger: logging.Logger
    inbound: Inbound = attrs.field(init=False)
    _connection: Connection | None = None
    """The live connection, registered or not."""
    _online: trio.Event = attrs.Factory(trio.Event)
    """Set while we are ready and the host knows it."""
    _absent: Connection | None = None
    """A connection that is lost while the host still takes us for ready: what is to be said waits for the next one."""
    _turn: trio.StrictFIFOLock = attrs.Factory(trio.StrictFIFOLock)
    _speakers: int = 0
    _hurry: trio.Event = attrs.Factory(trio.Event)
    """Set to end a wait between two attempts."""
    _leaving: bool = False
    _running: bool = False
    _ended: trio.Event = attrs.Factory(trio.Event)
    _attempt: trio.CancelScope = attrs.Factory(trio.CancelScope)
    """Around the opening of a connection."""
    _heard: int = 0
    _name: str = attrs.Factory(lambda: uuid.uuid4().hex[:12])
    """Makes message ids unique over restarts; the server's own ids are used when it gives some."""

    def __attrs_post_init__(self) -> None:
        self.inbound = Inbound(self._host.route, self._logger, QUEUE)
        check(self.settings)

    async def run(self) -> None:
        """Stay connected until :meth:`leave` or a cancel."""
        self._running = True
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.inbound.run)
                await self._stay_connected(nursery)
                await self._report_absence()
                nursery.cancel_scope.cancel()
        finally:
            self._running = False
            self._ended.set()

    async def leave(self, reason: str) -> None:
        """Say good-bye and wait until :meth:`run` has returned; what came in before is still handed over."""
        self._leaving = True
        self._hurry.set()
        self._attempt.cancel()
        if self._connection is not None:
            await self._connection.quit(reason)
        if self._running:
            await self._ended.wait()

    def reconfigure(self, settings: Settings) -> None:
        """Connect anew with other settings.

        Raises:
            CannotSay: They do not make valid lines; the old ones stay.
        """
        check(settings)
        if settings == self.settings:
            return
        self.settings = settings
        self._hurry.set()
        self._attempt.cancel()
        if self._connection is not None:
            self._connection.lose("the configuration has changed")

    async def say(self, target: str, text: str) -> None:
        """Say a text, in as many lines as it needs, after everything that others asked for before.

        Returns when the last line is written. A cancel before that leaves the rest unsaid.

        Raises:
            CannotSay: There is nothing to say, or the target is no name.
            NotConnected: No connection within the configured wait, or it was lost before the last line.
        """
        if self._speakers >= SPEAKERS:
            raise NotConnected(
                f"{self._speakers} messages wait to be sent to {self.settings.endpoint} already"
            )
        deadline = trio.current_time() + self.settings.send_wait
        self._speakers += 1
        try:
            # A lock and not a queue with a task: a caller that gives up takes its place with it.
            async with self._turn:
                connection = await self._wait_online(deadline)
                lines = connection.session.say(target, text)
                if not lines:
                    raise CannotSay(f"the message for {target!r} has no text that IRC can carry")
                for number, line in enumerate(lines):
                    try:
                        await connection.send(line)
                    except NotConnected as error:
                        raise NotConnected(f"{error} ({number} of {len(lines)} lines were sent)") from error
        finally:
            self._speakers -= 1

    async def _wait_online(self, deadline: float) -> Connection:
        with trio.move_on_at(deadline):
            while not self._online.is_set():
                await self._online.wait()
        connection = self._connection if self._online.is_set() else None
        if connection is None:
            wait = self.settings.send_wait
            raise NotConnected(
                f"not connected to {self.settings.endpoint}; waited {wait:g} s, nothing was sent"
            )
        return connection

    async def _stay_connected(self, nursery: trio.Nursery) -> None:
        failures = 0
        while not self._leaving:
            self._hurry = trio.Event()
            started, absent = trio.current_time(), self._absent
            reason = await self._connect_once()
            failures = 1 if trio.current_time() - started >= STABLE else failures + 1
            if self._absent is not None and self._absent is not absent:
                nursery.start_soon(self._report_long_absence, self._absent)
            if not self._hurry.is_set():
                delay = self.settings.backoff.delay(failures, random.random())
                self._logger.warning("%s: %s; next attempt in %.1f s", self.settings.endpoint, reason, delay)
                with trio.move_on_after(delay):
                    await self._hurry.wait()
            if self._hurry.is_set():  # we leave, or the configuration has changed
                failures = 0
                await self._report_absence()

    async def _connect_once(self) -> str:
        settings = self.settings
        with trio.move_on_after(CONNECT_TIMEOUT) as self._attempt:
            try:
                stream = await open_stream(settings.endpoint)
            except NotConnected as error:
                return str(error)
        if self._attempt.cancelled_caught:
            return f"no connection within {CONNECT_TIMEOUT:g} s"
        session = IrcSession(settings.identity, settings.channels)
        presence = Presence(session, logger=self._logger)
        self._connection = connection = Connection(settings, session, stream=stream)

        def handle(occurrence: Received) -> None:
            if isinstance(occurrence, TextReceived):
                self._hear(occurrence)
            else:
                presence.note(occurrence)

        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._become_ready, connection, presence)
                reason = await connection.run(handle, self.inbound.wait_room)
                nursery.cancel_scope.cancel()
        finally:
            self._connection = None
            if self._online.is_set():  # otherwise somebody may wait for this very event
                self._online = trio.Event()
        await self._become_unready(connection)
        return reason

    def _hear(self, said: TextReceived) -> None:
        self._heard += 1
        self.inbound.put(message_of(said, message_id=f"{self._name}-{self._heard}", now=time.time()))

    async def _become_ready(self, connection: Connection, presence: Presence) -> None:
        await presence.wait_ready()
        self._absent = None  # before the report: an absence told after it would count for the new connection
        while True:
            if await self._report(connection, ready=True):
                break
            await trio.sleep(REPORT_DELAY)
        self.inbound.open()
        self._online.set()

    async def _become_unready(self, connection: Connection) -> None:
        if self.inbound.is_open:
            with trio.move_on_after(DRAIN_TIMEOUT):
                await self.inbound.wait_empty()
        self.inbound.close()
        if connection.session.is_registered:
            self._absent = connection

    async def _report_long_absence(self, connection: Connection) -> None:
        # The host gives us nothing more to say once it hears of it, so it hears when waiting has become pointless.
        await trio.sleep(self.settings.send_wait)
        if self._absent is connection:
            await self._report_absence()

    async def _report_absence(self) -> None:
        connection, self._absent = self._absent, None
        if connection is not None:
            await self._report(connection, ready=False)

    async def _report(self, connection: Connection, *, ready: bool) -> bool:
        settings = connection.settings  # not ours: they may be newer than the connection
        details = {"nick": connection.session.nick, "server": str(settings.endpoint)}
        try:
            await self._host.report(ready=ready, account=settings.account, details=details)
        except RookeryError as error:
            state = "ready" if ready else "not ready"
            self._logger.warning("the host did not hear that the gateway is %s: %s", state, error)
            return False
        return True


def check(settings: Settings) -> None:
    """Try the settings without a server.

    Raises:
        CannotSay: A name or a channel has no form as an IRC line.
    """
    IrcSession(settings.identity, settings.channels)
