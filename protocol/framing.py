"""Where does one frame end and the next begin: a length, then that many bytes."""

from __future__ import annotations

import struct

from .errors import FrameTooLarge, RemoteProtocolError
from .limits import HEADER_BYTES, MAX_FRAME_BYTES

_LENGTH = struct.Struct(">I")


def frame(body: bytes, max_frame_bytes: int = MAX_FRAME_BYTES) -> bytes:
    """Put the header before a body.

    Raises:
        FrameTooLarge: The body exceeds the limit; nothing may be sent.
    """
    if len(body) > max_frame_bytes:
        raise FrameTooLarge(len(body), max_frame_bytes)
    return _LENGTH.pack(len(body)) + body


class FrameReader:
    """Collects bytes and gives out the bodies of complete frames.

    The buffer grows with the bytes that arrived, never with the length that was claimed; a claim above the limit is
    refused the moment its header is there. Frames that lie whole in one chunk are sliced out of it without a copy
    into the buffer.
    """

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self.max_frame_bytes = max_frame_bytes
        self.error: RemoteProtocolError | None = None
        """Set once a header was refused; from then on nothing more is taken."""
        self._rest = bytearray()

    def __repr__(self) -> str:
        return f"<FrameReader with {len(self._rest)} bytes of an unfinished frame>"

    @property
    def is_in_frame(self) -> bool:
        """True while the bytes so far end in the middle of a frame."""
        return bool(self._rest)

    @property
    def missing(self) -> int:
        """Bytes that the frame which has begun still lacks; 0 when none has, or when not even its length is known."""
        if len(self._rest) < HEADER_BYTES:
            return 0
        return HEADER_BYTES + int(_LENGTH.unpack_from(self._rest)[0]) - len(self._rest)

    def receive(self, data: bytes) -> list[bytes]:
        """Take bytes; return the bodies of all frames that are complete now, in order.

        A frame that claims a length of zero or above the limit ends the stream: the frames before it are returned as
        if the bytes had come apart there, and ``error`` says what was wrong.
        """
        if self.error is not None:
            return []
        rest = len(data) - HEADER_BYTES
        if not self._rest and 0 < rest <= self.max_frame_bytes and _LENGTH.unpack_from(data)[0] == rest:
            return [data[HEADER_BYTES:]]  # one whole frame, as most chunks are
        bodies: list[bytes] = []
        try:
            self._split(data, bodies)
        except RemoteProtocolError as error:
            self.error = error
            self._rest.clear()
        return bodies

    def _split(self, data: bytes, bodies: list[bytes]) -> None:
        if self._rest:
            self._rest += data
            if len(self._rest) < self._wanted():
                return
            data = bytes(self._rest)
            self._rest.clear()
        start, end = 0, len(data)
        while end - start >= HEADER_BYTES:
            length = self._checked(_LENGTH.unpack_from(data, start)[0])
            stop = start + HEADER_BYTES + length
            if stop > end:
                break
            bodies.append(data[start + HEADER_BYTES : stop])
            start = stop
        if start < end:
            self._rest += data[start:]

    def _wanted(self) -> int:
        # Joining the chunks of a large frame once, when it is complete, keeps a 16 MiB frame linear.
        if len(self._rest) < HEADER_BYTES:
            return HEADER_BYTES
        return HEADER_BYTES + self._checked(int(_LENGTH.unpack_from(self._rest)[0]))

    def _checked(self, length: int) -> int:
        if length == 0:
            raise RemoteProtocolError("a frame claims a length of 0 bytes; an envelope is never empty")
        if length > self.max_frame_bytes:
            raise RemoteProtocolError(
                f"a frame claims a length of {length} bytes, the limit is {self.max_frame_bytes}"
            )
        return length
