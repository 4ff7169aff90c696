"""How does a runner process end, and what does its exit code say?"""

from __future__ import annotations

import os
import threading
from typing import NoReturn

CLEAN = 0
INTERNAL_ERROR = 70
"""A bug in rookery; the traceback is on standard error."""
RECYCLE = 75
"""It works, and should be replaced."""
REFUSED = 76
"""The host speaks another protocol, or did not accept this runner."""
HOST_LOST = 77
"""The host is gone."""
BAD_START = 78
"""Started wrongly: it does not help to try again."""

LEAVE_GRACE = 1.0
"""Seconds that threads, cancelled tasks and exit functions of plugins may take once the runner is done."""


def leave_at_once(code: int) -> NoReturn:
    """End the process now: no cleaning up, no plugin code."""
    os._exit(code)


def leave_in_time(code: int) -> None:
    """End the process soon, whatever becomes of the orderly end: a plugin's thread that never returns, or a task that
    ignores its cancellation, would keep it for ever."""
    last_resort = threading.Timer(LEAVE_GRACE, leave_at_once, (code,))
    last_resort.daemon = True
    last_resort.start()
