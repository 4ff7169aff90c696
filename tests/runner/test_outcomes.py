"""Outcomes say one thing, and refuse what means nothing."""

from __future__ import annotations

import pytest

from rookery.runner import EventOutcome, HookOutcome


def test_a_change_needs_a_message() -> None:
    """The mistake is told where it is made, with what to write."""
    with pytest.raises(TypeError, match=r"takes a Message, got str 'hello'.*message\.with_text"):
        EventOutcome.change("hello")  # type: ignore[arg-type]  # the mistake


def test_an_outcome_made_by_hand_is_checked_too() -> None:
    """Fields have the types that the runner relies on."""
    with pytest.raises(TypeError):
        EventOutcome(message={"text": "a map"})  # type: ignore[arg-type]  # the mistake
    with pytest.raises(TypeError):
        HookOutcome(changes=["a list"])  # type: ignore[arg-type]  # the mistake


def test_an_abort_carries_its_reason() -> None:
    """Whoever invoked the hook can tell why."""
    outcome = HookOutcome.abort("spam")

    assert (outcome.aborts, outcome.result, outcome.changes) == (True, "spam", None)
