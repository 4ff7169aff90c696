"""A test sends segments to a real runner, and takes what comes of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import attrs
import trio

from rookery.protocol import PLUGIN_EMIT_EVENT, PLUGIN_RUN_SEGMENT, Pending, encode_value
from tests.doubles.scripted_host import PATIENCE, ScriptedHost, assigned, assignment

PLUGIN = "test.in_segments"
HERE = assignment(assigned("in_segments"))


@attrs.define
class Sent:
    """One segment, and what it came to."""

    host: ScriptedHost
    names: tuple[str, ...]
    in_turn: bool
    number: int = 0
    pending: Pending | None = None
    whole: Any = None
    """The answer of the segment."""
    parts: dict[str, Any] = attrs.Factory(dict)
    """Of those that answer for themselves."""
    last: str = ""
    """In turn: who answered."""
    changed: trio.Event = attrs.Factory(trio.Event)

    def settle(self, outcome: Any) -> None:
        self.whole = outcome
        assert self.pending is not None
        if self.in_turn:
            place = self.pending.answered_by - self.number - 1
            self.last = self.names[place] if place >= 0 else ""
        elif isinstance(outcome, dict):
            for place in outcome["speaking"]:
                self._expect(place)
        self.changed.set()

    def _expect(self, place: int) -> None:
        def settled(outcome: Any) -> None:
            self.parts[self.names[place]] = outcome
            self.changed.set()

        part = Pending(self.number + 1 + place, PLUGIN_EMIT_EVENT, PLUGIN, trio.current_time() + 20, settled)
        self.host.link.expect(part)

    async def wait(self, fits: Callable[[Sent], Any] = lambda sent: sent.whole is not None) -> None:
        with trio.fail_after(PATIENCE):
            while not fits(self):
                await self.changed.wait()
                self.changed = trio.Event()


def send_segment(
    host: ScriptedHost,
    *names: str,
    conducts: dict[str, str] | None = None,
    in_turn: bool = True,
    key: str = "",
    timeout: float = 10.0,
    **changes: Any,
) -> Sent:
    sent = Sent(host, names, in_turn)
    payload = {
        "method": PLUGIN_EMIT_EVENT,
        "args": encode_value({"event_type": "on_test", "conducts": conducts or {}}),
        "plugins": [PLUGIN] * len(names),
        "components": list(names),
        "timeouts_ms": [int(timeout * 1000)] * len(names),
        "in_turn": in_turn,
        "ordering_key": key,
        "sent_at": time.monotonic(),
        **changes,
    }
    sent.number = host.link.send(
        PLUGIN_RUN_SEGMENT,
        payload,
        deadline=trio.current_time() + 20,
        on_done=sent.settle,
        parts=len(names),
    )
    sent.pending = host.link.session.pending[sent.number]
    return sent


async def read_log(host: ScriptedHost) -> list[str]:
    found: list[str] = await host.run(PLUGIN, "log")
    return found


async def wait_begun(host: ScriptedHost, *names: str) -> None:
    with trio.fail_after(PATIENCE):
        while not set(names) <= set(await read_log(host)):
            await trio.sleep(0.005)  # a real process on the real clock
