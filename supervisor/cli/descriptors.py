"""Are 0, 1 and 2 really open when the command line starts?"""

from __future__ import annotations

import os


def open_missing_descriptors() -> None:
    """Give the three standard descriptors something to point to.

    A command started with one of them closed would get its next socket under that number, and lend it to a plugin as
    the terminal.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
