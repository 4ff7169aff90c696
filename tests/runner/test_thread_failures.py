"""Whose a failed thread was is read off its traceback; where nobody's code is in it, it is nobody's."""

from __future__ import annotations

import logging
import threading
import types

import pytest

from rookery.runner.loader import module_name_of, plugin_id_of
from rookery.runner.thread_failures import log_thread_failure


def _told(module_name: str, error: BaseException) -> threading.ExceptHookArgs:
    """What Python tells of a thread whose code lies in such a module."""
    module = types.ModuleType(module_name)
    exec("def work(error):\n    raise error\n", module.__dict__)
    try:
        module.work(error)
    except BaseException as raised:
        return threading.ExceptHookArgs(
            (type(raised), raised, raised.__traceback__, threading.Thread(name="t"))
        )
    raise AssertionError("it raises")


@pytest.mark.parametrize("plugin_id", ["a.b", "a.b_c", "a.b-c", "a__d.x", "_.-"])
def test_a_module_tells_its_plugin(plugin_id: str) -> None:
    """Also a neighbouring module."""
    assert plugin_id_of(module_name_of(plugin_id)) == plugin_id
    assert plugin_id_of(f"{module_name_of(plugin_id)}.client") == plugin_id


@pytest.mark.parametrize("module", ["json", "rookery.runner.desk", ""])
def test_other_modules_tell_none(module: str) -> None:
    """Libraries and the runner itself."""
    assert plugin_id_of(module) == ""


@pytest.mark.parametrize(
    ("module", "logger"),
    [(module_name_of("a.b_c"), "plugin.a.b_c"), ("some_library", "rookery.runner")],
)
def test_a_failed_thread_is_logged_once(module: str, logger: str, caplog: pytest.LogCaptureFixture) -> None:
    """With the traceback, in the log of its plugin where there is one."""
    log_thread_failure(_told(module, ValueError("boom")))

    (record,) = caplog.records
    assert (record.name, record.levelno, record.getMessage()) == (
        logger,
        logging.ERROR,
        "the thread 't' failed",
    )
    assert record.exc_info


def test_leaving_a_thread_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    """sys.exit() in a thread ends it, as everywhere in Python."""
    log_thread_failure(_told(module_name_of("a.b"), SystemExit(1)))

    assert caplog.records == []
