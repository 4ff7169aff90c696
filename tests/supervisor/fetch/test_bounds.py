"""However large, slow or often: what one plugin asks for is bounded, and it hears why."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import trio

from rookery.supervisor.fetch.failure import FetchFailed, FetchKind, NotAllowed
from rookery.supervisor.fetch.fetcher import Fetcher
from rookery.supervisor.fetch.settings import FetchSettings
from tests.doubles.fetching import Names, fetch, fetching, local
from tests.doubles.web_server import Visit, WebServer, page


async def test_a_body_without_an_end_is_cut_off(server: WebServer, names: Names) -> None:
    """As soon as it is more than is allowed; the server is hung up on."""
    sent = 0

    async def flood(_: Visit) -> AsyncGenerator[bytes, None]:
        nonlocal sent
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        while True:
            yield bytes(65_536)
            sent += 65_536

    server.pages["/"] = flood
    async with fetching(names, private_hosts=[local(server)], max_answer=200_000) as fetcher:
        with pytest.raises(FetchFailed) as caught:
            await fetch(fetcher, f"{local(server)}/")

    assert caught.value.kind is FetchKind.TOO_LARGE
    assert sent < 20_000_000


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["nothing", "head", "body"])
async def test_a_slow_server_is_waited_for_no_longer_than_allowed(
    server: WebServer, names: Names, stage: str
) -> None:
    """One byte now and then is no progress: all of it has one time."""

    async def drip(_: Visit) -> AsyncGenerator[bytes, None]:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
        if stage == "body":
            yield head
        while stage != "nothing":
            yield head[:1] if stage == "head" else b"x"
            await trio.sleep(0.02)
        await trio.sleep_forever()

    server.pages["/"] = drip
    async with fetching(names, private_hosts=[local(server)], timeout=0.3) as fetcher:
        begun = trio.current_time()
        with pytest.raises(FetchFailed, match=r"did not answer within 0\.3 s") as caught:
            await fetch(fetcher, f"{local(server)}/")

    assert caught.value.kind is FetchKind.TIMEOUT
    assert trio.current_time() - begun < 3


@pytest.mark.slow
async def test_a_caller_hears_before_its_own_time_is_over(server: WebServer, names: Names) -> None:
    """However long the operator would let it wait."""

    async def never(_: Visit) -> AsyncGenerator[bytes, None]:
        yield b""
        await trio.sleep_forever()

    server.pages["/"] = never
    async with fetching(names, private_hosts=[local(server)], timeout=60.0) as fetcher:
        with trio.fail_after(5), pytest.raises(FetchFailed) as caught:
            await fetch(fetcher, f"{local(server)}/", seconds=0.6)

    assert caught.value.kind is FetchKind.TIMEOUT


async def test_a_plugin_that_asks_too_often_is_told_when_to_come_again(
    server: WebServer, names: Names
) -> None:
    """And another plugin is not."""
    server.pages["/"] = page(200, "x")
    async with fetching(names, private_hosts=[local(server)], rate=0.5, burst=2) as fetcher:
        for _ in range(2):
            await fetch(fetcher, f"{local(server)}/")
        with pytest.raises(FetchFailed) as caught:
            await fetch(fetcher, f"{local(server)}/")
        other = await fetcher.fetch("a.c", {"url": f"{local(server)}/"}, deadline=trio.current_time() + 10)

    assert caught.value.kind is FetchKind.RATE_LIMITED
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 2
    assert other.status == 200


async def test_a_plugin_has_so_many_questions_out_at_once(server: WebServer, names: Names) -> None:
    """The others wait, and are asked when there is room."""
    at_once = most = 0

    async def slow(_: Visit) -> AsyncGenerator[bytes, None]:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await trio.sleep(0.05)
        at_once -= 1
        yield page(200, "x")

    server.pages["/"] = slow
    answers = []
    async with (
        fetching(names, private_hosts=[local(server)], concurrency=2) as fetcher,
        trio.open_nursery() as nursery,
    ):

        async def ask() -> None:
            answers.append((await fetch(fetcher, f"{local(server)}/")).status)

        for _ in range(6):
            nursery.start_soon(ask)

    assert (most, answers) == (2, [200] * 6)


async def test_a_host_that_nobody_answers_at_is_unreachable(names: Names) -> None:
    """Nothing was sent, so nothing was done."""
    async with fetching(names, private_hosts=["http://127.0.0.1:1"]) as fetcher:
        with pytest.raises(FetchFailed, match=r"127\.0\.0\.1 cannot be reached") as caught:
            await fetch(fetcher, "http://127.0.0.1:1/")

    assert (caught.value.kind, caught.value.was_sent) == (FetchKind.UNREACHABLE, False)


async def test_a_deployment_that_names_no_host_fetches_nothing() -> None:
    """And loads nothing for it."""
    fetcher = Fetcher(lambda _: FetchSettings(), is_wanted=False)
    async with trio.open_nursery() as nursery:
        await nursery.start(fetcher.run)

        with pytest.raises(NotAllowed):
            await fetch(fetcher, "https://example.org/")
