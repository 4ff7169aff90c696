"""A fetcher over real connections, and names that stand for what a test says."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio

from rookery.supervisor.fetch.exchange import Exchange
from rookery.supervisor.fetch.fetcher import Fetched, Fetcher
from rookery.supervisor.fetch.settings import FetchSettings
from tests.doubles.web_server import WebServer


class Names:
    """What names stand for, and how often somebody has asked."""

    def __init__(self) -> None:
        self.known: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        answers = self.known.get(host, [["127.0.0.1"]])
        return answers.pop(0) if len(answers) > 1 else answers[0]


@asynccontextmanager
async def fetching(
    names: Names, context: ssl.SSLContext | None = None, **chosen: Any
) -> AsyncIterator[Fetcher]:
    lists = {name: tuple(value) for name, value in chosen.items() if isinstance(value, list)}
    settings = FetchSettings(**{"rate": 1000.0, "burst": 1000, **chosen, **lists})
    exchange = Exchange(context=lambda: context or ssl.create_default_context(), resolve=names.resolve)
    fetcher = Fetcher(lambda _: settings, exchange=exchange)
    async with trio.open_nursery() as nursery:
        await nursery.start(fetcher.run)
        try:
            yield fetcher
        finally:
            nursery.cancel_scope.cancel()


async def fetch(fetcher: Fetcher, url: str, *, seconds: float = 10.0, **args: Any) -> Fetched:
    return await fetcher.fetch("a.b", {"url": url, **args}, deadline=trio.current_time() + seconds)


def local(server: WebServer, host: str = "127.0.0.1") -> str:
    return f"http://{host}:{server.port}"
