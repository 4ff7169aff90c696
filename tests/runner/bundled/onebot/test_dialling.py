"""The gateway that connects: it comes back, keeps the order, and says of each message what became of it."""

from __future__ import annotations

import attrs
import pytest
import trio
import trio.testing

from rookery.protocol import ErrorCode, MessageMap, RemoteError
from rookery.runner.bundled.onebot.errors import ActionFailed, ActionUnanswered, NotConnected
from rookery.runner.bundled.onebot.settings import Dial
from tests.doubles.onebot_platform import PlatformServer, open_platform_server

from .conftest import TIMEOUT, FakeHost, answer, dialling

pytestmark = pytest.mark.slow


async def test_a_message_comes_in_and_an_answer_goes_out(
    server: PlatformServer, host: FakeHost, nursery: trio.Nursery
) -> None:
    """The account is asked for, the host hears of it, and the platform's id of the answer comes back."""
    client = dialling(host, server.url)
    nursery.start_soon(client.run)

    platform = await server.accept()
    await platform.say("!ping")
    await host.wait_messages(1)
    sent = await client.say(answer())

    assert host.accounts == [(True, "10000")]
    assert host.texts == ["!ping"]
    assert host.messages[0]["message_info"]["additional_config"]["self_id"] == "10000"
    assert [frame["action"] for frame in platform.asked] == ["get_login_info", "send_group_msg"]
    assert platform.sent()[0]["params"] == {
        "group_id": 777,
        "message": [{"type": "text", "data": {"text": "pong"}}],
    }
    assert sent.message_id == "1000"
    assert "Authorization" not in server.headers[0]


async def test_a_server_that_dies_is_dialled_again(host: FakeHost, nursery: trio.Nursery) -> None:
    """What is said meanwhile waits for it; the host never hears that we were gone."""
    async with open_platform_server() as server:
        client = dialling(host, server.url)
        nursery.start_soon(client.run)
        first = await server.accept()
        await host.wait_reports(1)
        port = server.port
    outcomes: list[str] = []

    async def say() -> None:
        outcomes.append((await client.say(answer())).message_id)

    async with open_platform_server(port=port) as server, trio.open_nursery() as inner:
        inner.start_soon(say)
        second = await server.accept()
        await second.wait_sent()
        await second.say("again", number=2)
        await host.wait_messages(1)

    assert len(first.sent()) == 0
    assert outcomes == ["1000"]
    assert host.texts == ["again"]
    assert all(ready for ready, _ in host.accounts)


async def test_a_server_that_stays_away_is_reported(host: FakeHost, nursery: trio.Nursery) -> None:
    """When a message would not wait any longer either; then nothing more comes from the host."""
    async with open_platform_server() as server:
        client = dialling(host, server.url, send_wait=0.2)
        nursery.start_soon(client.run)
        await server.accept()
        await host.wait_reports(1)

    await host.wait_reports(2)

    assert host.accounts == [(True, "10000"), (False, "10000")]
    with pytest.raises(NotConnected, match="nothing was sent"):
        await client.say(answer())


async def test_a_platform_that_comes_and_goes_is_reported_too(
    server: PlatformServer, host: FakeHost, nursery: trio.Nursery
) -> None:
    """A connection that never tells its account does not count as a return."""
    client = dialling(host, server.url, send_wait=0.3)
    nursery.start_soon(client.run)
    await (await server.accept()).wait_asked("get_login_info")
    await host.wait_reports(1)

    async def hang_up() -> None:
        while True:
            platform = await server.accept()
            platform.silent.add("get_login_info")
            await platform.socket.aclose(1012, "not yet")

    nursery.start_soon(hang_up)
    assert client._connection is not None
    client._connection.lose("the test says so")
    await host.wait_reports(2)

    assert host.accounts == [(True, "10000"), (False, "10000")]


@pytest.mark.parametrize("token", ["", "wrong"])
async def test_a_token_that_is_not_right_is_told(
    host: FakeHost, nursery: trio.Nursery, caplog: pytest.LogCaptureFixture, token: str
) -> None:
    """The operator reads why, and the gateway keeps trying."""
    async with open_platform_server(token="right") as server:
        client = dialling(host, server.url, token=token)
        nursery.start_soon(client.run)
        with trio.fail_after(10):
            while len(server.headers) < 3:
                await trio.sleep(0.01)  # refused handshakes are seen by nobody else

    assert "the platform refuses us (HTTP 403): check access_token" in caplog.text
    assert host.accounts == []


async def test_the_right_token_is_shown(host: FakeHost, nursery: trio.Nursery) -> None:
    """As a bearer's."""
    async with open_platform_server(token="right") as server:
        nursery.start_soon(dialling(host, server.url, token="right").run)
        await server.accept()

    assert server.headers[0]["Authorization"] == "Bearer right"


async def test_a_platform_that_refuses_after_the_handshake_is_understood(
    server: PlatformServer, host: FakeHost, nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    """Some implementations answer a wrong token with a frame."""
    nursery.start_soon(dialling(host, server.url).run)
    platform = await server.accept()
    platform.silent.add("get_login_info")

    await platform.send({"status": "failed", "retcode": 1403, "data": None, "wording": "token", "echo": None})
    await server.accept()

    assert "the platform refuses us (retcode 1403 token): check access_token" in caplog.text


async def test_an_echo_that_never_comes_is_a_failure_in_time(
    server: PlatformServer, host: FakeHost, nursery: trio.Nursery
) -> None:
    """Nobody knows whether it was sent; the next message goes its way, and a late answer belongs to nobody."""
    client = dialling(host, server.url, action_timeout=0.3)
    nursery.start_soon(client.run)
    platform = await server.accept()
    await host.wait_reports(1)
    platform.silent.add("send_group_msg")

    with pytest.raises(ActionUnanswered, match="send_group_msg was not answered: it took too long"):
        await client.say(answer())
    late = platform.sent()[0]["echo"]
    platform.silent.clear()
    await platform.send({"status": "ok", "retcode": 0, "data": {"message_id": 1}, "echo": late})
    sent = await client.say(answer("next"))

    assert sent.message_id == "1000"


async def test_a_connection_that_breaks_before_the_answer_is_told(
    server: PlatformServer, host: FakeHost, nursery: trio.Nursery
) -> None:
    """It may have been sent: not the same as nobody being there."""
    client = dialling(host, server.url)
    nursery.start_soon(client.run)
    platform = await server.accept()
    await host.wait_reports(1)
    platform.silent.add("send_group_msg")

    async with trio.open_nursery() as inner:

        async def cut() -> None:
            await platform.wait_sent()
            await platform.socket.aclose(1011, "gone")

        inner.start_soon(cut)
        with pytest.raises(ActionUnanswered, match="the platform closed the connection"):
            await client.say(answer())


@pytest.mark.parametrize(
    ("told", "retcode"),
    [
        ({"status": "failed", "retcode": 100, "wording": "no such group"}, 100),
        ({"status": "failed", "retcode": 0}, 0),
        ({"status": "failed"}, -1),
    ],
)
async def test_a_platform_that_says_no_is_quoted(
    server: PlatformServer, host: FakeHost, nursery: trio.Nursery, told: dict[str, object], retcode: int
) -> None:
    """With its number and its words."""
    client = dialling(host, server.url)
    nursery.start_soon(client.run)
    platform = await server.accept()
    platform.answers["send_group_msg"] = told

    with pytest.raises(ActionFailed) as caught:
        await client.say(answer())

    assert caught.value.retcode == retcode
    assert str(told.get("wording", "")) in str(caught.value)


async def test_an_action_that_is_done_later_has_no_id(
    server: PlatformServer, host: FakeHost, nursery: trio.Nursery
) -> None:
    """It was taken all the same."""
    client = dialling(host, server.url)
    nursery.start_soon(client.run)
    platform = await server.accept()
    platform.answers["send_group_msg"] = {"status": "async", "retcode": 1, "data": None}

    assert (await client.say(answer())).message_id == ""


async def test_messages_keep_their_order_whatever_the_host_says(
    server: PlatformServer, host: FakeHost, nursery: trio.Nursery
) -> None:
    """A burst arrives whole and in order; only one that the host was too busy for is asked about again."""
    host.errors.append(RemoteError(ErrorCode.E_BACK_PRESSURE, "busy"))
    nursery.start_soon(dialling(host, server.url).run)
    platform = await server.accept()

    for number in range(1, 501):
        await platform.say(str(number), number=number)
    await host.wait_messages(500)

    assert [text for text in host.texts if text != "1"] == [str(number) for number in range(2, 501)]
    assert host.texts.count("1") == 1


async def test_what_we_say_ourselves_does_not_come_in(
    server: PlatformServer, host: FakeHost, nursery: trio.Nursery
) -> None:
    """Neither as a message of our account nor as an event of its own kind."""
    nursery.start_soon(dialling(host, server.url).run)
    platform = await server.accept()

    await platform.say("mine", number=1, user=10000)
    await platform.say("mine", number=2, post_type="message_sent", user=10000)
    await platform.say("yours", number=3)
    await host.wait_messages(1)

    assert host.texts == ["yours"]


async def test_an_account_that_goes_offline_is_reported_at_once(
    server: PlatformServer, host: FakeHost, nursery: trio.Nursery
) -> None:
    """The connection lives; when the account is back the host hears of it."""
    client = dialling(host, server.url)
    nursery.start_soon(client.run)
    platform = await server.accept()
    await host.wait_reports(1)

    await platform.beat(online=False)
    await host.wait_reports(2)
    await platform.beat(online=None)
    await host.wait_reports(3)

    assert host.accounts == [(True, "10000"), (False, "10000"), (True, "10000")]
    assert not platform.ended.is_set()


async def test_an_implementation_that_answers_nothing_is_known_by_its_events(
    server: PlatformServer, host: FakeHost, nursery: trio.Nursery
) -> None:
    """The first event tells the account."""
    nursery.start_soon(dialling(host, server.url, action_timeout=0.1).run)
    platform = await server.accept()
    platform.silent.add("get_login_info")
    await platform.wait_asked("get_login_info")

    await platform.say("hi")
    await host.wait_messages(1)

    assert host.accounts == [(True, "10000")]


async def test_an_account_that_is_not_the_configured_one_is_left(
    server: PlatformServer, host: FakeHost, nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing of it comes in."""
    nursery.start_soon(dialling(host, server.url, account="20000").run)
    await server.accept()
    await server.accept()

    assert "the platform speaks for account '10000', not '20000'" in caplog.text
    assert host.accounts == []


async def test_what_a_wrong_account_says_is_not_handed_over_later(
    server: PlatformServer, host: FakeHost, nursery: trio.Nursery
) -> None:
    """Not even when the right one has connected, and messages that wait go to the host."""
    nursery.start_soon(dialling(host, server.url, account="20000").run)
    for account, text in ((10000, "from the wrong one"), (20000, "from the right one")):
        platform = await server.accept()
        platform.account = account
        platform.silent.add("get_login_info")
        await platform.wait_asked("get_login_info")
        await platform.say(text)

    await host.wait_messages(1)

    assert host.texts == ["from the right one"]


@attrs.define(eq=False)
class HeldHost(FakeHost):
    """Has every message wait until its gate is open."""

    gate: trio.Event = attrs.Factory(trio.Event)

    async def route(self, message: MessageMap) -> bool:
        await self.gate.wait()
        return await super().route(message)


async def test_leaving_hands_over_what_came_before(server: PlatformServer) -> None:
    """Then the host hears that we are gone, and the platform gets closing words."""
    host = HeldHost()
    client = dialling(host, server.url)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run)
        platform = await server.accept()
        for number in range(1, 51):
            await platform.say(str(number), number=number)
        await client.say(answer())  # what the platform says of it comes behind all of them
        with trio.fail_after(TIMEOUT):
            nursery.start_soon(client.leave, "bye")
            while client._connection is not None:
                await client._changed.park()
            await trio.testing.wait_all_tasks_blocked()
            before = (host.accounts, host.texts)
            host.gate.set()
            await platform.ended.wait()

    assert before == ([(True, "10000")], [])
    assert host.accounts == [(True, "10000"), (False, "10000")]
    assert sorted(map(int, host.texts)) == list(range(1, 51))
    assert (platform.socket.close_code, platform.socket.close_reason) == (1000, "bye")


async def test_messages_go_out_no_faster_than_allowed(
    server: PlatformServer, host: FakeHost, nursery: trio.Nursery
) -> None:
    """After a burst they wait for their turn, in order."""
    client = dialling(host, server.url, rate=50.0, burst=2)
    nursery.start_soon(client.run)
    platform = await server.accept()
    await host.wait_reports(1)
    started = trio.current_time()

    async with trio.open_nursery() as speakers:
        for number in range(12):
            speakers.start_soon(client.say, answer(str(number)))
            await trio.lowlevel.checkpoint()

    assert trio.current_time() - started >= 10 / 50.0 * 0.9
    assert len(platform.sent()) == 12


async def test_other_settings_hold_at_once(host: FakeHost, nursery: trio.Nursery) -> None:
    """Another platform is dialled; the old one is left."""
    async with open_platform_server() as old, open_platform_server() as new:
        client = dialling(host, old.url)
        nursery.start_soon(client.run)
        platform = await old.accept()
        await host.wait_reports(1)

        client.reconfigure(attrs.evolve(client.settings, way=Dial(url=new.url), quote=True))
        await new.accept()
        with trio.fail_after(10):
            await platform.ended.wait()

    assert client.settings.quote
