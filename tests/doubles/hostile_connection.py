"""The connection of a runner that is written by hand, with frames of both forms; nothing of rookery is imported."""

from __future__ import annotations

import os
import socket
import struct
import threading
from typing import Any

import msgpack

REQUEST, RESPONSE, BROADCAST = range(3)


class Connection:
    """The link's descriptor, with frames of both forms."""

    def __init__(self, descriptor: int) -> None:
        self.socket = socket.socket(fileno=descriptor)
        self.plugin = ""
        self._rest = b""

    def write(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self) -> list[Any]:
        """The next frame's fields, of either form."""
        while len(self._rest) < 4 or len(self._rest) < 4 + struct.unpack(">I", self._rest[:4])[0]:
            data = self.socket.recv(65536)
            if not data:
                os._exit(77)
            self._rest += data
        (length,) = struct.unpack(">I", self._rest[:4])
        body, self._rest = self._rest[4 : 4 + length], self._rest[4 + length :]
        found = msgpack.unpackb(body, strict_map_key=False)
        if isinstance(found, dict):
            kind = {"request": REQUEST, "response": RESPONSE, "broadcast": BROADCAST}[found["message_type"]]
            found = [
                found["request_id"], kind, found["method"], found["plugin_id"],
                found["timeout_ms"], found["payload"], found["error"],
            ]  # fmt: skip
        return list(found)

    def ask(self, number: int, method: str, payload: dict[str, Any], plugin: str = "") -> dict[str, Any]:
        self.write(plain_request(number, method, payload, plugin))
        while True:
            found = self.read()
            if found[1] == RESPONSE and found[0] == number:
                return dict(found[5] or {})

    def say_hello(self, features: list[str]) -> None:
        hello = {
            "runner_id": "hostile", "sdk_version": "2.0.0", "session_token": "", "pid": os.getpid(),
            "features": features,
        }  # fmt: skip
        assignment = self.ask(1, "runner.hello", hello)["assignment"]
        self.plugin = assignment["plugins"][0]["plugin_id"]

    def load(self) -> None:
        """A registration with one tool, then ready."""
        self.ask(
            2,
            "plugin.bootstrap",
            {"plugin_id": self.plugin, "capabilities_required": ["config.get"]},
            self.plugin,
        )
        self.ask(3, "plugin.register_components", self.registration(), self.plugin)
        self.ask(4, "runner.ready", {"loaded_plugins": [self.plugin]})

    def registration(self, count: int = 1) -> dict[str, Any]:
        names = ["greet", *(f"more{number}" for number in range(1, count))]
        components = [{"name": name, "component_type": "TOOL", "metadata": {}} for name in names]
        return {"plugin_id": self.plugin, "components": components}

    def work(self) -> None:
        """Answer all that is asked."""
        while True:
            number, kind, method, plugin, _, _, _ = self.read()
            if kind == REQUEST:
                payload = {"success": True, "result": "hello", "acknowledged": True, "healthy": True}
                self.write(envelope(number, RESPONSE, method, plugin, payload))
                if method == "plugin.shutdown":
                    os._exit(0)

    def read_away(self) -> None:
        """In a thread: whatever comes is read and thrown away."""

        def read() -> None:
            while self.socket.recv(65536):
                pass
            os._exit(77)

        threading.Thread(target=read, daemon=True).start()


def frame(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def envelope(
    number: int, kind: int, method: str = "", plugin: str = "", payload: Any = None, error: Any = None
) -> bytes:
    """A frame in the compact form."""
    return frame(msgpack.packb([number, kind, method, plugin, 30000, payload or {}, error]))


def plain_request(number: int, method: str, payload: dict[str, Any], plugin: str = "") -> bytes:
    """A frame in the form of those who have agreed on nothing yet."""
    fields = {
        "protocol_version": "1.0.0", "request_id": number, "message_type": "request", "method": method,
        "plugin_id": plugin, "timestamp_ms": 0, "timeout_ms": 30000, "payload": payload, "error": None,
    }  # fmt: skip
    return frame(msgpack.packb(fields))
