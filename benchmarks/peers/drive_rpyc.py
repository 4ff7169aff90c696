"""How is an RPyC peer called? Over a Unix socket; the message as msgpack, since a map would stay behind as a proxy.

64 in flight: its asynchronous calls, of which the oldest is waited for before the next is made.
"""

from __future__ import annotations

import time
from collections import deque
from importlib.metadata import version

import msgpack
import rpyc
from course import (
    IN_FLIGHT,
    MESSAGE,
    answer,
    drive,
    one_after_the_other,
    say_serving,
    scratch,
    start_worker,
    warm_up,
    worker_arguments,
)
from rpyc.utils.server import ThreadedServer


class Peer(rpyc.Service):
    """The one method."""

    def exposed_answer(self, message: bytes) -> bytes:
        return bytes(msgpack.packb(answer(msgpack.unpackb(message))))


def main() -> None:
    arguments = worker_arguments()
    if arguments is not None:
        server = ThreadedServer(Peer, socket_path=arguments[0])
        server.listener.listen()  # it would do so on starting, which is when the host is already told
        say_serving()
        server.start()
        return
    path = str(scratch() / "rpyc")
    start_worker(path)
    connection = rpyc.utils.factory.unix_connect(path)
    method = connection.root.answer
    begin = rpyc.async_(method)

    def call() -> object:
        return msgpack.unpackb(method(msgpack.packb(MESSAGE)))

    def in_flight(seconds: float) -> int:
        calls: deque[rpyc.AsyncResult] = deque()
        answered = 0
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            calls.append(begin(msgpack.packb(MESSAGE)))
            if len(calls) == IN_FLIGHT:
                msgpack.unpackb(calls.popleft().value)
                answered += 1
        while calls:
            msgpack.unpackb(calls.popleft().value)
            answered += 1
        return answered

    warm_up(call)
    drive(version("rpyc"), lambda seconds: one_after_the_other(call, seconds), in_flight)
    connection.close()


if __name__ == "__main__":
    main()
