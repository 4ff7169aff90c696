"""Which plugin a dump of stacks names."""

from __future__ import annotations

import pytest

from rookery.supervisor.stack_dump import is_loop_thread, only_stacks, where_it_was

PATHS = {"test.one": "/plugins/one", "test.two": "/plugins/two"}


def stack(kind: str, *frames: tuple[str, int, str]) -> str:
    lines = [f"{kind} 0x00007f1234567890 (most recent call first):"]
    lines += [f'  File "{file}", line {line} in {function}' for file, line, function in frames]
    return "\n".join([*lines, ""])


ONE = ("/plugins/one/deep/words.py", 12, "count")
TWO = ("/plugins/two/plugin.py", 7, "roll")
LIBRARY = ("/usr/lib/python3.11/re.py", 9, "match")


@pytest.mark.parametrize(
    ("dump", "told"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param('  File "/plugins/one/plugin.py", line x in y\nhello\n', "", id="no dump"),
        pytest.param(stack("Current thread", LIBRARY), "", id="no plugin"),
        pytest.param(
            "Fatal Python error: Segmentation fault\n\n" + stack("Current thread", LIBRARY, TWO, ONE),
            "test.two was at plugin.py line 7, in roll",
            id="innermost",
        ),
        pytest.param(
            stack("Thread", ONE) + "\n" + stack("Current thread", TWO),
            "test.two was at plugin.py line 7, in roll",
            id="current before other threads",
        ),
        pytest.param(
            stack("Thread", ONE) + "\n" + stack("Current thread", LIBRARY),
            "test.one was at deep/words.py line 12, in count",
            id="another thread when the current one runs no plugin",
        ),
        pytest.param(stack("Current thread", ("/plugins/oneself/x.py", 1, "f")), "", id="a longer name"),
    ],
)
def test_the_plugin_is_named(dump: str, told: str) -> None:
    """The innermost frame in a plugin's directory, first of the thread that ran."""
    place = where_it_was(dump, PATHS)

    assert ("" if place is None else str(place)) == told


LOOP = ("/usr/lib/python3/site-packages/trio/_core/_run.py", 2000, "run")
GUEST = ("/usr/lib/python3/site-packages/rookery/runner/guest.py", 100, "run_as_guest")
FATAL = "Fatal Python error: Segmentation fault\n\n"


@pytest.mark.parametrize(
    ("dump", "is_loop"),
    [
        pytest.param("", True, id="nothing"),
        pytest.param(stack("Current thread", ONE), True, id="asked for, not deadly"),
        pytest.param(FATAL + stack("Current thread", ONE, LOOP), True, id="the loop's thread"),
        pytest.param(
            FATAL + stack("Current thread", ONE) + "\n" + stack("Thread", LOOP), False, id="another thread"
        ),
        pytest.param(FATAL + stack("Current thread", ONE) + "  ...\n", True, id="too deep to see the loop"),
        pytest.param(FATAL + stack("Current thread", ONE, GUEST), True, id="the loop of a guest"),
        pytest.param(FATAL, True, id="without a stack"),
    ],
)
def test_a_deadly_signal_in_another_thread_is_told_apart(dump: str, is_loop: bool) -> None:
    """What the loop did then is no evidence; where nothing can be seen it stays one."""
    assert is_loop_thread(dump) is is_loop


def test_the_last_dump_counts() -> None:
    """A runner that was asked twice is where it was the second time."""
    dump = stack("Current thread", ONE) + "\n" + stack("Thread", ONE) + stack("Current thread", TWO)

    place = where_it_was(dump, PATHS)

    assert place is not None
    assert place.plugin_id == "test.two"


def test_what_plugins_write_is_taken_out_of_a_dump() -> None:
    """Both arrive on the same pipe."""
    text = "hello\n" + FATAL + stack("Current thread", ONE) + "bye\n"

    assert only_stacks(text) == FATAL.strip() + "\n" + stack("Current thread", ONE).strip()
