"""A stream of frames means the same however the kernel cuts it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.protocol import (
    CAP_CALL,
    PLUGIN_HEALTH,
    RUNNER_HELLO,
    RUNNER_LOADING,
    Envelope,
    FrameReader,
    MessageType,
    Received,
    RequestSettled,
    RuleBroken,
    Session,
    decode_envelope,
    encode_envelope,
    frame,
)
from tests.doubles.sessions import open_sessions, pass_on, raw_frame

ASKED = 4
"""Requests of the host that a stream may answer."""

texts = st.text(max_size=20)
ids = st.integers(1, 12)
well_formed = st.one_of(
    st.builds(
        lambda number, text: raw_frame(
            request_id=number,
            message_type="request",
            method=CAP_CALL,
            plugin_id="a.b",
            payload={"text": text},
        ),
        ids,
        texts,
    ),
    st.builds(
        lambda number, text: raw_frame(request_id=number, message_type="response", payload={"text": text}),
        ids,
        texts,
    ),
    st.builds(
        lambda number, text: raw_frame(
            request_id=number, message_type="broadcast", method=RUNNER_LOADING, payload={"plugin_id": text}
        ),
        ids,
        texts,
    ),
    st.builds(lambda number: raw_frame(request_id=number, message_type="request", method=PLUGIN_HEALTH), ids),
)
broken = st.one_of(
    st.binary(min_size=1, max_size=30).map(frame),
    st.sampled_from([b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", raw_frame(request_id="1")]),
)
streams = st.lists(st.one_of(*[well_formed] * 9, broken), max_size=12).map(b"".join)
envelopes = st.builds(
    Envelope,
    ids,
    st.sampled_from(MessageType),
    st.sampled_from([CAP_CALL, CAP_CALL, PLUGIN_HEALTH, RUNNER_LOADING, RUNNER_HELLO, "nonsense"]),
    st.sampled_from(["", "a.b"]),
    st.dictionaries(texts, texts, max_size=2),
    st.none() | st.just({"code": "E_TIMEOUT", "message": "late"}),
    st.integers(-1, 100_000),
)


@st.composite
def streams_and_cuts(draw: st.DrawFn) -> tuple[bytes, list[int]]:
    stream = draw(streams)
    cuts = draw(st.lists(st.integers(0, len(stream)), max_size=30))
    return stream, sorted({0, *cuts, len(stream)})


def _pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    return [stream[start:stop] for start, stop in pairwise(cuts)]


def _host(*features: str) -> Session:
    host, runner = open_sessions(features=features)
    for _ in range(ASKED):
        host.request(PLUGIN_HEALTH, {})
    pass_on(host, runner)
    return host


def _told(received: list[Received]) -> list[Any]:
    """Received values in a form that can be compared: errors and pending requests have no equality."""
    told: list[Any] = []
    for item in received:
        match item:
            case RequestSettled(pending, outcome):
                shown = outcome if isinstance(outcome, dict) else repr(outcome)
                told.append(("settled", pending.request_id, shown))
            case RuleBroken(error):
                told.append(("broken", error.reason))
            case _:
                told.append(item)
    return told


def _state_of(session: Session) -> tuple[Any, ...]:
    return (
        session.state,
        session.counters,
        sorted(session.pending),
        session.owed,
        session.data_to_send(),
    )


@given(streams_and_cuts())
def test_any_cut_of_a_stream_gives_the_same_events_answers_and_state(case: tuple[bytes, list[int]]) -> None:
    """Valid, refused and broken frames alike, with the end of a broken stream at the same place."""
    stream, cuts = case
    whole, in_pieces = _host(), _host()

    expected = _told(whole.receive(stream))
    told = [item for piece in _pieces(stream, cuts) for item in _told(in_pieces.receive(piece))]

    assert told == expected
    assert _state_of(in_pieces) == _state_of(whole)


@pytest.mark.slow
@given(st.lists(envelopes, max_size=12))
def test_both_forms_of_an_envelope_mean_the_same(sent: list[Envelope]) -> None:
    """To a host that has agreed on the compact one and to a host that has not; and so do their answers."""
    plain, compact = _host(), _host("compact")

    told = [_told(plain.receive(frame(encode_envelope(each)))) for each in sent]
    told_compact = [_told(compact.receive(frame(encode_envelope(each, compact=True)))) for each in sent]

    assert (plain.is_compact, compact.is_compact) == (False, True)
    assert told_compact == told
    for host, is_compact in ((plain, False), (compact, True)):
        if taken := host.counters.frames_in - 1:  # the hello is one
            assert host.counters.latest_bytes == len(encode_envelope(sent[taken - 1], compact=is_compact))
        host.counters.latest_bytes = 0  # looked at, and not the same in both forms
    *state, answers = _state_of(plain)
    *state_compact, answers_compact = _state_of(compact)
    assert state_compact == state
    bodies, bodies_compact = FrameReader().receive(answers), FrameReader().receive(answers_compact)
    assert [decode_envelope(each, compact=True) for each in bodies_compact] == list(
        map(decode_envelope, bodies)
    )


@given(streams_and_cuts())
def test_nothing_is_read_after_a_broken_rule(case: tuple[bytes, list[int]]) -> None:
    """RuleBroken comes once and last."""
    stream, cuts = case
    host = _host()

    told = [item for piece in [*_pieces(stream, cuts), stream] for item in host.receive(piece)]

    ends = [number for number, item in enumerate(told) if isinstance(item, RuleBroken)]
    assert ends in ([], [len(told) - 1])


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=8), st.data())
def test_any_cut_of_framed_bodies_gives_back_the_bodies(bodies: list[bytes], data: st.DataObject) -> None:
    """And leaves the reader outside a frame."""
    stream = b"".join(map(frame, bodies))
    cuts = sorted({0, len(stream), *data.draw(st.lists(st.integers(0, len(stream)), max_size=30))})
    reader = FrameReader()

    found = [body for piece in _pieces(stream, cuts) for body in reader.receive(piece)]

    assert found == bodies
    assert not reader.is_in_frame
