"""A compressed answer is unpacked no further than the limit, and one that is not what it says is an error."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest

from rookery.supervisor.fetch.encoding import Unpacked
from rookery.supervisor.fetch.failure import FetchFailed, FetchKind


def unpack(encoding: str, data: bytes, *, limit: int = 1_000_000, step: int = 1000) -> bytes:
    body = Unpacked(encoding, limit, "a.test")
    for start in range(0, len(data), step):
        body.feed(data[start : start + step])
    return body.finish()


TEXT = bytes(range(256)) * 1200  # more than two steps of unpacking


@pytest.mark.parametrize("step", [1, 7, 1000, 10**6])
@pytest.mark.parametrize(
    ("encoding", "data"),
    [("", TEXT), ("identity", TEXT), ("gzip", gzip.compress(TEXT, mtime=0)), (" GZIP ", gzip.compress(TEXT, mtime=0)),
     ("deflate", zlib.compress(TEXT)), ("gzip", gzip.compress(b"", mtime=0))],
)  # fmt: skip
def test_a_body_comes_as_it_was(encoding: str, data: bytes, step: int) -> None:
    """However it was cut on the way."""
    if step == 1:
        data = data[:5000] if encoding in ("", "identity") else data

    body = unpack(encoding, data, step=step)

    assert body == (data if encoding in ("", "identity") else zlib.decompress(data, wbits=47))


@pytest.mark.parametrize(
    ("encoding", "data", "kind"),
    [
        pytest.param("br", b"x", FetchKind.BAD_ANSWER, id="a way that was not asked for"),
        pytest.param("gzip", b"plain", FetchKind.BAD_ANSWER, id="not packed at all"),
        pytest.param("gzip", gzip.compress(TEXT)[:-9], FetchKind.BAD_ANSWER, id="cut off"),
        pytest.param("", b"x" * 11, FetchKind.TOO_LARGE, id="too much"),
        pytest.param("gzip", gzip.compress(b"x" * 11), FetchKind.TOO_LARGE, id="too much when unpacked"),
    ],
)
def test_what_cannot_be_used_is_told_apart(encoding: str, data: bytes, kind: FetchKind) -> None:
    """The answer's mistake, or the operator's limit."""
    limit = 10 if kind is FetchKind.TOO_LARGE else 10**6

    with pytest.raises(FetchFailed) as caught:
        unpack(encoding, data, limit=limit)

    assert caught.value.kind is kind
    assert caught.value.was_sent


def test_a_bomb_does_not_go_off() -> None:
    """Forty megabytes in forty kilobytes: a fraction of that is ever there."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(40)) + packer.flush()
    body = Unpacked("gzip", 256 * 1024, "a.test")

    tracemalloc.start()
    try:
        with pytest.raises(FetchFailed, match="more than the 262144 bytes"):
            body.feed(bomb)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert most < 2 * 2**20


def test_a_length_that_is_told_is_judged_before_anything_comes() -> None:
    """Where it is that of the body itself."""
    with pytest.raises(FetchFailed, match="more than the 10 bytes"):
        Unpacked("", 10, "a.test").expect(11)

    Unpacked("gzip", 10, "a.test").expect(11)
