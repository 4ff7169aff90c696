"""What does an answer say that came compressed, and when is that more than anybody wants?

A few kilobytes can be made to unpack to gigabytes, so nothing is unpacked beyond the limit plus one read.
"""

from __future__ import annotations

import zlib

from .failure import FetchFailed, FetchKind

ACCEPTED = "gzip"
"""What servers are told that we can undo."""

_STEP = 64 * 1024
"""Bytes that are unpacked at a time."""

_EITHER = 32 + zlib.MAX_WBITS
"""Whether it is gzip or zlib, its first bytes tell."""


class Unpacked:
    """Collects the body of an answer.

    Args:
        encoding: The header ``Content-Encoding``; "" for what came as it is.
        limit: Bytes of the body that are wanted at most.

    Raises:
        FetchFailed: It is packed in a way that was not asked for.
    """

    def __init__(self, encoding: str, limit: int, who: str) -> None:
        kind = encoding.strip().lower()
        if kind not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise FetchFailed(
                FetchKind.BAD_ANSWER,
                f"{who} answers packed as {kind!r:.50}, which was not asked for",
                was_sent=True,
            )
        self._limit = limit
        self._who = who
        self._inflate = None if kind in ("", "identity") else zlib.decompressobj(wbits=_EITHER)
        self._has_begun = False
        self._body = bytearray()

    def expect(self, size: int) -> None:
        """Hear how many bytes will come, before they do.

        Raises:
            FetchFailed: They are too many.
        """
        if self._inflate is None and size > self._limit:
            raise self._too_large()

    def feed(self, data: bytes) -> None:
        """Take what came.

        Raises:
            FetchFailed: It is too much, or not packed as it says.
        """
        if self._inflate is None:
            self._keep(data)
            return
        self._has_begun = self._has_begun or bool(data)
        try:
            while not self._inflate.eof:
                piece = self._inflate.decompress(data, _STEP)
                self._keep(piece)
                data = self._inflate.unconsumed_tail
                if not data and len(piece) < _STEP:
                    break
        except zlib.error as error:
            raise self._broken(str(error)) from None

    def finish(self) -> bytes:
        """The body.

        Raises:
            FetchFailed: Its end is missing.
        """
        if self._inflate is not None and self._has_begun and not self._inflate.eof:
            raise self._broken("its end is missing")
        return bytes(self._body)

    def _keep(self, data: bytes) -> None:
        self._body += data
        if len(self._body) > self._limit:
            raise self._too_large()

    def _too_large(self) -> FetchFailed:
        return FetchFailed(
            FetchKind.TOO_LARGE,
            f"the answer of {self._who} has more than the {self._limit} bytes that the operator allows"
            " ([fetch] max_answer)",
            was_sent=True,
        )

    def _broken(self, why: str) -> FetchFailed:
        return FetchFailed(
            FetchKind.BAD_ANSWER, f"the answer of {self._who} is not packed as it says: {why}", was_sent=True
        )
