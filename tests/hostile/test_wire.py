"""Trap 7, E1-E5, E13-E20, E24-E28: a process that is no runner of ours attacks its host by the connection, with all that bytes can do.

Whatever it sends, the host's loop is never held, its memory stays in bounds, those next door lose nothing and notice little, and
what breaks a rule is ended with the rule for a reason. Nothing is left of it: that is looked at after each test.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import trio

from rookery.supervisor import Supervisor
from rookery.supervisor.exit_report import ExitKind
from rookery.supervisor.fate import DispatchFailed
from rookery.supervisor.observers import RunnerDied, SecurityViolation, ShardMoved
from rookery.supervisor.shard_state import ShardState
from rookery.supervisor.status import ShardStatus
from tests.doubles.hostile_runner import attacks
from tests.faults.watch import Watch
from tests.hostile.wire_stage import Strain, attack, attacked, kernel_refuses, under_strain
from tests.whole.host import PATIENCE, Deployment

pytestmark = pytest.mark.slow

MIB = 1024 * 1024

LONGEST_PASS = 0.05
"""Seconds of the loop's processor time between two waits (I17)."""
MOST_GROWTH = 96 * MIB
"""Twenty times what may be held of requests, and what a frame may become; the write buffer is not used by these (I18)."""

STRANGE = (
    ExitKind.PROTOCOL,
    "more than 100 messages within a minute that answer or ask for nothing there is",
)

ENDED = {
    "flood_of_unknown_requests": STRANGE,
    "flood_of_answers": STRANGE,
    "flood_of_late_answers": STRANGE,
    "flood_of_bad_notices": STRANGE,
    "forged_answers": STRANGE,
    "flood_of_full_requests": (
        ExitKind.PROTOCOL,
        "the frame holds more than 16384 maps, lists and extensions",
    ),
    "flood_of_long_batches": (
        ExitKind.PROTOCOL,
        "the frame holds more than 16384 maps, lists and extensions",
    ),
    "a_bomb": (ExitKind.PROTOCOL, "the frame holds more than 16384 maps, lists and extensions"),
    "a_million_frames_of_noise": (ExitKind.PROTOCOL, "the frame is not"),
    "half_a_frame": (ExitKind.PROTOCOL, "it began a frame and did not end it within 1 s"),
    "a_byte_at_a_time": (ExitKind.PROTOCOL, "it began a frame and did not end it within 1 s"),
    "a_huge_length": (ExitKind.PROTOCOL, "a frame claims a length of 4294967295 bytes, the limit is 1048576"),
    "a_length_above_the_limit": (
        ExitKind.PROTOCOL,
        "a frame claims a length of 1048577 bytes, the limit is 1048576",
    ),
    "never_read": (ExitKind.STUCK, "it read nothing for 2 s"),
    "read_in_sips": (ExitKind.STUCK, "it reads too slowly: what was sent 6 s ago still waits"),
    "another_name": (
        ExitKind.PROTOCOL,
        "cap.call in the name of 'test.bystander', which is not one of its plugins",
    ),
    "flood_and_die": (ExitKind.EXITED, ""),
    "noise_before_hello": (ExitKind.PROTOCOL, "a frame claims a length of"),
    "half_a_hello": (ExitKind.HELLO_TIMEOUT, "no hello within 5 s"),
    "requests_before_hello": (ExitKind.PROTOCOL, "the first frame must be runner.hello"),
    "flood_while_loading": (ExitKind.LOAD_TIMEOUT, "no progress for 5 s"),
}
"""By attack: how its runner ends, and what the report says."""

HELD = (
    "flood_of_requests",
    "flood_of_requests_one_by_one",
    "flood_of_logs",
    "flood_of_registrations",
    "flood_of_introductions",
    "flood_of_extensions",
    "flood_of_exchanges",
    "flood_of_large_requests",
    "flood_of_long_lists",
)
"""What breaks no rule: the runner lives, and is not listened to for most of the time."""

HARMLESS = ("half_frames_one_after_the_other", "the_same_number")
"""What is odd, and within all bounds."""

OUTPUT = "flood_of_output"
LINGERING = "hand_over_a_lingering_connection"

SECONDS = 3.0
"""For which an attack without an end is watched."""


@pytest.fixture
async def deployment(
    tmp_path: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Deployment]:
    """A stranger's shard and one next door, which keeps its first runner; the host keeps its invariants."""
    watch = Watch()
    watch.attach(monkeypatch)
    made = attacked(tmp_path, state_dir)
    yield made
    assert not watch.broken, "\n".join(watch.broken)
    (bystander,) = [died.report for died in made.told(RunnerDied) if died.report.shard == "other"]
    assert (bystander.planned, bystander.incarnation) == (True, 1)


def hostile(supervisor: Supervisor) -> ShardStatus:
    (found,) = [shard for shard in supervisor.status().shards if shard.name == "hostile"]
    return found


async def endure(
    deployment: Deployment, name: str, *, once: Callable[[ShardStatus], bool] = lambda _: True
) -> tuple[Strain, ShardStatus, ShardStatus]:
    """An attack without an end, for a while: what it cost, and how its shard was then and at the end.

    Args:
        once: When the while begins. A busy machine lets the attacker wait for its turn, too.
    """
    async with deployment.run() as supervisor:
        async with under_strain(supervisor) as strain:
            attack(supervisor, name)
            with trio.fail_after(PATIENCE):
                while not once(before := hostile(supervisor)):
                    await trio.sleep(0.02)  # a real process on the real clock
            await trio.sleep(SECONDS)
        return strain, before, hostile(supervisor)


def is_held(found: ShardStatus) -> bool:
    return found.connection is not None and found.connection.held_times > 0


def bear(strain: Strain) -> Iterator[str]:
    """What the attack did to the host that it must not."""
    if strain.longest_pass > LONGEST_PASS:
        yield f"the loop was held for {strain.longest_pass * 1000:.0f} ms"
    if strain.lag > LONGEST_PASS + 3 * strain.twin_lag:
        yield f"a timer was {strain.lag * 1000:.0f} ms late, and {strain.twin_lag * 1000:.0f} ms elsewhere"
    if strain.growth > MOST_GROWTH:
        yield f"the host grew by {strain.growth / MIB:.0f} MiB"
    if strain.typical > 5 * strain.calm + 0.005:
        yield f"a call next door took {strain.typical * 1000:.1f} ms, and {strain.calm * 1000:.1f} ms before"
    if not strain.greetings:
        yield "nobody next door was asked"


@pytest.mark.parametrize("name", sorted(ENDED))
async def test_what_breaks_a_rule_is_ended_for_it(deployment: Deployment, name: str) -> None:
    """The report says which, the next runner works, and those next door answer all the time."""
    kind, reason = ENDED[name]
    async with deployment.run() as supervisor:
        async with under_strain(supervisor) as strain:
            attack(supervisor, name)
            died = await deployment.wait_told(RunnerDied, lambda died: died.report.shard == "hostile")
        await supervisor.shards["hostile"].state.wait_value(ShardState.READY)
        answer = await supervisor.invoke("test.evil", "greet", timeout=20.0)

    assert died.report.kind is kind
    assert reason in died.report.describe()
    assert not died.report.planned
    assert answer == "hello"
    assert list(bear(strain)) == []
    claims = deployment.told(SecurityViolation)
    assert bool(claims) == (name == "another_name")


@pytest.mark.parametrize("name", HELD)
async def test_who_says_too_much_is_not_listened_to(deployment: Deployment, name: str) -> None:
    """Its own writes wait; nothing else does. The status says so."""
    strain, before, found = await endure(deployment, name, once=is_held)

    assert found.state == "ready"
    assert 0.2 * SECONDS < found.connection.held_seconds - before.connection.held_seconds < SECONDS + 1
    assert found.connection.open_requests <= found.connection.bounds["max_open"]
    assert list(bear(strain)) == []


@pytest.mark.parametrize("name", HARMLESS)
async def test_what_is_only_odd_changes_nothing(deployment: Deployment, name: str) -> None:
    """It is taken as what it is."""
    strain, _, found = await endure(deployment, name)

    assert found.state == "ready"
    assert list(bear(strain)) == []


async def test_output_without_end_costs_its_own_shard(deployment: Deployment) -> None:
    """D10: what is above its rate is dropped and counted, and nobody else waits."""
    strain, before, found = await endure(deployment, OUTPUT, once=lambda found: found.dropped_lines > 0)

    assert found.state == "ready"
    assert found.dropped_lines > before.dropped_lines + 1000
    assert list(bear(strain)) == []


async def test_nobody_has_the_host_close_what_it_would_wait_for(deployment: Deployment) -> None:
    """A message with a descriptor in it held the loop for as long as its sender liked. Now the kernel refuses it, or a thread waits."""
    async with deployment.run() as supervisor:
        async with under_strain(supervisor) as strain:
            attack(supervisor, LINGERING)
            await trio.sleep(SECONDS)
        deaths = [died.report.kind for died in deployment.told(RunnerDied) if died.report.shard == "hostile"]

    assert deaths == ([] if kernel_refuses() else [ExitKind.STUCK])
    assert list(bear(strain)) == []


async def test_requests_beyond_the_rate_are_refused_and_counted(deployment: Deployment) -> None:
    """Each is answered: what is refused is told, and how long to wait."""
    deployment.tables["hostile"] += "[shard.limits]\ncalls_rate = 20\ncalls_burst = 30\n"
    async with deployment.run() as supervisor:
        attack(supervisor, "flood_of_requests")
        with trio.fail_after(20):
            while hostile(supervisor).connection.refused_requests < 1000:
                await trio.sleep(0.05)  # a real process on the real clock
        found = hostile(supervisor)

    assert found.state == "ready"
    assert found.connection.bounds["calls_rate"] == 20.0
    taken = found.connection.frames_in - found.connection.refused_requests
    assert taken < 30 + 20 * 25


async def test_a_call_that_is_lost_with_an_attacker_is_told(deployment: Deployment) -> None:
    """E19: who asked it is told that its runner was ended, and nothing waits on."""
    async with deployment.run() as supervisor:
        attack(supervisor, "half_a_frame")
        await deployment.wait_told(
            ShardMoved, lambda moved: moved.shard == "hostile" and moved.new is ShardState.READY
        )
        with pytest.raises(DispatchFailed) as lost:
            await supervisor.invoke("test.evil", "greet", timeout=20.0)

    assert lost.value.is_loss
    assert lost.value.maybe_executed


def test_each_attack_is_tried() -> None:
    """One that no test knows of would be tried by nobody."""
    assert sorted(attacks()) == sorted([*ENDED, *HELD, *HARMLESS, OUTPUT, LINGERING])
