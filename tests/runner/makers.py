"""What tests of the runner make again and again: a message, a request, a plugin without a process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio

from rookery.protocol import METHODS, MessageMap, build_message
from rookery.runner import Plugin
from rookery.runner.fake_host import FakeHost, FakeRequest
from rookery.runner.testing import RunningPlugin, run_plugin


def message_map(text: str = "hello", **changes: Any) -> MessageMap:
    """A message of ann in the lobby."""
    made = build_message(
        message_id="m1",
        platform="test",
        user_id="ann",
        user_name="ann",
        text=text,
        timestamp=1.0,
        group_id="lobby",
    )
    return {**made, **changes}


def a_request(method: str, name: str, timeout_ms: int = 30_000, **args: Any) -> FakeRequest:
    """A request to run one component, as if the host had just sent it."""
    request = FakeRequest(METHODS[method], {"component_name": name, "args": args})
    request.timeout_ms = timeout_ms
    return request


@asynccontextmanager
async def running(plugin_class: type[Plugin[Any]], **options: Any) -> AsyncIterator[RunningPlugin[Any]]:
    """Short for run_plugin, with a deadline."""
    with trio.fail_after(30):
        async with run_plugin(plugin_class, **options) as plugin:
            yield plugin


@asynccontextmanager
async def fake_host(**options: Any) -> AsyncIterator[FakeHost]:
    """A host without a plugin."""
    async with trio.open_nursery() as nursery:
        yield FakeHost(nursery, **options)
        nursery.cancel_scope.cancel()
