"""How do plugins use the host's services with types: one small class a family, one method a service.

What has no method here is reached by ``ctx.call_capability``.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, TypeVar

from rookery.protocol import shown

from .errors import CapabilityFailed
from .message import Message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Call = Callable[..., Awaitable[Any]]

_T = TypeVar("_T")

Row = dict[str, Any]
"""Texts, numbers, lists and maps, as they can be sent."""


class Family:
    """Services that belong together."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def _ask(self, capability: str, key: str, /, **args: Any) -> Any:
        """The part of the answer that is meant, or all of it when it has no such part.

        Raises:
            CapabilityFailed: The host tried and failed.
        """
        answer = await self._call(capability, **args)
        if isinstance(answer, dict):
            if answer.get("success") is False:
                raise _failure(capability, answer)
            return answer.get(key, answer)
        return answer

    async def _ask_for(self, kind: type[_T], capability: str, key: str, /, **args: Any) -> _T:
        """The same where one type is expected; null is its empty value, because other hosts answer so.

        Raises:
            CapabilityFailed: The host failed, or its answer is of another type.
        """
        answer = await self._ask(capability, key, **args)
        if answer is None:
            return kind()
        if kind is float and type(answer) is int:
            answer = float(answer)
        if not isinstance(answer, kind):
            raise CapabilityFailed(
                capability, f"the host's answer should be a {kind.__name__}, it is {shown(answer)}"
            )
        return answer


def _failure(capability: str, answer: dict[str, Any]) -> CapabilityFailed:
    kind, wait = answer.get("kind"), answer.get("retry_after")
    return CapabilityFailed(
        capability,
        str(answer.get("error") or "it did not work"),
        kind=kind if isinstance(kind, str) else "",
        maybe_executed=answer.get("maybe_executed") is True,
        retry_after=float(wait) if isinstance(wait, (int, float)) else None,
    )


class Sender(Family):
    """``ctx.send``: say something in a chat."""

    async def text(self, text: str, session_id: str, *, reply_to: str | None = None) -> str | None:
        """Send a text; capability ``send.text``.

        Args:
            session_id: ``message.session_id`` of the chat.
            reply_to: The id of the message that it answers; ``None`` for none.

        Returns:
            The id that the platform gave it; ``None`` when it gives none.

        Raises:
            CapabilityFailed: It was not delivered.
        """
        return await self._send("text", session_id, reply_to, text=text)

    async def image(self, image: bytes, session_id: str, *, reply_to: str | None = None) -> str | None:
        """Send a picture by the bytes of its file; capability ``send.image``. Returns and raises as ``text``."""
        return await self._send("image", session_id, reply_to, image_base64=_base64(image))

    async def emoji(self, image: bytes, session_id: str) -> str | None:
        """Send a picture as an emoji; capability ``send.emoji``. Returns and raises as ``text``."""
        return await self._send("emoji", session_id, None, emoji_base64=_base64(image))

    async def segments(
        self, segments: list[Row], session_id: str, *, reply_to: str | None = None, text: str = ""
    ) -> str | None:
        """Send several parts as one message; capability ``send.hybrid``. Returns and raises as ``text``.

        Args:
            segments: Each ``{"type": …, "data": …}``, of the types of the message schema.
            text: What those see who see texts only; "" makes one of the parts.
        """
        more = {"processed_plain_text": text} if text else {}
        return await self._send("hybrid", session_id, reply_to, segments=segments, **more)

    async def forward(self, messages: list[Row], session_id: str) -> str | None:
        """Send messages of others as one that is opened; capability ``send.forward``. Returns and raises as ``text``.

        Args:
            messages: Each ``{"user_id": …, "nickname": …, "segments": […]}``.
        """
        return await self._send("forward", session_id, None, messages=messages)

    async def custom(self, kind: str, content: Any, session_id: str, *, text: str = "") -> str | None:
        """Send something of a type that the platform's gateway knows; capability ``send.custom``. As ``segments``."""
        more = {"processed_plain_text": text} if text else {}
        return await self._send("custom", session_id, None, message_type=kind, content=content, **more)

    async def _send(self, name: str, session_id: str, reply_to: str | None, /, **args: Any) -> str | None:
        if reply_to is not None:
            args["reply_to"] = reply_to
        message_id = await self._ask(f"send.{name}", "message_id", stream_id=session_id, **args)
        return message_id if isinstance(message_id, str) else None


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


class Database(Family):
    """``ctx.db``: tables of rows that outlive the runner; capabilities ``database.*``.

    A table belongs to the plugin and is there as soon as it is used. A row is a map, found by its key.
    """

    async def put(self, table: str, key: str, row: Row) -> None:
        """Write a row, whatever was there before."""
        await self._ask("database.put_row", "", table=table, key=key, row=row)

    async def get(self, table: str, key: str) -> Row | None:
        """Read a row; ``None`` when there is none."""
        row = await self._ask("database.get_row", "row", table=table, key=key)
        return row if isinstance(row, dict) else None

    async def find(self, table: str, *, prefix: str = "", limit: int | None = None) -> list[Row]:
        """Read rows by key; each carries its ``key``.

        Args:
            prefix: What the keys begin with.
            limit: How many at most; ``None`` takes the host's own limit.
        """
        args: dict[str, Any] = {"table": table}
        if prefix:
            args["prefix"] = prefix
        if limit is not None:
            args["limit"] = limit
        return await self._ask_for(list, "database.find_rows", "rows", **args)

    async def delete(self, table: str, key: str) -> bool:
        """Remove a row; False when there was none."""
        return await self._ask_for(bool, "database.delete_row", "deleted", table=table, key=key)

    async def increment(self, table: str, key: str, /, **fields: float) -> Row:
        """Add to number fields of a row in one step, from 0 where there is nothing yet; return the row."""
        return await self._ask_for(dict, "database.increment_row", "row", table=table, key=key, fields=fields)

    async def count(self, table: str) -> int:
        """How many rows a table has."""
        return await self._ask_for(int, "database.count_rows", "count", table=table)

    async def sum(self, table: str, field: str) -> float:
        """The sum of a number field over all rows; rows without it count as 0."""
        return await self._ask_for(float, "database.sum_rows", "sum", table=table, field=field)


class HostConfig(Family):
    """``ctx.config``: what the deployment says beyond the plugin's own configuration; capabilities ``config.*``.

    The plugin's own configuration is ``self.config``, without asking the host.
    """

    async def get(self, key: str, default: Any = None) -> Any:
        """A value of the host, by its dotted key."""
        return await self._ask("config.get", "value", key=key, default=default)

    async def get_plugin(self, plugin_id: str = "") -> dict[str, Any]:
        """The configuration of a plugin; "" is this one."""
        args = {"plugin_name": plugin_id} if plugin_id else {}
        return await self._ask_for(dict, "config.get_plugin", "value", **args)

    async def get_all(self) -> dict[str, Any]:
        """Everything that the host shows of its configuration."""
        return await self._ask_for(dict, "config.get_all", "value")


class Chats(Family):
    """``ctx.chat``: the conversations that the host knows; capabilities ``chat.*``."""

    async def streams(self, platform: str = "all_platforms") -> list[dict[str, Any]]:
        """Each with ``session_id``, ``platform``, ``user_id``, ``group_id`` and names."""
        return await self._ask_for(list, "chat.get_all_streams", "streams", platform=platform)

    async def of_group(self, group_id: str, platform: str) -> dict[str, Any] | None:
        """The chat of a group; ``None`` when the host does not know it."""
        return await self._find("chat.get_stream_by_group_id", group_id=group_id, platform=platform)

    async def of_user(self, user_id: str, platform: str) -> dict[str, Any] | None:
        """The private chat with somebody; ``None`` when the host does not know it."""
        return await self._find("chat.get_stream_by_user_id", user_id=user_id, platform=platform)

    async def open(
        self,
        platform: str,
        *,
        user_id: str = "",
        group_id: str = "",
        account_id: str = "",
        scope: str = "",
    ) -> dict[str, Any]:
        """A chat to say something in before anybody has: with a user, or in a group; capability ``chat.open_session``.

        Args:
            account_id: Of the bot, where it has several on a platform; so with ``scope``.
        """
        args = {"user_id": user_id, "group_id": group_id, "account_id": account_id, "scope": scope}
        return await self._ask_for(
            dict,
            "chat.open_session",
            "stream",
            platform=platform,
            chat_type="group" if group_id else "private",
            **{name: value for name, value in args.items() if value},
        )

    async def _find(self, capability: str, /, **args: Any) -> dict[str, Any] | None:
        found = await self._ask(capability, "stream", **args)
        return found if isinstance(found, dict) and "session_id" in found else None


class Messages(Family):
    """``ctx.messages``: what was said; capabilities ``message.*``."""

    async def recent(self, session_id: str, *, limit: int = 100, hours: float = 24.0) -> list[Message]:
        """The last messages of a chat, the oldest first."""
        found: list[Any] = await self._ask_for(
            list, "message.get_recent", "messages", chat_id=session_id, limit=limit, hours=hours
        )
        return [Message(each) for each in found]

    async def count(self, session_id: str, *, since: float) -> int:
        """How many messages a chat has had since a moment, in Unix seconds."""
        return await self._ask_for(int, "message.count_new", "count", chat_id=session_id, since=since)

    async def get(self, message_id: str, *, session_id: str = "") -> Message | None:
        """One message by its id; ``None`` when the host does not know it.

        Args:
            session_id: The chat it is in; "" looks everywhere.
        """
        args = {"message_id": message_id, **({"chat_id": session_id} if session_id else {})}
        found = await self._ask("message.get_by_id", "message", **args)
        return Message(found) if isinstance(found, dict) and "message_id" in found else None
