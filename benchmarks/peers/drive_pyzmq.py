"""How is a peer of ZeroMQ called? DEALER to ROUTER over a Unix socket, both on asyncio, msgpack, and ids of our own."""

from __future__ import annotations

import asyncio
import itertools

import msgpack
import zmq
import zmq.asyncio
from course import MESSAGE, Loop, answer, drive, say_serving, scratch, start_worker, worker_arguments


async def serve(address: str) -> None:
    with zmq.asyncio.Context() as context, context.socket(zmq.ROUTER) as socket:
        socket.bind(address)
        say_serving()
        while True:
            caller, number, message = await socket.recv_multipart()
            await socket.send_multipart([caller, number, msgpack.packb(answer(msgpack.unpackb(message)))])


class Caller:
    """One socket, with a future for each call in flight."""

    def __init__(self, address: str) -> None:
        self._socket = zmq.asyncio.Context.instance().socket(zmq.DEALER)
        self._socket.connect(address)
        self._numbers = itertools.count()
        self._waiting: dict[bytes, asyncio.Future[bytes]] = {}
        self._reader = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        while True:
            number, answered = await self._socket.recv_multipart()
            self._waiting.pop(number).set_result(answered)

    async def call(self) -> object:
        number = b"%d" % next(self._numbers)
        answered = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_multipart([number, msgpack.packb(MESSAGE)])
        return msgpack.unpackb(await answered)


async def connect(address: str) -> Caller:
    return Caller(address)


def main() -> None:
    arguments = worker_arguments()
    if arguments is not None:
        asyncio.run(serve(*arguments))
        return
    address = f"ipc://{scratch()}/zmq"
    start_worker(address)
    with asyncio.Runner() as runner:
        caller = runner.run(connect(address))
        driven = Loop(runner, caller.call)
        drive(f"{zmq.__version__}, libzmq {zmq.zmq_version()}", driven.round_trip, driven.throughput)
    zmq.asyncio.Context.instance().destroy(linger=0)


if __name__ == "__main__":
    main()
