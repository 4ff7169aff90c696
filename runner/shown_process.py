"""What does the kernel show as the arguments and the environment of a process that was forked to be another one?

Those of the process that it was forked from: ``/proc/PID/cmdline`` and ``/proc/PID/environ`` are read from where its
program found them when it started. So the new ones are written to that place. It is as large as what stood there, and who
means to write more later starts the process with something to spare (``SPARE_VARIABLE``).

A host proves by that environment that a process is one of its runners, and a person finds a runner by these arguments.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SPARE_VARIABLE = "ROOKERY_SPARE"
"""Means nothing; its length is room."""

_ARGUMENTS_AT, _ENVIRONMENT_AT = 45, 47
"""Places in ``/proc/PID/stat`` behind the name, each with the end behind it."""


@attrs.frozen
class ShownProcess:
    """The two places, of this process and of all that are forked from it."""

    arguments: tuple[int, int]
    environment: tuple[int, int]

    def show(self, arguments: Iterable[str], environment: Mapping[str, str]) -> None:
        """Show these. What does not fit is left out from the end, a whole argument or variable at a time.

        The C library reads the environment at its old place until it is told of another: ``move_environment`` must have
        been called before.
        """
        _fill(self.arguments, (os.fsencode(each) for each in arguments))
        _fill(
            self.environment,
            (os.fsencode(name) + b"=" + os.fsencode(value) for name, value in environment.items()),
        )


def find_shown() -> ShownProcess:
    """Where this process shows them.

    Raises:
        OSError: The system does not say.
    """
    # In parentheses its name, which may hold anything.
    fields = Path("/proc/self/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    found = [(int(fields[at]), int(fields[at + 1])) for at in (_ARGUMENTS_AT, _ENVIRONMENT_AT)]
    if not all(0 < start < end for start, end in found):
        raise OSError("the kernel does not say where the arguments and the environment are")
    return ShownProcess(*found)


def move_environment() -> None:
    """Have the C library keep the environment of this process elsewhere, so that its place can be written to."""
    whole = dict(os.environ)
    os.environ.clear()
    os.environ.update(whole)


def _fill(place: tuple[int, int], texts: Iterable[bytes]) -> None:
    start, end = place
    size = end - start
    content = b""
    for text in texts:
        # One byte stays zero at the end: without it the kernel takes what follows for more of the same.
        if len(content) + len(text) + 1 > size:
            break
        content += text + b"\0"
    ctypes.memmove(start, content.ljust(size, b"\0"), size)
