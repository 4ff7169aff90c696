"""Messages from outside reach the host in order, and every one is answered for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import trio

from rookery.protocol import (
    AssignedPlugin,
    CannotEncode,
    ConnectionLost,
    ErrorCode,
    RemoteError,
    RookeryError,
)
from rookery.runner import Context, Message
from rookery.runner.fake_host import FakeHost
from tests.runner.makers import fake_host, message_map


def context(host: FakeHost) -> Context:
    return Context("test.a", host, AssignedPlugin(plugin_id="test.a"))


async def test_a_message_is_taken_once() -> None:
    """A repeat with the same key is refused; a Message is as good as its map."""
    async with fake_host() as host:
        gateway = context(host).gateway

        first = await gateway.route_message("g", message_map(), dedupe_key="k")
        second = await gateway.route_message("g", Message(message_map()), dedupe_key="k")

    assert (first, second) == (True, False)
    assert [message.id for message in host.routed] == ["m1"]


async def test_a_crooked_message_is_refused_with_the_path() -> None:
    """The host says which field."""
    async with fake_host() as host:
        with pytest.raises(RemoteError, match=r"message\.platform: must be a text") as caught:
            await context(host).gateway.route_message("g", message_map(platform=None))

    assert caught.value.code is ErrorCode.E_BAD_PAYLOAD


async def test_messages_go_without_waiting_and_in_order() -> None:
    """Each is settled once: taken, a repeat, or an error."""
    outcomes: list[bool | RookeryError] = []
    async with fake_host() as host:
        gateway = context(host).gateway
        gateway.route_message_nowait("g", message_map(message_id="a"), on_done=outcomes.append)
        gateway.route_message_nowait("g", message_map(message_id="a"), on_done=outcomes.append)
        gateway.route_message_nowait("g", message_map(message_id=""), on_done=outcomes.append)
        await trio.testing.wait_all_tasks_blocked()

    assert sorted(map(str, outcomes)) == [
        "False",
        "True",
        "[E_BAD_PAYLOAD] message.message_id: must be a text that is not empty, got ''",
    ]


async def test_messages_can_be_handed_over_from_a_thread() -> None:
    """The link lives in the loop: a plain function is brought there."""
    outcomes: list[bool | RookeryError] = []
    async with fake_host() as host:
        gateway = context(host).gateway
        route = functools.partial(gateway.route_message_nowait, "g", message_map(), on_done=outcomes.append)
        await trio.to_thread.run_sync(route)
        await trio.testing.wait_all_tasks_blocked()

    assert outcomes == [True]


async def test_a_message_that_cannot_be_sent_is_settled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller hears of it in the one way it listens."""
    outcomes: list[bool | RookeryError] = []

    def gone(*_: Any) -> None:
        raise ConnectionLost("gone", maybe_executed=False)

    async with fake_host() as host:
        monkeypatch.setattr(FakeHost, "send", gone)
        context(host).gateway.route_message_nowait("g", message_map(), on_done=outcomes.append)

    assert [str(outcome) for outcome in outcomes] == ["gone"]


async def test_a_callback_that_raises_is_the_plugins_failure(caplog: pytest.LogCaptureFixture) -> None:
    """It runs in the task of the link, which must not end by it."""
    calls: list[Callable[..., Any]] = []

    def on_done(outcome: bool | RookeryError) -> None:
        calls.append(on_done)
        raise SystemExit(1)

    async with fake_host() as host:
        context(host).gateway.route_message_nowait("g", message_map(), on_done=on_done)
        await trio.testing.wait_all_tasks_blocked()

    assert len(calls) == 1
    assert "on_done of route_message_nowait failed: SystemExit: 1 (test_gateway.py line" in caplog.text


async def test_a_gateway_tells_its_state() -> None:
    """As the host needs it for its routes."""
    async with fake_host() as host:
        accepted = await context(host).gateway.update_state(
            "g", ready=True, platform="test", account_id="me", metadata={"finished": True}
        )
        with pytest.raises(CannotEncode, match="keys must be text"):
            await context(host).gateway.update_state("g", ready=True, metadata={1: 2})  # type: ignore[dict-item]

    assert accepted
    assert host.gateways["g"]["metadata"] == {"finished": True}
