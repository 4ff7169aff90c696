"""A runner of the original kind in one small process: it speaks protocol 1.0.0 as a recording of a real one does, defects included.

Started with the environment of that protocol. Nothing of rookery is imported: all nine keys in each envelope, maps of msgpack,
no features, requests numbered from 1. It takes its plugins from the directories below its root, and makes up a registration
for each: a tool ``echo``, a command ``ping`` and an event handler, and some tools that misbehave. Each of them writes what it
has done into ``journal`` in its working directory. A file ``behave`` there, read at each start, changes it: see ``FAULTS``.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import struct
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack

PREFIX = struct.Struct(">I")
FAULTS = (
    "wrong token",
    "old sdk",
    "never ready",
    "ready twice",
    "second connection",
    "talkative",
    "deaf",
    "sick",
    "no hello",
)


class Deaf(Exception):
    """It got an error code that it does not know, and never reads again."""


CODES = {
    *(
        "OK",
        "E_UNKNOWN",
        "E_TIMEOUT",
        "E_BAD_PAYLOAD",
        "E_PROTOCOL_MISMATCH",
        "E_SHUTTING_DOWN",
        "E_UNAUTHORIZED",
    ),
    *(
        "E_METHOD_NOT_ALLOWED",
        "E_BACK_PRESSURE",
        "E_HOST_OVERLOADED",
        "E_PLUGIN_CRASHED",
        "E_PLUGIN_NOT_FOUND",
    ),
    *("E_RELOAD_IN_PROGRESS", "E_CAPABILITY_DENIED", "E_CAPABILITY_FAILED"),
}


def note(text: str) -> None:
    with open("journal", "a", encoding="utf-8") as file:
        file.write(f"{text}\n")


class Original:
    def __init__(self) -> None:
        self.behaviour = Path("behave").read_text("utf-8").strip() if Path("behave").exists() else ""
        self.token = os.environ.pop("MAIBOT_SESSION_TOKEN")
        self.address = os.environ.pop("MAIBOT_IPC_ADDRESS")
        self.roots = os.environ["MAIBOT_PLUGIN_DIRS"].split(os.pathsep)
        self.blocked = json.loads(os.environ["MAIBOT_BLOCKED_PLUGIN_REASONS"])
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(self.address)
        self.last_id = 0
        self.loaded: dict[str, Path] = {}
        self.kept: list[dict[str, Any]] = []
        self.late: list[tuple[float, dict[str, Any]]] = []
        self.started = time.monotonic()

    # --- frames ------------------------------------------------------------------------------------------------

    def send(
        self, kind: str, request_id: int, method: str, plugin_id: str, payload: Any, error: Any = None
    ) -> None:
        envelope = {
            "protocol_version": "1.0.0",
            "request_id": request_id,
            "message_type": kind,
            "method": method,
            "plugin_id": plugin_id,
            "timestamp_ms": int(time.time() * 1000),
            "timeout_ms": 30000,
            "payload": payload,
            "error": error,
        }
        data = msgpack.packb(envelope, use_bin_type=True)
        self.socket.sendall(PREFIX.pack(len(data)) + data)

    def read(self) -> dict[str, Any]:
        """The next frame. The end of the connection only ends the reading: the process stays."""
        (size,) = PREFIX.unpack(self._exactly(PREFIX.size))
        envelope: dict[str, Any] = msgpack.unpackb(self._exactly(size), raw=False)
        if (
            envelope["message_type"] == "response"
            and envelope["error"]
            and envelope["error"]["code"] not in CODES
        ):
            note(f"deaf after {envelope['error']['code']}")
            raise Deaf
        return envelope

    def _exactly(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            more = self.socket.recv(size - len(found))
            if not more:
                raise Deaf
            found += more
        return found

    def ask(self, method: str, payload: Any, plugin_id: str = "") -> dict[str, Any]:
        self.last_id += 1
        number = self.last_id
        self.send("request", number, method, plugin_id, payload)
        while True:
            envelope = self.read()
            if envelope["message_type"] == "response" and envelope["request_id"] == number:
                return envelope
            self.kept.append(envelope)

    def log(self, text: str) -> None:
        self.last_id += 1
        entry = {"timestamp_ms": int(time.time() * 1000), "level": 20, "logger_name": "plugin_runtime.runner"}
        entry |= {"message": text, "exception_text": "", "log_color_in_hex": None}
        self.send("broadcast", self.last_id, "runner.log_batch", "", {"entries": [entry]})

    # --- plugins -----------------------------------------------------------------------------------------------

    def discover(self) -> Iterator[tuple[str, Path]]:
        for root in self.roots:
            for directory in sorted(Path(root).iterdir()):
                if (directory / "plugin.py").exists():
                    manifest = json.loads((directory / "_manifest.json").read_text("utf-8"))
                    yield manifest["id"], directory

    def introduce(self, plugin_id: str, directory: Path) -> None:
        """As the real one: bootstrap, registration, ``on_load`` with a capability call."""
        compile((directory / "plugin.py").read_text("utf-8"), "plugin.py", "exec")
        manifest = json.loads((directory / "_manifest.json").read_text("utf-8"))
        common = {"plugin_id": plugin_id, "plugin_version": manifest["version"], "plugin_type": "extension"}
        wanted = manifest["capabilities"]
        self.ask("plugin.bootstrap", {**common, "capabilities_required": wanted}, plugin_id)
        tools = ("echo", "never", "late", "die", "loop")
        components = [_tool(plugin_id, name) for name in tools]
        components.append(
            _component(plugin_id, "ping", "COMMAND", {"command_pattern": r"^/ping"}, "plugin.invoke_command")
        )
        registration = {
            **common,
            "components": components,
            "llm_providers": [],
            "capabilities_required": wanted,
        }
        registration |= {
            "dependencies": [],
            "config_reload_subscriptions": [],
            "default_config": {},
            "config_schema": {},
        }
        answer = self.ask("plugin.register_components", registration, plugin_id)
        note(f"registered {plugin_id} {answer['error'] or answer['payload']['registered_components']}")
        found = self.ask("cap.call", {"capability": "config.get", "args": {"key": "bot.nickname"}}, plugin_id)
        note(f"config {found['error'] or found['payload']['result']}")
        self.loaded[plugin_id] = directory

    def load(self) -> None:
        failed = dict(self.blocked)
        for plugin_id, directory in self.discover():
            if plugin_id in self.blocked:
                continue
            self.log(f"loading {plugin_id}")
            self.introduce(plugin_id, directory)
        if self.behaviour == "never ready":
            return
        ready = {"loaded_plugins": list(self.loaded), "failed_plugins": sorted(failed)}
        ready |= {"failed_plugin_reasons": failed, "inactive_plugins": []}
        for _ in range(2 if self.behaviour == "ready twice" else 1):
            note(f"ready {self.ask('runner.ready', ready)['payload']}")

    def unload(self, plugin_id: str, reason: str) -> None:
        note(f"on_unload {plugin_id} {reason}")
        self.loaded.pop(plugin_id, None)
        self.ask("plugin.unregister", {"plugin_id": plugin_id, "reason": reason}, plugin_id)

    # --- requests ----------------------------------------------------------------------------------------------

    def serve(self) -> None:
        while True:
            self._send_late()
            envelope = self.kept.pop(0) if self.kept else self._wait()
            if envelope is None or envelope["message_type"] != "request":
                continue
            payload, error = self.answer(envelope)
            if payload is not None or error is not None:
                self.reply(envelope, payload or {}, error)
            if envelope["method"] == "plugin.shutdown":
                return

    def _wait(self) -> dict[str, Any] | None:
        if not self.late:
            return self.read()
        self.socket.settimeout(0.05)
        try:
            return self.read()
        except TimeoutError:
            return None
        finally:
            self.socket.settimeout(None)

    def _send_late(self) -> None:
        now = time.monotonic()
        for due, envelope in [each for each in self.late if each[0] <= now]:
            self.late.remove((due, envelope))
            self.reply(envelope, {"success": True, "result": "late"})

    def reply(self, asked: dict[str, Any], payload: Any, error: Any = None) -> None:
        self.send("response", asked["request_id"], asked["method"], asked["plugin_id"], payload, error)

    def answer(self, asked: dict[str, Any]) -> tuple[Any, Any]:
        method, payload, plugin_id = asked["method"], asked["payload"], asked["plugin_id"]
        if method == "plugin.health":
            note("health")
            if self.behaviour == "deaf":
                return None, None
            uptime = int((time.monotonic() - self.started) * 1000)
            healthy = self.behaviour != "sick"
            return {"healthy": healthy, "loaded_plugins": list(self.loaded), "uptime_ms": uptime}, None
        if method in ("plugin.prepare_shutdown", "plugin.config_updated"):
            note(f"{method} {payload.get('config_data', '')}".rstrip())
            return {"acknowledged": True}, None
        if method == "plugin.shutdown":
            for each in list(self.loaded):
                self.unload(each, "runner_shutdown")
            return {"acknowledged": True}, None
        if method == "plugin.reload_batch":
            return self.reload(payload["plugin_ids"], payload["reason"])
        if method.startswith("plugin.invoke_"):
            return self.invoke(asked, plugin_id, payload)
        return None, {"code": "E_METHOD_NOT_ALLOWED", "message": method, "details": {}}

    def reload(self, plugin_ids: list[str], reason: str) -> tuple[Any, Any]:
        homes = dict(self.discover())
        for plugin_id in plugin_ids:
            if plugin_id in self.loaded:
                self.unload(plugin_id, reason)
        for plugin_id in plugin_ids:
            try:
                self.introduce(plugin_id, homes[plugin_id])
            except SyntaxError as error:
                return None, {"code": "E_UNKNOWN", "message": str(error), "details": {}}  # and it is lost
        answer = {"success": True, "requested_plugin_ids": plugin_ids, "reloaded_plugins": plugin_ids}
        return {**answer, "unloaded_plugins": plugin_ids, "inactive_plugins": [], "failed_plugins": {}}, None

    def invoke(self, asked: dict[str, Any], plugin_id: str, payload: dict[str, Any]) -> tuple[Any, Any]:
        if plugin_id not in self.loaded:
            return None, {"code": "E_PLUGIN_NOT_FOUND", "message": plugin_id, "details": {}}
        name, args = payload["component_name"], payload["args"]
        if name == "never":
            return None, None  # a handler that raised CancelledError
        if name == "late":
            self.late.append((time.monotonic() + 0.6, asked))
            return None, None
        if name == "die":
            os.abort()
        if name == "loop":
            time.sleep(3600)
        version = (self.loaded[plugin_id] / "plugin.py").read_text("utf-8").partition("\n")[0]
        return {"success": True, "result": {"args": args, "version": version}}, None


def _tool(plugin_id: str, name: str) -> dict[str, Any]:
    words = {"description": name, "brief_description": name, "detailed_description": "", "parameters": []}
    return _component(plugin_id, name, "TOOL", {**words, "parameters_raw": {}}, "plugin.invoke_tool")


def _component(plugin_id: str, name: str, kind: str, words: dict[str, Any], method: str) -> dict[str, Any]:
    told = {"enabled": True, "platforms": [], "handler_name": name, "invoke_method": method}
    component = {"name": name, "component_type": kind, "plugin_id": plugin_id, "chat_scope": "all"}
    return {**component, "allowed_session": [], "metadata": {**told, **words}}


def main() -> None:
    note(f"started {os.getpid()}")
    runner = Original()
    note(
        f"token {len(runner.token)} host {os.environ['MAIBOT_HOST_VERSION']} group {os.environ['MAIBOT_RUNNER_GROUP']}"
    )
    note(f"token hash {hashlib.sha256(runner.token.encode()).hexdigest()}")
    if runner.behaviour == "no hello":
        time.sleep(3600)
    if runner.behaviour == "talkative":
        for number in range(20_000):
            sys.stdout.write(f"line {number} of a talkative original\n")
        sys.stdout.flush()
    if runner.behaviour == "second connection":
        try:
            socket.socket(socket.AF_UNIX).connect(runner.address)
            time.sleep(0.2)
            socket.socket(socket.AF_UNIX).connect(runner.address)
        except OSError as error:
            note(f"second connection: {type(error).__name__}")
    sdk = "0.9.0" if runner.behaviour == "old sdk" else "2.16.0"
    token = "0" * 64 if runner.behaviour == "wrong token" else runner.token
    hello = {"runner_id": str(uuid.uuid4()), "sdk_version": sdk, "session_token": token}
    answer = runner.ask("runner.hello", hello)["payload"]
    note(f"hello {sorted(answer)} {answer['accepted']} {answer['host_version']} {answer['reason']}".rstrip())
    if not answer["accepted"]:
        return
    try:
        runner.load()
        runner.serve()
    except Deaf:
        note("deaf")
        time.sleep(3600)  # it does not end when its host does


if __name__ == "__main__":
    main()
