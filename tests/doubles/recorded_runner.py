"""Plays the runner's side of a recorded conversation of protocol 1.0.0, byte for byte but for the token.

Called with the path of a recording: lines of JSON, each with ``dir``, ``env`` and ``raw_b64``. Up to its ready it says what the
recorded one has said, each request after the answer to the one before it. Then it answers each request as the recorded
one has answered the first of the same method and component.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
import sys
from typing import Any

import msgpack

PREFIX = struct.Struct(">I")


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        rows = [row for line in file if "env" in (row := json.loads(line))]
    said = [row for row in rows if row["dir"] == "runner->host"]
    link = socket.socket(socket.AF_UNIX)
    link.connect(os.environ["MAIBOT_IPC_ADDRESS"])
    for row in said:
        _say(link, row)
        if row["env"]["message_type"] == "request":
            answer = _read(link)
            assert not answer["error"], answer
        if row["env"]["method"] == "runner.ready":
            break
    answers = _answers(rows)
    while True:
        asked = _read(link)
        if asked["message_type"] != "request":
            continue
        found = answers.get(_key(asked)) or {**asked, "payload": {"acknowledged": True}, "error": None}
        _send(link, {**found, "message_type": "response", "request_id": asked["request_id"]})
        if asked["method"] == "plugin.shutdown":
            return


def _say(link: socket.socket, row: dict[str, Any]) -> None:
    if row["env"]["method"] != "runner.hello":
        data = base64.b64decode(row["raw_b64"])
        link.sendall(PREFIX.pack(len(data)) + data)
        return
    payload = {**row["env"]["payload"], "session_token": os.environ["MAIBOT_SESSION_TOKEN"]}
    _send(link, {**row["env"], "payload": payload})


def _answers(rows: list[dict[str, Any]]) -> dict[tuple[str, str, str], dict[str, Any]]:
    asked = {
        row["env"]["request_id"]: _key(row["env"])
        for row in rows
        if row["dir"] == "host->runner" and row["env"]["message_type"] == "request"
    }
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        envelope = row["env"]
        if row["dir"] == "runner->host" and envelope["message_type"] == "response":
            found.setdefault(asked[envelope["request_id"]], envelope)
    return found


def _key(envelope: dict[str, Any]) -> tuple[str, str, str]:
    return envelope["method"], envelope["plugin_id"], envelope["payload"].get("component_name", "")


def _send(link: socket.socket, envelope: dict[str, Any]) -> None:
    data = msgpack.packb(envelope, use_bin_type=True)
    link.sendall(PREFIX.pack(len(data)) + data)


def _read(link: socket.socket) -> dict[str, Any]:
    (size,) = PREFIX.unpack(_exactly(link, PREFIX.size))
    envelope: dict[str, Any] = msgpack.unpackb(_exactly(link, size), raw=False)
    return envelope


def _exactly(link: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = link.recv(size - len(found))
        if not more:
            sys.exit(1)
        found += more
    return found


if __name__ == "__main__":
    main()
