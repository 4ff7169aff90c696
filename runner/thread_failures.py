"""Whose is an exception that ended a thread which a plugin started by itself?

Such a thread knows nothing of the runner, and what it raises is nobody's call. Its traceback tells whose code it ran; the
failure goes into that plugin's log, and nothing else happens.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from .border import current_plugin
from .loader import plugin_id_of
from .logs import RUNNER_LOGGER, logger_name_of

if TYPE_CHECKING:
    import threading
    from types import TracebackType


def log_thread_failure(told: threading.ExceptHookArgs) -> None:
    """What ``threading.excepthook`` is in a runner; ``SystemExit`` ends a thread without a word, as everywhere."""
    error = told.exc_value
    if error is None or isinstance(error, SystemExit):
        return
    thread = told.thread.name if told.thread is not None else "unknown"
    plugin_id = current_plugin.get() or _owner_of(told.exc_traceback)
    logger = logging.getLogger(logger_name_of(plugin_id) if plugin_id else RUNNER_LOGGER)
    logger.error("the thread %r failed", thread, exc_info=error)


def _owner_of(trace: TracebackType | None) -> str:
    """The plugin whose code the traceback passes first; "" for none."""
    while trace is not None:
        name = trace.tb_frame.f_globals.get("__name__", "")
        if isinstance(name, str) and (plugin_id := plugin_id_of(name)):
            return plugin_id
        trace = trace.tb_next
    return ""
