"""How is a driver started, asked and ended from outside? One process, lines of JSON, and a limit for every wait."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import process_tree

if TYPE_CHECKING:
    from collections.abc import Sequence

READY_PATIENCE = 60.0
"""Seconds until a driver is ready: it starts its worker and makes its first calls."""
CASE_PATIENCE = 30.0
"""Seconds beyond the case's own until its figures must be there."""
END_PATIENCE = 5.0
"""Seconds until a driver that was told the end has ended."""


class DriverFailed(Exception):
    """A peer that is installed could not be measured."""


class Driver:
    """A peer that waits for cases.

    Attributes:
        about: What it said when it was ready: version and runtime.
    """

    def __init__(self, command: Sequence[str | Path], variant: str = "") -> None:
        self._scratch = Path(tempfile.mkdtemp(prefix="peer-"))
        self._log = (self._scratch / "stderr").open("w+b")
        self._unread = b""
        work = self._scratch / "w"
        work.mkdir()
        try:
            self._process = subprocess.Popen(
                [*command, work, *([variant] if variant else [])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                bufsize=0,
                start_new_session=True,  # Ctrl-C is for whoever started it, who then ends it in order
            )
        except OSError as error:
            self._remove_scratch()
            raise DriverFailed(f"{command[0]} could not be started: {error.strerror}") from error
        self._is_asked = True
        try:
            self.about = self._answer(READY_PATIENCE)
        except BaseException:
            self.close()
            raise
        self._is_asked = False

    def ask(self, case: str, seconds: float, cpus: set[int]) -> dict[str, Any]:
        """One case, with all of the driver's processes on these CPUs.

        Returns:
            The driver's figures; ``cpu_us``: processor time of all its processes for one call; ``others``: seconds of
            processor time that anybody else took meanwhile.

        Raises:
            DriverFailed: It ended, or said nothing for too long.
        """
        pids = process_tree.tree_of(self._process.pid)
        process_tree.move(pids, cpus)
        self._is_asked = True
        busy, own = process_tree.machine_seconds(), process_tree.processor_seconds(pids)
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"case": case, "seconds": seconds}).encode() + b"\n")
        except BrokenPipeError:
            pass  # the answer will not come either, and is where that is told
        figures = self._answer(seconds + CASE_PATIENCE)
        self._is_asked = False
        spent = process_tree.processor_seconds(pids) - own
        others = max(0.0, process_tree.machine_seconds() - busy - spent)
        return figures | {"cpu_us": spent / figures["calls"] * 1e6, "others": others}

    def close(self) -> None:
        """End it and everything that it has started: in order, but at once when it still owes an answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # Taken before: a process whose parent has ended is nobody's descendant any more.
        with process_tree.held(process_tree.tree_of(self._process.pid)) as processes:
            try:
                self._process.stdin.close()
                self._process.wait(0 if self._is_asked else END_PATIENCE)
            except subprocess.TimeoutExpired:
                pass
            finally:
                process_tree.kill(processes)
                self._process.wait()
                self._process.stdout.close()
                self._remove_scratch()

    def _remove_scratch(self) -> None:
        self._log.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _answer(self, patience: float) -> dict[str, Any]:
        line = self._line(time.monotonic() + patience)
        if line is None:
            raise DriverFailed(f"it said nothing for {patience:g} s{self._last_words()}")
        if not line:
            self._process.wait()
            raise DriverFailed(f"it ended, exit {self._process.returncode}{self._last_words()}")
        try:
            answered: dict[str, Any] = json.loads(line)
        except ValueError:
            raise DriverFailed(f"it said {line[:200]!r} instead of a line of JSON") from None
        return answered

    def _line(self, end: float) -> bytes | None:
        """The next line; empty when there are no more, ``None`` when it did not come in time."""
        assert self._process.stdout is not None
        while b"\n" not in self._unread:
            readable, _, _ = select.select([self._process.stdout], [], [], max(0.0, end - time.monotonic()))
            if not readable:
                return None
            read = os.read(self._process.stdout.fileno(), 65536)
            if not read:
                return b""
            self._unread += read
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""
