"""What can go wrong between rookery and an IRC server, told apart by what the caller would do next."""

from __future__ import annotations

from rookery.protocol import RookeryError


class IrcError(RookeryError):
    """The root of this gateway's errors."""


class BadLine(IrcError):
    """Bytes of the server are not an IRC line. The line is dropped; the connection is unharmed."""


class CannotSay(IrcError):
    """This text or this target has no form as an IRC line; trying again would not help."""


class NotConnected(IrcError):
    """There is no server to send to, or it went away in the middle. Trying again later may help."""


class RegistrationRefused(IrcError):
    """The server does not let us in with this name or these credentials.

    Not a ``NotConnected``: a person has to change the configuration or the server, although the gateway keeps trying.
    """
