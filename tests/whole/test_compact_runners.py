"""Real runners speak compact envelopes with their host, unless it does not want to; nobody can tell by what comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rookery.supervisor import Supervisor, arrival
from rookery.supervisor.fate import DispatchFailed
from rookery.supervisor.hook_catalogue import CHAT_BEFORE_PROCESS
from tests.whole.host import Deployment, message

pytestmark = pytest.mark.slow

PLUGIN = """
@tool("give")
def give(self, value=None):
    return value

@tool("odd")
def odd(self):
    return {1: 2}

@tool("fail")
async def fail(self) -> None:
    raise ValueError("on purpose")

@event_handler("on_message", intercept=True)
async def note(self, message: Message) -> EventOutcome:
    return EventOutcome.stop(result=message.text)

@hook("chat.receive.before_process")
async def look(self, message: Message) -> None:
    pass
"""

VALUES = [None, True, 1.5, "häßlich", b"\\x00\\xff", [1, [2]], {"a": {"b": [None]}}]


async def _play(supervisor: Supervisor) -> list[Any]:
    seen = [await supervisor.invoke("test.one", "give", {"value": value}) for value in VALUES]
    for tool in ("odd", "fail", "missing"):
        with pytest.raises(DispatchFailed) as caught:
            await supervisor.invoke("test.one", tool)
        seen.append((caught.value.fate, str(caught.value)))
    event = await supervisor.parts.events.dispatch("on_message", message("hi"))
    hook = await supervisor.parts.hooks.invoke(CHAT_BEFORE_PROCESS, message=message("hi"))
    return [*seen, event, hook]


async def test_nobody_can_tell_which_form_a_runner_speaks(
    tmp_path: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls, refusals, an event and a hook, with the feature and without it."""
    deployment = Deployment(tmp_path, state_dir)
    deployment.plugin("one", "one", PLUGIN)
    seen, forms = [], []

    for features in (arrival.FEATURES, tuple(each for each in arrival.FEATURES if each != "compact")):
        monkeypatch.setattr(arrival, "FEATURES", features)
        async with deployment.run() as supervisor:
            link = supervisor.shards["one"].link
            assert link is not None
            forms.append(link.session.is_compact)
            seen.append(await _play(supervisor))

    assert forms == [True, False]
    assert seen[0] == seen[1]
    assert seen[0][: len(VALUES)] == VALUES
