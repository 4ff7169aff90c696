"""The table of a shard's states says what it should."""

from __future__ import annotations

import pytest

from rookery.supervisor.shard_state import TRANSITIONS, WITH_PROCESS, ShardState, check_move

S = ShardState


def test_every_state_is_in_the_table_and_can_be_reached() -> None:
    """No state is forgotten, none is a dead name."""
    reached = {new for following in TRANSITIONS.values() for new in following}

    assert set(TRANSITIONS) == set(ShardState)
    assert reached == set(ShardState)


def test_a_process_is_left_through_its_reaping_only() -> None:
    """Nothing leads out of the states with a process but REAPING, and LOST, which the kernel forces."""
    exits = {(old, new) for old in WITH_PROCESS for new in TRANSITIONS[old] if new not in WITH_PROCESS}

    assert {old for old, _ in exits} == {S.REAPING, S.LOST}


def test_every_state_leads_to_stopped() -> None:
    """Whatever a shard is doing, it can be stopped."""
    for start in ShardState:
        seen, todo = {start}, [start]
        while todo:
            for new in TRANSITIONS[todo.pop()] - seen:
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
        check_move(old, new)
