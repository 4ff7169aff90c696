"""Which plugin a dump of stacks names."""

from __future__ import annotations

import pytest

from rookery.supervisor.stack_dump import where_it_was

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
    assert where_it_was(dump, PATHS) == told
