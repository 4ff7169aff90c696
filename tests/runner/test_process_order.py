"""Does a runner keep the order that a host asks for?"""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from rookery.protocol import PLUGIN_INVOKE_TOOL, PLUGIN_UNLOAD_BATCH, RemoteError
from tests.doubles.scripted_host import ScriptedHost, assigned, assignment, open_runner

pytestmark = pytest.mark.slow

PLUGIN = "test.takes_turns"
HERE = assignment(assigned("takes_turns", PLUGIN))


async def _turn(
    host: ScriptedHost, ended: list[str], name: str, key: str, seconds: float, timeout: float = 10.0
) -> None:
    payload: dict[str, Any] = {"component_name": "turn", "args": {"name": name, "seconds": seconds}}
    try:
        await host.ask(PLUGIN_INVOKE_TOOL, PLUGIN, timeout=timeout, ordering_key=key, **payload)
        ended.append(name)
    except RemoteError as error:
        ended.append(f"{name} {error.code}")


async def test_calls_with_one_key_run_one_after_the_other() -> None:
    """The first sleeps longest and still ends first; the second begins when it has ended."""
    async with open_runner(HERE) as host:
        await host.wait_ready()
        ended: list[str] = []

        async with trio.open_nursery() as nursery:
            for number, seconds in enumerate((0.1, 0.0, 0.05, 0.0)):
                nursery.start_soon(_turn, host, ended, str(number), "chat", seconds)
                await trio.testing.wait_all_tasks_blocked()  # sent in this order

        assert await host.run(PLUGIN, "began") == ["0", "1", "2", "3"]
        assert await host.run(PLUGIN, "most") == 1


async def test_other_keys_and_calls_without_one_do_not_wait() -> None:
    """One slow conversation holds up nobody else."""
    async with open_runner(HERE) as host:
        await host.wait_ready()
        ended: list[str] = []

        async with trio.open_nursery() as nursery:
            nursery.start_soon(_turn, host, ended, "slow", "a", 0.5)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(_turn, host, ended, "other", "b", 0.0)
            nursery.start_soon(_turn, host, ended, "free", "", 0.0)

        assert ended[-1] == "slow"
        assert sorted(ended[:2]) == ["free", "other"]


async def test_a_call_whose_time_is_over_before_its_turn_is_not_run() -> None:
    """It is answered, its handler never hears of it, and the next one goes on."""
    async with open_runner(HERE) as host:
        await host.wait_ready()
        ended: list[str] = []

        async with trio.open_nursery() as nursery:
            nursery.start_soon(_turn, host, ended, "slow", "a", 0.6)
            await trio.testing.wait_all_tasks_blocked()
            # The runner's word is waited for, not our own deadline.
            payload: dict[str, Any] = {"component_name": "turn", "args": {"name": "late", "seconds": 0.0}}
            request = {**payload, "ordering_key": "a"}
            outcomes: list[Any] = []
            answered = trio.Event()

            def settle(outcome: Any) -> None:
                outcomes.append(outcome)
                answered.set()

            host.link.session.request(
                PLUGIN_INVOKE_TOOL, request, plugin_id=PLUGIN, timeout_ms=200, on_done=settle
            )
            host.link.wake_writer()
            nursery.start_soon(_turn, host, ended, "next", "a", 0.0)
            await answered.wait()

        assert await host.run(PLUGIN, "began") == ["slow", "next"]
        assert isinstance(outcomes[0], RemoteError)
        assert outcomes[0].code == "E_TIMEOUT"


async def test_calls_in_line_are_refused_when_the_plugin_goes() -> None:
    """Nobody waits for a turn that never comes."""
    async with open_runner(HERE) as host:
        await host.wait_ready()
        ended: list[str] = []

        async with trio.open_nursery() as nursery:
            for name in ("running", "waiting", "behind"):
                nursery.start_soon(_turn, host, ended, name, "a", 30.0)
                await trio.testing.wait_all_tasks_blocked()
            await host.ask(PLUGIN_UNLOAD_BATCH, plugin_ids=[PLUGIN], reason="test")

        refused = {"E_SHUTTING_DOWN", "E_PLUGIN_NOT_FOUND"}
        assert sorted(text.split()[0] for text in ended) == ["behind", "running", "waiting"]
        assert {text.split()[1] for text in ended} <= refused
