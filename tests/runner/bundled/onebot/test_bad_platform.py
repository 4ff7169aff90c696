"""A platform that misbehaves costs a connection at most: garbage, huge frames, and one that reads nothing."""

from __future__ import annotations

import pytest
import trio
from websockets.utils import accept_key

from rookery.runner.bundled.onebot import connection
from rookery.runner.bundled.onebot.errors import ActionUnanswered, NotConnected
from tests.doubles.onebot_platform import PlatformServer

from .conftest import FakeHost, answer, dialling

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param("no json", id="no JSON"),
        pytest.param("[1]", id="no object"),
        pytest.param("{}", id="nothing"),
        pytest.param(b"\xff\xfe\x00", id="bytes"),
        pytest.param("[" * 100_000, id="deep"),
        pytest.param('{"post_type": "message"}', id="a message of nobody"),
        pytest.param('{"post_type": "message", "message_type": "group", "self_id": 1, "user_id": 2}', id="of no group"),
        pytest.param('{"post_type": 7}', id="an event of no type"),
        pytest.param('{"status": "ok", "retcode": 0, "echo": {"a": 1}}', id="an echo of nobody"),
        pytest.param('{"post_type": "meta_event", "meta_event_type": "new", "self_id": 1}', id="a new meta event"),
    ],
)  # fmt: skip
async def test_a_frame_that_is_none_is_dropped(
    server: PlatformServer, host: FakeHost, nursery: trio.Nursery, garbage: str | bytes
) -> None:
    """The connection lives, and what comes behind it arrives."""
    nursery.start_soon(dialling(host, server.url).run)
    platform = await server.accept()

    await platform.send(garbage)
    await platform.say("after it")
    await host.wait_messages(1)

    assert host.texts == ["after it"]
    assert not platform.ended.is_set()


async def test_a_huge_frame_ends_the_connection_and_not_the_gateway(
    server: PlatformServer, host: FakeHost, nursery: trio.Nursery
) -> None:
    """It is refused before it is in memory; the gateway comes back."""
    nursery.start_soon(dialling(host, server.url, max_frame_bytes=100_000).run)
    platform = await server.accept()

    await platform.say("x" * 50_000, number=1)
    await platform.say("x" * 200_000, number=2)
    with trio.fail_after(10):
        await platform.ended.wait()
    again = await server.accept()
    await again.say("after it", number=3)
    await host.wait_messages(2)

    assert [len(text) for text in host.texts] == [50_000, 8]
    assert platform.socket.close_code == 1009


async def test_a_platform_that_reads_nothing_is_left(
    host: FakeHost, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its buffers fill up, and the gateway goes on with another connection."""
    monkeypatch.setattr(connection, "WRITE_TIMEOUT", 0.3)
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        port = int(listener.socket.getsockname()[1])
        client = dialling(host, f"ws://127.0.0.1:{port}/", account="10000")
        nursery.start_soon(client.run)
        with trio.fail_after(10):
            stream = await listener.accept()
            await accept_handshake(stream)
            await stream.send_all(frame_of('{"post_type":"meta_event","meta_event_type":"lifecycle",'
                                           '"sub_type":"connect","self_id":10000}'))  # fmt: skip
            await host.wait_reports(1)

            with pytest.raises((ActionUnanswered, NotConnected)):
                await client.say(answer("x" * 20_000_000))

            await (await listener.accept()).aclose()
        await stream.aclose()


async def accept_handshake(stream: trio.SocketStream) -> None:
    """The least that makes a WebSocket of a connection."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += await stream.receive_some()
    key = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
    accept = accept_key(key.partition(b":")[2].strip().decode())
    await stream.send_all(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
    )


def frame_of(text: str) -> bytes:
    """A short text as a frame of a server."""
    data = text.encode()
    return bytes([0x81, len(data)]) + data
