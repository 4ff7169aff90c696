"""The gateway talks to a real IRC server, with a second real connection as the other person."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from rookery.runner.backoff import Backoff
from rookery.runner.bundled.irc.errors import CannotSay, NotConnected
from tests.doubles.irc_peers import open_person
from tests.doubles.ircd import Ircd

from .conftest import FakeHost, client_for

pytestmark = pytest.mark.slow


async def test_a_conversation_in_a_channel(ircd: Ircd, host: FakeHost, nursery: trio.Nursery) -> None:
    """What a person says arrives with channel and name; what we say reaches the person."""
    client = client_for(host, ircd.port)
    nursery.start_soon(client.run)
    await host.wait_reports(1)

    async with open_person(ircd.port, "Alice", "#Rookery") as alice:
        await alice.send("PRIVMSG #Rookery :hello rookery, ça va? 🐦")
        await host.wait_messages(1)
        await client.say("#rookery", "hello Alice")
        heard = await alice.wait_text()

    message = host.messages[0]
    assert message["session_id"] == "irc:group:#rookery"
    assert message["message_info"]["user_info"]["user_id"] == "alice"
    assert message["message_info"]["user_info"]["user_nickname"] == "Alice"
    assert message["message_info"]["group_info"]["group_name"] == "#rookery"
    assert host.texts == ["hello rookery, ça va? 🐦"]
    assert message["is_mentioned"] is True
    assert (heard.nick, *heard.params) == ("rookery", "#rookery", "hello Alice")
    assert host.reports[0] == (
        True,
        {"account": "rookery@127.0.0.1", "nick": "rookery", "server": f"127.0.0.1:{ircd.port}"},
    )


async def test_a_private_conversation(ircd: Ircd, host: FakeHost, nursery: trio.Nursery) -> None:
    """What is said to us alone is a private chat, actions included, and the answer goes to that person."""
    client = client_for(host, ircd.port, channels=())
    nursery.start_soon(client.run)
    await host.wait_reports(1)

    async with open_person(ircd.port, "Bob") as bob:
        await bob.send("PRIVMSG ROOKERY :psst", "PRIVMSG rookery :\x01ACTION waves\x01")
        await host.wait_messages(2)
        await client.say("bob", "one\ntwo")
        heard = [await bob.wait_text(), await bob.wait_text()]

    assert host.texts == ["psst", "waves"]
    assert {message["session_id"] for message in host.messages} == {"irc:private:bob"}
    assert host.messages[0]["message_info"]["group_info"] is None
    assert host.messages[1]["message_info"]["additional_config"] == {"irc_action": True}
    assert [line.param(1) for line in heard] == ["one", "two"]


async def test_a_nick_in_use_is_varied(ircd: Ircd, host: FakeHost, nursery: trio.Nursery) -> None:
    """Somebody has our nick: we come in as another and answer to that."""
    async with open_person(ircd.port, "rookery", "#rookery") as squatter:
        client = client_for(host, ircd.port)
        nursery.start_soon(client.run)
        await host.wait_reports(1)
        await squatter.send("PRIVMSG rookery_ :are you me?")
        await host.wait_messages(1)

    assert host.reports[0][1]["nick"] == "rookery_"
    assert host.reports[0][1]["account"] == "rookery@127.0.0.1"
    assert host.messages[0]["session_id"] == "irc:private:rookery"


async def test_a_long_reply_arrives_whole(ircd: Ircd, host: FakeHost, nursery: trio.Nursery) -> None:
    """The server cuts none of our lines: put together, they say every character of the text."""
    text = "".join(f"{number}·漢字и😀ß" for number in range(400))
    client = client_for(host, ircd.port)
    nursery.start_soon(client.run)
    await host.wait_reports(1)

    async with open_person(ircd.port, "alice", "#rookery") as alice:
        await client.say("#rookery", text)
        await client.say("#rookery", "end")
        await alice.wait_text("end")
        pieces = [line.param(1) for line in alice.seen if line.command == "PRIVMSG"]

    assert "".join(pieces) == text + "end"
    assert len(pieces) > 10


async def test_a_server_restart_is_survived(ircd: Ircd, host: FakeHost, nursery: trio.Nursery) -> None:
    """The gateway reports that it is gone for long, comes back by itself and goes on where it was."""
    client = client_for(host, ircd.port, send_wait=0.1)
    nursery.start_soon(client.run)
    await host.wait_reports(1)
    ircd.stop()
    await host.wait_reports(2)

    ircd.start()
    await host.wait_reports(3)
    async with open_person(ircd.port, "alice", "#rookery") as alice:
        await alice.send("PRIVMSG #rookery :back?")
        await host.wait_messages(1)
        await client.say("#rookery", "back")
        heard = await alice.wait_text()

    assert [ready for ready, _ in host.reports] == [True, False, True]
    assert heard.param(1) == "back"


async def test_what_is_said_while_the_server_is_away_waits_for_it(
    ircd: Ircd, host: FakeHost, nursery: trio.Nursery
) -> None:
    """A reply that meets a restart is sent after it, and the host, which would not hand it over, hears of no end."""
    client = client_for(host, ircd.port, backoff=Backoff(0.5, 0.5))
    nursery.start_soon(client.run)
    await host.wait_reports(1)
    ircd.stop()
    await trio.testing.wait_all_tasks_blocked()

    async with trio.open_nursery() as speaking:
        speaking.start_soon(client.say, "alice", "patience")
        ircd.start()
        async with open_person(ircd.port, "alice") as alice:
            heard = await alice.wait_text()

    assert heard.param(1) == "patience"
    assert [ready for ready, _ in host.reports] == [True, True]


async def test_a_server_that_stays_away_is_an_error_within_the_wait(
    ircd: Ircd, host: FakeHost, nursery: trio.Nursery
) -> None:
    """Nobody waits for ever: the sender is told that nothing was sent."""
    client = client_for(host, ircd.port, send_wait=0.1)
    nursery.start_soon(client.run)
    await host.wait_reports(1)
    ircd.stop()
    await host.wait_reports(2)

    with pytest.raises(NotConnected, match=f"not connected to 127.0.0.1:{ircd.port}.*nothing was sent"):
        await client.say("#rookery", "hello?")


async def test_ten_thousand_messages_arrive_in_order(
    ircd: Ircd, host: FakeHost, nursery: trio.Nursery
) -> None:
    """As fast as the server takes them: none is lost, none is doubled, each id is new."""
    count = 10_000
    client = client_for(host, ircd.port)
    nursery.start_soon(client.run)
    await host.wait_reports(1)

    async with open_person(ircd.port, "alice", "#rookery") as alice:
        for start in range(0, count, 100):
            await alice.send(*(f"PRIVMSG #rookery :number {start + step}" for step in range(100)))
        await host.wait_messages(count, timeout=40)

    assert host.texts == [f"number {number}" for number in range(count)]
    assert len({message["message_id"] for message in host.messages}) == count
    assert (client.inbound.accepted, client.inbound.lost) == (count, 0)


async def test_leaving_says_good_bye(ircd: Ircd, host: FakeHost, nursery: trio.Nursery) -> None:
    """Others see why we left, the host hears that we are gone, and the client ends."""
    client = client_for(host, ircd.port)
    nursery.start_soon(client.run)
    await host.wait_reports(1)

    async with open_person(ircd.port, "alice", "#rookery") as alice:
        with trio.fail_after(5):
            await client.leave("good night")
        gone = await alice.wait("QUIT")

    assert gone.nick == "rookery"
    assert "good night" in gone.param(0)
    assert [ready for ready, _ in host.reports] == [True, False]


async def test_what_cannot_be_said_is_refused(ircd: Ircd, host: FakeHost, nursery: trio.Nursery) -> None:
    """An empty text and a smuggled target are errors of the sender; the connection is unharmed."""
    client = client_for(host, ircd.port)
    nursery.start_soon(client.run)
    await host.wait_reports(1)

    with pytest.raises(CannotSay, match="no text"):
        await client.say("#rookery", "\n \n")
    with pytest.raises(CannotSay, match="one channel or nick"):
        await client.say("#rookery\r\nQUIT", "hi")

    async with open_person(ircd.port, "alice", "#rookery") as alice:
        await client.say("#rookery", "still here")
        assert (await alice.wait_text()).param(1) == "still here"
