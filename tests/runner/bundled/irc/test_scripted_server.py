"""What a real server at hand does not do: SASL, tags, silence, rudeness."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import attrs
import pytest
import trio
import trio.testing

from rookery.protocol import ErrorCode, RemoteError, RequestTimedOut
from rookery.runner.backoff import Backoff
from rookery.runner.bundled.irc.errors import NotConnected
from rookery.runner.bundled.irc.registration import Identity
from rookery.runner.inbound import WINDOW
from tests.doubles.irc_peers import ScriptedServer, open_scripted_server, welcome

from .conftest import FakeHost, client_for

pytestmark = pytest.mark.slow


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with open_scripted_server() as server:
        yield server


async def test_sasl_and_tags(server: ScriptedServer, host: FakeHost, nursery: trio.Nursery) -> None:
    """The login happens before the welcome; the server's time, id and account reach the host."""
    identity = Identity(nick="rookery", sasl_user="rook", sasl_password="geheim", password="door")
    client = client_for(host, server.port, identity=identity)
    nursery.start_soon(client.run)

    async with server.accept() as peer:
        opening = [(await peer.read()).command for _ in range(4)]
        await peer.send(":s CAP * LS :sasl=PLAIN server-time message-tags account-tag echo-message")
        asked = [(await peer.wait("CAP")).params, (await peer.wait("CAP")).params]
        await peer.send(":s CAP * ACK :server-time message-tags account-tag", ":s CAP * ACK :sasl")
        assert (await peer.wait("AUTHENTICATE")).params == ("PLAIN",)
        await peer.send("AUTHENTICATE +")
        credentials = (await peer.wait("AUTHENTICATE")).param(0)
        await peer.send(":s 903 rookery :SASL authentication successful")
        assert (await peer.wait("CAP")).params == ("END",)
        await peer.send(":s 001 rookery :Welcome", ":rookery!r@h JOIN #rookery")
        said = "@time=2026-11-24T10:00:00.250Z;msgid=m\\:1;account=al :Al!a@h PRIVMSG #rookery :hi"
        await peer.send(said, said.replace("#rookery", "rookery"))
        await host.wait_messages(2)

    message = host.messages[0]
    assert opening == ["CAP", "PASS", "NICK", "USER"]
    assert asked == [("REQ", "server-time message-tags account-tag"), ("REQ", "sasl")]
    assert base64.b64decode(credentials) == b"\0rook\0geheim"
    assert float(message["timestamp"]) == 1795514400.25
    assert message["message_info"]["additional_config"] == {"irc_account": "al", "irc_msgid": "m;1"}
    assert [each["message_id"] for each in host.messages] == ["m;1@#rookery", "m;1@"]


async def test_a_refused_login_is_tried_again_with_its_reason_in_the_log(
    server: ScriptedServer, host: FakeHost, nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator reads why; the gateway never reports ready; the next attempt comes by itself."""
    identity = Identity(nick="rookery", sasl_user="rook", sasl_password="wrong")
    client = client_for(host, server.port, identity=identity)
    nursery.start_soon(client.run)

    for _ in range(2):
        async with server.accept() as peer:
            await peer.send(":s CAP * LS :sasl")
            await peer.wait("CAP", lambda line: line.param(0) == "REQ")
            await peer.send(":s CAP * ACK :sasl")
            await peer.wait("AUTHENTICATE")
            await peer.send(":s 904 rookery :SASL authentication failed")
            with pytest.raises(EOFError):
                await peer.wait("never")

    assert "registration refused: the SASL user or password is wrong" in caplog.text
    assert host.reports == []


async def test_bytes_that_are_not_utf8_arrive_with_replacements(
    server: ScriptedServer, host: FakeHost, nursery: trio.Nursery
) -> None:
    """A Latin-1 client is readable but for its umlauts; a line that is none is passed over."""
    nursery.start_soon(client_for(host, server.port).run)

    async with welcome(server) as peer:
        await peer.stream.send_all(b":\r\n@\r\n\r\n:al!a@h PRIVMSG #rookery :gr\xfc\xdfe\r\n")
        await host.wait_messages(1)

    assert host.texts == ["gr\ufffd\ufffde"]


async def test_a_silent_server_is_given_up(
    server: ScriptedServer, host: FakeHost, nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    """No line for the interval, no answer to our PING: the gateway connects anew."""
    client = client_for(host, server.port, ping_interval=0.1, ping_patience=0.1)
    nursery.start_soon(client.run)

    async with welcome(server) as peer:
        while (await peer.read()).command != "PING":
            pass  # the lines of the registration
        async with welcome(server):
            await host.wait_reports(2)

    assert "no answer to a PING" in caplog.text
    assert [ready for ready, _ in host.reports[:2]] == [True, True]


async def test_a_server_that_answers_pings_is_kept(
    server: ScriptedServer, host: FakeHost, nursery: trio.Nursery
) -> None:
    """Three rounds of silence, each ended by a PONG, and the connection is still the first."""
    client = client_for(host, server.port, ping_interval=0.05, ping_patience=5.0)
    nursery.start_soon(client.run)

    async with welcome(server) as peer:
        rounds = 0
        while rounds < 3:
            line = await peer.read()
            if line.command == "PING":
                rounds += 1
                await peer.send(f":s PONG s :{line.param(-1)}")

    assert rounds == 3


async def test_an_error_of_the_server_is_the_reason_in_the_log(
    server: ScriptedServer, host: FakeHost, nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    """What the server says as its last words explains the end; what came before it is handed over."""
    nursery.start_soon(client_for(host, server.port, send_wait=0.0).run)

    async with welcome(server) as peer:
        await peer.send(":al!a@h PRIVMSG #rookery :last", "ERROR :Closing link: killed by an operator")
        await host.wait_reports(2)

    assert host.texts == ["last"]
    assert "the server said: Closing link: killed by an operator" in caplog.text


async def test_a_connection_that_breaks_in_the_middle_of_a_reply_says_how_far_it_came(
    server: ScriptedServer, host: FakeHost, nursery: trio.Nursery
) -> None:
    """The sender learns that not all was said, and how much was."""
    client = client_for(host, server.port, flood_burst=2, flood_rate=0.01)
    nursery.start_soon(client.run)
    errors: list[str] = []

    async def say() -> None:
        with pytest.raises(NotConnected) as caught:
            await client.say("#rookery", "one\ntwo\nthree")
        errors.append(str(caught.value))

    async with trio.open_nursery() as speaking:
        async with welcome(server) as peer:
            await host.wait_reports(1)
            speaking.start_soon(say)
            await peer.wait_text("two")
        speaking.cancel_scope.deadline = trio.current_time() + 5

    assert errors
    assert "2 of 3 lines were sent" in errors[0]


async def test_a_sender_that_gives_up_leaves_whole_lines(
    server: ScriptedServer, host: FakeHost, nursery: trio.Nursery
) -> None:
    """A cancelled reply stops between two lines, and the next one is not held up by it."""
    client = client_for(host, server.port, flood_burst=2, flood_rate=20)
    nursery.start_soon(client.run)

    async with welcome(server) as peer:
        await host.wait_reports(1)
        async with trio.open_nursery() as speaking:
            speaking.start_soon(client.say, "#rookery", "one\ntwo\nthree\nfour")
            await peer.wait_text("two")
            speaking.cancel_scope.cancel()
        await client.say("#rookery", "next")
        await peer.wait_text("next")

    texts = [line.param(1) for line in peer.seen if line.command == "PRIVMSG"]
    assert texts in (["one", "two", "next"], ["one", "two", "three", "next"])


async def test_replies_keep_the_order_in_which_they_were_asked_for(
    server: ScriptedServer, host: FakeHost, nursery: trio.Nursery
) -> None:
    """Lines of two replies are never mixed, however many wait."""
    client = client_for(host, server.port)
    nursery.start_soon(client.run)
    async with welcome(server) as peer:
        await host.wait_reports(1)

        async with trio.open_nursery() as speaking:
            for number in range(20):
                speaking.start_soon(client.say, "#rookery", f"{number}a\n{number}b")
                await trio.testing.wait_all_tasks_blocked()
        await client.say("#rookery", "end")
        await peer.wait_text("end")

    texts = [line.param(1) for line in peer.seen if line.command == "PRIVMSG"]
    assert texts == [*(f"{number}{part}" for number in range(20) for part in "ab"), "end"]


async def test_a_message_that_the_host_could_not_take_is_offered_again(
    server: ScriptedServer, host: FakeHost, nursery: trio.Nursery
) -> None:
    """A busy host is asked again; a host that says no for good is not, and the loss is counted."""
    host.errors = [
        RequestTimedOut("no answer in time"),
        RemoteError(ErrorCode.E_HOST_OVERLOADED, "later"),
        RemoteError(ErrorCode.E_BAD_PAYLOAD, "never"),
    ]
    client = client_for(host, server.port)
    nursery.start_soon(client.run)

    async with welcome(server) as peer:
        await peer.send(*(f":al!a@h PRIVMSG #rookery :{number}" for number in range(4)))
        await host.wait_messages(3)
        await client.inbound.wait_empty()

    assert sorted(host.texts) == ["0", "1", "3"]
    assert (client.inbound.accepted, client.inbound.lost) == (3, 1)


async def test_a_host_that_is_slow_does_not_stop_the_reading(
    server: ScriptedServer, nursery: trio.Nursery
) -> None:
    """No more than a window is asked for at once; the rest waits here, and a PING is answered meanwhile."""

    @attrs.define(eq=False)
    class SlowHost(FakeHost):
        may_answer: trio.Event = attrs.Factory(trio.Event)

        async def route(self, message: dict[str, object]) -> bool:
            accepted = await FakeHost.route(self, message)
            await self.may_answer.wait()
            return accepted

    host = SlowHost()
    client = client_for(host, server.port)
    nursery.start_soon(client.run)
    async with welcome(server) as peer:
        await host.wait_reports(1)

        await peer.send(*(f":al!a@h PRIVMSG #rookery :{number}" for number in range(1000)), "PING :alive?")
        assert (await peer.wait("PONG")).params == ("alive?",)
        await trio.testing.wait_all_tasks_blocked()
        asked = len(host.messages)
        host.may_answer.set()
        await host.wait_messages(1000)

    assert asked == WINDOW
    assert host.texts == [str(number) for number in range(1000)]


async def test_a_new_configuration_connects_anew(
    server: ScriptedServer, host: FakeHost, nursery: trio.Nursery
) -> None:
    """Other settings hold at once; the same settings change nothing."""
    client = client_for(host, server.port)
    nursery.start_soon(client.run)

    async with welcome(server) as first:
        await host.wait_reports(1)
        client.reconfigure(client.settings)
        client.reconfigure(attrs.evolve(client.settings, identity=Identity(nick="raven")))
        with pytest.raises(EOFError):
            await first.wait("never")
    async with server.accept() as second:
        assert (await second.wait("NICK")).params == ("raven",)


async def test_a_new_account_ends_the_absence_of_the_old_one(
    server: ScriptedServer, host: FakeHost, nursery: trio.Nursery
) -> None:
    """Whoever waits for the old account need not: the host hears of its end before the new one is ready."""
    client = client_for(host, server.port, backoff=Backoff(60.0, 60.0))
    nursery.start_soon(client.run)
    async with welcome(server):
        await host.wait_reports(1)
    await trio.testing.wait_all_tasks_blocked()

    client.reconfigure(attrs.evolve(client.settings, identity=Identity(nick="raven")))
    async with welcome(server):
        await host.wait_reports(3)

    assert [(ready, told["account"].partition("@")[0]) for ready, told in host.reports[:3]] == [
        (True, "rookery"),
        (False, "rookery"),
        (True, "raven"),
    ]


async def test_leaving_during_an_absence_tells_the_host(
    server: ScriptedServer, host: FakeHost, nursery: trio.Nursery
) -> None:
    """The connection is lost and the host does not know it yet: it does before we have left."""
    client = client_for(host, server.port, backoff=Backoff(60.0, 60.0))
    nursery.start_soon(client.run)
    async with welcome(server):
        await host.wait_reports(1)
    await trio.testing.wait_all_tasks_blocked()

    with trio.fail_after(1):
        await client.leave("bye")

    assert [ready for ready, _ in host.reports] == [True, False]


async def test_leaving_ends_an_attempt_to_connect(host: FakeHost, nursery: trio.Nursery) -> None:
    """Nothing listens: the client waits between attempts, and leaves at once when told to."""
    client = client_for(host, 1)
    nursery.start_soon(client.run)
    await trio.testing.wait_all_tasks_blocked(0.01)

    with trio.fail_after(1):
        await client.leave("bye")
