"""What did a server's line mean? Occurrences in the past tense, the only thing that the tasks look at."""

from __future__ import annotations

import attrs


@attrs.frozen
class Welcomed:
    """The server let us in."""

    nick: str
    """The nick that we got; not always the one that was configured."""


@attrs.frozen
class ChannelJoined:
    """We are in a channel now."""

    channel: str


@attrs.frozen
class ChannelRefused:
    """The server does not let us into a channel."""

    channel: str
    reason: str


@attrs.frozen
class ChannelLeft:
    """We were thrown out of a channel."""

    channel: str
    reason: str


@attrs.frozen
class NickChanged:
    """We have another nick now."""

    nick: str


@attrs.frozen(kw_only=True)
class TextReceived:
    """Somebody said something, in a channel or to us."""

    nick: str
    """Who, as written."""
    user_id: str
    """Who, folded by the server's case mapping: two spellings of one nick are one person."""
    channel: str | None
    """Where, as written; ``None`` when it was said to us alone."""
    channel_id: str | None
    """Where, folded."""
    text: str
    is_action: bool = False
    """Said with /me."""
    mentions_us: bool = False
    """Our nick is a word of it."""
    account: str = ""
    """The services account of the sender; empty when unknown."""
    msgid: str = ""
    """The server's id of the message; empty when it gives none."""
    sent_at: float | None = None
    """Unix seconds by the server's clock; ``None`` when it does not tell."""


@attrs.frozen
class TextRefused:
    """The server did not pass on something that we said."""

    target: str
    reason: str


@attrs.frozen
class ServerClosed:
    """The server said ERROR: it closes the connection."""

    reason: str


Received = (
    Welcomed
    | ChannelJoined
    | ChannelRefused
    | ChannelLeft
    | NickChanged
    | TextReceived
    | TextRefused
    | ServerClosed
)
