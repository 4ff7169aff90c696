"""A link's bytes: broken rules, full buffers, last words, and peers that only half go."""

from __future__ import annotations

import socket
import struct

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from rookery.protocol import (
    CAP_CALL,
    PLUGIN_HEALTH,
    PLUGIN_INVOKE_TOOL,
    RUNNER_HELLO,
    RUNNER_LOADING,
    Closed,
    ConnectionLost,
    Link,
    Request,
    Side,
)
from rookery.protocol import link as module
from rookery.protocol import reader as reader_module
from tests.doubles.links import answer_frame, hello_frame, make_end, open_host, open_links
from tests.doubles.sessions import HELLO, raw_frame

KILOBYTE = "x" * 1024


def _echo(request: Request) -> None:
    request.answer({"success": True, "result": request.payload})


# --- broken rules -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"\x00\x00\x00\x02\xc1\xc1", "the frame is not valid msgpack", id="no msgpack"),
        pytest.param(
            b"\xff\xff\xff\xff", "a frame claims a length of 4294967295 bytes", id="too large a claim"
        ),
        pytest.param(hello_frame(), "a second hello arrived on an open connection", id="a second hello"),
    ],
)
async def test_a_broken_rule_ends_the_link_with_its_reason(data: bytes, reason: str) -> None:
    """And every pending call is told the same."""
    heard: list[object] = []
    async with open_host() as (host, peer):
        host.link.send(PLUGIN_HEALTH, {}, deadline=float("inf"), on_done=heard.append)

        peer.send(data)
        closed = await host.wait_closed()

        assert closed.kind == "protocol"
        assert closed.reason.startswith(reason)
        assert isinstance(heard[0], ConnectionLost)
        assert str(heard[0]) == closed.reason


async def test_what_came_before_the_broken_rule_still_counts() -> None:
    """However the kernel cut the stream."""
    heard: list[object] = []
    async with open_host() as (host, peer):
        request_id = host.link.send(PLUGIN_HEALTH, {}, deadline=float("inf"), on_done=heard.append)

        peer.send(answer_frame(request_id, {"healthy": True}) + b"\xff\xff\xff\xff")
        await host.wait_closed()

        assert heard == [{"healthy": True}]


async def test_a_peer_that_skips_its_hello_is_told_why() -> None:
    """The refusal is on the socket before it closes."""
    ours, peer = socket.socketpair()
    host = make_end(ours, Side.HOST)
    with peer:
        peer.send(raw_frame(request_id=1, message_type="request", method=CAP_CALL))

        closed = await host.link.run()

        assert closed == Closed("protocol", "the first frame must be runner.hello, got 'cap.call'")
        assert b"E_PROTOCOL_MISMATCH" in peer.recv(65536)


async def test_a_forbidden_method_is_refused_and_the_link_lives() -> None:
    """The peer gets its answer without anybody's doing."""
    async with open_host() as (host, peer):
        peer.send(raw_frame(request_id=2, message_type="request", method=PLUGIN_HEALTH))
        await wait_all_tasks_blocked()

        assert b"E_METHOD_NOT_ALLOWED" in peer.recv(65536)
        assert host.ear.requests == []
        assert not host.link.is_closed


# --- load -------------------------------------------------------------------------------------------------------


async def test_full_buffers_in_both_directions_do_not_dead_lock() -> None:
    """Far more than both socket buffers hold is in flight both ways at once."""
    answered = []

    async def ask(link: Link, method: str) -> None:
        answered.append(await link.call(method, {"text": KILOBYTE}, plugin_id="a.b"))

    with trio.fail_after(20):
        async with open_links(host=_echo, runner=_echo) as (host, runner), trio.open_nursery() as nursery:
            for _ in range(600):
                nursery.start_soon(ask, host.link, PLUGIN_INVOKE_TOOL)
                nursery.start_soon(ask, runner.link, CAP_CALL)

    assert answered == [{"success": True, "result": {"text": KILOBYTE}}] * 1200


async def test_requests_arrive_in_the_order_they_were_sent() -> None:
    """Also when they fill the socket many times over."""
    async with open_links(runner=_echo) as (host, runner):
        done = trio.Event()
        for number in range(1000):
            last = number == 999
            host.link.send(
                PLUGIN_INVOKE_TOOL,
                {"number": number, "text": KILOBYTE},
                deadline=trio.current_time() + 20,
                on_done=lambda outcome, last=last: done.set() if last else None,
            )
        with trio.fail_after(20):
            await done.wait()

        assert [request.payload["number"] for request in runner.ear.requests] == list(range(1000))


async def test_a_peer_that_never_reads_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for it is limited; then the link has ended and every call has failed."""
    monkeypatch.setattr(module, "WRITE_BUFFER_BYTES", 1_000_000)
    heard: list[object] = []
    async with open_host() as (host, _):
        sent = 0
        while not host.link.is_closed and sent < 100_000:
            host.link.send(
                PLUGIN_INVOKE_TOOL, {"text": KILOBYTE}, deadline=float("inf"), on_done=heard.append
            )
            sent += 1
            if sent % 100 == 0:
                await trio.lowlevel.checkpoint()

        closed = await host.wait_closed()

        assert closed.kind == "stuck"
        assert "bytes unread" in closed.reason
        assert sent < 4000  # the limit, what the writer holds, and what the kernel took
        assert [type(outcome) for outcome in heard] == [ConnectionLost] * sent


async def test_a_slow_reader_delays_no_other_link() -> None:
    """A link that cannot write does not hold the loop."""
    async with open_host() as (stuck, _), open_links(runner=_echo) as (host, _):
        for _ in range(1000):
            stuck.link.send(
                PLUGIN_INVOKE_TOOL, {"text": KILOBYTE}, deadline=float("inf"), on_done=lambda outcome: None
            )
        await wait_all_tasks_blocked()

        with trio.fail_after(2):
            assert await host.link.call(PLUGIN_HEALTH) == {"success": True, "result": {}}


# --- last words -------------------------------------------------------------------------------------------------


async def test_a_dead_peers_last_words_can_be_read_at_once() -> None:
    """drain_nowait settles what was answered before the peer went, and adds nothing of its own."""
    heard: list[object] = []
    async with open_host() as (host, peer):
        first = host.link.send(PLUGIN_HEALTH, {}, deadline=float("inf"), on_done=heard.append)
        host.link.send(PLUGIN_HEALTH, {}, deadline=float("inf"), on_done=heard.append)
        peer.send(answer_frame(first, {"healthy": True}))
        peer.close()

        host.link.drain_nowait()

        assert heard == [{"healthy": True}]
        assert (await host.wait_closed()).kind == "eof"
        assert isinstance(heard[1], ConnectionLost)
        host.link.drain_nowait()  # nothing is there any more


async def test_a_broken_rule_in_the_last_words_ends_the_link() -> None:
    """Even when somebody else still holds the peer's end, so that no end of file comes."""
    async with open_host() as (host, peer):
        peer.send(b"\xff\xff\xff\xff")

        host.link.drain_nowait()

        assert (await host.wait_closed()).kind == "protocol"


async def test_draining_ends_although_the_peer_goes_on_talking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that is not dead after all cannot hold the loop."""
    monkeypatch.setattr(reader_module, "DRAIN_BYTES", 1000)
    monkeypatch.setattr(reader_module, "READ_CHUNK_BYTES", 1000)
    async with open_host() as (host, peer):
        broadcast = raw_frame(request_id=9, message_type="broadcast", method=RUNNER_LOADING, payload={})
        peer.send(broadcast * 100)

        host.link.drain_nowait()

        assert 0 < len(host.ear.broadcasts) < 100
        await wait_all_tasks_blocked()
        assert len(host.ear.broadcasts) == 100


async def test_flush_returns_when_everything_is_in_the_kernel() -> None:
    """Then the peer will get it, whatever happens here."""
    async with open_host() as (host, peer):
        host.link.send(PLUGIN_HEALTH, {}, deadline=float("inf"), on_done=lambda outcome: None)

        assert await host.link.flush(1.0) is True
        assert b"plugin.health" in peer.recv(65536)
        assert await host.link.flush(1.0) is True


async def test_flush_gives_up_in_time(autojump_clock: MockClock) -> None:
    """A peer that does not read cannot hold whoever waits."""
    async with open_host() as (host, _):
        for _ in range(1000):
            host.link.send(
                PLUGIN_INVOKE_TOOL, {"text": KILOBYTE}, deadline=float("inf"), on_done=lambda outcome: None
            )
        begun = trio.current_time()

        assert await host.link.flush(1.5) is False
        assert trio.current_time() - begun == 1.5


async def test_flush_ends_with_the_link() -> None:
    """It does not wait for a connection that has gone."""
    async with open_host() as (host, _), trio.open_nursery() as nursery:
        results = []

        async def flush() -> None:
            results.append(await host.link.flush(60.0))

        for _ in range(1000):
            host.link.send(
                PLUGIN_INVOKE_TOOL, {"text": KILOBYTE}, deadline=float("inf"), on_done=lambda outcome: None
            )
        nursery.start_soon(flush)
        await wait_all_tasks_blocked()
        host.link.close()
        await host.wait_closed()
        await wait_all_tasks_blocked()

        assert results == [False]


async def test_flush_nowait_writes_without_the_loop() -> None:
    """The last words before a step that may never come back."""
    ours, peer = socket.socketpair()
    with peer:
        peer.setblocking(False)
        runner = make_end(ours, Side.RUNNER)
        runner.link.send(RUNNER_HELLO, HELLO, deadline=float("inf"), on_done=lambda outcome: None)

        runner.link.flush_nowait()

        assert b"runner.hello" in peer.recv(65536)
        runner.link.close()
        await runner.link.run()


async def test_flush_nowait_keeps_what_does_not_fit() -> None:
    """The rest follows in order when there is room again."""
    async with open_links(runner=_echo) as (host, runner):
        done = trio.Event()
        for number in range(1000):
            host.link.send(
                PLUGIN_INVOKE_TOOL,
                {"number": number, "text": KILOBYTE},
                deadline=float("inf"),
                on_done=lambda outcome, number=number: done.set() if number == 999 else None,
            )
        host.link.flush_nowait()
        host.link.flush_nowait()
        assert 0 < host.link.session.bytes_out < 1000 * 1200

        with trio.fail_after(10):
            await done.wait()

        assert [request.payload["number"] for request in runner.ear.requests] == list(range(1000))


async def test_flush_nowait_on_a_dead_peer_ends_the_link_and_nothing_else() -> None:
    """It does not raise: the link finds out by itself."""
    async with open_host() as (host, peer):
        host.link.send(PLUGIN_HEALTH, {}, deadline=float("inf"), on_done=lambda outcome: None)
        peer.close()

        host.link.flush_nowait()

        assert (await host.wait_closed()).kind == "eof"
        host.link.flush_nowait()


# --- half a peer ------------------------------------------------------------------------------------------------


async def test_a_peer_that_says_no_more_has_gone() -> None:
    """A half-closed connection cannot answer, so nobody is left waiting on it."""
    heard: list[object] = []
    async with open_host() as (host, peer):
        host.link.send(PLUGIN_HEALTH, {}, deadline=float("inf"), on_done=heard.append)

        peer.shutdown(socket.SHUT_WR)

        assert await host.wait_closed() == Closed("eof", "the peer closed the connection")
        assert isinstance(heard[0], ConnectionLost)


async def test_a_peer_that_hears_no_more_has_gone() -> None:
    """The next write finds out, after all that the peer had still said was heard."""
    heard: list[object] = []
    async with open_host() as (host, peer):
        first = host.link.send(PLUGIN_HEALTH, {}, deadline=float("inf"), on_done=heard.append)
        await wait_all_tasks_blocked()
        peer.send(answer_frame(first, {"healthy": True}))
        peer.shutdown(socket.SHUT_RD)
        host.link.send(PLUGIN_HEALTH, {}, deadline=float("inf"), on_done=heard.append)

        closed = await host.wait_closed()

        assert closed.kind == "eof"
        assert heard[0] == {"healthy": True}
        assert isinstance(heard[1], ConnectionLost)


async def test_a_reset_is_the_same_as_going() -> None:
    """A peer that dies with unread input resets the connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    peer = socket.create_connection(listener.getsockname())
    ours, _ = listener.accept()
    listener.close()
    host = make_end(ours, Side.HOST)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(host.run)
        await wait_all_tasks_blocked()

        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()

        assert await host.wait_closed() == Closed("eof", "the peer went away (Connection reset by peer)")
