"""How do we get in: capabilities, SASL, a free nick, and the server's welcome?

Sans IO: lines in, lines out. The server sets the order:

    we:      CAP LS 302, PASS, NICK, USER
    server:  CAP LS ...          -> CAP REQ for what we know, or CAP END
             CAP ACK ... sasl    -> AUTHENTICATE PLAIN, then the credentials, then CAP END
             433 nick in use     -> NICK with the next candidate
             001                 -> registered
    A server without capabilities answers 421 to CAP, or nothing at all, and sends 001 without waiting for CAP END.
"""

from __future__ import annotations

import base64
from enum import Enum

import attrs

from .errors import CannotSay, RegistrationRefused
from .line import Line, command

WANTED = ("server-time", "message-tags", "account-tag")
"""Capabilities that we ask for when they are offered. echo-message is left off: we know what we said."""

MAX_NICKS = 9  # candidates tried before giving up
_SASL_CHUNK = 400  # characters of one AUTHENTICATE line (IRCv3 SASL)

_NICK_TAKEN = frozenset({"433", "436", "437"})
_REFUSALS = {
    "464": "the server's password is wrong or missing",
    "465": "we are banned from this server",
    "463": "this host may not connect",
    "902": "the SASL account is locked",
    "904": "the SASL user or password is wrong",
    "905": "the SASL credentials are too long",
    "906": "the SASL exchange was aborted",
    "908": "the server does not offer SASL PLAIN",
}


@attrs.frozen(kw_only=True)
class Identity:
    """Who we are to a server."""

    nick: str
    user: str = "rookery"
    realname: str = "rookery"
    password: str = attrs.field(default="", repr=False)
    """The server's own password (PASS); empty for none."""
    sasl_user: str = ""
    """The account for SASL PLAIN; empty for none."""
    sasl_password: str = attrs.field(default="", repr=False)


class Stage(Enum):
    """How far a registration has come."""

    NEGOTIATING = "negotiating"  # CAP and SASL are under way
    WAITING = "waiting"  # all is said, the welcome is awaited
    REGISTERED = "registered"


def nick_candidate(nick: str, attempt: int) -> str:
    """The nick to try after so many refusals: underscores first, then a number within the classic nine characters."""
    if attempt <= 2:
        return nick + "_" * attempt
    return f"{nick[:8]}{attempt}"


@attrs.define
class Registration:
    """One attempt to get in."""

    identity: Identity
    stage: Stage = Stage.NEGOTIATING
    nick: str = ""
    """The nick that we asked for last; from the welcome on the one that the server gave us."""
    capabilities: frozenset[str] = frozenset()
    """What the server has switched on for us."""
    _attempt: int = 0
    _offered: dict[str, str] = attrs.Factory(dict)
    _unanswered: int = 0

    def start(self) -> list[bytes]:
        """The lines that open the conversation.

        Raises:
            CannotSay: A part of the identity has no form in a line.
        """
        who = self.identity
        for name, value in (("nick", who.nick), ("user", who.user)):
            if not value or " " in value:
                raise CannotSay(f"{name} is {value!r}, expected one word")
        self.nick = who.nick
        lines = [command("CAP", "LS", "302")]
        if who.password:
            lines.append(command("PASS", who.password))
        return [
            *lines,
            command("NICK", who.nick),
            command("USER", who.user, "0", "*", who.realname or who.nick),
        ]

    def receive(self, line: Line) -> list[bytes]:
        """Take one line of the server and return the lines to answer with.

        Raises:
            RegistrationRefused: The server does not want us; the text says why.
        """
        if self.stage is Stage.REGISTERED:
            return []
        match line.command:
            case "001":
                self.stage = Stage.REGISTERED
                self.nick = line.param(0) or self.nick
            case "CAP":
                return self._capability(line)
            case "AUTHENTICATE" if line.param(0) == "+":
                return self._credentials()
            case "903" | "907":
                return self._end()
            case "432":
                return self._bad_nick(line)
            case taken if taken in _NICK_TAKEN:
                return self._next_nick()
            case refusal if refusal in _REFUSALS:
                raise RegistrationRefused(f"{_REFUSALS[refusal]} ({refusal} {line.param(-1)})")
        return []

    def _capability(self, line: Line) -> list[bytes]:
        names = line.param(-1).split()
        match line.param(1).upper():
            case "LS":
                for item in names:
                    name, _, value = item.partition("=")
                    self._offered[name.lower()] = value
                # A star before the list says that more follows.
                return [] if line.param(2) == "*" and len(line.params) > 3 else self._request()
            case "ACK":
                self.capabilities |= {name.lower() for name in names if not name.startswith("-")}
                return self._answered()
            case "NAK":
                if "sasl" in names:
                    raise RegistrationRefused("the server refuses SASL, but sasl_user is configured")
                return self._answered()
            case "DEL":
                self.capabilities -= {name.lower() for name in names}
        return []

    def _request(self) -> list[bytes]:
        lines = []
        if wanted := [name for name in WANTED if name in self._offered]:
            lines.append(command("CAP", "REQ", " ".join(wanted)))
        if self.identity.sasl_user:
            mechanisms = self._offered.get("sasl")
            if mechanisms is None or (mechanisms and "PLAIN" not in mechanisms.upper().split(",")):
                offer = "no SASL" if mechanisms is None else f"SASL only with {mechanisms}"
                raise RegistrationRefused(f"sasl_user is configured, but the server offers {offer}")
            # On its own, so that a refusal of something else does not take the login with it.
            lines.append(command("CAP", "REQ", "sasl"))
        self._unanswered = len(lines)
        return lines or self._end()

    def _answered(self) -> list[bytes]:
        self._unanswered -= 1
        if self._unanswered > 0:
            return []
        return [command("AUTHENTICATE", "PLAIN")] if "sasl" in self.capabilities else self._end()

    def _credentials(self) -> list[bytes]:
        user, password = self.identity.sasl_user, self.identity.sasl_password
        text = base64.b64encode(f"\0{user}\0{password}".encode()).decode("ascii")
        chunks = [text[start : start + _SASL_CHUNK] for start in range(0, len(text), _SASL_CHUNK)]
        if len(chunks[-1]) == _SASL_CHUNK:
            chunks.append("+")  # says that nothing follows a full last chunk
        return [command("AUTHENTICATE", chunk) for chunk in chunks]

    def _end(self) -> list[bytes]:
        self.stage = Stage.WAITING
        return [command("CAP", "END")]

    def _bad_nick(self, line: Line) -> list[bytes]:
        if self._attempt == 0:
            raise RegistrationRefused(f"the server does not accept the nick {self.nick!r} ({line.param(-1)})")
        return self._next_nick()  # a candidate was longer than this server allows

    def _next_nick(self) -> list[bytes]:
        self._attempt += 1
        if self._attempt > MAX_NICKS:
            raise RegistrationRefused(
                f"the nick {self.identity.nick!r} and {MAX_NICKS} others like it are in use"
            )
        self.nick = nick_candidate(self.identity.nick, self._attempt)
        return [command("NICK", self.nick)]
