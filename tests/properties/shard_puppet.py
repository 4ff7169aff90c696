"""A runner that does nothing by itself: whoever holds its strings decides, and it notes what its host does to it.

It keeps an account of its offences, so that a report can be held against what the runner has really done, and of the signals
that came at a time when none may.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from rookery.protocol import (
    RUNNER_EXTEND,
    RUNNER_HELLO,
    RUNNER_LOADING,
    RUNNER_READY,
    Extend,
    Hello,
    HelloAnswer,
    Loading,
    Request,
    RunnerReady,
    structure,
    unstructure,
)
from rookery.protocol import page as layout
from rookery.supervisor.exit_report import ExitKind
from rookery.supervisor.process import Launch
from rookery.supervisor.process_look import ProcessLook
from rookery.supervisor.shard_state import ShardState
from tests.doubles.scripted_runner import SHUTDOWN, ScriptedRunner, ScriptedRunners

S = ShardState

ALL_FEATURES = ["assignment", "loading", "logs", "ordered", "beats", "started", "cancel", "recall", "extend"]

GARBAGE = b"\xff\xff\xff\xff"
"""A length that no frame may have."""
HALF_A_FRAME = b"\x00\x00\x00\x40half"

MIB = 1024 * 1024

HANG_LOOKS = 10
"""More than any `hang_timeout` of the shards of this test, in looks."""

RIGHT_STATE = {
    "TERM": {S.STOPPING},
    "KILL": {S.KILLING},
    "CONT": {S.SUSPECT},
    "USR1": {S.SUSPECT, S.KILLING, S.READY, S.DRAINING, S.STOPPING, S.REAPING},
}
"""The states of a shard in which its runner may get each signal. The stacks are asked for by a task that was woken while it
was suspect, and what it is now may be anything that follows."""


class Puppet(ScriptedRunner):
    """One runner.

    Attributes:
        incarnation: Which runner of its shard it is.
        problems: What its host did to it and must not; shared with whoever asks.
        offences: What it has done for which a host may end it, in the order in which it happened.
        silent_looks: How often its host has looked since the last beat of its loop; a look a second.
        told_loading: The plugins that it said that it loads.
        greeted_at: When its hello was accepted.
        progress_at: When it said last that it gets on with loading.
        was_importing, was_traced, was_stopped, was_resumed: What it has been since its last beat.
        answers, obeys, leaves, reads: Whether it answers calls, says that it drains, leaves when asked, reads.
    """

    def __init__(
        self, pid: int, launch: Launch, incarnation: int, state: Callable[[], ShardState], problems: list[str]
    ) -> None:
        super().__init__(pid, launch)
        self.incarnation = incarnation
        self.problems = problems
        self.offences: list[ExitKind] = []
        self.features = list(ALL_FEATURES)
        self.beats = True
        self.thread_beats = True
        self.silent_looks = self.stopped_looks = 0
        self.told_loading: set[str] = set()
        self.progress_at = self.greeted_at = self.born = trio.current_time()
        self.has_greeted = self.hello_accepted = False
        self.is_ready = False
        self.was_importing = self.was_traced = self.was_stopped = self.was_resumed = False
        self.answers = self.obeys = self.leaves = self.reads = True
        self.held: list[Request] = []
        self.largest_rss = self.rss_hard = self.large_looks = 0
        self.comes_up = False
        self.own_status: int | None = None
        self._state_of_shard = state
        self._beat = 0
        self._thread_beat = 0
        self._has_closed = False

    @property
    def is_dead(self) -> bool:
        return self._dead.is_set()

    @property
    def can_speak(self) -> bool:
        return not self.link.is_closed and not self.is_dead

    @property
    def is_spared(self) -> bool:
        """Whether it has been silent for longer than any limit, and something else than life speaks for it."""
        return self.silent_looks > HANG_LOOKS and (self.looks.is_traced or self.was_importing)

    # --- what its host does, and when --------------------------------------------------------------------------

    def _take_signal(self, name: str) -> None:
        state = self._state_of_shard()
        if self.is_reaped or self.is_abandoned:
            self.problems.append(f"#{self.incarnation} was sent {name} although it was let go")
        elif state not in RIGHT_STATE[name]:
            self.problems.append(f"#{self.incarnation} was sent {name} while its shard was {state.value}")

    def ask_to_leave(self) -> None:
        self._take_signal("TERM")
        if self.is_dead:
            return
        super().ask_to_leave()

    def kill(self) -> None:
        self._take_signal("KILL")
        super().kill()

    def resume(self) -> None:
        self._take_signal("CONT")
        if self.looks.is_traced:
            self.problems.append(f"#{self.incarnation} was continued under its debugger")
        self.was_resumed = True
        super().resume()

    @property
    def runner_pid(self) -> int:
        return self.pid

    def ask_for_stacks(self) -> bool:
        self._take_signal("USR1")
        return not self._has_closed and super().ask_for_stacks()

    def sweep(self) -> None:
        if self.is_reaped:
            self.problems.append(
                f"#{self.incarnation} was swept after it was reaped: its number may be another's"
            )
        if not self.is_dead:
            self.problems.append(f"#{self.incarnation} was swept alive")

    def reap(self) -> int | None:
        if self.is_reaped:
            self.problems.append(f"#{self.incarnation} was reaped twice")
        return super().reap()

    # --- what it does ------------------------------------------------------------------------------------------

    def offend(self, *kinds: ExitKind) -> None:
        self.offences += kinds

    def exit(self, status: int) -> None:
        """End by itself, or by a signal of somebody else's."""
        self.offend(ExitKind.EXITED if status >= 0 else ExitKind.SIGNAL, ExitKind.OUT_OF_MEMORY)
        self.own_status = status
        self.die(status)

    def hello(self, *, well: bool = True) -> None:
        self.has_greeted = True
        hello = Hello(runner_id="puppet", sdk_version="2.0.0", session_token="", features=self.features)
        if not well:
            self.offend(ExitKind.REFUSED, ExitKind.PROTOCOL)
        self.link.send(
            RUNNER_HELLO, unstructure(hello) if well else {}, deadline=float("inf"), on_done=self._take_answer
        )
        self.link.flush_nowait()

    def _take_answer(self, outcome: object) -> None:
        if isinstance(outcome, dict):
            answer = structure(outcome, HelloAnswer)
            self.hello_accepted = answer.accepted
            self.assignment = answer.assignment
            self.progress_at = self.greeted_at = trio.current_time()
            if self.comes_up and self.hello_accepted:
                named = [each.plugin_id for each in self.assignment.plugins]
                blocked = tuple(name for name in named if name in self.assignment.blocked)
                self.ready(tuple(name for name in named if name not in blocked), blocked)

    def loading(self, plugin_id: str, *, own: tuple[str, ...]) -> None:
        if plugin_id and plugin_id not in own:
            self.offend(ExitKind.PROTOCOL)
        self.told_loading.add(plugin_id)
        self.progress_at = trio.current_time()
        self.link.broadcast(RUNNER_LOADING, unstructure(Loading(plugin_id=plugin_id, phase="import")))
        self.link.flush_nowait()

    def extend(self, seconds: float) -> None:
        self.link.broadcast(RUNNER_EXTEND, unstructure(Extend(seconds=seconds)))
        self.link.flush_nowait()

    def ready(self, loaded: tuple[str, ...], failed: tuple[str, ...] = ()) -> None:
        if self.is_ready:
            self.offend(ExitKind.PROTOCOL)
        if failed and not loaded:
            self.offend(ExitKind.LOAD_FAILED)
        self.is_ready = True
        told = RunnerReady(loaded_plugins=list(loaded), failed_plugins=list(failed))
        self.link.send(RUNNER_READY, unstructure(told), deadline=float("inf"), on_done=lambda _: None)
        self.link.flush_nowait()

    def write_raw(self, data: bytes) -> None:
        """Bytes that are no frame, behind whatever was said before."""
        self.link.flush_nowait()
        self.offend(ExitKind.PROTOCOL)
        try:
            self.link._sock.send(data)
        except (BrokenPipeError, BlockingIOError, ConnectionResetError):
            pass  # its host has gone, or reads nothing

    def vanish(self) -> None:
        if not self.is_dead:
            self.offend(ExitKind.STUCK)
        super().vanish()

    def be_seen(self, *, state: str = "S", traced: bool = False, rss: int = 0) -> None:
        """What its process looks like from now on."""
        self.looks = ProcessLook(state=state, is_traced=traced, rss=rss)
        self.largest_rss = max(self.largest_rss, rss)
        self.was_traced = self.was_traced or traced
        self.was_stopped = self.was_stopped or state in ("T", "t")

    def note_look(self) -> None:
        """Its host is about to look: the moment for a beat."""
        if self._has_closed:
            return
        self.large_looks += self.is_ready and 0 < self.rss_hard < self.looks.rss
        if self.beats and self.looks.state not in ("T", "t", "D"):
            self._beat += 1
            self.silent_looks = self.stopped_looks = 0
            self.was_importing = self.was_resumed = False
            self.was_traced, self.was_stopped = self.looks.is_traced, False
            self.write_page(layout.LOOP_BEATS_AT, self._beat)
        else:
            self.silent_looks += 1
            self.stopped_looks += self.looks.state in ("T", "t")
        if self.thread_beats:
            self._thread_beat += 1
            self.write_page(layout.THREAD_BEATS_AT, self._thread_beat)

    def set_crumb(self, phase: layout.Phase, plugin: int, request_id: int = 0) -> None:
        self.was_importing = self.was_importing or phase is layout.Phase.IMPORT
        self.write_page(layout.PID_AT, self.pid)
        self.write_page(layout.CRUMB_AT, layout.pack_crumb(phase, plugin, request_id))

    def write_page(self, place: int, value: int) -> None:
        if not self._has_closed:
            super().write_page(place, value)

    def answer_held(self) -> None:
        """Answer the oldest call that waits for it."""
        if self.held and self.can_speak:
            self.held.pop(0).answer({"acknowledged": True})

    def close_descriptors(self) -> None:
        self._has_closed = True
        super().close_descriptors()

    def answer_politely(self, request: Request) -> None:
        if self.reads:
            self.write_page(layout.READ_AT, request.request_id)
        is_call = request.method.name.startswith("plugin.invoke")
        if (is_call and not self.answers) or not self.reads:
            self.held.append(request)
            if self.reads:
                self.start(request.request_id)
        elif is_call or self.obeys:
            request.answer({"acknowledged": True})
            if request.method.name == SHUTDOWN and self.leaves:
                self.die(0)


class Puppets(ScriptedRunners):
    """Starts the runners of one shard.

    Args:
        dress: Told of each before its shard is.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        *,
        state: Callable[[], ShardState],
        problems: list[str],
        dress: Callable[[Puppet], None],
    ) -> None:
        super().__init__(nursery, [])
        self._state = state
        self._problems = problems
        self._dress = dress
        self.puppets: list[Puppet] = []
        self.calls = 0
        """How often a process was wanted."""

    def spawn(self, launch: Launch) -> ScriptedRunner:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        puppet = Puppet(10_000 + self.calls, launch, self.calls, self._state, self._problems)
        self.puppets.append(puppet)
        self.started.append(puppet)
        self._nursery.start_soon(self._play, puppet, self._act)
        self._dress(puppet)
        return puppet

    async def _act(self, runner: ScriptedRunner) -> None:
        await trio.sleep_forever()

    @property
    def unreaped(self) -> list[Puppet]:
        """Those that have not been let go by their host."""
        return [puppet for puppet in self.puppets if not puppet.is_reaped and not puppet.is_abandoned]
