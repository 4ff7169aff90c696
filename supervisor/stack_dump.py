"""Which plugin does a dump of a runner's stacks name? Python writes one at a deadly signal, and when it is asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .exit_report import Place

if TYPE_CHECKING:
    from collections.abc import Mapping

_STACK = re.compile(r"^(?P<kind>Current thread|Thread) 0x[0-9a-f]+.*\(most recent call first\):$")
_FRAME = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d+) in (?P<function>.*)$')

DUMP_MARK = b"(most recent call first):"
"""In every dump, and seldom elsewhere."""

_FATAL = "Fatal Python error:"
"""How Python begins the dump that it writes when a signal ends the process."""

_CUT = "  ..."
"""Ends a stack of more than a hundred frames, of which only the innermost are written."""

LOOP_FILES = ("/trio/_core/_run.py", "/runner/guest.py")
"""In every stack of the loop's thread, and in no other: trio's own, and the file that runs trio as a guest of asyncio."""


def where_it_was(dump: str, paths: Mapping[str, str]) -> Place | None:
    """The innermost frame of plugin code of the current thread, else of any other; None when the dump shows none.

    Args:
        dump: What was written to standard error, with or without stacks in it. The last dump in it counts.
        paths: The directory of each plugin.
    """
    found: Place | None = None
    is_current = False
    has_current = False
    for line in dump.splitlines():
        if stack := _STACK.match(line):
            if is_current := stack["kind"] == "Current thread":
                has_current = False
        elif frame := _FRAME.match(line):
            place = None if has_current else _place(frame, paths)
            if place is None:
                continue
            if is_current:
                found, has_current = place, True
            else:
                found = found or place
    return found


def is_loop_thread(dump: str) -> bool:
    """False when a deadly signal struck a thread that is not the loop's: what the loop did then is no evidence.

    True for everything else, also where no dump of a deadly signal is.
    """
    _, fatal, rest = dump.rpartition(_FATAL)
    if not fatal or _CUT in rest.splitlines():
        return True
    is_current = has_stack = False
    for line in rest.splitlines():
        if stack := _STACK.match(line):
            is_current = stack["kind"] == "Current thread"
        elif is_current and (frame := _FRAME.match(line)):
            has_stack = True
            if frame["file"].endswith(LOOP_FILES):
                return True
    return not has_stack


def only_stacks(text: str) -> str:
    """The lines of a text that belong to a dump: those about threads, frames, and the error that ended the process."""
    return "\n".join(
        line
        for line in text.splitlines()
        if line.startswith(_FATAL) or _STACK.match(line) or _FRAME.match(line)
    )


def _place(frame: re.Match[str], paths: Mapping[str, str]) -> Place | None:
    for plugin_id, path in paths.items():
        inside = frame["file"].removeprefix(path.rstrip("/") + "/")
        if path and inside != frame["file"]:
            return Place(
                plugin_id=plugin_id, file=inside, line=int(frame["line"]), function=frame["function"]
            )
    return None
