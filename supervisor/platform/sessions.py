"""Where does a conversation go: what has to be known about a session to send something into it?"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import attrs

from rookery.protocol import BadPayload, MessageMap, build_message, group_of, user_of

from .routes import RouteKey, route_key

if TYPE_CHECKING:
    from .inbound import Inbound

MAX_SESSIONS = 10_000
MAX_NAME_CHARS = 512
"""Of the names of people and groups, as far as they are remembered."""


@attrs.frozen(kw_only=True)
class Session:
    """One conversation, as its last message told."""

    session_id: str
    key: RouteKey
    group_id: str | None
    group_name: str | None = None
    user_id: str
    """Of the other side in a private chat; of the last speaker in a group."""
    user_name: str

    @property
    def is_group(self) -> bool:
        return self.group_id is not None


class Sessions:
    """The conversations that were seen lately, in bounded memory."""

    def __init__(self, limit: int = MAX_SESSIONS) -> None:
        self._limit = limit
        self._known: OrderedDict[str, Session] = OrderedDict()
        self._opened: OrderedDict[str, Session] = OrderedDict()
        """Those in which nobody has said anything yet: they are what plugins make them, and drive no others out."""

    def __iter__(self) -> Any:
        return iter(self._known.values())

    def remember(self, inbound: Inbound) -> None:
        message = inbound.message
        user_id, user_name = user_of(message)
        group_id = group_of(message)
        group = message["message_info"].get("group_info") or {}
        self._known[inbound.session_id] = Session(
            session_id=inbound.session_id,
            key=inbound.key,
            group_id=group_id,
            group_name=str(group.get("group_name") or "")[:MAX_NAME_CHARS] or None,
            user_id=user_id,
            user_name=user_name[:MAX_NAME_CHARS],
        )
        self._known.move_to_end(inbound.session_id)
        self._opened.pop(inbound.session_id, None)
        if len(self._known) > self._limit:
            self._known.popitem(last=False)

    def open(self, session: Session) -> None:
        """A conversation that nobody has said anything in yet; one that is known stays as it is."""
        if session.session_id in self._known:
            return
        self._opened.setdefault(session.session_id, session)
        if len(self._opened) > self._limit:
            self._opened.popitem(last=False)

    def find(self, session_id: str) -> Session | None:
        """A session by its id; one that was not seen lately is read out of the id itself.

        A reminder may come back after the host was restarted: the id says enough to send it.
        """
        known = self._known.get(session_id) or self._opened.get(session_id)
        if known is not None:
            return known
        platform, _, rest = session_id.partition(":")
        kind, _, target = rest.partition(":")
        if not target or kind not in ("group", "private"):
            return None
        try:
            key = route_key(platform)
        except BadPayload:
            return None
        is_group = kind == "group"
        return Session(
            session_id=session_id,
            key=key,
            group_id=target if is_group else None,
            user_id="" if is_group else target,
            user_name="" if is_group else target,
        )


def compose(
    session: Session,
    text: str,
    *,
    message_id: str,
    timestamp: float,
    plugin_id: str = "",
    reply_to: str | None = None,
    segments: list[dict[str, Any]] | None = None,
) -> MessageMap:
    """A message of the bot into a session.

    Args:
        plugin_id: Who says it; "" is the host.
        reply_to: The id of the message that it answers.
        segments: Its parts; ``None`` makes one text segment.
    """
    account = session.key.account_id
    additional: dict[str, Any] = {"plugin_id": plugin_id} if plugin_id else {}
    if account:
        additional["platform_io_account_id"] = account
    if session.key.scope:
        additional["platform_io_scope"] = session.key.scope
    if session.group_id is not None:
        additional["platform_io_target_group_id"] = session.group_id
    else:
        additional["platform_io_target_user_id"] = session.user_id
    message = build_message(
        message_id=message_id,
        platform=session.key.platform,
        user_id=account or "bot",
        user_name=account or "bot",
        group_id=session.group_id,
        group_name=session.group_name,
        text=text,
        timestamp=timestamp,
        reply_to=reply_to,
        additional=additional,
        segments=segments,
    )
    message["session_id"] = session.session_id
    return message
