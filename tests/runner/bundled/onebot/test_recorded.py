"""What another gateway for OneBot made of an event, as it was recorded, is what this one makes of it.

The recording is no part of the repository. ``ROOKERY_RECORDINGS`` names a directory with ``gateway_*.json`` files; without
one these tests are skipped. A file has ``routed``, a list of the requests that the gateway made of its host, and
``platform_received``, what it asked of the platform.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import trio

from rookery.protocol import MessageMap, read_message
from rookery.runner.bundled.onebot.outgoing import action_of
from tests.doubles.onebot_platform import open_platform_server

from .conftest import FakeHost, answer, dialling

pytestmark = pytest.mark.slow

FILES = sorted(Path(os.environ.get("ROOKERY_RECORDINGS") or os.devnull).glob("gateway_*.json"))
KNOWN = ("text", "at")
"""Segments from which the event can be told again."""


NOTHING = pytest.param(
    None, marks=pytest.mark.skip("ROOKERY_RECORDINGS names no directory with gateway_*.json")
)


@pytest.fixture(params=FILES or [NOTHING], ids=lambda path: path.stem if path else "nothing")
def recorded(request: pytest.FixtureRequest) -> dict[str, Any]:
    recorded: dict[str, Any] = json.loads(request.param.read_text())
    return recorded


def _event_of(message: MessageMap, self_id: str) -> dict[str, Any] | None:
    """The event behind a recorded message; ``None`` where it cannot be told from it."""
    info = message["message_info"]
    user, group = info["user_info"], info.get("group_info")
    parts = message["raw_message"]
    if message["is_notify"] or any(part["type"] not in KNOWN for part in parts):
        return None
    return {
        "post_type": "message",
        "message_type": "group" if group else "private",
        "time": int(float(message["timestamp"])),
        "self_id": int(self_id),
        "message_id": int(message["message_id"]),
        "user_id": int(user["user_id"]),
        "sender": {"nickname": user["user_nickname"], "card": user["user_cardname"] or ""},
        "message": [
            {"type": "text", "data": {"text": part["data"]}}
            if part["type"] == "text"
            else {"type": "at", "data": {"qq": part["data"]["target_user_id"]}}
            for part in parts
        ],
        **({"group_id": int(group["group_id"]), "group_name": group["group_name"]} if group else {}),
    }


async def test_a_recorded_message_comes_in_as_it_did(
    recorded: dict[str, Any], host: FakeHost, nursery: trio.Nursery
) -> None:
    """Over a real WebSocket: id, time, people, group, segments and text are equal."""
    expected, events = [], []
    for routed in recorded["routed"]:
        event = _event_of(routed["message"], routed["route_metadata"]["self_id"])
        if event is not None:
            expected.append(routed["message"])
            events.append(event)
    assert events, "the recording has no message that can be told again"

    async with open_platform_server() as server:
        nursery.start_soon(dialling(host, server.url).run)
        platform = await server.accept()
        for event in events:
            await platform.send(event)
        await host.wait_messages(len(events))

    for made, known in zip(host.messages, expected, strict=True):
        read = read_message(json.loads(json.dumps(made)), 0.0)
        for name in (
            "message_id",
            "timestamp",
            "platform",
            "raw_message",
            "is_at",
            "is_notify",
            "processed_plain_text",
        ):
            assert read[name] == known[name], name
        info, was = read["message_info"], known["message_info"]
        assert info["user_info"] == was["user_info"]
        assert (info["group_info"] or None) == (was.get("group_info") or None)
        assert info["additional_config"]["self_id"] == was["additional_config"]["self_id"]


def test_a_recorded_answer_goes_out_as_it_did(recorded: dict[str, Any]) -> None:
    """The same action with the same parameters; ids are numbers here, as the protocol has them."""
    sent = [each for each in recorded["platform_received"] if str(each.get("action", "")).startswith("send_")]
    assert sent, "the recording has no message that went out"

    for frame in sent:
        group, parts = frame["params"]["group_id"], frame["params"]["message"]
        message = answer("".join(part["data"]["text"] for part in parts), group=str(group))

        action = action_of(message)

        assert action.name == frame["action"]
        assert action.params == {"group_id": int(group), "message": parts}
