"""How does a plugin read a chat message?"""

from __future__ import annotations

from typing import Any

import attrs

from rookery.protocol import MessageMap, group_of, message_text, session_id_of, user_of, with_text


@attrs.frozen
class Message:
    """One chat message. Nothing is read from the map before it is asked for, because most handlers need little.

    Two messages are equal when their maps are.
    """

    raw: MessageMap
    """The map as it is on the wire. A change of it is seen by nobody else: use ``with_text`` and return the result."""

    def __repr__(self) -> str:
        return f"<Message {self.raw.get('message_id')!r} in {self.raw.get('session_id')!r}>"

    @property
    def id(self) -> str:
        """Unique on its platform."""
        return str(self.raw["message_id"])

    @property
    def text(self) -> str:
        """What a person would read."""
        return message_text(self.raw)

    @property
    def user_id(self) -> str:
        return user_of(self.raw)[0]

    @property
    def user_name(self) -> str:
        """The sender's name as it is shown in this chat."""
        return user_of(self.raw)[1]

    @property
    def group_id(self) -> str | None:
        """The group or channel; ``None`` in a private chat."""
        return group_of(self.raw)

    @property
    def chat_id(self) -> str:
        """The group or channel, or the user of a private chat."""
        return group_of(self.raw) or user_of(self.raw)[0]

    @property
    def session_id(self) -> str:
        """The conversation: the same for all messages of one group, or of one private chat. Texts are sent to it."""
        return session_id_of(self.raw)

    @property
    def platform(self) -> str:
        return str(self.raw["platform"])

    @property
    def timestamp(self) -> float:
        """When it was sent, in Unix seconds; 0 when the platform does not say."""
        try:
            return float(self.raw.get("timestamp") or 0.0)
        except (TypeError, ValueError):
            return 0.0

    @property
    def reply_to(self) -> str | None:
        """The id of the message that this one answers; ``None`` when it answers none."""
        return self.raw.get("reply_to") or None

    @property
    def is_command(self) -> bool:
        """True when the host runs a command for it."""
        return self.raw.get("is_command") is True

    @property
    def additional(self) -> dict[str, Any]:
        """Free-form data that travels with the message."""
        return self.raw["message_info"].get("additional_config") or {}

    def with_text(self, text: str) -> Message:
        """A copy that says something else; parts that are not text stay behind it."""
        return Message(with_text(self.raw, text))
