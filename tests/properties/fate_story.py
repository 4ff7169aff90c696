"""How is a way through the model told to people?"""

from __future__ import annotations

from collections.abc import Sequence

from .fate_model import Act, Step, take
from .fate_state import Fate, Rules, State, first_state

_WORDS = {
    Act.SUBMIT: "call {at} of key {key} is made",
    Act.START: "a runner is ready",
    Act.BEGIN: "runner {at} begins call {call}",
    Act.EFFECT: "the handler of call {call} does its work",
    Act.MARK: "runner {at} marks call {call} as begun",
    Act.ANSWER: "runner {at} answers call {call}",
    Act.FLUSH: "the answer reaches the kernel",
    Act.HEAR: "runner {at} hears what the host does not want any more",
    Act.OVERHEAR: "runner {at} hears that, and a handler goes on",
    Act.REFUSE_LATE: "runner {at} ends call {call}, which is late",
    Act.READ: "the host reads an answer of runner {at}",
    Act.READ_STALE: "the host reads an answer of a runner that is buried",
    Act.CLOSE: "the host closes the connection to runner {at}",
    Act.SETTLE: "runner {at} is buried, and its calls are settled",
    Act.LEAVE: "runner {at} leaves",
    Act.SHUT_DOWN: "runner {at} leaves with handlers running",
    Act.EXPIRE: "the host ends call {at}, which is late",
    Act.KILL: "runner {at} is killed",
    Act.RESTART: "runner {at} is to leave",
    Act.CANCEL: "the caller of call {at} goes",
    Act.DEADLINE: "the deadline of call {at} passes",
    Act.SUSPECT: "runner {at} shows no life",
    Act.RECOVER: "runner {at} shows life again",
    Act.GIVE_UP: "the shard is given up",
    Act.TERM: "runner {at} is told to leave by a stranger",
    Act.GIVE_BACK: "runner {at} gives call {call} back",
    Act.CUT_OFF: "runner {at} cuts call {call} off",
    Act.LOSE_PATIENCE: "runner {at} takes too long to drain",
}


def tell(rules: Rules, way: Sequence[Step]) -> str:
    """One line a step, with what it changed."""
    lines, state = [], first_state(rules)
    for number, step in enumerate(way, 1):
        following, problems = take(rules, state, step)
        key = rules.keys[step.at] if step.act is Act.SUBMIT else ""
        text = _WORDS[step.act].format(at=step.at, call=step.call, key=key)
        notes = [*_changes(state, following), *(f"breaks {problem}" for problem in sorted(problems))]
        lines.append(f"{number:3} {text}" + (f": {', '.join(notes)}" if notes else ""))
        state = following
    return "\n".join(lines)


def _changes(before: State, after: State) -> list[str]:
    ended = [
        f"{call} ends: {fate.value}"
        for call, fate in enumerate(after.fate)
        if fate is not Fate.OPEN and before.fate[call] is Fate.OPEN
    ]
    again = [
        f"{call} has run {runs} times"
        for call, runs in enumerate(after.runs)
        if 1 < runs != before.runs[call]
    ]
    waits = f"waiting: {' '.join(map(str, after.line)) or 'none'}" if after.line != before.line else ""
    return [*ended, *again, *([waits] if waits else [])]
