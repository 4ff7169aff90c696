"""A host is killed while its plugin has left everything behind that it can: what of it lives on, and for how long?"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from .attacks.row import USERS
from .installation import NoInterpreter
from .machine import need_profile
from .performances import uid_of
from .theatre import NoStage, Playhouse, Theatre

pytestmark = pytest.mark.slow

PATIENCE = 20.0

SURVIVES = {"process": True, "confined": False, "sandbox": False}
"""Whether a daemon may outlive its host at all. Under ``process`` it may, until the next host comes."""


def _start_and_kill(theatre: Theatre) -> dict[str, list[object]]:
    """What the plugin could start before its host was killed, and which runners there were."""
    with (theatre.root / "host.log").open("wb") as log:
        host = theatre.start("hostile.survivors", stdout=log, stderr=log)
        try:
            end = time.monotonic() + PATIENCE
            ready = theatre.root / "ready.json"
            while not ready.exists() and host.poll() is None and time.monotonic() < end:
                time.sleep(0.02)  # a real process on the real clock
            assert ready.exists(), (theatre.root / "host.log").read_text()[-3000:]
        finally:
            host.kill()
            host.wait()
    told: dict[str, list[object]] = json.loads(ready.read_text())
    return told


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("profile", SURVIVES)
def test_what_outlives_a_killed_host_is_ended_by_the_next(
    profile: str, user: str, playhouse: Playhouse, tmp_path: Path
) -> None:
    """Runners end with their host. A daemon may live on under `process` only, and only until the next host comes."""
    need_profile(profile)
    try:
        uid = uid_of(user)
        with playhouse.open_theatre(profile, uid) as theatre:
            told = _start_and_kill(theatre)
            left = theatre.wait_alone(2.0)
            following = theatre.start("hostile.survivors", "next")
            code = following.wait(PATIENCE)
            after = theatre.wait_alone(2.0)
    except (NoStage, NoInterpreter) as missing:
        pytest.skip(str(missing))

    assert not left.keys() & set(told["runners"])
    assert SURVIVES[profile] or not left, f"{told['started']} were started, and these live on: {left}"
    assert code == 0
    # What executes something else and takes nothing of its environment along is known by nothing.
    assert [line for line in after.values() if "import time" not in line] == []
    assert SURVIVES[profile] or not after
