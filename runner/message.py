"""How does a plugin read a chat message?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rookery.protocol import MessageMap, group_of, message_text, session_id_of, user_of, with_text

if TYPE_CHECKING:
    from collections.abc import Callable


class Message:
    """One chat message. Nothing is read from the map before it is asked for, because most handlers need little.

    Two messages are equal when their maps are.
    """

    __slots__ = ("_copy", "_map")
    __hash__ = None  # type: ignore[assignment]  # a map has none

    def __init__(self, raw: MessageMap) -> None:
        self._map = raw
        self._copy: Callable[[], MessageMap] | None = None

    @classmethod
    def shared(cls, raw: MessageMap, copy: Callable[[], MessageMap]) -> Message:
        """A message whose map others have too: it makes its own before it gives the map away."""
        message = cls(raw)
        message._copy = copy
        return message

    @property
    def raw(self) -> MessageMap:
        """The map as it is on the wire. A change of it is seen by nobody else: use ``with_text`` and return the result."""
        if self._copy is not None:
            self._map = self._copy()
            self._copy = None
        return self._map

    def __eq__(self, other: object) -> bool:
        return self._map == other._map if type(other) is Message else NotImplemented

    def __reduce__(self) -> tuple[type[Message], tuple[MessageMap]]:
        return Message, (self.raw,)

    def __repr__(self) -> str:
        return f"<Message {self._map.get('message_id')!r} in {self._map.get('session_id')!r}>"

    @property
    def id(self) -> str:
        """Unique on its platform."""
        return str(self._map["message_id"])

    @property
    def text(self) -> str:
        """What a person would read."""
        return message_text(self._map)

    @property
    def user_id(self) -> str:
        return user_of(self._map)[0]

    @property
    def user_name(self) -> str:
        """The sender's name as it is shown in this chat."""
        return user_of(self._map)[1]

    @property
    def group_id(self) -> str | None:
        """The group or channel; ``None`` in a private chat."""
        return group_of(self._map)

    @property
    def chat_id(self) -> str:
        """The group or channel, or the user of a private chat."""
        return group_of(self._map) or user_of(self._map)[0]

    @property
    def session_id(self) -> str:
        """The conversation: the same for all messages of one group, or of one private chat. Texts are sent to it."""
        return session_id_of(self._map)

    @property
    def platform(self) -> str:
        return str(self._map["platform"])

    @property
    def timestamp(self) -> float:
        """When it was sent, in Unix seconds; 0 when the platform does not say."""
        try:
            return float(self._map.get("timestamp") or 0.0)
        except (TypeError, ValueError):
            return 0.0

    @property
    def reply_to(self) -> str | None:
        """The id of the message that this one answers; ``None`` when it answers none."""
        return self._map.get("reply_to") or None

    @property
    def is_command(self) -> bool:
        """True when the host runs a command for it."""
        return self._map.get("is_command") is True

    @property
    def additional(self) -> dict[str, Any]:
        """Free-form data that travels with the message."""
        return self.raw["message_info"].get("additional_config") or {}

    def with_text(self, text: str) -> Message:
        """A copy that says something else; parts that are not text stay behind it."""
        return Message(with_text(self.raw, text))
