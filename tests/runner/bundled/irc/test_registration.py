"""Getting in: capabilities, SASL, nicks, and each way in which a server says no."""

from __future__ import annotations

import base64

import pytest

from rookery.runner.bundled.irc.errors import CannotSay, RegistrationRefused
from rookery.runner.bundled.irc.line import parse_line
from rookery.runner.bundled.irc.registration import (
    MAX_NICKS,
    Identity,
    Registration,
    Stage,
    nick_candidate,
)

PLAIN = Identity(nick="bot")
WITH_SASL = Identity(nick="bot", sasl_user="bot", sasl_password="secret")


def talk(registration: Registration, *lines: str) -> list[str]:
    """What the client answers to these lines."""
    answers: list[bytes] = []
    for line in lines:
        answers.extend(registration.receive(parse_line(line.encode())))
    return [answer.decode().removesuffix("\r\n") for answer in answers]


def started(identity: Identity) -> Registration:
    """A registration whose opening lines are sent."""
    registration = Registration(identity)
    registration.start()
    return registration


def test_the_opening_lines_come_in_the_order_that_servers_want() -> None:
    """CAP first, so that the server waits; PASS before NICK and USER."""
    identity = Identity(nick="bot", user="me", realname="A bot", password="pw")

    lines = Registration(identity).start()

    assert lines == [
        b"CAP LS 302\r\n",
        b"PASS pw\r\n",
        b"NICK bot\r\n",
        b"USER me 0 * :A bot\r\n",
    ]


def test_only_offered_capabilities_are_asked_for() -> None:
    """The list may come in several lines; echo-message is never switched on."""
    registration = started(PLAIN)

    asked = talk(registration, ":s CAP * LS * :echo-message server-time", ":s CAP * LS :message-tags=a,b x")
    ended = talk(registration, ":s CAP bot ACK :server-time message-tags")

    assert asked == ["CAP REQ :server-time message-tags"]
    assert ended == ["CAP END"]
    assert registration.capabilities == {"server-time", "message-tags"}
    assert registration.stage is Stage.WAITING


def test_a_server_that_offers_nothing_is_let_go_on() -> None:
    """Without a capability that we know, the negotiation ends at once."""
    assert talk(started(PLAIN), ":s CAP * LS :multi-prefix") == ["CAP END"]


def test_a_server_without_capabilities_registers_us_too() -> None:
    """An answer 421 to CAP changes nothing; 001 comes without CAP END."""
    registration = started(PLAIN)

    assert talk(registration, ":s 421 * CAP :Unknown command", ":s 001 bot :Welcome") == []
    assert registration.stage is Stage.REGISTERED


def test_a_refused_capability_does_not_end_the_registration() -> None:
    """NAK is an answer like ACK."""
    assert talk(started(PLAIN), ":s CAP * LS :server-time", ":s CAP * NAK :server-time")[-1] == "CAP END"


def test_sasl_plain_goes_before_the_end_of_the_negotiation() -> None:
    """The credentials are sent when the server asks, and CAP END only when it has accepted them."""
    registration = started(WITH_SASL)

    asked = talk(registration, ":s CAP * LS :sasl=EXTERNAL,PLAIN server-time")
    waiting = talk(registration, ":s CAP * ACK :server-time")
    begun = talk(registration, ":s CAP * ACK :sasl")
    (credentials,) = talk(registration, "AUTHENTICATE +")
    ended = talk(registration, ":s 900 bot bot!u@h bot :You are now logged in", ":s 903 bot :ok")

    assert asked == ["CAP REQ server-time", "CAP REQ sasl"]
    assert waiting == []
    assert begun == ["AUTHENTICATE PLAIN"]
    assert base64.b64decode(credentials.split()[1]) == b"\0bot\0secret"
    assert ended == ["CAP END"]


@pytest.mark.parametrize(("length", "chunks"), [(10, 1), (294, 1), (297, 2), (600, 3)])
def test_long_credentials_go_in_chunks(length: int, chunks: int) -> None:
    """At most 400 characters a line; a full last chunk is followed by a lone plus."""
    registration = started(Identity(nick="bot", sasl_user="u", sasl_password="p" * length))
    talk(registration, ":s CAP * LS :sasl", ":s CAP * ACK :sasl")

    parts = [line.split()[1] for line in talk(registration, "AUTHENTICATE +")]

    text = "".join(part for part in parts if part != "+")
    assert base64.b64decode(text) == b"\0u\0" + b"p" * length
    assert all(len(part) <= 400 for part in parts)
    assert (parts[-1] == "+") == (len(text) % 400 == 0)
    assert len(parts) == chunks


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        pytest.param([":s CAP * LS :server-time"], "offers no SASL", id="none offered"),
        pytest.param([":s CAP * LS :sasl=EXTERNAL"], "only with EXTERNAL", id="no PLAIN offered"),
        pytest.param([":s CAP * LS :sasl", ":s CAP * NAK :sasl"], "refuses SASL", id="refused"),
        pytest.param([":s 904 bot :Authentication failed"], "password is wrong", id="wrong password"),
        pytest.param([":s 464 bot :Password incorrect"], "server's password", id="wrong server password"),
        pytest.param([":s 465 bot :K-lined"], "banned.*K-lined", id="banned"),
        pytest.param([":s 432 * bot :Erroneous nickname"], "does not accept the nick 'bot'", id="bad nick"),
    ],
)
def test_a_refusal_says_why(lines: list[str], reason: str) -> None:
    """A login that was asked for and cannot be had is an error, never a silent connection without it."""
    with pytest.raises(RegistrationRefused, match=reason):
        talk(started(WITH_SASL), *lines)


def test_a_nick_in_use_is_varied_until_one_is_free() -> None:
    """Underscores first; the welcome says which nick we have."""
    registration = started(PLAIN)

    tried = talk(registration, ":s 433 * bot :in use", ":s 433 * bot_ :in use", ":s 436 * bot__ :collision")
    talk(registration, ":s 001 bot3 :Welcome")

    assert tried == ["NICK bot_", "NICK bot__", "NICK bot3"]
    assert registration.nick == "bot3"


def test_a_candidate_that_is_too_long_for_the_server_is_passed_over() -> None:
    """432 ends the attempt only for the configured nick."""
    assert talk(started(PLAIN), ":s 433 * bot :in use", ":s 432 * bot_ :too long") == [
        "NICK bot_",
        "NICK bot__",
    ]


def test_nicks_run_out_in_the_end() -> None:
    """A server on which everything is in use does not keep us asking for ever."""
    registration = started(PLAIN)

    with pytest.raises(RegistrationRefused, match="in use"):
        talk(registration, *[":s 433 * x :in use"] * (MAX_NICKS + 1))


def test_later_candidates_fit_into_nine_characters() -> None:
    """Nine is what the oldest servers allow."""
    assert [nick_candidate("longnickname", attempt) for attempt in (1, 3, 9)] == [
        "longnickname_",
        "longnick3",
        "longnick9",
    ]


@pytest.mark.parametrize(
    "identity",
    [
        Identity(nick="a b"),
        Identity(nick="a\r\nQUIT"),
        Identity(nick=""),
        Identity(nick="a", password="x\ny"),
    ],
)
def test_an_identity_that_breaks_lines_is_refused_before_connecting(identity: Identity) -> None:
    """What the configuration says cannot smuggle in a line."""
    with pytest.raises(CannotSay):
        Registration(identity).start()


def test_passwords_are_not_shown() -> None:
    """A log line with an identity in it gives nothing away."""
    assert "secret" not in repr(WITH_SASL)
