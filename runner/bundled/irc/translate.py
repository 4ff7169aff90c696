"""What is said on IRC in the words of rookery, and which target a message of rookery has on IRC?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rookery.protocol import MessageMap, build_message, group_of, user_of

from .errors import CannotSay

if TYPE_CHECKING:
    from .received import TextReceived

PLATFORM = "irc"


def message_of(said: TextReceived, *, message_id: str, now: float) -> MessageMap:
    """The message map of something that was said.

    Args:
        message_id: Unique for ever; used when the server gives no id of its own.
        now: Unix seconds; used when the server does not tell the time.
    """
    details = {"irc_action": said.is_action, "irc_account": said.account, "irc_msgid": said.msgid}
    message = build_message(
        # Two targets of one text share the server's id, so the place belongs to ours.
        message_id=f"{said.msgid}@{said.channel_id or ''}" if said.msgid else message_id,
        platform=PLATFORM,
        user_id=said.user_id,
        user_name=said.nick,
        text=said.text,
        timestamp=now if said.sent_at is None else said.sent_at,
        group_id=said.channel_id,
        group_name=said.channel,
        additional={name: value for name, value in details.items() if value},
    )
    message["is_mentioned"] = said.mentions_us
    return message


def target_of(message: MessageMap) -> str:
    """The channel or nick that an outgoing message is for.

    A target that the host names beside the message goes before the chat that the message belongs to.

    Raises:
        CannotSay: The message names neither.
    """
    additional: dict[str, Any] = message["message_info"].get("additional_config") or {}
    for name in ("platform_io_target_group_id", "platform_io_target_user_id"):
        if target := str(additional.get(name) or "").strip():
            return target
    target = group_of(message) or user_of(message)[0]
    if not target:
        raise CannotSay(f"message {message.get('message_id')!r} names neither a channel nor a nick")
    return target
