"""Which conversation is something about, as far as its arguments tell?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from rookery.protocol import Occasion, session_id_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_SESSION_KEYS = ("session_id", "stream_id", "chat_id")
"""What hooks and tools call a session, which is all that some of them are told."""


@attrs.frozen
class Conversation:
    """One chat."""

    session_id: str
    names: frozenset[str]
    """Everything that it may be called in ``allowed_session``."""
    is_group: bool | None = None
    """``None`` when nobody knows."""


def conversation_of_session(
    session_id: str, *, group_id: str = "", platform: str = "", is_group: bool | None = None
) -> Conversation:
    """A conversation by the id of its session, which says what it is where this host has made it."""
    made_of, _, rest = session_id.partition(":")
    kind, _, name = rest.partition(":")
    if is_group is None and name and kind in ("group", "private"):
        is_group = kind == "group"
    if is_group is None and group_id:
        is_group = True
    if is_group and not group_id and kind == "group":
        group_id = name
    names = {session_id}
    if group_id:
        names |= {group_id, f"{platform or made_of}:{group_id}"}
    return Conversation(session_id, frozenset(names), is_group)


def session_of(message: Mapping[str, Any]) -> str:
    """The id of a message's session; "" of one that says too little of itself."""
    said = message.get("session_id")
    if type(said) is str and said:
        return said
    try:
        return session_id_of(dict(message))
    except (KeyError, TypeError, AttributeError):
        return ""


def conversation_of(args: Mapping[str, Any]) -> Conversation | None:
    """The conversation that arguments are about: their message's, else that of the session which they name."""
    message = args.get("message")
    if type(message) is dict:
        occasion, session_id = Occasion(message), session_of(message)
        names = frozenset({session_id, *occasion.names}) - {""}
        return Conversation(session_id, names, occasion.scope == "group")
    for key in _SESSION_KEYS:
        value = args.get(key)
        if type(value) is str and value:
            group_id, platform = args.get("group_id"), args.get("platform")
            return conversation_of_session(
                value,
                group_id=group_id if type(group_id) is str else "",
                platform=platform if type(platform) is str else "",
            )
    return None
