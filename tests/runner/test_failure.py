"""Whatever is raised, its author reads one line with the place in the plugin's own code."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import pytest
import trio

from rookery.runner.failure import explain, traceback_text


class Hostile(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def caught(func: Any, *args: Any) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011  # whatever it is
        func(*args)
    return caught.value


def _raise(error: BaseException) -> NoReturn:
    raise error


def test_the_line_is_the_innermost_of_the_plugin() -> None:
    """Not the line in the library where it came to light."""
    line = explain(caught(lambda: json.loads("{")))

    assert line.startswith("JSONDecodeError: Expecting property name")
    assert "(test_failure.py line " in line
    assert line.endswith(", in <lambda>)")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        pytest.param(ValueError("boom"), "ValueError: boom (", id="an ordinary error"),
        pytest.param(ValueError("two\nlines"), "ValueError: two lines (", id="two lines"),
        pytest.param(SystemExit(3), "SystemExit: 3 (", id="an exit"),
        pytest.param(KeyboardInterrupt(), "KeyboardInterrupt (", id="an interrupt"),
        pytest.param(Hostile(), "Hostile: <exception str() failed> (", id="an error without a text"),
        pytest.param(ValueError("x" * 9999), "ValueError: xxx", id="a long text"),
        pytest.param(
            ExceptionGroup("g", [ExceptionGroup("h", [ValueError("boom")])]),
            "ValueError: boom",
            id="a lone error",
        ),
        pytest.param(
            ExceptionGroup("g", [ValueError("a"), KeyError("b")]),
            "2 errors: ValueError: a (test_failure.py",
            id="two",
        ),
        pytest.param(
            BaseExceptionGroup("g", [SystemExit(1)] * 5),
            "5 errors: SystemExit: 1 (test_failure.py",
            id="many",
        ),
    ],
)
def test_anything_becomes_one_short_line(error: BaseException, told: str) -> None:
    """Exits, interrupts, groups and hostile errors included."""
    line = explain(caught(_raise, error))

    assert told in line
    assert "\n" not in line
    assert len(line) < 1000


def test_a_mistake_of_syntax_names_its_line() -> None:
    """There is no frame of the plugin then; the error itself knows the place."""
    error = caught(compile, "a = 1\nb = = 2\n", "/somewhere/plugin.py", "exec")

    assert explain(error) == "SyntaxError: invalid syntax (plugin.py line 2)"


async def test_the_traceback_begins_in_the_plugin() -> None:
    """The frames of trio above it tell an author nothing."""

    def work() -> None:
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom") as error:
        await trio.to_thread.run_sync(work)
    text = traceback_text(error.value)

    assert text.startswith("Traceback")
    assert "in work" in text
