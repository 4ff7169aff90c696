"""What holds for every test: nothing is left behind, slow ones say so, searches are repeatable.

A test that starts processes or opens sockets needs nothing special: the check runs after all its fixtures are gone.
An exception that nobody sees (in a thread, in a finaliser) becomes a warning by pytest and, as warnings are errors
here, a failure.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import leaks
from tests.doubles.confinement import coverage_line

SLOW = 0.25  # seconds of a test's own phase; above it the test carries the mark `slow`

# No time limit for one example in either profile: a shared machine pauses whenever it likes.
settings.register_profile(
    "ci", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("dev", deadline=None, max_examples=300)
settings.load_profile("ci")  # the default, so that two runs agree; search wider with --hypothesis-profile=dev

_session_tmpdir = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    # Asked for first, so that this process keeps its own directory for tmp_path.
    tempfile.gettempdir()
    # As short as can be: a path of a Unix socket has room for 104 bytes.
    short = tempfile.mkdtemp(prefix="rk-", dir="/tmp" if os.access("/tmp", os.W_OK) else None)
    # Inherited by everything that a test starts: tests/leaks.py finds orphans by it.
    os.environ["TMPDIR"] = short
    config.stash[_session_tmpdir] = short
    config.pluginmanager.register(Remarks())


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(config.stash[_session_tmpdir], ignore_errors=True)


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a process, an open descriptor or a running thread."""
    before = leaks.take_snapshot()

    yield

    found = leaks.find_leaks(before, request.config.stash[_session_tmpdir])
    if found:
        pytest.fail("the test left something behind:\n  " + "\n  ".join(found), pytrace=False)


@pytest.fixture
def state_dir(request: pytest.FixtureRequest) -> Iterator[Path]:
    """An empty private directory with a path short enough for a Unix socket inside it."""
    path = Path(tempfile.mkdtemp(prefix="s-", dir=request.config.stash[_session_tmpdir]))

    yield path

    shutil.rmtree(path)


class Remarks:
    """Collects what deserves a look without being a failure, and prints it at the end."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call":
            return
        if report.duration > SLOW and "slow" not in report.keywords:
            self._lines.append(f"{report.duration:.2f} s without the mark `slow`: {report.nodeid}")
        self._lines += [str(text) for name, text in report.user_properties if name == "remark"]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._lines:
            terminalreporter.section("remarks")
            for line in self._lines:
                terminalreporter.write_line(f"warning: {line}", yellow=True)
        terminalreporter.write_line(coverage_line())
