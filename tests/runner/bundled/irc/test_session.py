"""What the bytes of a server mean to a connection."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.runner.bundled.irc.casemap import Naming
from rookery.runner.bundled.irc.errors import CannotSay, RegistrationRefused
from rookery.runner.bundled.irc.received import (
    ChannelJoined,
    ChannelLeft,
    ChannelRefused,
    NickChanged,
    Received,
    ServerClosed,
    TextReceived,
    TextRefused,
    Welcomed,
)
from rookery.runner.bundled.irc.registration import Identity
from rookery.runner.bundled.irc.session import IrcSession


@pytest.fixture
def session() -> IrcSession:
    """A connection that is welcomed as `bot` and has sent what it had to."""
    session = IrcSession(Identity(nick="bot"), ("#one", "#two key"))
    session.receive(b":s 001 bot :Welcome\r\n")
    session.data_to_send()
    return session


def hear(session: IrcSession, *lines: str) -> list[Received]:
    """What these lines mean."""
    return session.receive("".join(line + "\r\n" for line in lines).encode())


def test_channels_are_joined_on_welcome() -> None:
    """Each with its key, after the welcome and not before."""
    session = IrcSession(Identity(nick="bot"), ("#one", "#two key"))
    assert b"JOIN" not in session.data_to_send()

    received = hear(session, ":s 001 bot_ :Welcome")

    assert received == [Welcomed("bot_")]
    assert session.data_to_send() == b"JOIN #one\r\nJOIN #two key\r\n"


def test_a_ping_is_answered_with_its_token(session: IrcSession) -> None:
    """At any time, also with spaces in the token."""
    hear(session, "PING :a b", ":s PING x")

    assert session.data_to_send() == b"PONG :a b\r\nPONG x\r\n"


def test_a_text_in_a_channel_names_channel_and_person(session: IrcSession) -> None:
    """Names come as written and folded; tags give account, id and time."""
    (said,) = hear(
        session,
        "@time=2026-11-24T10:00:00.500Z;account=al;msgid=m1 :Alice!a@h PRIVMSG #One :hello Bot, you",
    )

    assert said == TextReceived(
        nick="Alice",
        user_id="alice",
        channel="#One",
        channel_id="#one",
        text="hello Bot, you",
        mentions_us=True,
        account="al",
        msgid="m1",
        sent_at=1795514400.5,
    )


@pytest.mark.parametrize(
    ("line", "text", "is_action"),
    [
        pytest.param(":al!a@h PRIVMSG BOT :hi", "hi", False, id="our nick in capitals"),
        pytest.param(":al!a@h PRIVMSG bot :\x01ACTION waves\x01", "waves", True, id="an action"),
        pytest.param(":al!a@h PRIVMSG bot :\x01ACTION waves", "waves", True, id="an action without its end"),
        pytest.param(":al!a@h PRIVMSG bot :", "", False, id="nothing"),
    ],
)
def test_a_private_text_has_no_channel(session: IrcSession, line: str, text: str, is_action: bool) -> None:
    """What is said to our nick, in whatever case, is private."""
    (said,) = hear(session, line)

    assert isinstance(said, TextReceived)
    assert (said.channel, said.text, said.is_action) == (None, text, is_action)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(":bot!u@h PRIVMSG #one :hi", id="our own words"),
        pytest.param(":BOT!u@h PRIVMSG #one :hi", id="our own words in another case"),
        pytest.param(":al!a@h PRIVMSG #one :\x01VERSION\x01", id="a CTCP request"),
        pytest.param(":al!a@h NOTICE #one :hi", id="a notice, which must not be answered"),
        pytest.param(":al!a@h PRIVMSG $* :hi", id="an announcement to a mask"),
        pytest.param(":al!a@h PRIVMSG #one", id="no text"),
        pytest.param("PRIVMSG #one :hi", id="no sender"),
    ],
)
def test_what_is_no_chat_message(session: IrcSession, line: str) -> None:
    """These lines lead to nothing, and above all to no answer."""
    assert hear(session, line) == []
    assert session.data_to_send() == b""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(":bot!u@h JOIN #one", ChannelJoined("#one"), id="joined"),
        pytest.param(":s 474 bot #one :banned", ChannelRefused("#one", "banned"), id="refused"),
        pytest.param(
            ":op!o@h KICK #one bot :out", ChannelLeft("#one", "thrown out by op: out"), id="thrown out"
        ),
        pytest.param(":bot!u@h NICK :rook", NickChanged("rook"), id="renamed"),
        pytest.param(":s 404 bot #one :moderated", TextRefused("#one", "moderated"), id="text refused"),
        pytest.param("ERROR :Closing link", ServerClosed("Closing link"), id="the end"),
    ],
)
def test_what_happens_to_us(session: IrcSession, line: str, expected: Received) -> None:
    """Each line about us has its occurrence."""
    assert hear(session, line) == [expected]


@pytest.mark.parametrize(
    "line", [":al!a@h JOIN #one", ":al!a@h NICK al2", ":op!o@h KICK #one al :out", ":al!a@h PART #one"]
)
def test_what_happens_to_others_is_not_ours(session: IrcSession, line: str) -> None:
    """Other people come and go without an occurrence."""
    assert hear(session, line) == []
    assert session.nick == "bot"


def test_after_a_rename_the_new_nick_counts(session: IrcSession) -> None:
    """Private messages to the new nick are ours, and our own words are known by it."""
    hear(session, ":bot!u@h NICK rook")

    assert len(hear(session, ":al!a@h PRIVMSG rook :hi")) == 1
    assert hear(session, ":rook!u@h PRIVMSG #one :hi") == []


@pytest.mark.parametrize("line", [":rook!u@h QUIT :Ping timeout", ":rook!u@h NICK other"])
def test_the_wanted_nick_is_taken_when_it_becomes_free(line: str) -> None:
    """After a broken connection our ghost holds the nick for minutes; when it goes, we are ourselves again."""
    session = IrcSession(Identity(nick="rook"))
    hear(session, ":s 433 * rook :in use", ":s 001 rook_ :Welcome")
    session.data_to_send()

    assert hear(session, line) == []
    assert session.data_to_send() == b"NICK rook\r\n"
    assert hear(session, ":rook_!u@h NICK rook") == [NickChanged("rook")]
    assert session.data_to_send() == b""


def test_the_server_says_which_names_are_equal(session: IrcSession) -> None:
    """The case mapping of 005 holds from then on: in ascii, braces are not small brackets."""
    (before,) = hear(session, ":a[b]!u@h PRIVMSG #one :x")
    hear(session, ":s 005 bot CASEMAPPING=ascii CHANTYPES=#! STATUSMSG=@+ NICKLEN=16 :are supported")
    (after,) = hear(session, ":A[b]!u@h PRIVMSG @#one :x")

    assert isinstance(before, TextReceived)
    assert isinstance(after, TextReceived)
    assert before.user_id == "a{b}"
    assert (after.user_id, after.channel) == ("a[b]", "@#one")
    assert session.naming == Naming("ascii", "#!", "@+", 16)


def test_the_room_for_a_text_grows_when_the_server_shows_our_address(session: IrcSession) -> None:
    """Until we see ourselves as others do, the longest address is assumed."""
    before = session.prefix
    hear(session, ":bot!~u@localhost JOIN #one")

    assert len(before) > len(session.prefix)
    assert session.prefix == "bot!~u@localhost"


@pytest.mark.parametrize("target", ["", "a b", "a,b", ":a", "a\r\nQUIT", "a\0"])
def test_only_one_channel_or_nick_is_a_target(session: IrcSession, target: str) -> None:
    """Neither a list of targets nor a second line can be hidden in one."""
    with pytest.raises(CannotSay, match="one channel or nick"):
        session.say(target, "hi")


@pytest.mark.parametrize("channel", ["rookery", "", "#a,#b", "#a b c", "#a\r\nQUIT"])
def test_a_channel_that_is_none_is_refused_before_connecting(channel: str) -> None:
    """A slip in the configuration is named at once."""
    with pytest.raises(CannotSay):
        IrcSession(Identity(nick="bot"), (channel,))


@pytest.mark.slow
@given(
    st.lists(
        st.one_of(st.binary(max_size=80), st.sampled_from([b":s 001 bot :hi\r\n", b"PING "])), max_size=12
    )
)
def test_no_bytes_of_a_server_break_a_session(chunks: list[bytes]) -> None:
    """Whatever comes, the session goes on, or says that it was not let in."""
    session = IrcSession(Identity(nick="bot"), ("#one",))
    try:
        for chunk in chunks:
            session.receive(chunk)
    except RegistrationRefused:
        return

    assert session.data_to_send().endswith(b"\r\n")
