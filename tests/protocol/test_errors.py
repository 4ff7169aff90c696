"""Blame, codes and the error object of the wire."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol import (
    BadPayload,
    CannotEncode,
    ConnectionLost,
    ErrorCode,
    FrameTooLarge,
    LocalProtocolError,
    RemoteError,
    RemoteProtocolError,
    RequestTimedOut,
    RookeryError,
)

FIFTEEN = [
    "OK",
    "E_UNKNOWN",
    "E_TIMEOUT",
    "E_BAD_PAYLOAD",
    "E_PROTOCOL_MISMATCH",
    "E_SHUTTING_DOWN",
    "E_UNAUTHORIZED",
    "E_METHOD_NOT_ALLOWED",
    "E_BACK_PRESSURE",
    "E_HOST_OVERLOADED",
    "E_PLUGIN_CRASHED",
    "E_PLUGIN_NOT_FOUND",
    "E_RELOAD_IN_PROGRESS",
    "E_CAPABILITY_DENIED",
    "E_CAPABILITY_FAILED",
]


def test_there_are_exactly_the_fifteen_codes() -> None:
    """Any other text makes an original peer deaf for ever."""
    assert [code.value for code in ErrorCode] == FIFTEEN


@pytest.mark.parametrize("text", FIFTEEN)
def test_known_codes_parse_to_themselves(text: str) -> None:
    """The text is the name."""
    assert ErrorCode.parse(text).value == text


@pytest.mark.parametrize("text", ["", "E_NEW_IN_2_0", "e_timeout", "ok", None, 7, ["E_TIMEOUT"], {}])
def test_unknown_codes_parse_to_unknown(text: object) -> None:
    """A newer peer's answer still reaches the caller."""
    assert ErrorCode.parse(text) is ErrorCode.E_UNKNOWN


def test_every_error_has_the_one_root() -> None:
    """An application catches RookeryError; local misuse and the peer's are told apart below it."""
    for kind in (
        LocalProtocolError,
        RemoteProtocolError,
        ConnectionLost,
        RequestTimedOut,
        RemoteError,
        BadPayload,
    ):
        assert issubclass(kind, RookeryError)
    assert issubclass(CannotEncode, LocalProtocolError)
    assert issubclass(FrameTooLarge, LocalProtocolError)
    assert not issubclass(RemoteProtocolError, LocalProtocolError)


def test_an_error_object_becomes_an_exception() -> None:
    """Code, message and details as they came."""
    error = RemoteError.from_wire({"code": "E_TIMEOUT", "message": "too slow", "details": {"ms": 3}})

    assert (error.code, error.message, error.details) == (ErrorCode.E_TIMEOUT, "too slow", {"ms": 3})
    assert str(error) == "[E_TIMEOUT] too slow"


def test_an_error_without_a_message_is_its_code() -> None:
    """Nothing is made up."""
    assert str(RemoteError(ErrorCode.E_BACK_PRESSURE)) == "E_BACK_PRESSURE"


def test_an_unknown_code_is_kept_in_the_message() -> None:
    """The operator can still look it up."""
    error = RemoteError.from_wire({"code": "E_NEW", "message": "what"})

    assert error.code is ErrorCode.E_UNKNOWN
    assert error.message == "what (the peer's code was 'E_NEW')"
    assert RemoteError.from_wire({"code": 5}).message == "the peer's code was 5"


def _deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(1_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param({}, id="empty"),
        pytest.param({"code": None, "message": None, "details": None}, id="all null"),
        pytest.param({"details": [1]}, id="details that are no map"),
        pytest.param({"message": 5}, id="a message that is no text"),
        pytest.param({"message": _deep()}, id="a message too deep for repr"),
        pytest.param({"code": _deep()}, id="a code too deep for repr"),
        pytest.param({"code": "x" * 10**6}, id="a code of a million letters"),
    ],
)
def test_a_crooked_error_object_is_still_an_error(wire: dict[str, Any]) -> None:
    """Whatever a peer puts there, its caller gets a RemoteError that can be printed and sent on."""
    error = RemoteError.from_wire(wire)

    assert error.code is ErrorCode.E_UNKNOWN
    assert len(str(error)) < 300
    assert error.details == {}


def test_a_bad_payload_says_where() -> None:
    """The path stands before the message; the payload itself has none."""
    assert str(BadPayload("must be a text", "args[2]")) == "args[2]: must be a text"
    assert str(BadPayload("must be a map")) == "must be a map"


def test_a_frame_that_is_too_large_says_how_much() -> None:
    """Both numbers, for the log and for programs."""
    error = FrameTooLarge(20, 10)

    assert (error.size, error.limit) == (20, 10)
    assert error.reason == "a frame of 20 bytes exceeds the limit of 10 bytes"
