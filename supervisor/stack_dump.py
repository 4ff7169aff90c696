"""Which plugin does a dump of a runner's stacks name? Python writes one at a deadly signal, and when it is asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_STACK = re.compile(r"^(?P<kind>Current thread|Thread) 0x[0-9a-f]+.*\(most recent call first\):$")
_FRAME = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d+) in (?P<function>.*)$')


def where_it_was(dump: str, paths: Mapping[str, str]) -> str:
    """``author.dice was at plugin.py line 12, in roll``; "" when the dump shows no plugin.

    The innermost plugin frame of the current thread counts, else that of any other.

    Args:
        dump: What was written to standard error, with or without stacks in it.
        paths: The directory of each plugin.
    """
    found = ""
    is_current = False
    for line in dump.splitlines():
        if stack := _STACK.match(line):
            is_current = stack["kind"] == "Current thread"
        elif frame := _FRAME.match(line):
            told = _told(frame, paths)
            if told and is_current:
                return told
            found = found or told
    return found


def _told(frame: re.Match[str], paths: Mapping[str, str]) -> str:
    for plugin_id, path in paths.items():
        inside = frame["file"].removeprefix(path.rstrip("/") + "/")
        if inside != frame["file"]:
            return f"{plugin_id} was at {inside} line {frame['line']}, in {frame['function']}"
    return ""
