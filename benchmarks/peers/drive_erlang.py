"""How are two Erlang nodes started and asked? Compiles `peer_node.erl`, starts both, hands orders and figures on.

The nodes find each other by a fixed port, so that no port mapper is started which would outlive them.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
from pathlib import Path

from course import MESSAGE, Asked, scratch

WORKER, HOST = "worker@127.0.0.1", "host@127.0.0.1"


def term(value: object) -> str:
    """A JSON value as Erlang source: texts are UTF-8 binaries."""
    if isinstance(value, dict):
        return "#{" + ", ".join(f"{term(key)} => {term(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(term, value)) + "]"
    if isinstance(value, str):
        return "<<" + ",".join(map(str, value.encode())) + ">>"
    return json.dumps(value)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Nodes:
    """How one of the two is started; nothing is written outside the directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._port, self._cookie = str(free_port()), secrets.token_hex(16)

    def start(self, name: str, function: str, *more: str) -> subprocess.Popen[str]:
        command = ["erl", "-noshell", "-name", name, "-setcookie", self._cookie, "-pa", str(self._directory)]
        command += ["-start_epmd", "false", "-erl_epmd_port", self._port]
        command += ["-kernel", "inet_dist_use_interface", "{127,0,0,1}", "-s", "peer_node", function, *more]
        environment = os.environ | {"HOME": str(self._directory)}
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )


def next_line(node: subprocess.Popen[str]) -> str:
    assert node.stdout is not None
    line = node.stdout.readline()
    if not line:
        sys.exit(f"the node ended, exit {node.wait()}, see above")
    return line.strip()


def figures(line: str) -> dict[str, float]:
    """Calls and nanoseconds, then those of the median and of the ninety-ninth."""
    calls, *spans = map(int, line.split())
    found: dict[str, float] = {"calls": calls, "seconds": spans[0] / 1e9}
    if len(spans) == 3:
        found |= {"p50_us": spans[1] / 1e3, "p99_us": spans[2] / 1e3}
    return found


def main() -> None:
    asked = Asked()
    directory = scratch()
    source = Path(__file__).parent / "peer_node.erl"
    subprocess.run(["erlc", "-o", str(directory), str(source)], check=True)
    message = directory / "message.term"
    message.write_text(term(MESSAGE) + ".\n")
    nodes = Nodes(directory)
    worker = nodes.start(WORKER, "serve")
    next_line(worker)
    host = nodes.start(HOST, "drive", "-dist_listen", "false", "-extra", WORKER, str(message))
    asked.tell({"ready": True, "version": next_line(host).removeprefix("ready "), "runtime": "BEAM"})
    assert host.stdin is not None
    assert worker.stdin is not None
    while (order := asked.order()) is not None:
        host.stdin.write(f"{order[0]} {order[1]:.6f}\n")
        host.stdin.flush()
        asked.tell(figures(next_line(host)))
    host.stdin.close()
    worker.stdin.close()
    host.wait()
    worker.wait()


if __name__ == "__main__":
    main()
