"""A value out of range is refused in words that a person understands."""

from __future__ import annotations

import math

import attrs
import pytest

from rookery.supervisor.ranges import CAPABILITY, MOST_BYTES, Clash, Each, Form, Range, Size, parse_size


@pytest.mark.parametrize(
    ("limits", "value", "expected"),
    [
        pytest.param(Range(0), -1, "a number from 0 up", id="too low"),
        pytest.param(Range(0, above=True), 0, "a number above 0", id="not above"),
        pytest.param(Range(1, 3), 4, "a number from 1 to 3", id="too high"),
        pytest.param(Range(0), math.inf, "a number from 0 up", id="infinite"),
        pytest.param(Range(0), math.nan, "a number from 0 up", id="not a number"),
        pytest.param(Size(), -1, "a size such as '512M'", id="less than no bytes"),
        pytest.param(Size(), MOST_BYTES + 1, "a size such as '512M'", id="more bytes than there are"),
        pytest.param(Form(str.isalpha, "letters"), "a1", "letters", id="another form"),
        pytest.param(Each(Form(str.isalpha, "letters")), ("a", "1"), "letters", id="one of many"),
    ],
)
def test_a_value_out_of_range_is_refused(
    limits: Range | Size | Form | Each, value: object, expected: str
) -> None:
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


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("4096", 4096),
        ("1k", 1024),
        ("64 KiB", 65_536),
        ("512M", 536_870_912),
        ("1.5G", 1_610_612_736),
        ("2T", 2_199_023_255_552),
        ("0.5", 0),
        ("512MB", None),
        ("M", None),
        ("-1", None),
        ("1e3", None),
        ("٣", None),
        (" 1", None),
        ("", None),
        ("9" * 16, None),
    ],
)
def test_a_size_is_a_number_with_a_unit(text: str, size: int | None) -> None:
    """Of 1024 each; `MB` is read in two ways, so it is none."""
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("clash", "line"),
    [
        (Clash("low", "high", given="3", expected="less than high (2)", advice="lower low"),
         "low is 3, expected less than high (2); lower low"),
        (Clash("mode", given="a job that never ends"), "mode: a job that never ends"),
    ],
)  # fmt: skip
def test_a_clash_says_itself_in_one_line(clash: Clash, line: str) -> None:
    """For whoever makes the value in a program; a file's reader takes the parts."""
    assert str(clash) == line
