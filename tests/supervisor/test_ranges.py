"""A value out of range is refused in words that a person understands."""

from __future__ import annotations

import math

import attrs
import pytest

from rookery.supervisor.ranges import CAPABILITY, Each, Form, Range


@pytest.mark.parametrize(
    ("limits", "value", "expected"),
    [
        pytest.param(Range(0), -1, "a number from 0 up", id="too low"),
        pytest.param(Range(0, above=True), 0, "a number above 0", id="not above"),
        pytest.param(Range(1, 3), 4, "a number from 1 to 3", id="too high"),
        pytest.param(Range(0), math.inf, "a number from 0 up", id="infinite"),
        pytest.param(Range(0), math.nan, "a number from 0 up", id="not a number"),
        pytest.param(Form(str.isalpha, "letters"), "a1", "letters", id="another form"),
        pytest.param(Each(Form(str.isalpha, "letters")), ("a", "1"), "letters", id="one of many"),
    ],
)
def test_a_value_out_of_range_is_refused(limits: Range | Form | Each, value: object, expected: str) -> None:
    """The message has the name, the value and what was expected."""
    made = attrs.make_class("Made", {"size": attrs.field(validator=limits)})

    with pytest.raises(ValueError, match=f"size is .*, expected {expected}"):
        made(value)


@pytest.mark.parametrize(("limits", "value"), [(Range(0), 0), (Range(1, 3), 3), (Range(0, above=True), 0.1)])
def test_the_ends_of_a_range_belong_to_it(limits: Range, value: float) -> None:
    """All but the lower end of what has to be above it."""
    made = attrs.make_class("Made", {"size": attrs.field(validator=limits)})

    assert made(value).size == value


@pytest.mark.parametrize(
    ("text", "is_fine"),
    [("send.text", True), ("database.*", True), ("*", True), ("a.b.*", False), ("*.a", False), ("", False)],
)
def test_a_capability_is_a_name_a_family_or_all(text: str, is_fine: bool) -> None:
    """What could never match is refused."""
    assert bool(CAPABILITY.accepts(text)) is is_fine
