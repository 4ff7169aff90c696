"""What is a notice or a request of the platform, such as a new member or a poke, in the words of rookery?"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from rookery.protocol import MessageMap, build_message

if TYPE_CHECKING:
    from .frame import NoticeHeard


def notice_of(heard: NoticeHeard, *, platform: str, now: float) -> MessageMap:
    """A message map that nobody has written: ``is_notify`` is true, and the event is its only segment.

    Args:
        now: Unix seconds; used when the platform does not tell the time.
    """
    event = heard.event
    what = _words(heard)
    user = _known(event, "user_id", "operator_id", "sender_id") or heard.self_id
    group = _known(event, "group_id")
    message = build_message(
        message_id=f"{heard.kind}-{_fingerprint(event)}",
        platform=platform,
        user_id=user,
        user_name=user,
        text=f"[{heard.kind} {what}]",
        timestamp=now if heard.time is None else heard.time,
        group_id=group or None,
        additional={"self_id": heard.self_id, f"onebot_{heard.kind}": what},
        segments=[{"type": "dict", "data": {"type": heard.kind, "data": event}}],
    )
    message["is_notify"] = True
    return message


def _words(heard: NoticeHeard) -> str:
    """Its type and what more it says, e.g. ``notify poke``."""
    kinds = (heard.event.get(name) for name in (f"{heard.kind}_type", "sub_type"))
    return " ".join(kind for kind in kinds if type(kind) is str and kind) or "unknown"


def _known(event: dict[str, Any], *names: str) -> str:
    for name in names:
        value = event.get(name)
        if type(value) in (int, str) and str(value).strip() not in ("", "0"):
            return str(value).strip()
    return ""


def _fingerprint(event: dict[str, Any]) -> str:
    """The same for a repetition of the same event, which has no id of its own."""
    return hashlib.sha256(json.dumps(event, sort_keys=True).encode()).hexdigest()[:24]
