"""What is a message from outside, once it is accepted?"""

from __future__ import annotations

from typing import Any

import attrs

from rookery.protocol import (
    BadPayload,
    MessageMap,
    RouteMessage,
    message_text,
    read_message,
    session_id_of,
)

from .routes import ANY_PLATFORM, Driver, RouteKey, account_and_scope, route_key

MAX_ID_CHARS = 512
"""Of the ids and the key of a message: they are remembered after the message has gone."""


@attrs.frozen(kw_only=True, eq=False)
class Inbound:
    """A message that came in through a gateway."""

    message: MessageMap
    """With its platform normalised, its session id computed by the host, and where it came from noted in
    ``additional_config``."""
    key: RouteKey
    driver_id: str
    dedupe_key: str
    """Unique for one message of one driver."""
    arrived_at: float
    """On trio's clock."""

    @property
    def session_id(self) -> str:
        session_id: str = self.message["session_id"]
        return session_id

    @property
    def message_id(self) -> str:
        message_id: str = self.message["message_id"]
        return message_id


def read_inbound(routed: RouteMessage, driver: Driver, now: float, *, wall: float = 0.0) -> Inbound:
    """Check what a gateway routes and say where it came from.

    Args:
        now: On trio's clock.
        wall: Unix seconds, for a message that does not say when it was written.

    Raises:
        BadPayload: The message is none, or of a platform that is not the gateway's.
    """
    message = routed.message
    metadata = routed.route_metadata
    if not message.get("platform"):
        message["platform"] = metadata.get("platform") or driver.key.platform
    read_message(message, wall)
    info: dict[str, Any] = message["message_info"]
    additional: dict[str, Any] = info["additional_config"]
    key = _key_of(message, info, additional, metadata, driver)
    if metadata:
        additional.update({name: value for name, value in metadata.items() if not _is_blank(value)})
    if key.account_id:
        additional.setdefault("platform_io_account_id", key.account_id)
    if key.scope:
        additional.setdefault("platform_io_scope", key.scope)
    message["platform"] = key.platform
    # The host's word and not the gateway's: a session id decides who sees what.
    message["session_id"] = session_id_of(message)
    if "processed_plain_text" not in message:
        message["processed_plain_text"] = message_text(message)
    own = routed.dedupe_key or routed.external_message_id or message["message_id"]
    group, user = info.get("group_info"), info["user_info"]
    for text, path in (
        (own, "dedupe_key"),
        (message["message_id"], "message_id"),
        (user["user_id"], "message_info.user_info.user_id"),
        (group["group_id"] if group else "", "message_info.group_info.group_id"),
    ):
        if len(text) > MAX_ID_CHARS:
            raise BadPayload(f"has {len(text)} characters, at most {MAX_ID_CHARS} are allowed", path)
    return Inbound(
        message=message,
        key=key,
        driver_id=driver.driver_id,
        dedupe_key=f"{driver.driver_id}:{own}",
        arrived_at=now,
    )


def _key_of(
    message: MessageMap,
    info: dict[str, Any],
    additional: dict[str, Any],
    metadata: dict[str, Any],
    driver: Driver,
) -> RouteKey:
    own = driver.key
    account, scope = account_and_scope(message, info, additional, metadata)
    if (
        message["platform"] == own.platform
        and account in (None, own.account_id)
        and scope in (None, own.scope)
    ):
        return own
    key = route_key(message["platform"], account or own.account_id, scope or own.scope)
    if own.platform not in (ANY_PLATFORM, key.platform):
        raise BadPayload(
            f"is {key.platform!r}, but gateway {driver.gateway!r} carries {own.platform!r}", "platform"
        )
    return key


def _is_blank(value: Any) -> bool:
    return value is None or (type(value) is str and not value.strip())
