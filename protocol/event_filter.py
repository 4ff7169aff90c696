"""Which events does a handler want: from where, by whom, and saying what?

A filter is declared beside its handler and judged by the host before anything is sent. It sees an event as it was dispatched:
what a handler makes of the message afterwards neither hides it from another handler nor shows it to one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from .errors import BadPayload
from .message import message_text
from .pattern import MAX_PATTERN_TEXT, PatternError, TextPattern, compile_pattern, letters_of
from .shown import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .message import MessageMap

EVENT_FILTER = "event_filter"
"""The key in an event handler's metadata; its value is a map with the keys below, each of which may be left out."""

MAX_NAMES = 1000
"""Of one list: platforms, or users."""

_KEYS = ("platforms", "users", "pattern")


class Occasion:
    """What a filter can see of one message. Parts that a message lacks are empty, and fit no filter that names them."""

    __slots__ = ("_found", "_text", "message", "names", "platform", "scope", "user_id")

    def __init__(self, message: MessageMap) -> None:
        info = message.get("message_info")
        if type(info) is not dict:
            info = {}
        platform, session = message.get("platform"), message.get("session_id")
        user, group = info.get("user_info"), info.get("group_info")
        user_id = user.get("user_id") if type(user) is dict else ""
        if type(session) is not str:
            session = ""
        self.message = message
        self._text: str | None = None
        self._found: dict[TextPattern, bool] = {}
        self.platform = platform.lower() if type(platform) is str else ""
        self.user_id = user_id if type(user_id) is str else ""
        self.scope = "group" if group else "private"
        self.names: tuple[str, ...]
        """Everything that the conversation may be called in ``allowed_session``."""
        if group:
            group_id = group.get("group_id") if type(group) is dict else ""
            self.names = (session, group_id if type(group_id) is str else "", f"{platform}:{group_id}")
        else:
            self.names = (session,)

    @property
    def text(self) -> str:
        if self._text is None:
            try:
                self._text = message_text(self.message)
            except (AttributeError, TypeError):  # what is hardly a message has hardly a text
                self._text = ""
        return self._text

    @property
    def text_seen(self) -> str:
        """What patterns see of it."""
        return self.text[: MAX_PATTERN_TEXT + 1]

    def letters(self) -> set[str]:
        """Every letter, and every two neighbours, of what patterns see."""
        return set(self.text_seen).union(letters_of(self.text_seen))

    def contains(self, pattern: TextPattern) -> bool:
        """Whether the text does; a pattern is searched for once, however many filters have it."""
        found = self._found.get(pattern)
        if found is None:
            found = self._found[pattern] = pattern.is_in(self.text)
        return found


@attrs.frozen(kw_only=True)
class EventFilter:
    """What a handler wants; an empty part wants everything. Filters that say the same are equal."""

    chat_scope: str = "all"
    """``all``, ``group`` or ``private``."""
    sessions: frozenset[str] = frozenset()
    """Session ids, group ids or ``platform:group``."""
    platforms: frozenset[str] = frozenset()
    """In small letters."""
    users: frozenset[str] = frozenset()
    pattern: TextPattern | None = None
    """What the text has to contain."""

    def admits(self, occasion: Occasion) -> bool:
        return (
            (self.chat_scope in ("all", occasion.scope))
            and (not self.sessions or not self.sessions.isdisjoint(occasion.names))
            and (not self.platforms or occasion.platform in self.platforms)
            and (not self.users or occasion.user_id in self.users)
            and (self.pattern is None or occasion.contains(self.pattern))
        )

    def fits(self, message: MessageMap | None) -> bool:
        """Whether a handler with this filter gets an event; one without a message goes to those who want everything."""
        if self == EVERYTHING:
            return True
        return message is not None and self.admits(Occasion(message))


EVERYTHING = EventFilter()


def read_event_filter(
    declared: Any, path: str, *, chat_scope: str = "all", sessions: frozenset[str] = frozenset()
) -> EventFilter:
    """Check what a handler's metadata has under ``event_filter``; nothing there is fine.

    Args:
        path: Where it stands, for errors.
        chat_scope, sessions: What the declaration says beside the metadata.

    Raises:
        BadPayload: The first mistake, with its path.
    """
    if declared is None:
        declared = {}
    if type(declared) is not dict:
        raise BadPayload(f"must be a map, got {shown(declared)}", path)
    for key in declared:
        if key not in _KEYS:
            raise BadPayload(f"has no {shown(key)}; it knows {', '.join(_KEYS)}", path)
    made = EventFilter(
        chat_scope=chat_scope,
        sessions=sessions,
        platforms=frozenset(name.lower() for name in _names(declared, "platforms", path)),
        users=_names(declared, "users", path),
        pattern=_pattern(declared.get("pattern"), f"{path}.pattern"),
    )
    return EVERYTHING if made == EVERYTHING else made


def _names(declared: Mapping[str, Any], key: str, path: str) -> frozenset[str]:
    values = declared.get(key)
    if values is None:
        return frozenset()
    if type(values) is not list or not all(type(value) is str and value.strip() for value in values):
        raise BadPayload(f"must be a list of texts that are not empty, got {shown(values)}", f"{path}.{key}")
    if len(values) > MAX_NAMES:
        raise BadPayload(f"has {len(values)}, at most {MAX_NAMES} are allowed", f"{path}.{key}")
    return frozenset(value.strip() for value in values)


def _pattern(source: Any, path: str) -> TextPattern | None:
    if source is None or source == "":
        return None
    if type(source) is not str:
        raise BadPayload(f"must be a text, got {shown(source)}", path)
    try:
        return compile_pattern(source)
    except PatternError as error:
        raise BadPayload(error.reason, path) from None
