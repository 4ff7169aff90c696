"""Does a shard keep to its table and its policies, whatever its operator, its runners and time do, in any order?

A state machine of Hypothesis over the real ``Shard`` (with its incarnations, health, restarts, groups, court and watchdog), with
runners that are puppets over real sockets, on a clock that jumps. See ``stepped_run.py`` for how trio gets into it,
``shard_books.py`` for what is expected, and ``shard_coverage.py`` for which rows of the table are to be seen.

The size that a night is for::

    python -m tests.properties.shard_machine --examples 5000 --steps 200

``--seed`` makes it another night; a failure prints its program, and comes again with the same seed.
"""

from __future__ import annotations

import argparse
import errno
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from rookery.protocol import page as layout
from rookery.supervisor.exit_report import ExitKind
from rookery.supervisor.shard_state import ShardState
from tests.properties.shard_orders import ShardOrders, lives, speaks
from tests.properties.shard_plans import PLUGINS
from tests.properties.shard_puppet import GARBAGE, HALF_A_FRAME, MIB, Puppet

S = ShardState


def _in(*states: ShardState) -> Callable[[ShardMachine], bool]:
    return lambda machine: speaks(machine) and machine.seat.state in states


class ShardMachine(ShardOrders):
    """All rules: those of operators, of runners and of time."""

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

    @precondition(lambda self: _in(S.LOADING)(self) and self.puppet.hello_accepted)
    @rule(which=st.integers(0, 1), status=st.sampled_from([-11, 76]))
    def die_of_a_plugin(self, which: int, status: int) -> None:
        def die(puppet: Puppet) -> None:
            own = self.seat.shard.plugins
            if own:
                puppet.loading(own[which % len(own)], own=own)
            puppet.exit(status)

        self.pull(die)

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

    @precondition(lives)
    @rule(status=st.sampled_from([1, 0, 75, 76, 78, 125, -9, -11, -15]))
    def die(self, status: int) -> None:
        self.pull(lambda puppet: puppet.exit(status))

    @precondition(lambda self: lives(self) and self.seat.book.deaths)
    @rule(which=st.integers(0, 2))
    def die_at_the_edge_of_the_window(self, which: int) -> None:
        """Exactly when one of the earlier ends counts no more."""
        deaths, window = self.seat.book.deaths, self.seat.shard.settings.restart.burst_window
        due = deaths[which % len(deaths)] + window
        self.act(lambda: None, until=due)
        if lives(self):
            self.pull(lambda puppet: puppet.exit(1))

    @precondition(speaks)
    @rule(data=st.sampled_from([GARBAGE, HALF_A_FRAME]))
    def write_nonsense(self, data: bytes) -> None:
        self.pull(lambda puppet: puppet.write_raw(data))

    @precondition(speaks)
    @rule()
    def close_its_connection(self) -> None:
        self.pull(lambda puppet: puppet.vanish())

    @precondition(lives)
    @rule(loop=st.booleans(), thread=st.booleans(), seconds=st.sampled_from([2.0, 5.0, 14.0]))
    def beat(self, loop: bool, thread: bool, seconds: float) -> None:
        def beat(puppet: Puppet) -> None:
            puppet.beats, puppet.thread_beats = loop, thread
            puppet.be_seen(state="R" if loop else "S")

        self.pull(beat, seconds)

    @precondition(lives)
    @rule(state=st.sampled_from("TD"), traced=st.booleans(), seconds=st.sampled_from([5.0, 14.0]))
    def stand_still(self, state: str, traced: bool, seconds: float) -> None:
        self.pull(lambda puppet: puppet.be_seen(state=state, traced=traced), seconds)

    @precondition(lives)
    @rule(rss=st.sampled_from([150, 300]))
    def grow(self, rss: int) -> None:
        self.pull(lambda puppet: puppet.be_seen(rss=rss * MIB), 1.0)

    @precondition(lives)
    @rule(number=st.integers(0, 2), phase=st.sampled_from(list(layout.Phase)))
    def run_plugin_code(self, number: int, phase: layout.Phase) -> None:
        self.pull(lambda puppet: puppet.set_crumb(phase, number))

    @precondition(lives)
    @rule(obeys=st.booleans(), leaves=st.booleans(), reads=st.booleans())
    def behave(self, obeys: bool, leaves: bool, reads: bool) -> None:
        puppet = self.puppet
        assert puppet is not None
        puppet.obeys, puppet.leaves, puppet.reads = obeys, leaves, reads

    @precondition(lives)
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

    @precondition(speaks)
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
                seat.book.excuse_start(seconds)
            self.stage.run.clock.jump(seconds)

        self.act(jump)


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
