"""What does one connection to an IRC server know, and what do bytes of the server mean to it?

Sans IO, like the protocol: bytes in, occurrences out, bytes to send. No clock and no socket.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import attrs

from .casemap import Naming
from .errors import BadLine, CannotSay
from .line import Line, LineReader, command, parse_line
from .received import (
    ChannelJoined,
    ChannelLeft,
    ChannelRefused,
    NickChanged,
    Received,
    ServerClosed,
    TextReceived,
    TextRefused,
    Welcomed,
)
from .registration import Identity, Registration, Stage
from .split import room_for, split_text

_JOIN_REFUSED = frozenset({"403", "405", "437", "471", "473", "474", "475", "476", "477", "489"})
_TEXT_REFUSED = frozenset({"401", "404", "407", "411", "412", "413", "414", "415", "486", "531"})

# The longest user and host that servers in use write: taken while ours are unknown.
_LONGEST_ADDRESS = f"{'u' * 11}@{'h' * 63}"  # ten characters and the tilde of a user without ident

_ACTION = re.compile("\x01ACTION ?(.*?)\x01?", re.DOTALL | re.IGNORECASE)

_IN_NICK = r"[\w\[\]\\`^{}|-]"


@attrs.define
class IrcSession:
    """One end of one connection.

    Raises:
        CannotSay: The identity or a channel has no form as an IRC line; the text says which.
    """

    identity: Identity
    channels: tuple[str, ...] = ()
    """What to join on welcome, each with its key after a space if it has one."""
    naming: Naming = attrs.Factory(Naming)
    bad_lines: int = 0
    """Lines of the server that could not be read."""
    _registration: Registration = attrs.field(init=False)
    _joins: tuple[bytes, ...] = attrs.field(init=False)
    _reader: LineReader = attrs.Factory(LineReader)
    _outgoing: list[bytes] = attrs.Factory(list)
    _nick: str = ""
    _address: str = ""  # our user@host as the server writes it; empty until it showed us

    def __attrs_post_init__(self) -> None:
        self._joins = tuple(_join(channel) for channel in self.channels)
        self._registration = Registration(self.identity)
        self._outgoing.extend(self._registration.start())

    @property
    def nick(self) -> str:
        """The nick that we have, or ask for."""
        return self._nick or self._registration.nick

    @property
    def is_registered(self) -> bool:
        """Whether the server has welcomed us."""
        return self._registration.stage is Stage.REGISTERED

    @property
    def capabilities(self) -> frozenset[str]:
        """What the server has switched on for us."""
        return self._registration.capabilities

    @property
    def prefix(self) -> str:
        """What the server writes before our lines when it passes them on, or the longest that it may be."""
        return f"{self.nick}!{self._address or _LONGEST_ADDRESS}"

    def data_to_send(self) -> bytes:
        """Take the bytes that have to be sent because of what was received."""
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        return data

    def say(self, target: str, text: str) -> list[bytes]:
        """The lines that say this text to a channel or a nick.

        Raises:
            CannotSay: The target is no name of one channel or nick.
        """
        check_target(target)
        return [
            command("PRIVMSG", target, piece) for piece in split_text(text, room_for(self.prefix, target))
        ]

    def receive(self, data: bytes) -> list[Received]:
        """Take bytes of the server, in whatever pieces, and tell what they meant.

        Raises:
            RegistrationRefused: The server does not let us in. The session is of no use any more.
        """
        received: list[Received] = []
        for raw in self._reader.feed(data):
            try:
                line = parse_line(raw)
            except BadLine:
                self.bad_lines += 1
                continue
            received.extend(self._receive_line(line))
        return received

    def _receive_line(self, line: Line) -> list[Received]:
        if not self.is_registered:
            self._outgoing.extend(self._registration.receive(line))
        match line.command:
            case "PING":
                self._pong(line)
            case "PRIVMSG":
                return self._text(line)
            case "001":
                return self._welcome(line)
            case "005":
                self.naming = self.naming.learn(line.params[1:-1])
            case "JOIN" | "KICK" | "PART" | "NICK" | "QUIT":
                return self._membership(line)
            case "396" if line.param(1):
                self._address = ""  # our host is another now; the longest is assumed until it is seen
            case "ERROR":
                return [ServerClosed(line.param(-1))]
            case numeric if numeric in _JOIN_REFUSED and self.naming.is_channel(line.param(1)):
                return [ChannelRefused(line.param(1), line.param(-1))]
            case numeric if numeric in _TEXT_REFUSED:
                return [TextRefused(line.param(1), line.param(-1))]
        return []

    def _pong(self, line: Line) -> None:
        try:
            self._outgoing.append(command("PONG", *line.params[-1:]))
        except CannotSay:
            self.bad_lines += 1  # a token that no line can carry back

    def _welcome(self, line: Line) -> list[Received]:
        self._nick = self._registration.nick
        self._outgoing.extend(self._joins)
        return [Welcomed(self._nick)]

    def _membership(self, line: Line) -> list[Received]:
        ours = self.naming.same(line.nick, self.nick)
        if not ours and line.command in ("QUIT", "NICK") and self.naming.same(line.nick, self.identity.nick):
            # Mostly our own ghost, from a connection that broke: the nick that we wanted is free now.
            self._outgoing.append(command("NICK", self.identity.nick))
        match line.command:
            case "JOIN" if ours:
                self._address = line.source.partition("!")[2]
                return [ChannelJoined(line.param(0))]
            case "NICK" if ours:
                self._nick = line.param(0)
                return [NickChanged(self._nick)]
            case "PART" if ours:
                return [ChannelLeft(line.param(0), f"we left: {line.param(1)}")]
            case "KICK" if self.naming.same(line.param(1), self.nick):
                return [ChannelLeft(line.param(0), f"thrown out by {line.nick}: {line.param(2)}")]
        return []

    def _text(self, line: Line) -> list[Received]:
        target, text = line.param(0), line.param(1)
        if len(line.params) < 2 or not line.nick or self.naming.same(line.nick, self.nick):
            return []  # broken, from nobody, or our own words coming back
        is_action = False
        if text.startswith("\x01"):
            action = _ACTION.fullmatch(text)
            if action is None:
                return []  # VERSION, PING and the like: answering strangers' requests only feeds floods
            text, is_action = action[1], True
        channel = target if self.naming.is_channel(target) else None
        if channel is None and not self.naming.same(target, self.nick):
            return []  # to a mask of servers or hosts: an announcement, nothing to answer
        said = TextReceived(
            nick=line.nick,
            user_id=self.naming.fold(line.nick),
            channel=channel,
            channel_id=None if channel is None else self.naming.fold(channel),
            text=text,
            is_action=is_action,
            mentions_us=self._mentions_us(text),
            account=line.tags.get("account", ""),
            msgid=line.tags.get("msgid", ""),
            sent_at=_server_time(line.tags.get("time", "")),
        )
        return [said]

    def _mentions_us(self, text: str) -> bool:
        name, folded = self.naming.fold(self.nick), self.naming.fold(text)
        if name not in folded:
            return False
        return re.search(f"(?<!{_IN_NICK}){re.escape(name)}(?!{_IN_NICK})", folded) is not None


def check_target(target: str) -> None:
    """Refuse what is not the name of exactly one channel or nick.

    Raises:
        CannotSay: It is empty, a list, would end its parameter, or would begin another kind of one.
    """
    if not target or target.startswith(":") or any(sign in target for sign in " ,\r\n\0\x07"):
        raise CannotSay(f"{target!r:.80} is not the name of one channel or nick")


def _join(channel: str) -> bytes:
    name, _, key = channel.partition(" ")
    check_target(name)
    if name[0] not in "#&+!" or " " in key:
        raise CannotSay(f"{channel!r:.80} is not a channel: expected '#name' or '#name key'")
    return command("JOIN", name, key) if key else command("JOIN", name)


def _server_time(written: str) -> float | None:
    if not written:
        return None
    try:
        when = datetime.fromisoformat(written)
    except ValueError:
        return None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
