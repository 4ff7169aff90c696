"""A runner in one small process: it speaks the protocol through a session over a blocking socket, and misbehaves as told.

Started as `python standin_runner.py BEHAVIOUR… --link-fd N --lifeline-fd N --output-fds OUT,ERR`. A behaviour is the
name of a function below; several are done one after the other. Most end in `work`, which answers what is asked.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from typing import Any

from rookery.protocol import (
    PLUGIN_SHUTDOWN,
    RUNNER_HELLO,
    RUNNER_LOADING,
    RUNNER_READY,
    RequestReceived,
    RequestSettled,
    Session,
    Side,
)


class Standin:
    """The session, driven the simplest way that there is."""

    def __init__(self, link_fd: int) -> None:
        self.socket = socket.socket(fileno=link_fd)
        self.session = Session(Side.RUNNER)
        self.assigned: list[str] = []
        self.blocked: dict[str, str] = {}
        self.incarnation = 0
        self.kept: list[Any] = []  # came together with an answer that was waited for

    def flush(self) -> None:
        self.socket.sendall(self.session.data_to_send())

    def receive(self) -> list[Any]:
        """What has come and was not taken yet; waits for something."""
        kept, self.kept = self.kept, []
        return kept or self._read()

    def ask(self, method: str, payload: dict[str, Any], plugin_id: str = "") -> dict[str, Any]:
        number = self.session.request(method, payload, plugin_id=plugin_id)
        self.flush()
        while True:
            items = self._read()
            for place, item in enumerate(items):
                if isinstance(item, RequestSettled) and item.pending.request_id == number:
                    self.kept += items[place + 1 :]
                    return item.outcome if isinstance(item.outcome, dict) else {"error": str(item.outcome)}
            self.kept += items

    def _read(self) -> list[Any]:
        data = self.socket.recv(65536)
        if not data:
            os._exit(77)
        return self.session.receive(data)


def say(text: str) -> None:
    os.write(2, f"{text}\n".encode())


# --- behaviours -----------------------------------------------------------------------------------------------


def hello(runner: Standin) -> None:
    features = ["assignment", "loading", "logs"]
    answer = runner.ask(
        RUNNER_HELLO,
        {
            "runner_id": "standin",
            "sdk_version": "2.0.0",
            "session_token": "",
            "features": features,
            "pid": os.getpid(),
        },
    )
    if not answer.get("accepted"):
        sys.exit(76)
    assignment = answer["assignment"]
    runner.assigned = [plugin["plugin_id"] for plugin in assignment["plugins"]]
    runner.blocked = assignment["blocked"]
    runner.incarnation = assignment["incarnation"]


def foreign_hello(runner: Standin) -> None:
    """As `hello`, but it does not read its own output: a runner of another make."""
    answer = runner.ask(RUNNER_HELLO, {"runner_id": "foreign", "sdk_version": "2.0.0", "session_token": ""})
    runner.assigned = [plugin["plugin_id"] for plugin in answer["assignment"]["plugins"]]


def bad_hello(runner: Standin) -> None:
    answer = runner.ask(RUNNER_HELLO, {"runner_id": "standin"})
    say(f"refused: {answer['error']}")
    work(runner)


def load(runner: Standin) -> None:
    for plugin_id in runner.assigned:
        say_loading(runner, plugin_id)
    ready = {"loaded_plugins": [name for name in runner.assigned if name not in runner.blocked]}
    runner.ask(
        RUNNER_READY,
        {**ready, "failed_plugins": list(runner.blocked), "failed_plugin_reasons": runner.blocked},
    )


def say_loading(runner: Standin, plugin_id: str) -> None:
    runner.session.broadcast(RUNNER_LOADING, {"plugin_id": plugin_id, "phase": "import"})
    runner.flush()


def work(runner: Standin) -> None:
    """Acknowledge what is asked until it is to end."""
    while True:
        for item in runner.receive():
            if isinstance(item, RequestReceived):
                runner.session.answer(item.request_id, {"acknowledged": True, "healthy": True})
                runner.flush()
                if item.method.name == PLUGIN_SHUTDOWN:
                    sys.exit(0)


def good(runner: Standin) -> None:
    hello(runner)
    load(runner)
    work(runner)


def good_after_the_first(runner: Standin) -> None:
    """The first incarnation goes on to the next behaviour, later ones are good."""
    hello(runner)
    if runner.incarnation > 1:
        load(runner)
        work(runner)


def die_loading_one(runner: Standin) -> None:
    if "test.one" not in runner.blocked:
        say_loading(runner, "test.one")
        say("test.one is about to crash")
        os.kill(os.getpid(), signal.SIGSEGV)


def hang_loading_one(runner: Standin) -> None:
    if "test.one" not in runner.blocked:
        say_loading(runner, "test.one")
        time.sleep(3600)


def die_when_asked(runner: Standin) -> None:
    """Read a request, then die in the middle of it."""
    runner.receive()
    os.kill(os.getpid(), signal.SIGKILL)


def half_an_answer(runner: Standin) -> None:
    (asked,) = runner.receive()
    runner.session.answer(asked.request_id, {"healthy": True})
    runner.socket.sendall(runner.session.data_to_send()[:20])
    os._exit(0)


def exit_by_itself(runner: Standin) -> None:
    say("that was all")
    sys.exit(3)


def be_silent(runner: Standin) -> None:
    say("stuck before the hello")
    time.sleep(3600)


def send_garbage(runner: Standin) -> None:
    runner.socket.sendall(b"\xff\xff\xff\xff garbage")
    time.sleep(3600)


def stop_reading(runner: Standin) -> None:
    time.sleep(3600)


def ignore_sigterm(runner: Standin) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def close_its_socket(runner: Standin) -> None:
    runner.socket.close()
    time.sleep(3600)


def be_deaf(runner: Standin) -> None:
    """Read, and answer nothing."""
    while True:
        runner.receive()


def leave_a_grandchild(runner: Standin) -> None:
    """A child in the same process group keeps every descriptor and lives on; the runner works."""
    if os.fork() == 0:
        time.sleep(3600)


def stop_itself(runner: Standin) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def print_much(runner: Standin) -> None:
    for number in range(20_000):
        sys.stdout.write(f"line {number} of a very talkative runner\n")
    sys.stdout.flush()


def main() -> None:
    words = sys.argv[1:]
    link_fd = int(words[words.index("--link-fd") + 1])
    runner = Standin(link_fd)
    for name in words[: words.index("--link-fd")]:
        globals()[name](runner)


if __name__ == "__main__":
    main()
