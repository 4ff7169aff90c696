"""Can a plain asyncio program have a deployment in its process: call it, hear from it, end it, and see it fail?"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from rookery.supervisor import (
    ConfigError,
    DispatchFailed,
    load_settings,
    open_supervisor_in_asyncio,
)
from tests.whole.host import Deployment, message

pytestmark = pytest.mark.slow

PLUGIN = """
@tool("greet")
async def greet(self, name: str):
    return f"hello {name}"

@tool("wait")
async def wait(self):
    await trio.sleep(3600)

@event_handler("on_message", intercept=True)
async def see(self, message: Message):
    return EventOutcome.stop() if message.text == "stop" else None
"""


@pytest.fixture
def deployment(tmp_path: Path, state_dir: Path) -> Deployment:
    made = Deployment(tmp_path, state_dir)
    made.plugin("games", "one", PLUGIN)
    made.plugin("other", "two", PLUGIN)
    return made


def run(main: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(main(), 40))  # type: ignore[arg-type]  # any awaitable will do


def test_a_program_calls_its_deployment_and_goes_on_with_its_own_work(deployment: Deployment) -> None:
    """Calls, events and the state; many at once; the program's own tasks run all the time, and afterwards."""

    async def main() -> list[Any]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.005)
                ticks += 1

        ticking = asyncio.create_task(tick())
        async with open_supervisor_in_asyncio(load_settings(deployment.write())) as bot:
            await bot.call(bot.supervisor.wait_ready)
            greetings = await asyncio.gather(
                *(
                    bot.call(bot.supervisor.invoke, f"test.{plugin}", "greet", {"name": str(number)})
                    for number in range(20)
                    for plugin in ("one", "two")
                )
            )
            event = await bot.call(bot.supervisor.dispatch_event, "on_message", message("stop"))
            state = bot.supervisor.status().state
            with pytest.raises(DispatchFailed):
                await bot.call(bot.supervisor.invoke, "test.one", "nothing")
        ticking.cancel()
        return [set(greetings), event.continues, state, ticks > 10]

    assert run(main) == [{f"hello {number}" for number in range(20)}, False, "running", True]


def test_a_cancel_ends_a_call_and_nothing_else(deployment: Deployment) -> None:
    """asyncio's own time-out around a call; the next one works."""

    async def main() -> str:
        async with open_supervisor_in_asyncio(load_settings(deployment.write())) as bot:
            await bot.call(bot.supervisor.wait_ready)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await bot.call(bot.supervisor.invoke, "test.one", "wait")
            await bot.call(bot.supervisor.wait_idle)  # the runner has been told too
            return await bot.call(bot.supervisor.invoke, "test.one", "greet", {"name": "you"})

    assert run(main) == "hello you"


def test_a_program_is_told_what_comes_from_outside(deployment: Deployment) -> None:
    """Its own coroutine function runs on its own loop, for each message of a gateway."""
    deployment.plugin(
        "gateway",
        "gateway",
        """
@message_gateway("door", route_type="duplex", platform="test")
async def send(self, message: Message):
    return None

async def on_load(self):
    await self.ctx.gateway.update_state("door", ready=True, platform="test", account_id="bot")

@tool("bring")
async def bring(self):
    return await self.ctx.gateway.route_message("door", {**MESSAGE})
""".replace("{**MESSAGE}", repr(message("from outside"))),
    )
    heard: list[str] = []

    async def main() -> None:
        told = asyncio.Event()

        async def process(inbound: Any) -> None:
            await asyncio.sleep(0)
            heard.append(inbound.message["processed_plain_text"])
            told.set()

        settings = load_settings(deployment.write())
        async with open_supervisor_in_asyncio(settings, process=process) as bot:
            await bot.call(bot.supervisor.wait_ready)
            await bot.call(bot.supervisor.invoke, "test.gateway", "bring")
            await told.wait()

    run(main)

    assert heard == ["from outside"]


def test_a_call_after_the_stop_is_cancelled(deployment: Deployment) -> None:
    """As one is that was waiting."""

    async def main() -> None:
        async with open_supervisor_in_asyncio(load_settings(deployment.write())) as bot:
            await bot.call(bot.supervisor.wait_ready)
        with pytest.raises(asyncio.CancelledError):
            await bot.call(bot.supervisor.wait_ready)

    run(main)


def test_an_end_of_the_tree_is_an_exception_in_the_program(deployment: Deployment) -> None:
    """The program is in the middle of something else; it is cancelled, and sees what ended the tree."""

    async def main() -> None:
        async with open_supervisor_in_asyncio(load_settings(deployment.write())) as bot:

            async def fail() -> None:
                raise LookupError("the tree has a bug")

            await bot.call(bot.supervisor.wait_ready)
            bot.supervisor.parts.answers.start_soon(fail)
            await asyncio.sleep(3600)

    with pytest.raises(ExceptionGroup) as ended:
        run(main)

    assert ended.group_contains(LookupError, match="the tree has a bug")


def test_what_the_program_raises_comes_out_after_an_orderly_stop(deployment: Deployment) -> None:
    """As it was raised; no process is left."""

    async def main() -> None:
        async with open_supervisor_in_asyncio(load_settings(deployment.write())) as bot:
            await bot.call(bot.supervisor.wait_ready)
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        run(main)


def test_a_deployment_that_cannot_start_says_why(deployment: Deployment) -> None:
    """The same exception as without asyncio."""
    deployment.more = '[placement]\npolicy = "explicit"\n'
    settings = load_settings(deployment.write())
    (deployment.directory / "plugins" / "test.one" / "plugin.toml").write_text("[plugin]\n")

    async def main() -> None:
        async with open_supervisor_in_asyncio(settings):
            raise AssertionError("it cannot have started")

    with pytest.raises(ConfigError):
        run(main)


def test_a_killed_runner_is_replaced_in_a_guest_too(deployment: Deployment) -> None:
    """Death is seen and followed as in a program of trio's own."""

    async def main() -> str:
        async with open_supervisor_in_asyncio(load_settings(deployment.write())) as bot:
            await bot.call(bot.supervisor.wait_ready)
            pid = bot.supervisor.shards["games"].pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            return await bot.call(bot.supervisor.invoke, "test.one", "greet", {"name": "again"}, timeout=20.0)

    assert run(main) == "hello again"
