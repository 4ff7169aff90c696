"""A shard keeps to its table and its policies, whatever happens, and every row of the table is seen with its guard both ways.

The search is small here, so that it fits into every run; ``shard_machine.py`` has the one for a night. What chance does not reach
in so few steps is reached by programs that are written down.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import settings

from rookery.protocol import page as layout
from rookery.supervisor.exit_report import ExitKind
from rookery.supervisor.limits import ShardLimits
from rookery.supervisor.restart import RestartMode, RestartPolicy
from rookery.supervisor.settings import ShardSettings, ShardTimeouts
from rookery.supervisor.shard_state import TRANSITIONS, ShardState
from rookery.supervisor.strategy import GroupSettings
from tests.properties.shard_coverage import GUARDS, Seen
from tests.properties.shard_machine import ShardMachine
from tests.properties.shard_plans import HEALTH, PLUGINS, QUARANTINE
from tests.properties.shard_stage import Plan

S = ShardState

EXAMPLES, STEPS = 200, 50

SHARD = ShardSettings(
    name="a",
    restart=RestartPolicy(
        backoff_base=0.5, backoff_max=4.0, backoff_reset=8.0, burst_limit=2, burst_window=8.0,
        failed_retry=12.0, failed_retry_max=40.0, sustained_window=40.0,
    ),
    quarantine=QUARANTINE,
    timeouts=ShardTimeouts(
        hello=2.0, load=5.0, plugin_load=3.0, start_max=12.0, drain=4.0, term_grace=1.0, kill_wait=1.0
    ),
    health=HEALTH,
    limits=ShardLimits(rss_soft=0, rss_hard=0),
)  # fmt: skip

Program = Callable[[ShardMachine], None]


def with_mode(mode: RestartMode) -> dict[str, Any]:
    return {"restart": attrs.evolve(SHARD.restart, mode=mode)}


def load_slowly(machine: ShardMachine) -> None:
    """T7, T8: each plugin is progress; time is asked for, in vain and not in vain, and runs out after all."""
    machine.say_hello(well=True, beats=True)
    machine.wait(4.0)
    machine.say_loading("test.one")
    machine.wait(2.0)
    assert machine.seat.state is S.LOADING
    machine.seen.mark("T7", False)
    machine.ask_for_more_time(-1.0)
    machine.ask_for_more_time(0.25)
    machine.ask_for_more_time(100.0)
    machine.ask_for_more_time(100.0)
    machine.wait(12.0)


def load_for_too_long(machine: ShardMachine) -> None:
    """T7: whatever it says last, a load has an end."""
    machine.say_hello(well=True, beats=True)
    machine.wait(4.0)
    machine.say_loading("")
    machine.wait(1.0)
    assert machine.seat.shard.last_exit is not None
    assert machine.seat.shard.last_exit.kind is ExitKind.LOAD_TIMEOUT


def load_nothing(machine: ShardMachine) -> None:
    """T5, T6, T9: every plugin fails, then a hello is refused."""
    machine.say_hello(well=True, beats=True)
    machine.say_ready("none")
    machine.say_hello(well=False, beats=True)
    machine.wait(1.0)


def fall_silent(machine: ShardMachine) -> None:
    """T10, T11, T12: silent for a moment, for longer, and for too long; spared while it imports."""
    machine.beat(loop=False, thread=True, seconds=2.0)
    machine.beat(loop=False, thread=True, seconds=2.0)
    machine.wait(1.0)
    machine.beat(loop=True, thread=True, seconds=2.0)
    machine.stand_still("S", traced=True, seconds=1.0)
    machine.beat(loop=False, thread=True, seconds=0.0)
    machine.stand_still("S", traced=True, seconds=14.0)
    machine.wait(1.0)
    machine.stand_still("S", traced=False, seconds=2.0)


def watch_while_the_host_is_late(machine: ShardMachine) -> None:
    """T10, T12: what the host did not see counts for no runner."""
    machine.beat(loop=False, thread=True, seconds=1.0)
    machine.be_late(30.0)
    machine.wait(1.0)
    assert machine.seat.state in (S.READY, S.SUSPECT)
    machine.beat(loop=True, thread=True, seconds=2.0)
    assert machine.seat.shard.incarnation == 1


def be_stopped(machine: ShardMachine) -> None:
    """T13: stopped under a debugger, then without one."""
    machine.stand_still("T", traced=True, seconds=14.0)
    machine.wait(1.0)
    machine.stand_still("T", traced=False, seconds=14.0)


def be_paused(machine: ShardMachine) -> None:
    """T12: with the host's terminal, and silent soon afterwards: the pause is no part of its silence."""
    machine.wait(1.0)
    machine.pause(is_paused=True)
    machine.stand_still(state="T", traced=False, seconds=5.0)
    machine.pause(is_paused=False)
    machine.beat(loop=False, thread=False, seconds=5.0)
    assert machine.seat.state is S.SUSPECT
    machine.wait(4.0)
    assert machine.seat.shard.incarnation == 2


def leave_with_work(machine: ShardMachine) -> None:
    """T14 to T17: one call is not answered in time, and the runner does not leave; the next one does."""
    machine.resist(term=True, kill=False, stacks=True)
    machine.behave(obeys=True, leaves=False, reads=True)
    machine.call(100.0, is_answered=False)
    machine.restart(None)
    machine.restart(None)
    machine.wait(4.0)
    machine.wait(4.0)
    machine.behave(obeys=True, leaves=False, reads=True)
    machine.restart(None)
    machine.wait(12.0)
    machine.behave(obeys=True, leaves=True, reads=True)
    machine.write_nonsense(b"\xff\xff\xff\xff")


def break_a_rule_while_it_leaves(machine: ShardMachine) -> None:
    """T18, T19: the end stays planned. And a connection that ends is no death."""
    machine.call(100.0, is_answered=False)
    machine.restart(None)
    machine.write_nonsense(b"\xff\xff\xff\xff")
    machine.wait(4.0)
    machine.close_its_connection()
    machine.wait(0.25)


def be_kept(machine: ShardMachine) -> None:
    """T20, T21: the kernel keeps one, and lets it go later."""
    machine.resist(term=True, kill=True, stacks=False)
    machine.accuse()
    machine.wait(12.0)
    machine.be_let_go()


def die_again_and_again(machine: ShardMachine) -> None:
    """T22 to T30: too often, for good, and for an operator."""
    for _ in range(3):
        machine.die(1)
        machine.wait(1.0)
    machine.wait(4.0)
    machine.wait(12.0)
    machine.die(76)
    machine.stop(force=False)
    machine.stop(force=False)
    machine.start()
    machine.start()


def die_at_the_edge(machine: ShardMachine) -> None:
    """T26, T27: an end that is as old as the window counts no more."""
    machine.die(1)
    machine.wait(1.0)
    machine.die_at_the_edge_of_the_window(0)
    assert machine.seat.state is S.BACKOFF


def end_its_job(machine: ShardMachine) -> None:
    """T23: a crash is followed by another try, and the end by nothing."""
    machine.die(1)
    machine.wait(1.0)
    machine.die(0)
    machine.wait(40.0)
    assert machine.seat.state is S.STOPPED


def load_deadly_plugins(machine: ShardMachine) -> None:
    """T25: one of them ends its runner again and again, and is carried away."""
    for _ in range(3):
        machine.run_plugin_code(1, layout.Phase.TASK)
        machine.die(-11)
        machine.wait(4.0)


def leave_a_plugin_out(machine: ShardMachine) -> None:
    """Two runners die while they load one: the third must not load it, and one that is started by hand may."""
    for _ in range(2):
        machine.say_hello(well=True, beats=True)
        machine.die_of_a_plugin(0, -11)
        machine.wait(1.0)
    machine.say_hello(well=True, beats=True)
    assert machine.puppet is not None
    assert list(machine.puppet.assignment.blocked) == ["test.one"]
    machine.stop(force=True)
    machine.start()
    machine.say_hello(well=True, beats=True)
    assert machine.puppet is not None
    assert list(machine.puppet.assignment.blocked) == []


def fail_to_start(machine: ShardMachine) -> None:
    """T3, T4: there is no process, for now and for good."""
    machine.forbid_processes(times=1, for_good=False)
    machine.restart(0.0)
    machine.wait(4.0)
    machine.forbid_processes(times=1, for_good=True)
    machine.restart(0.0)
    machine.wait(4.0)


def stop_the_host_twice(machine: ShardMachine) -> None:
    """T2, T31: held, stopped, and stopped again."""
    machine.hold(6.0)
    machine.restart(None)
    machine.wait(1.0)
    assert machine.seat.state is S.IDLE
    machine.stop(force=True)
    machine.stop_the_host("drain")
    machine.start_the_host()
    machine.stop_the_host("cancel")


PROGRAMS: list[tuple[Program, dict[str, Any], bool]] = [
    (load_slowly, {}, False),
    (load_for_too_long, {"timeouts": attrs.evolve(SHARD.timeouts, start_max=5.0)}, False),
    (load_nothing, {}, False),
    (fall_silent, {}, True),
    (watch_while_the_host_is_late, {}, True),
    (be_stopped, {}, True),
    (be_paused, {}, True),
    (leave_with_work, {}, True),
    (break_a_rule_while_it_leaves, {}, True),
    (be_kept, {}, True),
    (die_again_and_again, {}, True),
    (die_at_the_edge, {"restart": attrs.evolve(SHARD.restart, burst_limit=1, backoff_reset=60.0)}, True),
    (end_its_job, with_mode(RestartMode.TRANSIENT), True),
    (load_deadly_plugins, {}, True),
    (leave_a_plugin_out, {"quarantine": attrs.evolve(QUARANTINE, max_fraction=0.0)}, False),
    (fail_to_start, {}, True),
    (stop_the_host_twice, {}, True),
]
"""Each with what is changed of the shard, and whether its runners come up by themselves."""


def play(program: Program, changes: dict[str, Any], *, comes_up: bool, seen: Seen) -> None:
    machine = ShardMachine()
    machine.seen = seen
    shard = attrs.evolve(SHARD, **changes)
    group = GroupSettings(start_stagger=0.0)
    try:
        machine.open(Plan(shards=((shard, PLUGINS),), group=group, comes_up=comes_up), None)
        program(machine)
    finally:
        machine.teardown()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "changes", "comes_up"), [pytest.param(*each, id=each[0].__name__) for each in PROGRAMS]
)
def test_what_chance_seldom_reaches_goes_well(
    program: Program, changes: dict[str, Any], comes_up: bool
) -> None:
    """The programs by themselves: every law of the machine holds after each of their steps."""
    play(program, changes, comes_up=comes_up, seen=Seen())


@pytest.mark.slow
def test_every_guard_of_the_table_is_seen_both_ways() -> None:
    """All rows are taken, and refused. The written programs see to it, so that no row depends on luck."""
    seen = Seen()

    for program, changes, comes_up in PROGRAMS:
        play(program, changes, comes_up=comes_up, seen=seen)

    assert list(GUARDS) == [row.id for row in TRANSITIONS]
    assert seen.missing == []


TestShardMachine = ShardMachine.TestCase
TestShardMachine.settings = settings(max_examples=EXAMPLES, stateful_step_count=STEPS)
TestShardMachine = pytest.mark.slow(TestShardMachine)
