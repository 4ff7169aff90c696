"""A short search in every run, and proof that the search would find what it is for."""

from __future__ import annotations

import random
from itertools import islice
from typing import Any

import msgpack
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from rookery.protocol import (
    BadPayload,
    FrameReader,
    RemoteProtocolError,
    decode_envelope,
    decode_value,
    encode_value,
    structure,
)
from tests.fuzz import corpus, targets
from tests.fuzz.__main__ import main
from tests.fuzz.msgpack_tokens import tokens_of, value_at
from tests.fuzz.mutations import MAX_INPUT_BYTES, mutate_value
from tests.fuzz.sameness import depth_of, same
from tests.fuzz.search import Search, try_input
from tests.fuzz.targets import TARGETS, Broken, Target

INPUTS = 3000
"""Of each target in a normal run. A number and not a time: two runs try the same."""

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_no_input_breaks_a_claim(target: Target) -> None:
    """Thousands of them, the same in every run; ``python -m tests.fuzz`` tries more."""
    search = Search(target, seed=1)

    finding = search.run(inputs=INPUTS)

    assert finding is None, finding.told()
    assert search.inputs == INPUTS


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_honest_input_is_read(target: Target) -> None:
    """Otherwise the search would begin with what is refused at the door."""
    outcomes: set[str] = set()

    findings = [try_input(target, data, outcomes=outcomes) for data in target.seeds()]

    assert not any(findings)
    assert not [text for text in outcomes if text.startswith(("bad", "no value", "refused", "defect"))]


def test_every_payload_class_is_tried() -> None:
    """A new class is in the corpus because it is exported."""
    outcomes: set[str] = set()

    for data in TARGETS["payload"].seeds():
        try_input(TARGETS["payload"], data, outcomes=outcomes)

    assert outcomes == {f"good {cls.__name__}" for cls in corpus.CLASSES}


def _inputs_of(seed: int, count: int) -> list[bytes]:
    return list(islice(Search(TARGETS["envelope"], seed)._candidates(), count))


def test_a_seed_makes_the_same_inputs() -> None:
    """And another seed makes others."""
    first, again, other = _inputs_of(1, 400), _inputs_of(1, 400), _inputs_of(2, 400)

    assert first == again
    assert first != other
    assert len(set(first)) > 300


# --- planted bugs: each must be found, with its input ------------------------------------------------------------


def _planted(name: str, monkeypatch: pytest.MonkeyPatch, function: str, replacement: object) -> Search:
    monkeypatch.setattr(targets, function, replacement)
    return Search(TARGETS[name], seed=1)


@pytest.mark.slow
def test_a_foreign_exception_is_found_and_its_input_repeats_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder that raises KeyError where a double-precision infinity is."""

    def decode(body: bytes, *, compact: bool) -> Any:
        if b"\xcb\xff\xf0\x00" in body:  # minus infinity, which no honest input holds
            raise KeyError("planted")
        return decode_envelope(body, compact=compact)

    search = _planted("envelope", monkeypatch, "decode_envelope", decode)

    finding = search.run(inputs=20_000)

    assert finding is not None
    assert b"\xcb\xff\xf0\x00" in finding.data
    assert isinstance(finding.error, KeyError)
    assert try_input(search.target, finding.data) is not None
    again = CliRunner().invoke(main, ["--target", "envelope", "--inputs", str(finding.number)])
    assert again.exit_code == 1
    assert f"--repeat {finding.data.hex()}" in again.output
    assert "input " + str(finding.number) + " of seed 1: KeyError" in again.output
    repeated = CliRunner().invoke(main, ["--target", "envelope", "--repeat", finding.data.hex()])
    assert repeated.exit_code == 1


def test_a_value_that_changes_on_its_way_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoder that writes another text."""

    def encode(value: Any) -> bytes:
        return encode_value(value).replace(b"\xa4text", b"\xa4next")

    search = _planted("payload", monkeypatch, "encode_value", encode)

    finding = search.run(inputs=2000)

    assert finding is not None
    assert isinstance(finding.error, Broken)


class _Hoarder(FrameReader):
    """Keeps what it has given out."""

    def _split(self, data: bytes, bodies: list[bytes]) -> None:
        super()._split(data, bodies)
        if len(bodies) > 1:
            self._rest += bodies[0]


def test_a_reader_that_keeps_too_much_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even when the frames that it gives out are right."""
    finding = _planted("frames", monkeypatch, "FrameReader", _Hoarder).run(inputs=2000)

    assert finding is not None
    assert isinstance(finding.error, Broken)
    assert "kept" in str(finding.error)


def test_an_exception_of_the_wrong_kind_for_its_place_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad payload must not end the connection."""

    def strict(data: Any, cls: type) -> Any:
        try:
            return structure(data, cls)
        except BadPayload as error:
            raise RemoteProtocolError("planted") from error

    finding = _planted("payload", monkeypatch, "structure", strict).run(inputs=2000)

    assert finding is not None
    assert isinstance(finding.error, RemoteProtocolError)


def test_a_slow_input_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the processor's time, so that a busy machine is no finding."""
    monkeypatch.setattr("tests.fuzz.search.MAX_INPUT_SECONDS", 0.0)

    finding = try_input(TARGETS["envelope"], corpus.envelope_bodies()[0])

    assert finding is not None
    assert "s for" in str(finding.error)


def test_the_command_tells_what_it_did() -> None:
    """Inputs, their rate, and the total at the end."""
    ended = CliRunner().invoke(main, ["--inputs", "30", "--seed", "5"])

    assert ended.exit_code == 0
    assert "envelope        30 inputs" in ended.output
    assert ended.output.splitlines()[-1].startswith("total: 180 inputs in ")
    assert ended.output.endswith("seed 5, 0 of 6 targets failed\n")


def test_an_empty_input_can_be_repeated() -> None:
    """Its hex would be nothing at all."""
    ended = CliRunner().invoke(main, ["--target", "frames", "--repeat", "empty"])

    assert (ended.exit_code, ended.output) == (0, "frames: the input keeps its claim\n")


# --- what the search itself stands on ----------------------------------------------------------------------------


@pytest.mark.slow
@given(plain)
def test_a_value_is_the_same_after_a_trip(value: object) -> None:
    """Of any shape that can be sent."""
    assert same(decode_value(msgpack.packb(value)), value)


@pytest.mark.slow
@given(plain)
def test_tokens_cover_a_packed_value(value: object) -> None:
    """Without gaps, and the first one's value is the whole."""
    packed = msgpack.packb(value)

    tokens = tokens_of(packed)

    assert [token.start for token in tokens[1:]] == [token.stop for token in tokens[:-1]]
    assert value_at(tokens, 0) == (0, len(packed))
    assert all(
        decode_value(packed[slice(*value_at(tokens, index))]) is not ... for index in range(len(tokens))
    )


@given(st.binary(max_size=200), st.integers())
def test_any_bytes_can_be_mutated(data: bytes, seed: int) -> None:
    """An input that was cut or flipped is the start of another."""
    assert len(mutate_value(data, random.Random(seed), [data, b"\x90"])) <= MAX_INPUT_BYTES


@given(st.binary(max_size=300), st.sampled_from(sorted(TARGETS)))
def test_bytes_without_any_structure_break_no_claim(data: bytes, name: str) -> None:
    """What hypothesis finds strange."""
    finding = try_input(TARGETS[name], data)

    assert finding is None, finding.told()


@pytest.mark.parametrize(
    ("left", "right"),
    [(1, True), (0.0, -0.0), (1, 1.0), ("a", b"a"), ([1], [True]), ({"a": 0}, {"a": False}), ([], [[]])],
    ids=repr,
)
def test_values_that_are_equal_and_not_the_same(left: object, right: object) -> None:
    """A trip must not change a type."""
    assert not same(left, right)


def test_depth_is_counted_without_recursion() -> None:
    """Deeper than Python would go."""
    value: list[Any] = []
    for _ in range(5000):
        value = [value]

    assert depth_of(value) == 5001
    assert depth_of({"a": [1]}) == 2
    assert depth_of("text") == 0
