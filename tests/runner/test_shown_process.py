"""A process that was forked shows the arguments and the environment of what it has become."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows a process that way"),
]

PROGRAM = """
import json, os, sys
from pathlib import Path
from rookery.runner.shown_process import find_shown

arguments, environment = json.loads(sys.stdin.readline())
shown = find_shown()
if os.fork() == 0:
    os.environ.clear()
    os.environ.update(environment)
    shown.show(arguments, environment)
    told = [Path(f"/proc/self/{name}").read_bytes().rstrip(b"\\0").split(b"\\0") for name in ("cmdline", "environ")]
    print(json.dumps([[each.decode() for each in texts] for texts in told] + [dict(os.environ)]), flush=True)
    os._exit(0)
os.wait()
print(len(Path("/proc/self/cmdline").read_bytes()))
"""


def show(
    arguments: list[str], environment: dict[str, str], *, spare: int
) -> tuple[list[str], list[str], dict[str, str]]:
    """What a fork shows, and what its own environment is."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "-" * spare],
        input=json.dumps([arguments, environment]) + "\n",
        env={**os.environ, "SPARE": "-" * spare},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    forked, parent = done.stdout.splitlines()
    assert int(parent) > spare  # the other one shows its own as before
    told: tuple[list[str], list[str], dict[str, str]] = json.loads(forked)
    return told


def test_both_are_the_new_ones() -> None:
    """Nothing of the old ones is left, not even behind the new ones."""
    arguments, environment, own = show(["a", "b c"], {"ROOKERY_RUN": "x", "Ä": "ö"}, spare=300)

    assert arguments == ["a", "b c"]
    assert environment == ["ROOKERY_RUN=x", "Ä=ö"]
    assert own == {"ROOKERY_RUN": "x", "Ä": "ö"}


def test_what_has_no_room_is_left_out_as_a_whole() -> None:
    """The first ones are there, whole; the process itself has them all."""
    size = sum(len(name) + len(value) + 2 for name, value in os.environ.items()) + 1000

    _, environment, own = show(["a"], {"ROOKERY_RUN": "x", "LONG": "y" * size, "LAST": "z"}, spare=0)

    assert environment == ["ROOKERY_RUN=x"]
    assert own["LONG"] == "y" * size
    assert own["LAST"] == "z"
