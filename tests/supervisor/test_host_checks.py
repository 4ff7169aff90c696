"""A process that could not tell how its runners ended is refused, with the remedy."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from rookery.supervisor.errors import UsageError
from rookery.supervisor.host_checks import check_host, expect_children


def test_a_process_as_python_makes_it_is_fine() -> None:
    """Nothing set, nothing said."""
    check_host()


@pytest.mark.parametrize(
    ("number", "action", "remedy"),
    [
        pytest.param(
            signal.SIGCHLD, signal.SIG_IGN, r"ignores SIGCHLD.*signal\(signal\.SIGCHLD, signal\.SIG_DFL\)", id="SIGCHLD"
        ),
        pytest.param(
            signal.SIGPIPE, signal.SIG_DFL, r"SIGPIPE would end.*signal\(signal\.SIGPIPE, signal\.SIG_IGN\)", id="SIGPIPE"
        ),
    ],
)  # fmt: skip
def test_an_embedder_that_has_changed_a_signal_is_told(
    number: signal.Signals, action: signal.Handlers, remedy: str
) -> None:
    """Why, and what to call."""
    before = signal.signal(number, action)
    try:
        with pytest.raises(UsageError, match=remedy):
            check_host()
    finally:
        signal.signal(number, before)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the flag is looked up as Linux has it")
def test_a_flag_set_in_c_is_seen() -> None:
    """SA_NOCLDWAIT leaves no trace in Python's own module."""
    program = (
        "import ctypes, signal\n"
        "from rookery.supervisor.host_checks import _SignalAction, check_host\n"
        "action = _SignalAction(flags=2)\n"
        "assert ctypes.CDLL(None).sigaction(int(signal.SIGCHLD), ctypes.byref(action), None) == 0\n"
        "try:\n    check_host()\nexcept Exception as error:\n    print(error)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "SA_NOCLDWAIT" in done.stdout


def test_the_command_line_undoes_what_it_inherited() -> None:
    """A script that ignores SIGCHLD hands that on to the bot it starts."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        expect_children()
        check_host()
    finally:
        signal.signal(signal.SIGCHLD, before)
