"""The life of a connection: every move of the table, every move that is not in it, and the table in the docstring."""

from __future__ import annotations

import itertools

import pytest

from rookery.protocol import LocalProtocolError, State
from rookery.protocol import state as module
from rookery.protocol.state import TABLE, Move, next_state

LEGAL = {
    (State.NEW, Move.HELLO): State.GREETING,
    (State.NEW, Move.CLOSE): State.CLOSED,
    (State.GREETING, Move.ACCEPT): State.OPEN,
    (State.GREETING, Move.REFUSE): State.CLOSED,
    (State.GREETING, Move.CLOSE): State.CLOSED,
    (State.OPEN, Move.CLOSE): State.CLOSED,
}
ILLEGAL = [pair for pair in itertools.product(State, Move) if pair not in LEGAL]

# The words of the docstring's table, and what they are in the code.
MOVES_IN_WORDS = {
    "it sends its hello": Move.HELLO,
    "a hello arrives": Move.HELLO,
    "the host accepts": Move.ACCEPT,
    "it accepts": Move.ACCEPT,
    "the host refuses": Move.REFUSE,
    "it refuses": Move.REFUSE,
    "the stream ends or a rule is broken": Move.CLOSE,
}


@pytest.mark.parametrize(("state", "move"), LEGAL, ids=lambda value: value.value)
def test_legal_moves(state: State, move: Move) -> None:
    """Each leads where the table says."""
    assert next_state(state, move) is LEGAL[state, move]


@pytest.mark.parametrize(("state", "move"), ILLEGAL, ids=lambda value: value.value)
def test_illegal_moves_are_refused(state: State, move: Move) -> None:
    """By name of both."""
    with pytest.raises(LocalProtocolError, match=f"that is {state.value} cannot {move.value}"):
        next_state(state, move)


def test_every_state_has_its_row() -> None:
    """The table is complete, and nothing leads out of CLOSED."""
    assert set(TABLE) == set(State)
    assert TABLE[State.CLOSED] == {}


def test_every_state_can_be_reached() -> None:
    """From NEW, by legal moves."""
    reached, border = {State.NEW}, [State.NEW]
    while border:
        for target in TABLE[border.pop()].values():
            if target not in reached:
                reached.add(target)
                border.append(target)

    assert reached == set(State)


@pytest.mark.parametrize("side", ["runner", "host"])
def test_the_table_of_the_docstring_is_the_literal_one(side: str) -> None:
    """Who reads the page and who runs the program see the same."""
    assert module.__doc__ is not None
    rule = next(line for line in module.__doc__.splitlines() if line.startswith("==="))
    rows = module.__doc__.split(rule)[2].strip().splitlines()

    written: dict[State, dict[Move, State]] = {state: {} for state in State}
    for row in rows:
        of_side, state, moves = _cells(row, rule)
        if of_side not in (side, "both"):
            continue
        states = (
            [each for each in State if each is not State.CLOSED] if "any but" in state else [State[state]]
        )
        for move in moves.split(" · "):
            words, _, target = move.rpartition(": ")
            for each in states:
                written[each][MOVES_IN_WORDS[words]] = State[target]

    assert written == TABLE


def _cells(row: str, rule: str) -> tuple[str, str, str]:
    """Cut a row where the columns of the rule begin; the third takes the rest."""
    second = rule.index(" ") + 1
    third = rule.index(" ", second) + 1
    return row[:second].strip(), row[second:third].strip(), row[third:].strip()
