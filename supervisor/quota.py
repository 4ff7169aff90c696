"""May a plugin ask the host for something now, when it has asked for so much, and so much of that is not answered?

A refusal is an answer like any other, so nobody waits for one that does not come: it names the limit and says after which time
another attempt is worth it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs
import trio

from rookery.protocol import Bucket, ErrorCode

from .bounds import SMALL

if TYPE_CHECKING:
    from rookery.protocol import Request

    from .bounds import Bounds

ANSWER_WAIT = 1.0
"""Seconds that a runner is told to wait for answers that it already waits for."""


@attrs.frozen
class Refusal:
    """Why a request is not taken."""

    text: str
    details: dict[str, Any]

    def send(self, request: Request) -> None:
        request.refuse(ErrorCode.E_BACK_PRESSURE, self.text, self.details)


class Quota:
    """What the plugins of one connection have asked for.

    Attributes:
        refused: Requests that were refused; starts at 0 and only grows.
    """

    def __init__(self, bounds: Bounds) -> None:
        self.refused = 0
        self._bounds = bounds
        self._buckets: dict[str, Bucket] = {}
        self._large: dict[int, int] = {}
        """By id, the bytes of requests that were not answered when it was looked last."""

    def refusal(self, request: Request) -> Refusal | None:
        """Why it is not to be taken; None takes it. To be asked once, when it was just read.

        Args:
            request: Of a plugin whose id was checked.
        """
        refusal = self._too_often(request) or self._too_many(request) or self._too_large(request)
        self.refused += refusal is not None
        return refusal

    def _too_often(self, request: Request) -> Refusal | None:
        bounds = self._bounds
        if not bounds.calls_rate:
            return None
        now = trio.current_time()
        bucket = self._buckets.get(request.plugin_id)
        if bucket is None:
            bucket = self._buckets[request.plugin_id] = Bucket.full(
                bounds.calls_rate, bounds.calls_burst, now
            )
        wait = bucket.take(now)
        if not wait:
            return None
        text = (
            f"{request.plugin_id} makes more than {bounds.calls_rate:g} requests a second (limits.calls_rate)"
        )
        return _refusal("calls_rate", text, wait)

    def _too_many(self, request: Request) -> Refusal | None:
        owed, most = len(request.link.session.owed), self._bounds.max_open
        if not most or owed <= most:
            return None
        return _refusal(
            "open requests", f"{most} requests of this runner wait for an answer already", ANSWER_WAIT
        )

    def _too_large(self, request: Request) -> Refusal | None:
        most, session = self._bounds.held_bytes, request.link.session
        size = session.counters.latest_bytes
        if not most or size <= SMALL:
            return None
        self._large = {number: each for number, each in self._large.items() if number in session.owed}
        held = sum(self._large.values())
        if held and held + size > most:
            text = f"requests of {held} bytes wait for an answer already, and this one has {size}: {most} at once"
            return _refusal("bytes of open requests", text, ANSWER_WAIT)
        self._large[request.request_id] = size
        return None


def _refusal(resource: str, text: str, wait: float) -> Refusal:
    details = {"kind": "resource", "resource": resource, "retry_after_ms": math.ceil(wait * 1000)}
    return Refusal(f"{text}; again in {wait:.2g} s", details)
