"""How is a Pyro5 peer called? Over a Unix socket, with its own serializer; 64 in flight are 64 threads with a proxy each."""

from __future__ import annotations

from typing import Any

import Pyro5
import Pyro5.api
from course import (
    IN_FLIGHT,
    MESSAGE,
    answer,
    drive,
    from_threads,
    one_after_the_other,
    say_serving,
    scratch,
    start_worker,
    warm_up,
    worker_arguments,
)


@Pyro5.api.expose
class Peer:
    """The one method."""

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        return answer(message)


def serve(path: str) -> None:
    Pyro5.config.THREADPOOL_SIZE = 2 * IN_FLIGHT  # a connection holds a thread for as long as it lives
    with Pyro5.api.Daemon(unixsocket=path) as daemon:
        daemon.register(Peer, "peer")
        say_serving()
        daemon.requestLoop()


def main() -> None:
    arguments = worker_arguments()
    if arguments is not None:
        serve(*arguments)
        return
    path = str(scratch() / "pyro")
    start_worker(path)
    address = f"PYRO:peer@./u:{path}"

    def repeated(seconds: float) -> int:
        return from_threads([Caller(address).call for _ in range(IN_FLIGHT)], seconds)

    caller = Caller(address)
    warm_up(caller.call)
    drive(Pyro5.__version__, lambda seconds: one_after_the_other(caller.call, seconds), repeated)


class Caller:
    """A proxy that belongs to the thread which calls first."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._proxy: Any = None

    def call(self) -> object:
        if self._proxy is None:
            self._proxy = Pyro5.api.Proxy(self._address)
        return self._proxy.answer(MESSAGE)


if __name__ == "__main__":
    main()
