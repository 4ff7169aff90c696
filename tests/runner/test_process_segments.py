"""What does a real runner make of a request for several handlers, also of one that is called back, late or odd?"""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any

import pytest
import trio

from rookery.protocol import (
    PLUGIN_CANCEL,
    PLUGIN_INVOKE_TOOL,
    PLUGIN_PREPARE_SHUTDOWN,
    PLUGIN_RECALL,
    PLUGIN_RELOAD,
    PLUGIN_UNLOAD_BATCH,
    RemoteError,
    encode_value,
)
from rookery.supervisor.page import open_page
from tests.doubles.scripted_host import open_runner
from tests.doubles.sent_segments import HERE, PLUGIN, read_log, send_segment, wait_begun

pytestmark = pytest.mark.slow


async def test_in_turn_the_last_that_ran_answers() -> None:
    """All when nobody has something to say; else the first that has."""
    async with open_runner(HERE) as host:
        await host.wait_ready()
        silent = send_segment(host, "a", "b", "c")
        await silent.wait()
        speaking = send_segment(host, "a", "b", "c", conducts={"b": "speak"})
        await speaking.wait()

        assert await read_log(host) == ["a", "b", "c", "a", "b"]

    assert (silent.last, silent.whole["custom_result"]) == ("c", None)
    assert (speaking.last, speaking.whole["custom_result"]) == ("b", "b")


async def test_one_that_suspends_in_turn_is_the_last() -> None:
    """Whoever comes after it is the host's to ask, although it had nothing to say."""
    async with open_runner(HERE) as host:
        await host.wait_ready()
        sent = send_segment(host, "a", "b", "c", conducts={"b": "sleep 0.02"})
        await sent.wait()

        assert await read_log(host) == ["a", "b"]

    assert (sent.last, sent.whole["success"]) == ("b", True)


async def test_one_that_needs_a_thread_ends_a_turn_and_answers_for_itself_otherwise() -> None:
    """Whatever is not as usual becomes a request of its own."""
    async with open_runner(HERE) as host:
        await host.wait_ready()
        behind = send_segment(host, "a", "in_a_thread", "b")
        first = send_segment(host, "in_a_thread", "b")
        seeing = send_segment(host, "a", "in_a_thread", "b", in_turn=False)
        for sent in (behind, first, seeing):
            await sent.wait()
        await seeing.wait(lambda sent: sent.parts)

        assert sorted(await read_log(host)) == ["a", "a", "b", "in_a_thread", "in_a_thread"]

    assert (behind.last, first.last) == ("a", "in_a_thread")
    assert list(seeing.parts) == ["in_a_thread"]


async def test_a_turn_that_begins_late_goes_back_after_its_first() -> None:
    """Its host has perhaps stopped waiting for the first, and asked the others again: they must not run twice."""
    async with open_runner(HERE) as host:
        await host.wait_ready()
        sent = send_segment(host, "a", "b", "c", timeout=1.0, sent_at=time.monotonic() - 0.26)
        await sent.wait()

        assert await read_log(host) == ["a"]

    assert sent.last == "a"
    assert sent.whole["success"] is True


async def test_a_turn_that_takes_long_goes_back_to_the_host() -> None:
    """The loop is wanted by others, and the one that blocked it may have overrun its time."""
    async with open_runner(HERE) as host:
        await host.wait_ready()
        sent = send_segment(host, "a", "b", "c", conducts={"a": "block 0.08"})
        await sent.wait()

        assert await read_log(host) == ["a"]

    assert sent.last == "a"


async def test_a_cancelled_segment_ends_the_one_that_waits() -> None:
    """In turn the host names the segment alone, because it cannot know who that is."""
    async with open_runner(HERE) as host:
        await host.wait_ready()
        sent = send_segment(host, "a", "b", conducts={"a": "sleep 30"}, key="chat")
        await wait_begun(host, "a")
        host.link.broadcast(PLUGIN_CANCEL, {"request_ids": [sent.number]})
        await sent.wait()

        assert await read_log(host) == ["a", "a cancelled"]

    assert isinstance(sent.whole, RemoteError)
    assert (sent.last, sent.whole.code) == ("a", "E_TIMEOUT")


@pytest.mark.parametrize("in_turn", [True, False])
async def test_what_is_called_back_before_it_began_does_not_run(in_turn: bool) -> None:
    """As a whole, under its own id, whatever it waits for."""
    async with open_runner(HERE) as host:
        await host.wait_ready()
        cancelled = send_segment(host, "a", "b", in_turn=in_turn, key="chat")
        recalled = send_segment(host, "a", "b", in_turn=in_turn, key="chat")
        host.link.broadcast(PLUGIN_CANCEL, {"request_ids": [cancelled.number]})
        host.link.broadcast(PLUGIN_RECALL, {"request_ids": [recalled.number]})
        await cancelled.wait()
        await recalled.wait()
        last = send_segment(host, "c", "a", key="chat")
        await last.wait()

        assert await read_log(host) == ["c", "a"]

    assert (cancelled.whole.code, cancelled.whole.details) == ("E_TIMEOUT", {"kind": "NotStarted"})
    assert (recalled.whole.code, recalled.whole.details) == ("E_SHUTTING_DOWN", {"kind": "Recalled"})


async def test_those_not_in_turn_that_have_not_begun_are_not_to_after_a_cancel() -> None:
    """The first blocks the loop; when it gives it back, the others are refused by themselves."""
    async with open_runner(HERE) as host:
        await host.wait_ready()
        names = ("a", "b", "c", *["a", "b"] * 20)
        blocking = dict.fromkeys("abc", "block 0.06")
        sent = send_segment(host, *names, conducts=blocking, in_turn=False)
        ids = list(range(sent.number, sent.number + len(names) + 1))
        await trio.sleep(0.1)
        host.link.broadcast(PLUGIN_CANCEL, {"request_ids": ids})
        await sent.wait()

        begun = len(await read_log(host))

    assert begun < len(names)
    assert len(sent.whole["speaking"]) == len(names) - begun


async def test_a_plugin_that_goes_takes_its_suspended_handlers_along() -> None:
    """They are cancelled as calls of their own are, and answered."""
    async with open_runner(HERE) as host:
        await host.wait_ready()
        turn = send_segment(host, "a", "b", conducts={"a": "sleep 30"})
        seeing = send_segment(host, "a", "b", conducts={"b": "sleep 30"}, in_turn=False)
        await wait_begun(host, "a", "b")
        await host.ask(PLUGIN_UNLOAD_BATCH, plugin_ids=[PLUGIN], reason="test", timeout=20.0)
        await turn.wait()
        await seeing.wait(lambda sent: "b" in sent.parts)

    assert (turn.last, turn.whole.code) == ("a", "E_SHUTTING_DOWN")
    assert seeing.parts["b"].code == "E_SHUTTING_DOWN"


async def test_segments_wait_while_their_plugin_is_exchanged() -> None:
    """Each handler as a call of its own, as it would without segments; they run in the new plugin."""
    async with open_runner(HERE) as host:
        await host.wait_ready()
        running = send_segment(host, "a", conducts={"a": "sleep 0.2"})
        await wait_begun(host, "a")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: host.ask(PLUGIN_RELOAD, plugin_id=PLUGIN, reason="test", timeout=20.0))
            await trio.sleep(0.05)
            turn = send_segment(host, "b", "c", key="chat")
            seeing = send_segment(host, "b", "c", in_turn=False)
            await turn.wait()
            await seeing.wait(lambda sent: len(sent.parts) == 2)
        await running.wait()

        assert sorted(await read_log(host)) == ["b", "b", "c"]

    assert (running.whole["success"], turn.last) == (True, "b")
    assert {each["success"] for each in seeing.parts.values()} == {True}


async def test_what_came_before_the_end_was_asked_for_still_runs() -> None:
    """A call behind a segment of its conversation is not refused because the runner is to leave meanwhile."""
    async with open_runner(HERE) as host:
        await host.wait_ready()
        sent = send_segment(host, "a", "b", conducts={"a": "block 0.1"}, in_turn=False, key="chat")
        outcomes: list[Any] = []
        answered = trio.Event()

        def settled(outcome: Any) -> None:
            outcomes.append(outcome)
            answered.set()

        host.link.send(
            PLUGIN_INVOKE_TOOL,
            {"component_name": "mark", "args": {"name": "behind"}, "ordering_key": "chat"},
            plugin_id=PLUGIN,
            deadline=trio.current_time() + 10,
            on_done=settled,
        )
        await host.ask(PLUGIN_PREPARE_SHUTDOWN, reason="stop", drain_timeout_ms=5000)
        await sent.wait()
        await answered.wait()

    assert outcomes == [{"success": True, "result": None}]


async def test_what_waits_behind_a_segment_has_been_read() -> None:
    """The host sees how far its runner reads; the ids of a segment's parts come with it, and none is read twice."""
    page = open_page(64)
    assert page is not None
    with closing(page):
        async with open_runner(HERE, page=page) as host:
            await host.wait_ready()
            first = send_segment(host, "a", "b", conducts={"a": "block 0.1"}, in_turn=False, key="chat")
            behind = send_segment(host, "a", "b", "c", key="chat")
            last = send_segment(host, "a", "b", key="chat")
            for sent in (first, behind, last):
                await sent.wait()
            head = page.read_head()

    assert head is not None
    assert head.read == last.number + 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"args": b"\xc1"},
        {"args": encode_value([1])},
        {"components": []},
        {"timeouts_ms": [1]},
        {"method": PLUGIN_INVOKE_TOOL},
        {"plugins": [1, 2]},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
async def test_a_segment_that_makes_no_sense_is_refused_as_a_whole(wrong: dict[str, Any]) -> None:
    """With the error that says so, and the runner goes on."""
    async with open_runner(HERE) as host:
        await host.wait_ready()
        sent = send_segment(host, "a", "b", **wrong)
        await sent.wait()

        assert await read_log(host) == []

    assert isinstance(sent.whole, RemoteError)
    assert sent.whole.code == "E_BAD_PAYLOAD"


async def test_a_name_that_is_not_there_is_refused_for_itself() -> None:
    """In turn it is the last; otherwise the others are silent."""
    async with open_runner(HERE) as host:
        await host.wait_ready()
        turn = send_segment(host, "nobody", "a")
        seeing = send_segment(host, "a", "nobody", "b", in_turn=False)
        await turn.wait()
        await seeing.wait(lambda sent: sent.parts)

        assert await read_log(host) == ["a", "b"]

    assert (turn.last, turn.whole.code) == ("nobody", "E_METHOD_NOT_ALLOWED")
    assert {name: each.code for name, each in seeing.parts.items()} == {"nobody": "E_METHOD_NOT_ALLOWED"}
