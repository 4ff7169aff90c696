"""Is a handler that never comes back in time passed over by real runners' events, shown, and asked again by the next one?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rookery.supervisor.observers import RunnerBack
from tests.whole.deployment import rookery
from tests.whole.host import Deployment, message

pytestmark = pytest.mark.slow

LATE = """
@event_handler("on_message", intercept=True, timeout=0.25)
async def late(self) -> None:
    await trio.sleep_forever()
"""

WELL = """
seen = 0

@event_handler("on_message", intercept=True, timeout=5.0)
async def well(self) -> None:
    self.seen += 1

@tool(description="")
async def count(self) -> int:
    return self.seen
"""


async def test_a_late_handler_is_passed_over_until_its_next_runner(tmp_path: Path, state_dir: Path) -> None:
    """W8: the status says it, everybody else is asked each time, and a new incarnation begins anew."""
    deployment = Deployment(tmp_path, state_dir)
    deployment.plugin("one", "late", LATE)
    deployment.plugin("one", "near", WELL)
    deployment.plugin("two", "far", WELL)

    async with deployment.run() as supervisor:
        late = [
            await supervisor.dispatch_event("on_message", message(chat=f"c{n}", number=n)) for n in range(3)
        ]
        passed = await supervisor.dispatch_event("on_message", message(chat="c3", number=3))
        (circuit,) = supervisor.status().circuits
        shown = await rookery("status", str(deployment.directory), "--json", state=state_dir)
        told = await rookery("status", str(deployment.directory), state=state_dir)
        supervisor.restart_shard("one")
        await deployment.wait_told(RunnerBack, lambda record: record.incarnation == 2)
        after = await supervisor.dispatch_event("on_message", message(chat="c4", number=4))
        counts = [await supervisor.invoke(f"test.{name}", "count") for name in ("near", "far")]
        circuits = supervisor.status().circuits

    assert [len(result.errors) for result in late] == [1, 1, 1]
    assert (passed.skipped, passed.errors) == (("test.late.late",), ())
    assert (circuit.component, circuit.state, circuit.skipped) == ("test.late.late", "open", 1)
    assert json.loads(shown.out)["circuits"][0]["component"] == "test.late.late"
    assert "test.late.late is not asked" in told.out
    assert (after.skipped, len(after.errors), circuits) == ((), 1, ())
    assert counts == [1, 5]
