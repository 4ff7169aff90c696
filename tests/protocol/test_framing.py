"""Where frames begin and end, in whatever pieces the stream arrives."""

from __future__ import annotations

import struct

import pytest

from rookery.protocol import FrameReader, FrameTooLarge, frame


def test_a_frame_is_a_big_endian_length_and_the_body() -> None:
    """Four bytes, unsigned, payload only."""
    assert frame(b"abc") == b"\x00\x00\x00\x03abc"


def test_a_body_of_exactly_the_limit_is_framed() -> None:
    """The limit is the last length that is allowed."""
    assert frame(b"abcd", 4) == b"\x00\x00\x00\x04abcd"


def test_a_body_over_the_limit_is_refused_before_sending() -> None:
    """Nothing is made of it."""
    with pytest.raises(FrameTooLarge) as caught:
        frame(b"abcde", 4)

    assert (caught.value.size, caught.value.limit) == (5, 4)


def test_frames_of_one_chunk_come_out_in_order() -> None:
    """However many the chunk holds."""
    assert FrameReader().receive(frame(b"a") + frame(b"bb") + frame(b"ccc")) == [b"a", b"bb", b"ccc"]


def test_a_stream_byte_by_byte_gives_the_same_frames() -> None:
    """Headers are split as well."""
    reader = FrameReader()

    bodies = [body for byte in frame(b"hello") + frame(b"x") for body in reader.receive(bytes([byte]))]

    assert bodies == [b"hello", b"x"]
    assert not reader.is_in_frame


def test_an_unfinished_frame_waits() -> None:
    """The reader says that it is inside one."""
    reader = FrameReader()

    assert reader.receive(b"\x00\x00\x00\x05hel") == []
    assert reader.is_in_frame
    assert repr(reader) == "<FrameReader with 7 bytes of an unfinished frame>"
    assert reader.receive(b"lo") == [b"hello"]


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        pytest.param(0, "a frame claims a length of 0 bytes; an envelope is never empty", id="nothing"),
        pytest.param(101, "a frame claims a length of 101 bytes, the limit is 100", id="one too many"),
        pytest.param(2**32 - 1, "a frame claims a length of 4294967295 bytes, the limit is 100", id="4 GiB"),
    ],
)
@pytest.mark.parametrize("split", [0, 1, 3], ids=["whole", "header after 1 byte", "header after 3 bytes"])
def test_a_bad_length_is_refused_with_its_header(claim: int, reason: str, split: int) -> None:
    """No byte of the body has to arrive for it, however the header was split."""
    reader = FrameReader(100)
    header = struct.pack(">I", claim)

    bodies = reader.receive(header[:split]) + reader.receive(header[split:])

    assert bodies == []
    assert reader.error is not None
    assert reader.error.reason == reason


def test_the_frames_before_a_bad_length_still_count() -> None:
    """As if the stream had come apart there."""
    reader = FrameReader(100)

    assert reader.receive(frame(b"good") + b"\xff\xff\xff\xff" + frame(b"never read")) == [b"good"]
    assert reader.error is not None


def test_nothing_is_read_after_a_bad_length() -> None:
    """Where the next frame would begin is unknown."""
    reader = FrameReader(100)
    reader.receive(b"\xff\xff\xff\xff")

    assert reader.receive(frame(b"x")) == []
    assert not reader.is_in_frame


def test_a_large_frame_costs_what_arrived_and_not_what_was_claimed() -> None:
    """The buffer holds the bytes that are there."""
    reader = FrameReader()

    reader.receive(struct.pack(">I", 16 * 1024 * 1024) + b"x" * 10)

    assert repr(reader) == "<FrameReader with 14 bytes of an unfinished frame>"


def test_a_frame_of_the_limit_arrives_in_chunks() -> None:
    """A megabyte in pieces of 64 KiB, with the beginning of the next frame behind it."""
    body = bytes(range(256)) * 4096
    stream = frame(body) + frame(b"next")
    reader = FrameReader(len(body))

    bodies = [
        out
        for start in range(0, len(stream), 65_536)
        for out in reader.receive(stream[start : start + 65_536])
    ]

    assert bodies == [body, b"next"]
