"""A real HTTP server that answers as an OpenAI-compatible endpoint does, or as none should."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import attrs
import trio


@attrs.frozen
class Asked:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told


Reply = bytes | None
"""What goes to the socket; ``None`` leaves the connection open and says nothing."""


class LlmServer:
    """Attributes:
    asked: Every request, in order.
    connections: That were made, whatever came by them.
    replies: What the next requests are answered with; when it is empty, by ``usual``.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.replies: list[Reply] = []
        self.usual: Callable[[Asked], Reply] = answer_as_usual
        self.port = 0
        self.connections = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection."""
        self.connections += 1
        try:
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    part = await stream.receive_some()
                    if not part:
                        return
                    data += part
                    if data.startswith(b"\x16\x03"):  # somebody speaks TLS
                        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                        return
                head, _, data = data.partition(b"\r\n\r\n")
                first, *lines = head.decode("latin-1").split("\r\n")
                headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines}
                size = int(headers.get("content-length", "0"))
                while len(data) < size:
                    part = await stream.receive_some()
                    if not part:
                        return
                    data += part
                asked, data = Asked(first.split()[1], headers, data[:size]), data[size:]
                self.asked.append(asked)
                reply = self.replies.pop(0) if self.replies else self.usual(asked)
                if reply is None:
                    await trio.sleep_forever()
                    return
                await stream.send_all(reply)
                if b"connection: close" in reply[:500].lower():
                    return
        except trio.BrokenResourceError:
            pass  # the client has gone
        finally:
            await stream.aclose()


@asynccontextmanager
async def open_llm_server() -> AsyncIterator[LlmServer]:
    """Serve on a port of its own while the block runs."""
    server = LlmServer()
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, server.serve, 0, host="127.0.0.1"))
        server.port = listeners[0].socket.getsockname()[1]
        try:
            yield server
        finally:
            nursery.cancel_scope.cancel()


def http(status: int, body: bytes | dict[str, Any], **headers: str) -> bytes:
    """A whole response."""
    content = json.dumps(body).encode() if isinstance(body, dict) else body
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


def answer_as_usual(asked: Asked) -> bytes:
    """Chat, embeddings and speech."""
    if asked.path.endswith("/embeddings"):
        texts = asked.json["input"]
        rows = [{"index": index, "embedding": [len(text), 0.5]} for index, text in enumerate(texts)]
        return http(200, {"data": rows[::-1], "model": "vec-1", "usage": {"prompt_tokens": 4}})
    if asked.path.endswith("/audio/transcriptions"):
        return http(200, {"text": " hello "})
    return http(200, chat_answer(f"said {asked.json['messages'][-1]['content']}"))


def chat_answer(text: str | None, **message: Any) -> dict[str, Any]:
    """What an endpoint says to a question."""
    return {
        "model": "small-2-0613",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text, **message}}],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 4},
        },
    }
