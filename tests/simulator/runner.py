"""What runs in a simulated runner: it works calls off in their lanes, leaves when it is told to, and does what faults say.

Its handlers count what they begin, which is what invariants are about.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import attrs

from rookery.protocol import (
    PLUGIN_CANCEL,
    PLUGIN_EMIT_EVENT,
    PLUGIN_PREPARE_SHUTDOWN,
    PLUGIN_RECALL,
    PLUGIN_REGISTER_COMPONENTS,
    PLUGIN_SHUTDOWN,
    RUNNER_STARTED,
    ErrorCode,
    frame,
)
from rookery.protocol import page as layout
from rookery.protocol.codec import encode_envelope
from rookery.protocol.envelope import Envelope, MessageType
from rookery.protocol.received import BroadcastReceived, RequestReceived, RequestSettled
from tests.simulator.starting import StartingRunner

if TYPE_CHECKING:
    from rookery.supervisor.process import Launch
    from tests.simulator.calls import Books
    from tests.simulator.faults import Faults
    from tests.simulator.wire import Wire
    from tests.simulator.world import World


@attrs.define(eq=False)
class Run:
    """One call in a runner."""

    request_id: int
    number: int
    plugin_id: str
    key: str
    work: float
    limit: float
    """When its caller does not wait any more."""
    event_id: str
    slot: int | None = None
    is_over: bool = False


class SimRunner(StartingRunner):
    """One runner."""

    def __init__(
        self, world: World, faults: Faults, wire: Wire, launch: Launch, pid: int, *, books: Books,
        features: tuple[str, ...],
    ) -> None:  # fmt: skip
        super().__init__(world, faults, wire, launch, pid, features=features)
        self.books = books
        self.is_draining = False
        self._lanes: dict[tuple[str, str], deque[Run]] = {}
        self._running: dict[int, Run] = {}
        self._begun: dict[int, Run] = {}
        self._drain_id = 0
        wire.take = self._take

    @property
    def keeps_account(self) -> bool:
        """Whether its host knows what had begun when it died."""
        return "started" in self.features and not self.wire.is_broken

    @property
    def suspects(self) -> set[str]:
        """Plugins whose calls had begun and were not over, or were told to begin, or whose answers nobody could read."""
        return {run.plugin_id for run in self._begun.values()}

    @property
    def suspect_events(self) -> set[str]:
        """What those calls were about."""
        return {run.event_id for run in self._begun.values()}

    # --- what befalls one that works ---------------------------------------------------------------------------

    @property
    def _misfortunes(self) -> dict[str, Any]:
        return {
            "death at work": lambda kind: self.die(self._status_of_death(), kind),
            "hang for a moment": lambda kind: self.freeze(kind, self._hang(), self.world.between(0.5, 12.0)),
            "hang for good": lambda kind: self.freeze(kind, self._hang(), float("inf")),
            "stopped by a signal": lambda kind: self.freeze(kind, ("T", False), float("inf")),
            "does not read": self._stop_reading,
            "closes its connection": self._close_connection,
            "garbage": lambda kind: self._spoil(kind, b"\x00\x00\x00\x03\xc1\xc1\xc1"),
            "half a frame": lambda kind: self._spoil(kind, b"\x00\x00\x01\x00half"),
            "strange plugin": self._claim,
            "flood of strange answers": self._flood,
            "grows": self._grow,
        }

    def _begin_work(self, answer: Any) -> None:
        self.is_ready = True
        for kind, act in self._misfortunes.items():
            if self._fires(kind):
                self.later(self.world.random.expovariate(1 / 15.0), self._befall, act, kind)

    def _befall(self, act: Any, kind: str) -> None:
        if not self.faults.is_calm:
            act(kind)

    def _stop_reading(self, kind: str) -> None:
        self.blame(kind)
        self.is_deaf = True
        self.fall_silent()

    def _close_connection(self, kind: str) -> None:
        self.blame(kind)
        self.wire.end()

    def _spoil(self, kind: str, data: bytes) -> None:
        self.blame(kind)
        self._write(data)
        self._is_mute = self.wire.is_broken = True

    def _claim(self, kind: str) -> None:
        self.blame(kind)
        told = {"plugin_id": "sim.stranger", "components": []}
        self._ask(PLUGIN_REGISTER_COMPONENTS, told, lambda _: None, plugin_id="sim.stranger")
        self.wire.is_broken = True

    def _flood(self, kind: str) -> None:
        self.blame(kind)
        for each in range(150):
            self._write(self._answer(10**9 + each, {"success": True, "result": [0, 0]}))

    def _grow(self, kind: str) -> None:
        self.blame(kind)
        self.rss = self.world.random.choice((900, 2000)) * 1024 * 1024

    # --- what the host says ------------------------------------------------------------------------------------

    def _take(self, data: bytes) -> None:
        for item in self.session.receive(data):
            if self.is_gone:
                return
            if isinstance(item, RequestSettled):
                item.pending.on_done(item.outcome)
            elif isinstance(item, RequestReceived):
                self._take_request(item)
            elif isinstance(item, BroadcastReceived):
                self._take_broadcast(item.method.name, item.payload)
        if self.page is not None:
            self.page.note_taken(self.session.taken)
        self._flush()

    def _take_request(self, request: RequestReceived) -> None:
        name = request.method.name
        if name == PLUGIN_PREPARE_SHUTDOWN:
            self.is_draining = True
            self._drain_id = request.request_id
            if self._fires("death while draining"):
                self.later(
                    self.world.between(0.0, 1.0), self.die, self._status_of_death(), "death while draining"
                )
            self._look_drained()
        elif name == PLUGIN_SHUTDOWN:
            if not self._fires("does not drain"):
                self.later(self.world.between(0.0, 0.5), self._shut_down, request.request_id)
        elif name.startswith("plugin.invoke") or name == PLUGIN_EMIT_EVENT:
            self._take_call(request)
        else:
            self.session.answer(request.request_id, {})

    def _take_call(self, request: RequestReceived) -> None:
        if self.is_draining:
            return self._refuse(request.request_id, "this runner is shutting down", {})
        if request.plugin_id not in self.loaded:
            return self._refuse(request.request_id, "it is not loaded here", {}, ErrorCode.E_PLUGIN_NOT_FOUND)
        payload, args = request.payload, request.payload["args"]
        run = Run(
            request.request_id, args["n"], request.plugin_id, payload.get("ordering_key", ""), args["work"],
            self.world.now + request.timeout_ms / 1000, args.get("message", {}).get("message_id", ""),
        )  # fmt: skip
        if not run.key:
            return self._begin(run)
        lane = self._lanes.get((run.plugin_id, run.key))
        if lane is not None:
            return lane.append(run)
        self._lanes[run.plugin_id, run.key] = deque()
        return self._begin(run)

    def _take_broadcast(self, name: str, payload: dict[str, Any]) -> None:
        ids = payload.get("request_ids", ())
        if name == PLUGIN_RECALL:
            for run in self._take_waiting(ids):
                self._refuse(run.request_id, "called back", {"kind": "Recalled"})
        elif name == PLUGIN_CANCEL:
            for run in self._take_waiting(ids):
                self._refuse(run.request_id, "cancelled", {"kind": "NotStarted"}, ErrorCode.E_TIMEOUT)
            for request_id in ids:
                run = self._running.get(request_id)
                if run is not None and not self._fires("stubborn handler"):
                    self.later(self.world.between(0.0, 0.2), self._give_up, run)
        self._look_drained()

    def _take_waiting(self, ids: Any) -> list[Run]:
        found = [run for lane in self._lanes.values() for run in lane if run.request_id in ids]
        for run in found:
            self._lanes[run.plugin_id, run.key].remove(run)
        return found

    # --- handlers ----------------------------------------------------------------------------------------------

    def _begin(self, run: Run) -> None:
        if self._is_mute:
            return None  # it is stuck in the middle of a write
        if self.world.now >= run.limit:
            self._refuse(run.request_id, "too late", {"kind": "NotStarted"}, ErrorCode.E_TIMEOUT)
            return self._follow(run)
        self._begun[run.request_id] = run
        self._mark(run)
        if self._fires("death before the first line"):
            self._crumb(layout.Phase.CALL, run.plugin_id, run.request_id)
            return self.die(self._status_of_death(), "death before the first line")
        self.books.note_run(run.number, self)
        self._running[run.request_id] = run
        if self.books.by_number[run.number].is_poison:
            return self._die_in(run, "poison")
        for kind, delay in (("death at the start of a handler", 0.0), ("death in a handler", run.work / 2)):
            if self._fires(kind):
                self.later(delay, self._die_in, run, kind)
        if self._fires("hang in a handler"):
            self._crumb(layout.Phase.CALL, run.plugin_id, run.request_id)
            self.freeze("hang in a handler", self._hang(), float("inf"))
        work = run.work
        if self._fires("slow handler"):
            work += self.world.between(1.0, 40.0)
            self.books.by_number[run.number].is_slow = True
        if self.world.now + work >= run.limit and not self._fires("stubborn handler"):
            self.later(run.limit - self.world.now, self._give_up, run)
        self.later(work, self._end, run)
        return None

    def _mark(self, run: Run) -> None:
        """Say that it begins, on the page or by a frame that is in the kernel before its first line."""
        if "started" not in self.features:
            return
        self.marked.add(run.number)
        run.slot = self.page.begin(run.request_id) if self.page is not None else None
        if run.slot is None:
            self._tell(RUNNER_STARTED, {"request_ids": [run.request_id]})

    def _end(self, run: Run) -> None:
        if run.is_over:
            return None
        if self._fires("death at the end of a handler"):
            return self._die_in(run, "death at the end of a handler")
        answer: dict[str, Any] = {"success": True, "result": [run.number, self.pid]}
        if self._fires("handler error"):
            answer["success"] = False
        if self._fires("strange answer"):
            self._write(self._answer(run.request_id + 10**6, answer))
        if self.session.owed.get(run.request_id) is None:
            return self._over(run)
        self.session.answer(run.request_id, answer)
        if self._fires("death in a frame"):
            data = b"" if self._is_mute else self.session.data_to_send()
            self._write(data[: self.world.random.randrange(len(data))] if data else b"")
            self.wire.is_broken = True
            return self._die_in(run, "death in a frame")
        self._flush()
        if not self._is_mute:
            self.books.note_answer(run.number, self)
        if self._fires("answer twice"):
            self._write(self._answer(run.request_id, answer))
        if self._fires("death after an answer"):
            return self.die(self._status_of_death(), "death after an answer")
        return self._over(run)

    def _give_up(self, run: Run) -> None:
        """Its time is over: it is cancelled."""
        if not run.is_over:
            self._refuse(run.request_id, "cancelled", {}, ErrorCode.E_TIMEOUT)
            self._over(run)

    def _over(self, run: Run) -> None:
        run.is_over = True
        if not (self._is_mute or self.wire.is_broken or self.wire.has_ended):
            self._begun.pop(run.request_id, None)
        self._running.pop(run.request_id, None)
        if run.slot is not None and self.page is not None:
            self.page.end(run.slot)
        self._flush()
        self._follow(run)
        self._look_drained()

    def _follow(self, run: Run) -> None:
        place = (run.plugin_id, run.key)
        lane = self._lanes.get(place)
        if lane is None:
            return
        if lane:
            self._begin(lane.popleft())
        else:
            del self._lanes[place]

    # --- leaving -----------------------------------------------------------------------------------------------

    def _look_drained(self) -> None:
        if self._drain_id and not self._running and not any(self._lanes.values()):
            request_id, self._drain_id = self._drain_id, 0
            if not self._fires("does not drain"):
                self.session.answer(request_id, {"acknowledged": True})
                self._flush()

    def _shut_down(self, request_id: int) -> None:
        self.session.answer(request_id, {"acknowledged": True})
        self._flush()
        self.die(0)

    def _die_in(self, run: Run, kind: str) -> None:
        if not run.is_over:
            self._crumb(layout.Phase.CALL, run.plugin_id, run.request_id)
            self.die(self._status_of_death(), f"{kind}, call {run.number}")

    def _die_of(self, plugin_id: str, kind: str) -> None:
        self.die(self._status_of_death(), f"{kind} of {plugin_id}")

    def _answer(self, request_id: int, payload: dict[str, Any]) -> bytes:
        """An answer that no session would give."""
        envelope = Envelope(request_id, MessageType.RESPONSE, "", "", payload)
        return frame(encode_envelope(envelope, compact=self.session.is_compact))
