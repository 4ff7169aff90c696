"""What does an operator want of a shard, in any state: the first part of the state machine's rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from rookery.protocol import ConnectionLost
from rookery.supervisor.exit_report import ExitKind
from rookery.supervisor.shard_state import AT_REST, ShardState
from tests.properties.shard_coverage import Seen
from tests.properties.shard_plans import PLUGINS, plans
from tests.properties.shard_puppet import Puppet
from tests.properties.shard_stage import Plan, Seat, Stage

S = ShardState

SEEN = Seen()
"""Of all programs of this process."""

LEAVING = (S.DRAINING, S.STOPPING, S.KILLING)


def speaks(machine: ShardOrders) -> bool:
    puppet = machine.puppet
    return puppet is not None and puppet.can_speak


def lives(machine: ShardOrders) -> bool:
    puppet = machine.puppet
    return puppet is not None and not puppet.is_dead


class ShardOrders(RuleBasedStateMachine):
    """The rules of operators. Most are about the shard in focus."""

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

    def act(self, act: Callable[[], Any], seconds: float = 0.0, *, until: float = 0.0) -> None:
        self.stage.act(act, seconds, until=until)

    def pull(self, act: Callable[[Puppet], Any], seconds: float = 0.0) -> None:
        """Let the runner in focus do something, and time pass."""
        puppet = self.puppet
        assert puppet is not None

        def pull() -> None:
            try:
                act(puppet)
            except ConnectionLost:
                pass  # it went while the step before it was still under way

        self.act(pull, seconds)

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
            self._tell_to_leave(seat, wanted=False, hurried=force)
            seat.book.stop_within(None, forced=force)
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
            self._tell_to_leave(seat, wanted=True, drain=drain)
            seat.shard.restart("wanted", drain=drain)

        self.act(restart)

    def _tell_to_leave(self, seat: Seat, **order: Any) -> None:
        if seat.state in LEAVING:
            self.seen.mark("T14", False)
        seat.book.order(settled=self.stage.was_settled, **order)

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

    @precondition(lives)
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
                self._tell_to_leave(seat, wanted=None, drain=drain, hurried=how in ("force", "cancel"))
                seat.book.stop_within(drain, forced=how in ("force", "cancel"))
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

    def teardown(self) -> None:
        if hasattr(self, "stage"):
            self.stage.close()
