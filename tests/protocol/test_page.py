"""What a host reads in the page that it shares with a runner, also when the runner writes nonsense there."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.protocol import page
from rookery.protocol.page import Crumb, PageHead, Phase


def test_a_new_page_is_empty_and_says_how_many_slots_it_has() -> None:
    """Before the runner has written: no beat, no crumb, nothing started."""
    data = page.new_page(5)

    assert len(data) == page.page_bytes(5)
    assert page.slots_of(data) == 5
    assert page.parse_head(data) == PageHead(loop_beats=0, thread_beats=0, read=0, crumb=Crumb(), pid=0)
    assert page.parse_started(data) == frozenset()


def test_each_field_is_read_from_its_own_place() -> None:
    """One store at each offset, one value at each name."""
    data = bytearray(page.new_page(2))
    crumb = page.pack_crumb(Phase.CALL, 7, 99)
    fields = {
        page.LOOP_BEATS_AT: 11,
        page.THREAD_BEATS_AT: 12,
        page.READ_AT: 13,
        page.CRUMB_AT: crumb,
        page.PID_AT: 14,
        page.TURNS_AT: 16,
        page.STARTED_AT + 8: 15,
    }

    for offset, value in fields.items():
        struct.pack_into("=Q", data, offset, value)

    assert page.parse_head(bytes(data)) == PageHead(
        loop_beats=11,
        thread_beats=12,
        read=13,
        crumb=Crumb(phase=Phase.CALL, plugin=7, request_id=99),
        pid=14,
        turns=16,
    )
    assert page.parse_started(bytes(data)) == {15}


@given(st.sampled_from(Phase), st.integers(0, 2**24 - 1), st.integers(0, 2**64))
def test_a_crumb_survives_packing(phase: Phase, plugin: int, request_id: int) -> None:
    """The number is one u64; a long request id keeps its low half."""
    packed = page.pack_crumb(phase, plugin, request_id)

    assert 0 <= packed < 2**64
    assert page.unpack_crumb(packed) == Crumb(phase=phase, plugin=plugin, request_id=request_id % 2**32)


def test_a_plugin_number_without_room_is_nobody() -> None:
    """More than sixteen million plugins in one shard: no wrong plugin may be named."""
    assert page.unpack_crumb(page.pack_crumb(Phase.CALL, 1 << 24, 3)).plugin == 0


@given(st.binary(max_size=200))
def test_nonsense_is_read_without_an_exception(data: bytes) -> None:
    """A runner may write whatever it likes, and may cut the file."""
    page.parse_head(data)
    page.slots_of(data)
    assert 0 not in page.parse_started(data)


def test_an_unknown_phase_blames_nobody() -> None:
    """It is a lie or damage."""
    assert page.unpack_crumb(200 << 56 | 5 << 32 | 7) == Crumb()


def test_a_page_without_the_magic_is_none() -> None:
    """Another layout is not guessed at."""
    data = b"\1" + page.new_page(1)[1:]

    assert page.parse_head(data) is None
    assert page.slots_of(data) is None


def test_a_page_that_is_shorter_than_it_says_is_none() -> None:
    """The runner must not store behind the end of its map."""
    assert page.slots_of(page.new_page(4)[:-1]) is None


@pytest.mark.parametrize("slots", [-1, page.MAX_SLOTS + 1])
def test_a_page_of_no_size_is_refused(slots: int) -> None:
    """A local mistake, said at once."""
    with pytest.raises(ValueError, match="slots is"):
        page.new_page(slots)
