"""Which silence makes a runner suspect, which one kills it, and which one is nobody's fault?"""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.supervisor.exit_report import ExitKind
from rookery.supervisor.hang import HangClass, classify_hang
from rookery.supervisor.health import (
    Doomed,
    Finding,
    Fine,
    Health,
    HealthPolicy,
    Look,
    Recycle,
    Resume,
    Suspect,
    Unread,
)
from rookery.supervisor.process_look import ProcessLook

POLICY = HealthPolicy()
SLEEPING = ProcessLook(state="S", is_traced=False, rss=0)
BEATING = Look(awake=0.0, loop_beats=1, thread_beats=1, read=0)


class Patient:
    """A runner of which a look is taken each second; what is not said changes as in good health."""

    def __init__(self, policy: HealthPolicy = POLICY) -> None:
        self.health = Health(policy)
        self.last = BEATING
        self.process = SLEEPING
        self.asked = 0

    def look(self, *, loop: bool = True, thread: bool = True, **changes: object) -> Finding:
        last = self.last
        assert last.loop_beats is not None
        assert last.thread_beats is not None
        self.last = attrs.evolve(
            last,
            awake=last.awake + 1.0,
            loop_beats=last.loop_beats + loop,
            thread_beats=last.thread_beats + thread,
            **changes,
        )
        return self.health.note(self.last, self._ask)

    def silent(self, seconds: int, **changes: object) -> Iterator[Finding]:
        for _ in range(seconds):
            yield self.look(loop=False, **changes)

    def _ask(self) -> ProcessLook:
        self.asked += 1
        return self.process


def kinds(findings: Iterator[Finding]) -> list[str]:
    return [type(finding).__name__ for finding in findings]


def test_a_beating_runner_is_fine_and_the_kernel_is_not_asked() -> None:
    """An idle shard costs one read of the page a second."""
    patient = Patient()

    assert kinds(iter([patient.look() for _ in range(100)])) == ["Fine"] * 100
    assert patient.asked == 0


def test_a_blocked_loop_is_suspect_after_three_seconds_and_killed_after_fifteen() -> None:
    """C5: the class is blocked, as the thread beats and the process sleeps."""
    patient = Patient()
    patient.look()

    found = list(patient.silent(15))

    assert kinds(iter(found)) == ["Fine"] * 2 + ["Suspect"] * 12 + ["Doomed"]
    assert isinstance(found[2], Suspect)
    assert found[2].hang is HangClass.BLOCKED
    last = found[-1]
    assert isinstance(last, Doomed)
    assert (last.kind, last.hang) == (ExitKind.HANG, HangClass.BLOCKED)
    assert "for 15 s" in last.reason


def test_a_beat_makes_it_fine_again() -> None:
    """T11: whatever came before."""
    patient = Patient()
    patient.look()
    list(patient.silent(10))

    assert patient.look() == Fine()
    assert kinds(patient.silent(3)) == ["Fine", "Fine", "Suspect"]


@pytest.mark.parametrize(
    ("state", "thread", "expected"),
    [
        ("S", True, HangClass.BLOCKED),
        ("R", True, HangClass.BUSY),
        ("R", False, HangClass.LOCKED),
        ("S", False, HangClass.LOCKED),
        ("T", False, HangClass.STOPPED),
        ("t", False, HangClass.STOPPED),
        ("D", False, HangClass.KERNEL),
        ("", True, HangClass.BLOCKED),
    ],
)
def test_the_class_follows_from_beats_and_state(state: str, thread: bool, expected: HangClass) -> None:
    """The table of what was measured."""
    assert classify_hang(state, thread_beats=thread) is expected
    assert expected.explanation


def test_a_stopped_process_is_continued_once_and_killed_at_five_seconds() -> None:
    """C1: the second stop is not continued."""
    patient = Patient()
    patient.look()
    patient.process = ProcessLook(state="T", is_traced=False, rss=0)

    found = list(patient.silent(5, thread=False))

    assert kinds(iter(found)) == ["Fine", "Fine", "Resume", "Suspect", "Doomed"]
    assert isinstance(found[-1], Doomed)
    assert found[-1].hang is HangClass.STOPPED


def test_a_process_that_goes_on_after_it_was_continued_is_fine() -> None:
    """C2, and the next stop is continued again."""
    patient = Patient()
    patient.look()
    patient.process = ProcessLook(state="T", is_traced=False, rss=0)
    assert kinds(patient.silent(3, thread=False))[-1] == "Resume"

    assert patient.look() == Fine()
    assert kinds(patient.silent(3, thread=False))[-1] == "Resume"


def test_a_debugger_is_respected_for_ever() -> None:
    """C15: no new work, no signal."""
    patient = Patient()
    patient.look()
    patient.process = ProcessLook(state="t", is_traced=True, rss=0)

    assert kinds(patient.silent(1000, thread=False)) == ["Fine"] * 2 + ["Suspect"] * 998


def test_a_runner_that_beats_and_takes_nothing_is_killed() -> None:
    """C10: beats alone do not save it."""
    patient = Patient()
    patient.look()

    found = [patient.look(sent=5) for _ in range(16)]

    assert kinds(iter(found)) == ["Fine"] * 3 + ["Suspect"] * 12 + ["Doomed"]
    assert isinstance(found[-1], Doomed)
    assert found[-1].hang is HangClass.UNREAD


def test_an_idle_runner_is_not_suspected_by_its_last_request() -> None:
    """What was taken is not waited for, however long ago it was."""
    patient = Patient()

    assert kinds(iter([patient.look(sent=5, read=5) for _ in range(50)])) == ["Fine"] * 50


def test_an_import_may_take_longer_than_a_hang() -> None:
    """A reload imports on the loop, and has a limit of its own."""
    patient = Patient()
    patient.look()

    assert kinds(patient.silent(20, busy_allowance=20.0))[-2:] == ["Suspect", "Doomed"]


@pytest.mark.parametrize("forged", [0, 2**63, 2**64 - 1])
def test_a_forged_ack_only_ends_the_watch_on_acks(forged: int) -> None:
    """Its loop still has to beat."""
    patient = Patient()
    patient.look(read=forged, sent=3)

    assert "Doomed" in kinds(patient.silent(20))


def test_half_a_frame_is_waited_for_five_seconds() -> None:
    """E1, E2: a byte a second does not make the frame younger."""
    patient = Patient()
    patient.look(frames_in=7)

    found = [patient.look(is_in_frame=True) for _ in range(6)]

    assert kinds(iter(found)) == ["Fine"] * 5 + ["Doomed"]
    assert isinstance(found[-1], Doomed)
    assert found[-1].kind is ExitKind.PROTOCOL


def test_frames_that_go_on_are_not_one_frame() -> None:
    """A busy runner is nearly always in the middle of one."""
    patient = Patient()

    assert kinds(iter([patient.look(is_in_frame=True, frames_in=n) for n in range(30)])) == ["Fine"] * 30


def test_a_runner_that_takes_no_byte_is_killed() -> None:
    """E19: also one without a page."""
    health = Health(POLICY)

    found = [
        health.note(Look(awake=float(second), unwritten=5, bytes_written=9), lambda: SLEEPING)
        for second in range(12)
    ]

    assert kinds(iter(found))[9:11] == ["Fine", "Doomed"]
    assert isinstance(found[10], Doomed)
    assert found[10].kind is ExitKind.STUCK


def test_a_hundred_strange_answers_a_minute_are_too_many() -> None:
    """E13: one more than the limit within a minute; spread over hours they are only odd."""
    slow, fast = Patient(), Patient()

    assert kinds(iter([slow.look(strange=n) for n in range(500)])) == ["Fine"] * 500
    fast.look()
    assert isinstance(fast.look(strange=100), Fine)
    assert isinstance(fast.look(strange=101), Doomed)


def test_strange_answers_before_the_first_look_count() -> None:
    """E13: a runner that begins with them is no better than one that comes to it."""
    assert isinstance(Patient().look(strange=101), Doomed)


def test_without_a_page_silence_says_nothing() -> None:
    """An original runner beats nowhere."""
    health = Health(POLICY)

    found = [health.note(Look(awake=float(n), sent=9), lambda: SLEEPING) for n in range(100)]

    assert kinds(iter(found)) == ["Fine"] * 100


@pytest.mark.parametrize(
    "wrong", [{"beat_timeout": 0.0}, {"hang_timeout": 3.0}, {"hang_timeout": 4.0, "ack_timeout": 4.0}]
)
def test_a_policy_that_contradicts_itself_is_refused(wrong: dict[str, float]) -> None:
    """With the names of both fields."""
    with pytest.raises(ValueError, match="timeout is"):
        HealthPolicy(**wrong)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=40))
def test_unread_never_counts_what_was_taken(steps: list[tuple[int, int]]) -> None:
    """The wait is zero exactly when everything sent so far was taken."""
    unread = Unread()
    sent = read = 0
    for second, (more_sent, more_read) in enumerate(steps):
        sent += more_sent
        read = min(sent, read + more_read)
        waited = unread.note(sent, read, float(second))
        assert 0.0 <= waited <= second
        if sent == read:
            assert waited == 0.0


@given(st.lists(st.booleans(), min_size=1, max_size=80))
def test_nobody_is_killed_who_beats_every_fourteen_seconds(beats: list[bool]) -> None:
    """Whatever the pattern: a kill needs fifteen silent seconds in a row."""
    patient = Patient()
    patient.look()
    silent = 0
    for beat in beats:
        silent = 0 if beat or silent == 13 else silent + 1
        found = patient.look(loop=silent == 0)
        assert not isinstance(found, (Doomed, Recycle, Resume))


# --- a runner that counts its turns --------------------------------------------------------------------------------

WAITING = Look(awake=0.0, loop_beats=0, thread_beats=0, turns=1, read=0)


class Turning:
    """A runner that is looked at each second; what is not said stays as it is."""

    def __init__(self) -> None:
        self.health = Health(POLICY)
        self.last = WAITING
        self.state = "S"

    def look(self, **changes: object) -> Finding:
        self.last = attrs.evolve(self.last, awake=self.last.awake + 1.0, **changes)
        return self.health.note(self.last, lambda: ProcessLook(state=self.state, is_traced=False, rss=0))


def test_a_loop_that_waits_needs_no_beat() -> None:
    """Nothing changes for an hour; what then stops it is seen in three seconds, and not held against the hour."""
    turning = Turning()

    assert {type(turning.look()) for _ in range(3600)} == {Fine}
    turning.state = "T"
    assert kinds(turning.look(is_stopped=True) for _ in range(3)) == ["Fine", "Fine", "Resume"]


def test_a_loop_that_runs_and_does_not_turn_is_suspect_whatever_it_runs() -> None:
    """C5: a task of the plugin's own, which a timer woke in an idle runner, as well as a call."""
    turning = Turning()
    turning.look()
    turning.look(turns=2)

    found = [turning.look(asked=each + 1, thread_beats=each) for each in range(3)]

    assert kinds(iter(found)) == ["Fine", "Fine", "Suspect"]
    assert isinstance(found[-1], Suspect)
    assert found[-1].hang is HangClass.BLOCKED


def test_a_question_that_no_thread_answers_shows_that_the_interpreter_is_held() -> None:
    """C4: the loop runs, the question is three seconds old."""
    turning = Turning()
    turning.look()
    turning.look(turns=2, asked=1)

    found = [turning.look() for _ in range(3)]

    assert kinds(iter(found)) == ["Fine", "Fine", "Suspect"]
    assert isinstance(found[-1], Suspect)
    assert found[-1].hang is HangClass.LOCKED


@pytest.mark.parametrize("answers", ["nobody", "the thread"])
def test_a_loop_that_waits_and_cannot_be_woken_is_suspect(answers: str) -> None:
    """A thread holds the interpreter, or code in a signal's handler does not end, while the loop waits."""
    turning = Turning()
    turning.look()
    turning.look(asked=1)

    found = [turning.look(thread_beats=int(answers == "the thread")) for _ in range(15)]

    assert kinds(iter(found)) == ["Fine"] * 2 + ["Suspect"] * 12 + ["Doomed"]
    assert isinstance(found[-1], Doomed)
    assert found[-1].hang is (HangClass.BLOCKED if answers == "the thread" else HangClass.LOCKED)


def test_an_answer_a_look_later_is_in_time() -> None:
    """As it is with each question."""
    turning = Turning()
    found = []
    for number in range(20):
        found += [
            turning.look(asked=number + 1),
            turning.look(thread_beats=number + 1, loop_beats=number + 1),
        ]

    assert {type(each) for each in found} == {Fine}


def test_a_loop_that_turns_lives_without_an_answer() -> None:
    """C17: its thread has no turn, and the work goes on."""
    turning = Turning()

    found = [turning.look(turns=2 * number, asked=number) for number in range(1, 40)]

    assert {type(each) for each in found} == {Fine}


def test_what_nobody_had_asked_for_does_not_count_beyond_a_minute() -> None:
    """E: a hundred strange answers in an hour are fine, and so many at once are not, after however long a rest."""
    turning = Turning()
    turning.look()
    turning.last = attrs.evolve(turning.last, awake=3600.0)

    assert isinstance(turning.look(strange=101), Doomed)
