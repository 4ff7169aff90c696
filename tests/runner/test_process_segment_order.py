"""Does a runner keep the order of a conversation when segments and calls of it meet?"""

from __future__ import annotations

import pytest
import trio

from rookery.protocol import PLUGIN_INVOKE_TOOL, RemoteError
from tests.doubles.scripted_host import open_runner
from tests.doubles.sent_segments import HERE, PLUGIN, read_log, send_segment, wait_begun

pytestmark = pytest.mark.slow


async def test_calls_wait_for_one_that_has_suspended() -> None:
    """The handler keeps its plugin's turn in the conversation, and only there."""
    async with open_runner(HERE) as host:
        await host.wait_ready()
        sent = send_segment(host, "a", "b", conducts={"a": "sleep 0.1"}, in_turn=False, key="chat")
        behind, beside = {"component_name": "mark", "args": {"name": "behind"}}, {"name": "beside"}
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: host.ask(PLUGIN_INVOKE_TOOL, PLUGIN, ordering_key="chat", **behind))
            await host.ask(
                PLUGIN_INVOKE_TOOL, PLUGIN, component_name="mark", args=beside, ordering_key="other"
            )
        await sent.wait(lambda sent: len(sent.parts) == 2)

        found = await read_log(host)

    assert [name for name in found if name != "beside"] == ["a", "b", "behind"]
    assert found.index("beside") < found.index("b")


async def test_a_conversation_goes_on_past_one_that_does_not_end() -> None:
    """It ignores its cancellation: after some looks it is answered, and those behind it run."""
    async with open_runner(HERE) as host:
        await host.wait_ready()
        sent = send_segment(host, "a", conducts={"a": "resist 8"}, key="chat", timeout=0.3)
        await host.ask(
            PLUGIN_INVOKE_TOOL, PLUGIN, component_name="mark", args={"name": "behind"}, ordering_key="chat"
        )
        await sent.wait()

        assert await read_log(host) == ["a", "behind"]

    assert isinstance(sent.whole, RemoteError)
    assert sent.whole.code == "E_TIMEOUT"


async def test_one_that_waits_for_its_turn_is_before_what_came_after_its_segment() -> None:
    """Its plugin is busy in this conversation, so that it stands in line; a call that waited behind the segment comes next."""
    async with open_runner(HERE) as host:
        await host.wait_ready()
        busy = send_segment(host, "c", conducts={"c": "sleep 0.2"}, key="chat")
        await wait_begun(host, "c")
        behind = send_segment(host, "a", "b", key="chat")
        call = {"component_name": "mark", "args": {"name": "call"}, "ordering_key": "chat"}
        await host.ask(PLUGIN_INVOKE_TOOL, PLUGIN, **call)
        for sent in (busy, behind):
            await sent.wait()

        assert await read_log(host) == ["c", "a", "call"]

    assert behind.last == "a"
