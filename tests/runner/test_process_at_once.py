"""Calls that are run in the task that has read them: can anybody tell?"""

from __future__ import annotations

from typing import Any

import pytest
import trio

from rookery.protocol import PLUGIN_INVOKE_TOOL, RemoteError, RequestTimedOut
from tests.doubles.scripted_host import ScriptedHost, assigned, assignment, open_runner

pytestmark = pytest.mark.slow

PLUGIN = "test.ends_in_every_way"
HERE = assignment(assigned("ends_in_every_way", PLUGIN))

RETURNS = (
    *("nothing", "a map", "a set", "a key that is no text", "what cannot be packed", "half a character"),
    *("too deep", "fails", "leaves", "prints"),
)
WAITS = ("in a scope", "in a nursery")


async def _outcome(host: ScriptedHost, name: str, timeout: float = 10.0, key: str = "", **args: Any) -> Any:
    """What came of a call, whatever it was."""
    payload: dict[str, Any] = {"component_name": name, "args": args}
    if key:
        payload["ordering_key"] = key
    try:
        return await host.ask(PLUGIN_INVOKE_TOOL, PLUGIN, timeout=timeout, **payload)
    except RemoteError as error:
        return error.code, error.message, error.details
    except RequestTimedOut:
        return "not answered in time"


async def _outcomes(host: ScriptedHost, key: str) -> dict[str, Any]:
    """Of everything that a handler can do."""
    found = {}
    for how in (*RETURNS, *WAITS):
        for waits in (False, True):
            for name in ("end", "hand_out", *(() if how in WAITS else ("end_quickly",))):
                found[f"{name} {how} {waits}"] = await _outcome(host, name, key=key, how=how, waits=waits)
    found["no such tool"] = await _outcome(host, "no_such", key=key)
    found["not its arguments"] = await _outcome(host, "end", key=key)
    found["a method of others"] = await _outcome(host, "switch", key=key, on=None, more=1)
    return found


@pytest.mark.parametrize("key", ["", "chat"])
async def test_each_call_has_the_same_answer_as_in_a_task_of_its_own(key: str) -> None:
    """Results, failures, mistakes and what cannot be sent, word for word; alone and in a conversation."""
    async with open_runner(HERE) as host:
        await host.wait_ready()

        here = await _outcomes(host, key)
        await host.run(PLUGIN, "switch", on=False)
        apart = await _outcomes(host, key)

        assert here == apart
        assert len(here) > 50


async def test_what_is_printed_and_logged_is_the_same() -> None:
    """Under the plugin's name, before the answer."""
    async with open_runner(HERE) as host:
        await host.wait_ready()

        seen = []
        for on in (True, False):
            await host.run(PLUGIN, "switch", on=on)
            host.logs.clear()
            for name in ("end", "hand_out", "end_quickly"):
                await _outcome(host, name, how="prints", waits=False)
                await _outcome(host, name, how="fails", waits=False)
            await host.wait_until(lambda: len(host.logs) >= 6)
            seen.append(list(host.logs))

        assert seen[0] == seen[1]


async def test_what_does_not_end_is_cancelled_at_its_deadline() -> None:
    """The reader is free meanwhile, and the call is answered in time by its runner."""
    async with open_runner(HERE) as host:
        await host.wait_ready()

        async with trio.open_nursery() as nursery:
            outcomes = []

            async def ask() -> None:
                payload = {"component_name": "end", "args": {"how": "never", "waits": False}}
                deadline = trio.current_time() + 10.0
                over = trio.Event()

                def note(outcome: object) -> None:
                    outcomes.append(outcome)
                    over.set()

                host.link.session.request(
                    PLUGIN_INVOKE_TOOL,
                    payload,
                    plugin_id=PLUGIN,
                    timeout_ms=200,
                    deadline=deadline,
                    on_done=note,
                )
                host.link.wake_writer()
                await over.wait()

            nursery.start_soon(ask)
            for _ in range(3):
                assert await _outcome(host, "end", how="nothing", waits=False) == {
                    "success": True,
                    "result": None,
                }

        [error] = outcomes
        assert isinstance(error, RemoteError)
        assert "did not end within 0.2 s" in str(error)
