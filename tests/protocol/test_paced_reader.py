"""A peer that says too much over a real socket: what is heard of it when, and what of its last words?"""

from __future__ import annotations

import socket
from contextlib import AbstractAsyncContextManager

import msgpack
import pytest
import trio

from rookery.protocol import RUNNER_LOADING, Pace, PaceLimits, frame
from tests.doubles.links import End, open_host


class Sips(socket.socket):
    """Never has much at once, as when its peer writes while it is read."""

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        return super().recv(min(bufsize, 100), flags)


def open_paced(
    kind: type[socket.socket] = socket.socket, **limits: float
) -> AbstractAsyncContextManager[tuple[End, socket.socket]]:
    """A host's link with a pace, after the hello of a peer that is a bare non-blocking socket."""
    return open_host(kind=kind, pace=Pace(PaceLimits(**limits), trio.current_time()))  # type: ignore[arg-type]


def notices(count: int) -> bytes:
    """As many frames that need no answer, each with its number."""
    return b"".join(
        frame(
            msgpack.packb(
                {
                    "request_id": number + 2,
                    "message_type": "broadcast",
                    "method": RUNNER_LOADING,
                    "payload": {"plugin_id": f"p.{number}"},
                }
            )
        )
        for number in range(count)
    )


def fill(peer: socket.socket) -> None:
    """Write until the kernel takes no more."""
    try:
        while True:
            peer.send(notices(100))
    except BlockingIOError:
        pass


async def heard(end: End, count: int) -> None:
    with trio.fail_after(5):
        while len(end.ear.broadcasts) < count:
            await trio.sleep(0.01)  # real bytes on the real clock


async def test_what_is_too_much_waits_and_comes_in_order() -> None:
    """Nothing is lost, the peer lives, and the times without reading are counted."""
    async with open_paced(frames_rate=200.0, frames_burst=20.0) as (end, peer):
        began = trio.current_time()
        peer.send(notices(80))
        await heard(end, 80)
        took = trio.current_time() - began

        assert [payload["plugin_id"] for _, _, payload in end.ear.broadcasts] == [f"p.{n}" for n in range(80)]
        # The chunk that was read at once is charged afterwards.
        peer.send(notices(1))
        await heard(end, 81)
        assert trio.current_time() - began >= 0.25
        assert end.link.pace is not None
        assert end.link.pace.times >= 1
        assert end.link.pace.seconds == pytest.approx(trio.current_time() - began - took, abs=0.35)


@pytest.mark.parametrize("kind", [socket.socket, Sips])
async def test_others_have_their_turn_between_small_pieces(kind: type[socket.socket]) -> None:
    """A task that is always ready runs as often as pieces are read, also when each is smaller than it might be."""
    async with open_paced(kind, turn_bytes=200) as (end, peer):
        turns = 0

        async def count() -> None:
            nonlocal turns
            while len(end.ear.broadcasts) < 200:
                turns += 1
                await trio.lowlevel.checkpoint()

        size = peer.send(notices(200))
        with trio.fail_after(5):
            await count()

        assert turns >= size // 200


async def test_a_peer_is_not_heard_while_it_is_held() -> None:
    """Its bytes stay in the kernel, whose buffer is full in the end: its own writes wait."""
    async with open_paced(frames_rate=1.0, frames_burst=1.0) as (end, peer):
        peer.send(notices(30))
        await heard(end, 30)
        fill(peer)
        await trio.lowlevel.checkpoint()

        assert end.link.pace is not None
        assert end.link.pace.is_holding
        assert len(end.ear.broadcasts) == 30


async def test_last_words_count_although_it_is_held() -> None:
    """The peer is dead: what it had written is heard to its end, with turns for others in between."""
    async with open_paced(frames_rate=1.0, frames_burst=1.0, turn_bytes=500) as (end, peer):
        peer.send(notices(3))
        await heard(end, 3)
        peer.send(notices(100)[len(notices(3)) :])
        await end.link.drain()

        assert len(end.ear.broadcasts) == 100


async def test_a_look_at_what_lies_in_the_kernel_takes_one_turn() -> None:
    """Who writes without end would else be read without end."""
    async with open_paced(frames_rate=1.0, frames_burst=1.0, turn_bytes=500) as (end, peer):
        peer.send(notices(3))
        await heard(end, 3)
        peer.send(notices(100)[len(notices(3)) :])
        end.link.drain_nowait()

        assert 3 < len(end.ear.broadcasts) < 13
