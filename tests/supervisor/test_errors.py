"""A mistake is one line that says where, what, what instead, and what to do."""

from __future__ import annotations

import pytest

from rookery.supervisor.errors import ConfigError, Mistake


@pytest.mark.parametrize(
    ("mistake", "line"),
    [
        pytest.param(
            Mistake(file="a.toml", key="x.y", given="0", expected="a number above 0", advice="raise it"),
            "a.toml: x.y: got 0, expected a number above 0; raise it",
            id="everything",
        ),
        pytest.param(Mistake(file="a.toml", key="", given="it is empty"), "a.toml: it is empty", id="a sentence"),
        pytest.param(Mistake(file="", key="x", given="it is odd", advice="go"), "x: it is odd; go", id="no file"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(mistake: Mistake, line: str) -> None:
    """Parts that are empty leave no trace."""
    assert str(mistake) == line


def test_an_error_with_one_mistake_is_that_mistake() -> None:
    """No list of one."""
    error = ConfigError([Mistake(file="a", key="b", given="c")])

    assert str(error) == "a: b: c"


def test_an_error_lists_all_its_mistakes() -> None:
    """Every mistake has its line."""
    error = ConfigError(Mistake(file="a", key=key, given="c") for key in "xy")

    assert str(error) == "there are 2 mistakes:\n  - a: x: c\n  - a: y: c"
    assert [mistake.key for mistake in error.mistakes] == ["x", "y"]
