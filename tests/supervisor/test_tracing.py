"""Who may look into a host's memory, and for how long."""

from __future__ import annotations

import ctypes
import sys

import pytest

from rookery.supervisor.tracing import closed_to_tracers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process say that")

GET_DUMPABLE = 3


def is_closed_to_tracers() -> bool:
    """As the kernel has it."""
    return bool(ctypes.CDLL(None).prctl(GET_DUMPABLE, 0, 0, 0, 0) != 1)


def test_it_is_as_before_when_the_last_of_two_hosts_has_ended() -> None:
    """Both may live in one process, and the program around them may be debugged afterwards."""
    before = is_closed_to_tracers()
    with closed_to_tracers():
        with closed_to_tracers():
            assert is_closed_to_tracers()
        assert is_closed_to_tracers()

    assert is_closed_to_tracers() is before
