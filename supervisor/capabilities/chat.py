"""``chat.*``: which chats does the bot know, and how does it begin one?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rookery.protocol import BadPayload

from ..messages import chats
from ..opened_chats import all_chats, open_chat, opened_chat_by_id, session_of_chat
from ..platform.routes import route_key
from ..store_errors import StoreError
from . import arguments

if TYPE_CHECKING:
    from ..platform.sessions import Sessions
    from ..store import Store
    from .request import CapabilityRequest
    from .table import CapabilityTable

ALL_PLATFORMS = "all_platforms"
DEFAULT_PLATFORM = "qq"
"""What protocol 1.0.0 takes when a plugin names no platform."""

GROUP, PRIVATE = "group", "private"
MAX_ID_CHARS = 512

Chat = dict[str, Any]


def register_chat(table: CapabilityTable, store: Store, sessions: Sessions) -> None:
    """Add ``get_all_streams``, ``get_group_streams``, ``get_private_streams``, ``get_stream_by_group_id``,
    ``get_stream_by_user_id`` and ``open_session``."""
    _register_lists(table, store)
    _register_one(table, store)

    def open_session(request: CapabilityRequest) -> None:
        chat = _wanted_chat(request.args)
        session = session_of_chat(chat)

        def answer(outcome: Any) -> None:
            if isinstance(outcome, StoreError):
                request.fail_with(outcome)
                return
            found, is_new = outcome
            sessions.open(session)
            request.answer({"success": True, "created": is_new, "stream": found, **found})

        store.submit(open_chat(chat, time.time()), answer)

    table.register("chat.open_session", open_session, says_mistakes=True)


def _register_lists(table: CapabilityTable, store: Store) -> None:
    def add(name: str, *, groups: bool = True, private: bool = True) -> None:
        def implementation(request: CapabilityRequest) -> None:
            platform = _platform(request.args)

            def is_wanted(chat: Chat) -> bool:
                is_kind = groups if chat["is_group_session"] else private
                return is_kind and platform in (ALL_PLATFORMS, chat["platform"])

            known = chats(None if platform == ALL_PLATFORMS else platform, groups=groups, private=private)
            store.submit(all_chats(known, is_wanted), request.settle_with("streams"))

        table.register(f"chat.{name}", implementation, says_mistakes=True)

    add("get_all_streams")
    add("get_group_streams", private=False)
    add("get_private_streams", groups=False)


def _register_one(table: CapabilityTable, store: Store) -> None:
    def add(name: str, argument: str, kind: str) -> None:
        def implementation(request: CapabilityRequest) -> None:
            wanted = arguments.name_or_number(request.args, argument)
            platform = _platform(request.args)
            if platform != ALL_PLATFORMS:
                session_id = f"{platform}:{kind}:{wanted}"
                store.submit(opened_chat_by_id(session_id), request.settle_with("stream"))
                return
            every = all_chats(chats(None), lambda _: True)

            def find(connection: Any) -> Chat | None:
                fits = (
                    chat
                    for chat in every(connection)
                    if (chat["chat_type"], str(chat[argument])) == (kind, wanted)
                )
                return next(fits, None)

            store.submit(find, request.settle_with("stream"))

        table.register(f"chat.{name}", implementation, says_mistakes=True)

    add("get_stream_by_group_id", "group_id", GROUP)
    add("get_stream_by_user_id", "user_id", PRIVATE)


def _platform(args: dict[str, Any]) -> str:
    return (arguments.optional_text(args, "platform") or DEFAULT_PLATFORM).strip().lower()


def _wanted_chat(args: dict[str, Any]) -> Chat:
    """The chat that is to be opened, in the form of the protocol."""
    has_group = args.get("group_id") not in (None, "")
    kind = arguments.optional_text(args, "chat_type", "type") or (GROUP if has_group else PRIVATE)
    if kind not in (GROUP, PRIVATE):
        raise BadPayload(f"must be 'group' or 'private', got {kind!r:.80}", "chat_type")
    argument = "group_id" if kind == GROUP else "user_id"
    target = arguments.name_or_number(args, argument)
    if len(target) > MAX_ID_CHARS:
        raise BadPayload(f"has {len(target)} characters, at most {MAX_ID_CHARS} are allowed", argument)
    platform = _platform(args)
    if platform == ALL_PLATFORMS or ":" in platform:
        raise BadPayload(f"must be the name of one platform, got {platform!r:.80}", "platform")
    key = route_key(
        platform, arguments.optional_text(args, "account_id"), arguments.optional_text(args, "scope")
    )
    session_id = f"{key.platform}:{kind}:{target}"
    return {
        "session_id": session_id,
        "stream_id": session_id,
        "platform": key.platform,
        "user_id": None if kind == GROUP else target,
        "user_nickname": None,
        "user_cardname": None,
        "group_id": target if kind == GROUP else None,
        "group_name": None,
        "account_id": key.account_id,
        "scope": key.scope,
        "is_group_session": kind == GROUP,
        "chat_type": kind,
    }
