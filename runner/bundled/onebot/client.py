"""Is there an account to speak by, does the host know it, and how is something said?

One task tells the host how things are, so that a report never overtakes another. A connection that is lost counts as there
for as long as a message would wait for the next one: the host gives us nothing more once it hears that we are gone.
"""

from __future__ import annotations

import logging
import random
import time
from typing import TYPE_CHECKING, Any, Protocol

import attrs
import trio

from rookery.protocol import MessageMap, RookeryError
from rookery.runner import Inbound

from .connection import Connection
from .dialling import dial
from .errors import ActionFailed, ActionUnanswered, NotConnected, OneBotError
from .frame import AccountSeen, MessageHeard, NoticeHeard, Received
from .incoming import message_of
from .listening import Door, listen
from .notice import notice_of
from .outgoing import Action, action_of
from .pace import Pace
from .settings import Dial, Listen, Settings

if TYPE_CHECKING:
    from websockets.trio.connection import Connection as WebSocket

REPORT_DELAY = 1.0  # seconds until the host is told again what it did not hear
DRAIN_TIMEOUT = 5.0  # seconds for the host to take what came before the connection ended
STABLE = 60.0  # seconds online after which an end counts as the first failure again
QUEUE = 1000  # messages that wait for a slow host before the socket is not read: the platform waits then
SPEAKERS = 256  # outgoing messages that wait for their turn


class Host(Protocol):
    """What the client asks of rookery."""

    async def route(self, message: MessageMap) -> bool:
        """Hand over one message; the request is sent before this waits for anything."""

    async def report(self, *, ready: bool, account: str, details: dict[str, str]) -> None:
        """Tell whether messages of this account can come and go."""


@attrs.frozen(kw_only=True)
class Sent:
    """What the platform says of a message that it took."""

    message_id: str
    """"" when it gave none."""
    action: str


@attrs.define(eq=False)
class Client:
    """One account, for as long as :meth:`run` runs."""

    settings: Settings
    _host: Host
    _logger: logging.Logger
    inbound: Inbound = attrs.field(init=False)
    port: int = 0
    """Where we listen; 0 while we do not."""
    _connection: Connection | None = None
    """The one that is used; newer ones replace older ones."""
    _account: str = ""
    """The account of the connection, once it is known and as long as the platform says that it is online."""
    _back_until: float = 0.0
    """Until when an account whose connection was lost counts as there: as long as a message would wait for it."""
    _told: str = ""
    """The account that the host takes for ready."""
    _changed: trio.lowlevel.ParkingLot = attrs.Factory(trio.lowlevel.ParkingLot)
    _turn: trio.StrictFIFOLock = attrs.Factory(trio.StrictFIFOLock)
    _pace: Pace = attrs.field(init=False)
    _speakers: int = 0
    _leaving: bool = False
    _running: bool = False
    _ended: trio.Event = attrs.Factory(trio.Event)
    _round: trio.CancelScope = attrs.Factory(trio.CancelScope)
    """Around one attempt to connect, or one time of listening."""

    def __attrs_post_init__(self) -> None:
        self.inbound = Inbound(self._host.route, self._logger, QUEUE)
        self._pace = Pace(self.settings.rate, self.settings.burst)

    @property
    def is_ready(self) -> bool:
        """Whether something can be said, and the host knows it."""
        connection = self._connection
        is_alive = connection is not None and not connection.lost
        return is_alive and bool(self._account) and self._told == self._account

    async def run(self) -> None:
        """Stay connected until :meth:`leave` or a cancel."""
        self._running = True
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.inbound.run)
                nursery.start_soon(self._keep_host_told)
                await self._stay_reachable()
                with trio.move_on_after(DRAIN_TIMEOUT):
                    while self._told:
                        await self._changed.park()
                nursery.cancel_scope.cancel()
        finally:
            self._running = False
            self._ended.set()

    async def leave(self, reason: str) -> None:
        """Say good-bye and wait until :meth:`run` has returned; what came in before is still handed over."""
        self._leaving = True
        if self._connection is not None:
            await self._connection.leave(reason)
        self._round.cancel()
        self._note_change()
        if self._running:
            await self._ended.wait()

    def reconfigure(self, settings: Settings) -> None:
        """Connect anew with other settings."""
        if settings == self.settings:
            return
        self.settings = settings
        self._pace = Pace(settings.rate, settings.burst)
        if self._connection is not None:
            self._connection.lose("the configuration has changed")
        self._round.cancel()

    # --- saying ------------------------------------------------------------------------------------------------

    async def say(self, message: MessageMap) -> Sent:
        """Send a message and wait for what the platform says of it.

        Raises:
            CannotSend: The platform has no form for it.
            NotConnected: Nothing was sent.
            ActionFailed: The platform says no.
            ActionUnanswered: It may have been sent.
        """
        settings = self.settings
        action = action_of(message, as_text=settings.send_as_text, quote=settings.quote)
        if self._speakers >= SPEAKERS:
            raise NotConnected(f"{self._speakers} messages wait to be sent to {settings.place} already")
        deadline = trio.current_time() + settings.send_wait
        self._speakers += 1
        try:
            while True:
                try:
                    data = await self._perform(action, deadline)
                    break
                except NotConnected:
                    if trio.current_time() >= deadline:
                        raise
                    # The connection ended before a byte was written: the next one gets it.
        finally:
            self._speakers -= 1
        message_id = data.get("message_id") if isinstance(data, dict) else None
        return Sent(message_id="" if message_id is None else str(message_id), action=action.name)

    async def _perform(self, action: Action, deadline: float) -> Any:
        # A lock and not a queue with a task: a caller that gives up takes its place with it.
        async with self._turn:
            connection = await self._wait_ready(deadline)
            if pause := self._pace.take(trio.current_time()):
                await trio.sleep(pause)
            call = connection.start(action.name, action.params)
        return await call.result(self.settings.action_timeout)

    async def _wait_ready(self, deadline: float) -> Connection:
        with trio.move_on_at(deadline):
            while not self.is_ready:
                await self._changed.park()
        if self._connection is None or not self.is_ready:
            wait = self.settings.send_wait
            raise NotConnected(
                f"no account is online at {self.settings.place}; waited {wait:g} s, nothing was sent"
            )
        return self._connection

    # --- being reachable ---------------------------------------------------------------------------------------

    async def _stay_reachable(self) -> None:
        failures = 0
        while not self._leaving:
            started = trio.current_time()
            reason = ""
            with trio.CancelScope() as self._round:
                reason = await self._be_reachable_once()
            if self._round.cancelled_caught or self._leaving:
                failures = 0
                continue
            failures = 1 if trio.current_time() - started >= STABLE else failures + 1
            delay = self.settings.backoff.delay(failures, random.random())
            self._logger.warning("%s: %s; next attempt in %.1f s", self.settings.place, reason, delay)
            with trio.CancelScope() as self._round:
                await trio.sleep(delay)

    async def _be_reachable_once(self) -> str:
        settings = self.settings
        if isinstance(settings.way, Dial):
            return await dial(settings, settings.way, lambda socket: self._live(socket, ""))
        return await self._listen(settings, settings.way)

    async def _listen(self, settings: Settings, way: Listen) -> str:
        door = Door(settings, way, lambda: self._account if self._connection else "", self._logger)
        try:
            listeners = await trio.open_tcp_listeners(way.port, host=way.host)
        except OSError as error:
            return f"cannot listen: {error}"
        self.port = int(listeners[0].socket.getsockname()[1])
        self._logger.info("listening at %s port %d", way.host, self.port)
        self._note_change()
        try:
            await listen(door, listeners, self._be_called)
        finally:
            self.port = 0
        return "the listening ended"

    async def _be_called(self, socket: Any) -> None:
        claimed = socket.request.headers.get("X-Self-ID", "").strip()
        reason = await self._live(socket, claimed)
        self._logger.warning("%s: %s", self.settings.place, reason)

    async def _live(self, socket: WebSocket, claimed: str) -> str:
        """Run one connection; why it ended.

        Args:
            claimed: The account that it says to be of; "" when it does not say.
        """
        connection = Connection(socket, self._logger)
        if self._connection is not None:
            self._connection.lose("a newer connection has replaced it")
            self._lose_account()
        self._connection = connection
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._identify, connection, claimed)
                reason = await connection.run(
                    lambda received: self._handle(connection, received), self.inbound.wait_room
                )
                nursery.cancel_scope.cancel()
        finally:
            if self._connection is connection:
                self._connection = None
                self._lose_account()
            self._note_change()
        return reason

    def _lose_account(self) -> None:
        """The connection of the account has ended."""
        if self._account:
            self._account = ""
            self._back_until = trio.current_time() + self.settings.send_wait

    async def _identify(self, connection: Connection, claimed: str) -> None:
        """Find out which account it is: by what it claims, by asking, or by its first event."""
        account = claimed
        if not account:
            try:
                data = await connection.call("get_login_info", {}, self.settings.action_timeout)
                account = str(data.get("user_id") or "") if isinstance(data, dict) else ""
            except (ActionFailed, ActionUnanswered, NotConnected) as error:
                self._logger.info("%s: %s; its first event will tell the account", self.settings.place, error)
        if account:
            self._see(connection, account)

    def _see(self, connection: Connection, account: str) -> None:
        """A connection is of this account, and it is online."""
        if self._connection is not connection or account == self._account:
            return
        if not self._may_be(account):
            connection.lose(f"the platform speaks for account {account!r}, not {self.settings.account!r}")
            return
        self._logger.info("connected to %s as %s", self.settings.place, account)
        self._account = account
        self._note_change()

    def _may_be(self, account: str) -> bool:
        """Whether this client may speak for an account."""
        return self.settings.account in ("", account)

    def _handle(self, connection: Connection, received: Received) -> None:
        settings = self.settings
        match received:
            case AccountSeen(self_id=account, online=True):
                self._see(connection, account)
            case AccountSeen(self_id=account):
                if self._connection is connection and self._account == account:
                    self._logger.warning("%s: account %s is offline", settings.place, account)
                    self._account, self._back_until = "", 0.0
                    self._note_change()
            case MessageHeard(self_id=account) | NoticeHeard(self_id=account) if not self._may_be(account):
                self._see(connection, account)  # which is its end
            case MessageHeard():
                self._see(connection, received.self_id)
                self.inbound.put(message_of(received, platform=settings.platform, now=time.time()))
            case NoticeHeard(kind=kind):
                self._see(connection, received.self_id)
                if settings.notices if kind == "notice" else settings.requests:
                    self.inbound.put(notice_of(received, platform=settings.platform, now=time.time()))

    # --- telling the host --------------------------------------------------------------------------------------

    def _note_change(self) -> None:
        self._changed.unpark_all()

    async def _keep_host_told(self) -> None:
        while True:
            now = trio.current_time()
            if self._account == self._told:
                await self._changed.park()
            elif self._account:
                await self._tell(self._account, ready=True)
            elif now < self._back_until and not self._leaving:
                with trio.move_on_at(self._back_until):
                    await self._changed.park()
            else:
                with trio.move_on_after(DRAIN_TIMEOUT):
                    await self.inbound.wait_empty()
                self.inbound.close()
                await self._tell(self._told, ready=False)

    async def _tell(self, account: str, *, ready: bool) -> None:
        details = {"endpoint": self.settings.place}
        try:
            await self._host.report(ready=ready, account=account, details=details)
        except RookeryError as error:
            state = "ready" if ready else "not ready"
            self._logger.warning("the host did not hear that account %s is %s: %s", account, state, error)
            if not self._leaving:
                await trio.sleep(REPORT_DELAY)
                return
        self._told = account if ready else ""
        if ready:
            self.inbound.open()
        self._note_change()


__all__ = ["Client", "Host", "OneBotError", "Sent"]
