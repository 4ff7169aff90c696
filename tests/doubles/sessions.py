"""Two sessions back to back: what one sends, the other receives by a function call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgpack

from rookery.protocol import (
    RUNNER_HELLO,
    Received,
    RequestReceived,
    RuleBroken,
    Session,
    Side,
    frame,
)
from rookery.protocol.limits import MAX_FRAME_BYTES

HELLO = {"runner_id": "r", "sdk_version": "2.0.0", "session_token": ""}


def new_sessions(*, max_frame_bytes: int = MAX_FRAME_BYTES) -> tuple[Session, Session]:
    """Host and runner that have not said anything yet."""
    return (
        Session(Side.HOST, max_frame_bytes=max_frame_bytes),
        Session(Side.RUNNER, max_frame_bytes=max_frame_bytes),
    )


def open_sessions(
    *, max_frame_bytes: int = MAX_FRAME_BYTES, features: Sequence[str] = ()
) -> tuple[Session, Session]:
    """Host and runner after an accepted hello, in which they agreed on these features."""
    host, runner = new_sessions(max_frame_bytes=max_frame_bytes)
    hello_id = runner.request(RUNNER_HELLO, {**HELLO, "features": list(features)})
    pass_on(runner, host)
    host.answer(hello_id, {"accepted": True, "features": list(features)})
    pass_on(host, runner)
    return host, runner


def pass_on(source: Session, target: Session) -> list[Received]:
    """Carry everything that one has to send to the other."""
    return target.receive(source.data_to_send())


def raw_frame(**fields: Any) -> bytes:
    """A frame of any map at all, as a peer of another mind could send it."""
    return frame(msgpack.packb(fields))


def asked(received: list[Received]) -> list[RequestReceived]:
    """Only the requests."""
    return [item for item in received if isinstance(item, RequestReceived)]


def complaint(received: list[Received]) -> str:
    """Why the bytes were the last that were read; "" when they were fine."""
    broken = [item for item in received if isinstance(item, RuleBroken)]
    return broken[0].error.reason if broken else ""
