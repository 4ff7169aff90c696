"""What of this machine can confine a runner, and which tests are skipped for want of it, visibly?

``ROOKERY_REQUIRE=bwrap,landlock>=4,seccomp`` makes a failure of a skip: for a machine that must be able to run them all.
"""

from __future__ import annotations

import os
import re
from functools import cache

import pytest

from rookery.supervisor.means import find_means
from rookery.supervisor.profiles import Isolation, Means, Reached, Wish, decide_isolation


@cache
def means() -> Means:
    """Tried once in a run of tests."""
    return find_means()


def need(isolation: Isolation) -> None:
    """Skip a test that needs a profile which this machine does not have, with what is missing."""
    found = decide_isolation(Wish(isolation=isolation, network=isolation is Isolation.SANDBOX), means())
    if isinstance(found, Reached):
        return
    for name, least in required().items():
        if name in missing() or (name == "landlock" and means().landlock < least):
            pytest.fail(f"ROOKERY_REQUIRE names {name}, which is not here: {found}")
    pytest.skip(f"{isolation.value}: {found}")


def required() -> dict[str, int]:
    """The mechanisms that a run must have, with the least version of each."""
    found = {}
    for text in filter(None, os.environ.get("ROOKERY_REQUIRE", "").split(",")):
        name, _, version = text.strip().partition(">=")
        found[name] = int(version) if re.fullmatch("[0-9]+", version) else 1
    return found


def missing() -> dict[str, str]:
    """By mechanism: why it is not here."""
    machine = means()
    texts = {
        "bwrap": machine.no_bubblewrap,
        "landlock": machine.no_landlock,
        "seccomp": machine.no_seccomp,
    }
    return {name: text for name, text in texts.items() if text}


def coverage_line() -> str:
    """What isolation was tested with on this machine."""
    machine = means()
    here = [f"landlock {machine.landlock}"] if machine.landlock else []
    here += ["bwrap"] if machine.bubblewrap else []
    here += [] if machine.no_seccomp else ["seccomp"]
    who = "root" if os.geteuid() == 0 else "an ordinary user"
    absent = "; ".join(f"{name}: {text}" for name, text in missing().items()) or "nothing"
    return f"isolation is tested as {who} with {', '.join(here) or 'nothing'}; missing: {absent}"
