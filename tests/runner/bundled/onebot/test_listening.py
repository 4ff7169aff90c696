"""The gateway that is connected to: who is let in, and what becomes of the one who was there before."""

from __future__ import annotations

import pytest
import trio
from websockets.exceptions import InvalidStatus

from tests.doubles.onebot_platform import open_platform_client

from .conftest import FakeHost, answer, listening, wait_port

pytestmark = pytest.mark.slow


async def test_a_platform_connects_and_is_spoken_to(host: FakeHost, nursery: trio.Nursery) -> None:
    """Its account stands in its first words: nothing has to be asked."""
    client = listening(host, token="secret")
    nursery.start_soon(client.run)

    async with open_platform_client(await wait_port(client), token="secret") as platform:
        await platform.say("!ping")
        await host.wait_messages(1)
        sent = await client.say(answer())

        assert host.accounts == [(True, "10000")]
        assert [frame["action"] for frame in platform.asked] == ["send_group_msg"]
        assert sent.message_id == "1000"


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        pytest.param({}, 401, id="none"),
        pytest.param({"Authorization": "Bearer wrong"}, 403, id="another"),
        pytest.param({"Authorization": "Bearer secre"}, 403, id="a part of it"),
        pytest.param({"Authorization": "Bearer sécret"}, 403, id="no ASCII"),
        pytest.param({"Authorization": "secret"}, 401, id="without a scheme"),
    ],
)
async def test_who_does_not_know_the_token_is_not_let_in(
    host: FakeHost,
    nursery: trio.Nursery,
    caplog: pytest.LogCaptureFixture,
    shown: dict[str, str],
    status: int,
) -> None:
    """And the log says where it came from, and never the token."""
    client = listening(host, token="secret")
    nursery.start_soon(client.run)
    port = await wait_port(client)

    with pytest.raises(InvalidStatus) as caught:
        async with open_platform_client(port, **shown):
            pass

    assert caught.value.response.status_code == status
    assert "a connection from 127.0.0.1 is refused" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", {"Authorization": "Bearer secret"}),
        ("/", {"Authorization": "Token secret"}),
        ("/x?access_token=secret", {}),
    ],
)
async def test_the_token_may_be_shown_in_any_of_three_ways(
    host: FakeHost, nursery: trio.Nursery, path: str, headers: dict[str, str]
) -> None:
    """Implementations differ."""
    client = listening(host, token="secret")
    nursery.start_soon(client.run)

    async with open_platform_client(await wait_port(client), path=path, **headers):
        await host.wait_reports(1)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        pytest.param("/other", {}, 404, id="another path"),
        pytest.param("/ws", {"X-Client-Role": "Event"}, 400, id="only events"),
        pytest.param("/ws", {"X-Self-ID": "20000"}, 403, id="another account"),
        pytest.param("/ws", {"Origin": "https://evil.example"}, 403, id="a web page, without a token"),
    ],
)
async def test_who_does_not_fit_is_told_why(
    host: FakeHost, nursery: trio.Nursery, path: str, headers: dict[str, str], status: int
) -> None:
    """By the status of the handshake."""
    client = listening(host, path="/ws", account="10000")
    nursery.start_soon(client.run)
    port = await wait_port(client)

    with pytest.raises(InvalidStatus) as caught:
        async with open_platform_client(port, path=path, **headers):
            pass

    assert caught.value.response.status_code == status
    async with open_platform_client(port, path="/ws"):
        await host.wait_reports(1)


async def test_a_newer_connection_of_the_account_replaces_the_older(
    host: FakeHost, nursery: trio.Nursery
) -> None:
    """An implementation that comes back before we noticed that it went; nothing is said twice."""
    client = listening(host)
    nursery.start_soon(client.run)
    port = await wait_port(client)

    async with open_platform_client(port) as first:
        await host.wait_reports(1)
        async with open_platform_client(port) as second:
            with trio.fail_after(10):
                await first.ended.wait()
            await client.say(answer())
            await second.say("hi")
            await host.wait_messages(1)

            assert (len(first.sent()), len(second.sent())) == (0, 1)
            assert all(ready for ready, _ in host.accounts)


async def test_another_account_is_refused_while_one_is_there(host: FakeHost, nursery: trio.Nursery) -> None:
    """One gateway serves one account at a time."""
    client = listening(host)
    nursery.start_soon(client.run)
    port = await wait_port(client)

    async with open_platform_client(port) as platform:
        await host.wait_reports(1)
        with pytest.raises(InvalidStatus) as caught:
            async with open_platform_client(port, account=20000):
                pass
        await platform.say("still here")
        await host.wait_messages(1)

    assert caught.value.response.status_code == 409


async def test_a_platform_that_goes_comes_back(host: FakeHost, nursery: trio.Nursery) -> None:
    """The port stays open meanwhile, and what is said waits."""
    client = listening(host)
    nursery.start_soon(client.run)
    port = await wait_port(client)
    async with open_platform_client(port):
        await host.wait_reports(1)
    with trio.fail_after(10):
        while client.is_ready:
            await client._changed.park()
    outcomes: list[str] = []
    said = trio.Event()

    async def say() -> None:
        outcomes.append((await client.say(answer())).message_id)
        said.set()

    nursery.start_soon(say)
    async with open_platform_client(port):
        with trio.fail_after(10):
            await said.wait()

    assert outcomes == ["1000"]


async def test_a_port_that_is_taken_is_tried_again(
    host: FakeHost, nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says why nobody can connect."""
    (other,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with other:
        port = int(other.socket.getsockname()[1])
        client = listening(host)
        way = client.settings.way
        object.__setattr__(way, "port", port)
        nursery.start_soon(client.run)
        with trio.fail_after(10):
            while "cannot listen" not in caplog.text:
                await trio.sleep(0.01)  # only the log tells
    async with open_platform_client(await wait_port(client)):
        await host.wait_reports(1)


async def test_leaving_closes_the_port(host: FakeHost) -> None:
    """And the connection, in an orderly way."""
    client = listening(host)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run)
        port = await wait_port(client)
        async with open_platform_client(port) as platform:
            await host.wait_reports(1)
            with trio.fail_after(10):
                await client.leave("bye")
                await platform.ended.wait()
            assert platform.socket.close_reason == "bye"

    with pytest.raises(OSError, match=r"connect"):
        await trio.open_tcp_stream("127.0.0.1", port)
    assert host.accounts[-1] == (False, "10000")
