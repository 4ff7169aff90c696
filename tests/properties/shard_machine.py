"""Does a shard keep to its table and its policies, whatever its operator, its runners and time do, in any order?

A state machine of Hypothesis over the real ``Shard`` (with its incarnations, health, restarts, groups, court and watchdog), with
runners that are puppets over real sockets, on a clock that jumps. See ``stepped_run.py`` for how trio gets into it,
``shard_books.py`` for what is expected, and ``shard_coverage.py`` for which rows of the table are to be seen.

The size that a night is for::

    python -m tests.properties.shard_machine --examples 5000 --steps 200

``--seed`` makes it another night; a failure prints its program, and the seed with which it comes again.
"""

from __future__ import annotations

import argparse
import errno
from collections.abc import Callable
from typing import Any

import trio
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from rookery.protocol import page as layout
from rookery.supervisor.exit_report import ExitKind
from rookery.supervisor.shard_state import AT_REST, ShardState
from tests.properties.shard_coverage import Seen
from tests.properties.shard_plans import PLUGINS, plans
from tests.properties.shard_puppet import GARBAGE, HALF_A_FRAME, MIB, Puppet
from tests.properties.shard_stage import Plan, Seat, Stage

S = ShardState

SEEN = Seen()
"""Of all programs of this process."""

LEAVING = (S.DRAINING, S.STOPPING, S.KILLING)


def _speaks(machine: ShardMachine) -> bool:
    puppet = machine.puppet
    return puppet is not None and puppet.can_speak


def _lives(machine: ShardMachine) -> bool:
    puppet = machine.puppet
    return puppet is not None and not puppet.is_dead


def _in(*states: ShardState) -> Callable[[ShardMachine], bool]:
    return lambda machine: _speaks(machine) and machine.seat.state in states


class ShardMachine(RuleBasedStateMachine):
    """The rules. Most are about the shard in focus."""

    stage: Stage
    seen = SEEN

    @initialize(plan=plans, order=st.random_module())
    def open(self, plan: Plan, order: object) -> None:
        self.stage = Stage(plan, self.seen)
        self.focus = 0
        self.act(lambda: None)

    @property
    def seat(self) -> Seat:
        seats = list(self.stage.seats.values())
        return seats[self.focus % len(seats)]

    @property
    def puppet(self) -> Puppet | None:
        return self.seat.puppet

    def act(self, act: Callable[[], Any], seconds: float = 0.0) -> None:
        self.stage.act(act, seconds)

    def pull(self, act: Callable[[Puppet], Any], seconds: float = 0.0) -> None:
        """Let the runner in focus do something, and time pass."""
        puppet = self.puppet
        assert puppet is not None
        self.act(lambda: act(puppet), seconds)

    # --- which shard, and how much is done at once -------------------------------------------------------------

    @rule()
    def look_at_another(self) -> None:
        self.focus += 1

    @rule(passes=st.integers(0, 3))
    def hurry(self, passes: int) -> None:
        """After the next step the scheduler runs so often only."""
        self.stage.passes = passes

    # --- what an operator wants --------------------------------------------------------------------------------

    @rule()
    def start(self) -> None:
        seat = self.seat

        def start() -> None:
            before, moves = seat.state, seat.book.last
            seat.book.order(wanted=True, settled=False)
            seat.shard.start()
            if before not in AT_REST and seat.book.last is moves:
                self.seen.mark("T1", False)

        self.act(start)

    @rule(force=st.booleans())
    def stop(self, force: bool) -> None:
        seat = self.seat

        def stop() -> None:
            self._tell_to_leave(seat, wanted=False)
            seat.book.stop_within(0.0 if force else None)
            before = seat.state
            seat.shard.stop(force=force)
            if before in (S.IDLE, S.BACKOFF, S.FAILED) and seat.state is not S.STOPPED:
                seat.book.wrong("nothing runs, and a stop does not work at once")
            if before is seat.state is S.STOPPED:
                self.seen.mark("T29", False)

        self.act(stop)

    @rule(drain=st.sampled_from([None, 0.0, 1.0]))
    def restart(self, drain: float | None) -> None:
        seat = self.seat

        def restart() -> None:
            self._tell_to_leave(seat, wanted=True)
            seat.shard.restart("wanted", drain=drain)

        self.act(restart)

    def _tell_to_leave(self, seat: Seat, *, wanted: bool | None) -> None:
        if seat.state in LEAVING:
            self.seen.mark("T14", False)
        seat.book.order(wanted=wanted, settled=self.stage.was_settled)

    @rule(seconds=st.sampled_from([0.5, 6.0, 40.0]))
    def hold(self, seconds: float) -> None:
        seat = self.seat

        def hold() -> None:
            seat.shard.hold(seconds, "wanted")
            if seat.shard._held_until < trio.current_time() + seconds:
                seat.book.wrong("it is not held")

        self.act(hold)

    @rule()
    def release(self) -> None:
        seat = self.seat

        def release() -> None:
            seat.book.let_go()
            seat.shard.release()

        self.act(release)

    @rule(number=st.integers(0, 1))
    def remove_plugin(self, number: int) -> None:
        self.act(lambda: self.seat.shard.remove_plugin(PLUGINS[number]))

    @precondition(_lives)
    @rule()
    def accuse(self) -> None:
        def accuse(puppet: Puppet) -> None:
            puppet.offend(ExitKind.PROTOCOL)
            self.seat.shard.accuse("it is accused")

        self.pull(accuse)

    @rule(is_paused=st.booleans())
    def pause(self, is_paused: bool) -> None:
        self.seat.shard.is_paused = is_paused and self.puppet is not None

    @precondition(lambda self: self.seat.is_running)
    @rule(how=st.sampled_from(["drain", "in a second", "force", "cancel"]))
    def stop_the_host(self, how: str) -> None:
        def stop() -> None:
            self.stage.is_stopping = True
            for seat in reversed(list(self.stage.seats.values())):
                if not seat.is_running:
                    continue
                if seat.state is S.STOPPED:
                    self.seen.mark("T31", False)
                drain = {"drain": None, "in a second": 1.0}.get(how, 0.0)
                self._tell_to_leave(seat, wanted=None)
                seat.book.stop_within(drain)
                if how == "cancel":
                    seat.book.is_cancelled = True
                    seat.scope.cancel()
                else:
                    seat.book.is_closing = True
                    seat.shard.request_stop(force=how == "force", drain=drain)

        self.act(stop)

    @precondition(lambda self: not any(seat.is_running for seat in self.stage.seats.values()))
    @rule()
    def start_the_host(self) -> None:
        self.act(self.stage.boot)

    # --- how the next runners are ------------------------------------------------------------------------------

    @rule(comes_up=st.booleans())
    def dress(self, comes_up: bool) -> None:
        self.seat.comes_up = comes_up

    @rule(times=st.integers(1, 3), for_good=st.booleans())
    def forbid_processes(self, times: int, for_good: bool) -> None:
        error = OSError(errno.ENOENT, "gone") if for_good else OSError(errno.EAGAIN, "try again")
        self.seat.puppets.failures = [error] * times

    # --- what a runner does ------------------------------------------------------------------------------------

    @precondition(lambda self: _in(S.HELLO, S.KILLING)(self) and not self.puppet.has_greeted)
    @rule(well=st.sampled_from([True, True, False]), beats=st.booleans())
    def say_hello(self, well: bool, beats: bool) -> None:
        def greet(puppet: Puppet) -> None:
            if not beats:
                puppet.features = [name for name in puppet.features if name not in ("beats", "cancel")]
            puppet.hello(well=well)

        self.pull(greet)

    @precondition(lambda self: _in(S.LOADING, S.READY, S.STOPPING)(self) and self.puppet.hello_accepted)
    @rule(plugin_id=st.sampled_from(["", *PLUGINS, "test.stranger"]))
    def say_loading(self, plugin_id: str) -> None:
        self.pull(lambda puppet: puppet.loading(plugin_id, own=self.seat.shard.plugins))

    @precondition(lambda self: _in(S.LOADING, S.READY)(self) and self.puppet.hello_accepted)
    @rule(seconds=st.sampled_from([-1.0, 0.25, 4.0, 8.0, 100.0]))
    def ask_for_more_time(self, seconds: float) -> None:
        moves = self.seat.book.last
        self.pull(lambda puppet: puppet.extend(seconds))
        if self.seat.state is S.LOADING and self.seat.book.last is moves:
            self.seen.mark("T8", False)

    @precondition(lambda self: _in(S.LOADING, S.READY, S.STOPPING)(self) and self.puppet.hello_accepted)
    @rule(what=st.sampled_from(["all", "all", "one", "none", "a stranger", "for another"]))
    def say_ready(self, what: str) -> None:
        def ready(puppet: Puppet) -> None:
            own = self.seat.shard.plugins
            if what == "for another":
                puppet.offend(ExitKind.PROTOCOL)
                puppet.write_page(layout.PID_AT, 1)
            if what == "a stranger":
                puppet.offend(ExitKind.PROTOCOL)
                puppet.ready((*own, "test.stranger"))
            elif what == "none":
                puppet.ready((), own)
            else:
                puppet.ready(own[:1] if what == "one" else own, own[1:] if what == "one" else ())

        self.pull(ready)

    @precondition(_lives)
    @rule(status=st.sampled_from([1, 0, 75, 76, 78, 125, -9, -11, -15]))
    def die(self, status: int) -> None:
        self.pull(lambda puppet: puppet.exit(status))

    @precondition(_speaks)
    @rule(data=st.sampled_from([GARBAGE, HALF_A_FRAME]))
    def write_nonsense(self, data: bytes) -> None:
        self.pull(lambda puppet: puppet.write_raw(data))

    @precondition(_speaks)
    @rule()
    def close_its_connection(self) -> None:
        self.pull(lambda puppet: puppet.vanish())

    @precondition(_lives)
    @rule(loop=st.booleans(), thread=st.booleans(), seconds=st.sampled_from([2.0, 5.0, 14.0]))
    def beat(self, loop: bool, thread: bool, seconds: float) -> None:
        def beat(puppet: Puppet) -> None:
            puppet.beats, puppet.thread_beats = loop, thread
            puppet.be_seen(state="R" if loop else "S")

        self.pull(beat, seconds)

    @precondition(_lives)
    @rule(state=st.sampled_from("TD"), traced=st.booleans(), seconds=st.sampled_from([5.0, 14.0]))
    def stand_still(self, state: str, traced: bool, seconds: float) -> None:
        self.pull(lambda puppet: puppet.be_seen(state=state, traced=traced), seconds)

    @precondition(_lives)
    @rule(rss=st.sampled_from([150, 300]))
    def grow(self, rss: int) -> None:
        self.pull(lambda puppet: puppet.be_seen(rss=rss * MIB), 1.0)

    @precondition(_lives)
    @rule(number=st.integers(0, 2), phase=st.sampled_from(list(layout.Phase)))
    def run_plugin_code(self, number: int, phase: layout.Phase) -> None:
        self.pull(lambda puppet: puppet.set_crumb(phase, number))

    @precondition(_lives)
    @rule(obeys=st.booleans(), leaves=st.booleans(), reads=st.booleans())
    def behave(self, obeys: bool, leaves: bool, reads: bool) -> None:
        puppet = self.puppet
        assert puppet is not None
        puppet.obeys, puppet.leaves, puppet.reads = obeys, leaves, reads

    @precondition(_lives)
    @rule(term=st.booleans(), kill=st.booleans(), stacks=st.booleans())
    def resist(self, term: bool, kill: bool, stacks: bool) -> None:
        puppet = self.puppet
        assert puppet is not None
        puppet.ignores_term, puppet.stacks = term, "here\n" if stacks else ""
        puppet.is_unkillable = kill or (puppet.is_unkillable and "KILL" in puppet.signals)

    @precondition(lambda self: any(each.is_unkillable for each in self.seat.puppets.puppets))
    @rule()
    def be_let_go(self) -> None:
        """The kernel lets go of those that it kept."""

        def let_go() -> None:
            for puppet in self.seat.puppets.puppets:
                if puppet.is_unkillable:
                    puppet.is_unkillable = False
                    if "KILL" in puppet.signals and not puppet.is_abandoned:
                        puppet.die(-9)

        self.act(let_go)

    @precondition(_speaks)
    @rule()
    def answer(self) -> None:
        self.pull(lambda puppet: puppet.answer_held())

    @precondition(lambda self: _in(S.READY, S.SUSPECT)(self) and not self.seat.shard.link.is_closed)
    @rule(seconds=st.sampled_from([3.0, 100.0]), is_answered=st.booleans())
    def call(self, seconds: float, is_answered: bool) -> None:
        def call(puppet: Puppet) -> None:
            puppet.answers = is_answered
            self.seat.call(seconds)

        self.pull(call)

    # --- what time does ----------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.25, 1.0, 1.0, 4.0, 4.0, 12.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.act(lambda: None, seconds)

    @rule(seconds=st.sampled_from([0.4, 2.0, 30.0]))
    def be_late(self, seconds: float) -> None:
        """The host itself stands still."""

        def jump() -> None:
            for seat in self.stage.seats.values():
                if seat.book.stop_by is not None:
                    seat.book.stop_by += seconds
            self.stage.run.clock.jump(seconds)

        self.act(jump)

    def teardown(self) -> None:
        if hasattr(self, "stage"):
            self.stage.close()


def search(examples: int, steps: int, number: int | None = None) -> None:
    """Look for a program that breaks something; raise what it breaks."""
    wide = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=number is None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
    )
    machine: Any = ShardMachine if number is None else seed(number)(ShardMachine)
    run_state_machine_as_test(machine, settings=wide)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--examples", type=int, default=5000)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int)
    chosen = parser.parse_args()
    search(chosen.examples, chosen.steps, chosen.seed)


if __name__ == "__main__":
    main()
