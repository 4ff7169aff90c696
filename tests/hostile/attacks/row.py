"""What is an attack: a function that tries one thing, and what each profile promises about it?

An attack is called with the stage, a table of what an insider would know: paths, process ids, ports, secrets' first letters.
It returns what it has reached as a text, raises ``Bounded`` when it reached some of it and was then held, and ``Stopped`` or
any ``OSError`` when it reached nothing. Everything else that it raises is a bug of the attack, and fails the suite: an attack
that cannot succeed proves nothing. For the same reason every attack is also made by a process that nothing confines
(``plain``), and has to succeed there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

PROFILES = ("plain", "process", "confined", "sandbox")
"""``plain`` is no profile: a child that inherits everything, as the control."""

USERS = ("root", "user")

Stage = dict[str, Any]
"""See ``stage.py`` for the keys."""

Attack = Callable[[Stage], str]


class Stopped(Exception):
    """It reached nothing; the text says what it met."""


class Bounded(Exception):
    """It reached a part of its aim and was held there; the text says how much."""


class Absent(Exception):
    """This machine has nothing to attack in this way; the text says what is missing."""


@attrs.frozen(kw_only=True)
class Row:
    """One line of the table. An expectation is ``R`` (reached), ``L`` (bounded), ``-`` (blocked) or ``.`` (not tried); two of them with a stroke
    between are for a host run by root, and by an ordinary user."""

    name: str
    kind: str
    run: Attack = attrs.field(repr=False)
    expected: dict[str, str]
    """By profile."""
    why: str
    """What stops it, or why nothing does."""
    acts: int = 1
    """How often it is called, with a fresh runner each time: ``stage["act"]`` counts from 0."""
    dies: bool = False
    """Whether it may cost the runner its life; then a dead runner means that it was bounded."""
    fresh: bool = False
    """Whether the runner is replaced afterwards, because it is not as it was."""
    optional: bool = False
    """Whether a machine may have nothing to attack: then it is skipped where it does not succeed unconfined."""
    witnessed: bool = False
    """Whether it can only believe that it succeeded: it counts as reached when the host has seen it."""
    seconds: float = 10.0
    """How long it may take."""
    restart: float = 0.0
    """Seconds in which the host has to have replaced the runner afterwards; 0 does not try."""

    def expects(self, profile: str, user: str) -> str:
        """What has to come of it."""
        letters = self.expected[profile].split("/")
        return letters[0 if user == "root" else -1]


ROWS: dict[str, Row] = {}
"""All attacks, in the order in which they are made."""


def attack(
    plain: str, process: str, confined: str, sandbox: str, why: str, **more: Any
) -> Callable[[Attack], Attack]:
    """Put a function into the table under its own name and the name of its module."""

    def put(function: Attack) -> Attack:
        name = function.__name__
        assert name not in ROWS, f"two attacks are called {name}"
        ROWS[name] = Row(
            name=name,
            kind=function.__module__.rpartition(".")[2],
            run=function,
            expected=dict(zip(PROFILES, (plain, process, confined, sandbox), strict=True)),
            why=why,
            **more,
        )
        return function

    return put


def make(name: str, stage: Stage) -> tuple[str, str]:
    """Make one attack: the letter of what came of it, and the evidence.

    Letters beside those of the table: ``absent``. What is a bug of the attack is raised.
    """
    try:
        reached = ROWS[name].run(stage)
    except Absent as missing:
        return "absent", str(missing)
    except Bounded as bounded:
        return "L", str(bounded)
    except Stopped as stopped:
        return "-", str(stopped)
    except OSError as error:
        return "-", f"{type(error).__name__}: {error}"
    if not reached:
        raise AssertionError(f"{name} tells no evidence")
    return "R", reached
