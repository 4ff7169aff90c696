"""The table of a shard's states says what it should."""

from __future__ import annotations

import pytest

from rookery.supervisor.shard_state import (
    AT_REST,
    BY_ID,
    TRANSITIONS,
    WITH_PROCESS,
    ShardState,
    find_transition,
    is_path,
)

S = ShardState

FOLLOWING = {old: {new for row in TRANSITIONS for was, new in row.pairs if was is old} for old in ShardState}


def test_every_row_of_the_design_is_there_once() -> None:
    """T1 to T31, each with an event in words."""
    assert [row.id for row in TRANSITIONS] == [f"T{number}" for number in range(1, 32)]
    assert len(BY_ID) == 31
    assert all(row.event for row in TRANSITIONS)
    assert [row.id for row in TRANSITIONS if not row.pairs] == ["T21"]


def test_every_state_can_be_reached_and_left() -> None:
    """No state is a dead name, and none a trap. A shard begins IDLE, or DISABLED when it is started by hand."""
    reached = {new for following in FOLLOWING.values() for new in following}

    assert reached == set(ShardState) - {S.DISABLED}
    assert all(FOLLOWING[state] for state in ShardState)


def test_a_process_is_left_through_its_reaping_only() -> None:
    """Nothing leads out of the states with a process but REAPING, and LOST, which the kernel forces."""
    exits = {(old, new) for old in WITH_PROCESS for new in FOLLOWING[old] if new not in WITH_PROCESS}

    assert {old for old, _ in exits} == {S.REAPING, S.LOST}


def test_only_ready_is_reached_from_loading_and_suspect() -> None:
    """What takes new work has loaded, or has shown life again."""
    assert {old for old in ShardState if S.READY in FOLLOWING[old]} == {S.LOADING, S.SUSPECT}


def test_whatever_is_at_rest_is_stopped_at_once() -> None:
    """T29, T31: no state between."""
    assert all(S.STOPPED in FOLLOWING[state] for state in AT_REST)
    assert not AT_REST & WITH_PROCESS


def test_every_state_leads_to_stopped() -> None:
    """Whatever a shard is doing, it can be stopped."""
    for start in ShardState:
        seen, todo = {start}, [start]
        while todo:
            for new in FOLLOWING[todo.pop()] - seen:
                seen.add(new)
                todo.append(new)

        assert S.STOPPED in seen, start


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(S.READY, S.STOPPED, id="a live runner is not just stopped"),
        pytest.param(S.HELLO, S.READY, id="nothing is ready unloaded"),
        pytest.param(S.BACKOFF, S.SPAWNING, id="each start waits for its turn"),
        pytest.param(S.READY, S.READY, id="a move is a change"),
    ],
)
def test_what_is_not_in_the_table_is_a_bug(old: ShardState, new: ShardState) -> None:
    """It is named and raised."""
    with pytest.raises(RuntimeError, match=f"{old.value} cannot become {new.value}"):
        find_transition(old, new)


def test_a_row_that_does_not_lead_there_is_a_bug() -> None:
    """Though another does."""
    assert find_transition(S.READY, S.KILLING, "T13").id == "T13"
    with pytest.raises(RuntimeError, match="ready cannot become killing by T10"):
        find_transition(S.READY, S.KILLING, "T10")


def test_a_path_joins_and_keeps_to_the_table() -> None:
    """I25: what telemetry says can be checked against it."""
    moves = [(S.IDLE, S.SPAWNING, "T2"), (S.SPAWNING, S.HELLO, "T3"), (S.HELLO, S.LOADING, "T5")]

    assert is_path(moves)
    assert is_path([])
    assert not is_path(moves[1:] + moves[:1])
    assert not is_path([(S.IDLE, S.SPAWNING, "T3")])
    assert not is_path([(S.IDLE, S.SPAWNING, "T99")])
