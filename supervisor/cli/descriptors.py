"""Are 0, 1 and 2 really open when the command line starts?"""

from __future__ import annotations

import os
import sys


def open_missing_descriptors() -> None:
    """Give the three standard descriptors something to point to.

    A command started with one of them closed would get its next socket under that number, and lend it to a plugin as
    the terminal. Python has no `sys.stdin` then, nor the other two.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
