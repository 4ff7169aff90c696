"""What does a plugin's author need to read when something was raised: one line with the place, and a short traceback?

The place is the innermost line of the plugin's own code, not the line deep in a library where it came to light. Which
code is the plugin's is read off the traceback: everything below the frame in which this runner's and trio's frames end
first, and then whatever lies in the same directory.
"""

from __future__ import annotations

import os
import sysconfig
import traceback
from typing import TYPE_CHECKING

import trio

from rookery.protocol import sendable

if TYPE_CHECKING:
    from types import TracebackType

MAX_REASON_CHARS = 500

_HERE = os.path.dirname(__file__) + os.sep
_BUNDLED = os.path.join(_HERE, "bundled") + os.sep
_PROTOCOL = os.path.join(os.path.dirname(os.path.dirname(__file__)), "protocol") + os.sep
_STDLIB = sysconfig.get_paths()["stdlib"] + os.sep
_SITE = os.path.dirname(os.path.dirname(trio.__file__))
_LIBRARIES = (os.path.join(_SITE, "trio") + os.sep, os.path.join(_SITE, "outcome") + os.sep)


def explain(error: BaseException) -> str:
    """One line: what was raised and where in the plugin, e.g. ``ValueError: boom (plugin.py line 12, in roll)``."""
    leaves = _leaves(error)
    texts = [_explain_one(leaf, within=error) for leaf in leaves[:3]]
    if len(leaves) == 1:
        return texts[0]
    more = f" and {len(leaves) - 3} more" if len(leaves) > 3 else ""
    return f"{len(leaves)} errors: {'; '.join(texts)}{more}"


def traceback_text(error: BaseException) -> str:
    """The traceback from the plugin's first line on. The frames of the runner above it are dropped for good."""
    own = _first_own(error.__traceback__)
    if own is not None:
        error.with_traceback(own)
    return "".join(traceback.format_exception(error))


def _explain_one(error: BaseException, *, within: BaseException) -> str:
    if isinstance(error, SyntaxError):
        place = f" ({os.path.basename(error.filename)} line {error.lineno})" if error.filename else ""
        return _one_line(f"{type(error).__name__}: {error.msg}{place}")
    # Not str(error): that may raise too, and this way of the standard library survives it.
    text = traceback.format_exception_only(error)[0].strip()
    text = text.removeprefix(f"{type(error).__module__}.")
    # What was put into a group without ever being raised has no place but the group's.
    return _one_line(text) + (_place(error.__traceback__) or _place(within.__traceback__))


def _place(trace: TracebackType | None) -> str:
    own = _first_own(trace)
    if own is None:
        return ""
    root = os.path.dirname(own.tb_frame.f_code.co_filename) + os.sep
    innermost = own
    here: TracebackType | None = own
    while here is not None:
        if here.tb_frame.f_code.co_filename.startswith(root):
            innermost = here
        here = here.tb_next
    code = innermost.tb_frame.f_code
    function = "" if code.co_name == "<module>" else f", in {code.co_name}"
    return f" ({code.co_filename.removeprefix(root)} line {innermost.tb_lineno}{function})"


def _first_own(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and _is_foreign(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace


def _is_foreign(filename: str) -> bool:
    if filename.startswith((_HERE, _PROTOCOL)):
        return not filename.startswith(_BUNDLED)
    if filename.startswith(_STDLIB):
        return "site-packages" not in filename or filename.startswith(_LIBRARIES)
    return filename.startswith("<frozen") or filename.startswith(_LIBRARIES)


def _leaves(error: BaseException) -> list[BaseException]:
    """What is in a group of groups; nurseries wrap even a lone failure in one."""
    found: list[BaseException] = []
    waiting = [error]
    while waiting:
        here = waiting.pop()
        if isinstance(here, BaseExceptionGroup):
            waiting.extend(reversed(here.exceptions))
        elif not isinstance(here, trio.Cancelled):
            found.append(here)
    return found or [error]


def _one_line(text: str) -> str:
    line = sendable(" ".join(text.split()))
    return line if len(line) <= MAX_REASON_CHARS else line[: MAX_REASON_CHARS - 1] + "…"
