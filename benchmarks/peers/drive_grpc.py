"""How is a gRPC peer called? grpc.aio over a Unix socket; a generic handler takes bytes, so nothing is generated."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
import msgpack
from course import MESSAGE, Loop, answer, drive, say_serving, scratch, start_worker, worker_arguments

METHOD = "/peers.Peer/Answer"


class Peer(grpc.GenericRpcHandler):
    """The one method."""

    def service(self, details: Any) -> Any:
        if details.method != METHOD:
            return None
        return grpc.unary_unary_rpc_method_handler(
            self.handle, request_deserializer=msgpack.unpackb, response_serializer=msgpack.packb
        )

    async def handle(self, message: dict[str, Any], _: object) -> dict[str, Any]:
        return answer(message)


async def serve(address: str) -> None:
    server = grpc.aio.server(handlers=(Peer(),))
    server.add_insecure_port(address)
    await server.start()
    say_serving()
    await server.wait_for_termination()


async def connect(address: str) -> Any:
    channel = grpc.aio.insecure_channel(address)
    await channel.channel_ready()
    return channel


def main() -> None:
    arguments = worker_arguments()
    if arguments is not None:
        asyncio.run(serve(*arguments))
        return
    address = f"unix:{scratch()}/grpc"
    start_worker(address)
    with asyncio.Runner() as runner:
        channel = runner.run(connect(address))
        method = channel.unary_unary(
            METHOD, request_serializer=msgpack.packb, response_deserializer=msgpack.unpackb
        )
        driven = Loop(runner, lambda: method(MESSAGE))
        drive(grpc.__version__, driven.round_trip, driven.throughput)
        runner.run(channel.close())


if __name__ == "__main__":
    main()
