"""What can go wrong between rookery and a OneBot implementation, told apart by what the caller would do next."""

from __future__ import annotations

from rookery.protocol import RookeryError


class OneBotError(RookeryError):
    """The root of this gateway's errors."""


class BadFrame(OneBotError):
    """A frame of the platform is none. It is dropped; the connection is unharmed."""


class BadSettings(OneBotError):
    """The configuration contradicts itself; a person has to change it."""


class CannotSend(OneBotError):
    """This message has no form on the platform; trying again would not help."""


class NotConnected(OneBotError):
    """Nobody is there to send to, so nothing was sent. Trying again later may help."""


class ActionFailed(OneBotError):
    """The platform says that it did not do it.

    Attributes:
        retcode: The platform's number for it; 0 when it gave none.
    """

    def __init__(self, message: str, retcode: int = 0) -> None:
        super().__init__(message)
        self.retcode = retcode


class ActionUnanswered(OneBotError):
    """The platform was asked and has not answered, or the connection was lost first. It may have done it all the same: not
    a ``NotConnected``, after which a repetition is safe."""
