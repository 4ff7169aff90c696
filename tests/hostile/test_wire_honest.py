"""What does an honest plugin notice of the bounds that a stranger's shard is held to: mistakes that it is told, and no end?"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rookery.supervisor import Supervisor
from rookery.supervisor.fate import DispatchFailed
from rookery.supervisor.observers import RunnerDied
from tests.whole.host import Deployment

pytestmark = pytest.mark.slow

HONEST = """
@tool("greet")
async def greet(self):
    return "hello"

@tool("large")
async def large(self, size: int):
    return "x" * size

@tool("full")
async def full(self, count: int):
    return [{} for _ in range(count)]

@tool("hurry")
async def hurry(self, times: int):
    told = []
    for _ in range(times):
        try:
            await self.ctx.call_capability("config.get", key="x")
            told.append("")
        except Exception as error:
            told.append(f"{error.code} {error.details['retry_after_ms'] > 0} {error.message}")
    return told

@tool("take_its_time")
async def take_its_time(self):
    await trio.sleep(0.3)
    await self.ctx.call_capability("config.get", key="x")
    return "done"
"""


@pytest.fixture
async def deployment(tmp_path: Path, state_dir: Path) -> AsyncIterator[Deployment]:
    """One stranger, whose first runner lives to the end."""
    made = Deployment(tmp_path, state_dir)
    made.plugin("guests", "guest", HONEST, capabilities=["config.get"])
    made.tables["guests"] = (
        'trust = "untrusted"\nown_user = false\n[shard.limits]\ncalls_rate = 10\ncalls_burst = 5\n'
    )
    made.more = '[grants.untrusted]\nallow = ["config.get"]\n'
    yield made
    assert [died.report.planned for died in made.told(RunnerDied)] == [True]


async def ask(supervisor: Supervisor, name: str, **args: object) -> object:
    return await supervisor.invoke("test.guest", name, args, timeout=20.0)


@pytest.mark.parametrize(
    ("name", "args", "told"),
    [
        pytest.param("large", {"size": 1_100_000}, "exceeds the limit of 1048576 bytes", id="too large"),
        pytest.param("full", {"count": 20_000}, "more than 16384 maps, lists and extensions", id="too full"),
    ],
)
async def test_a_result_that_the_host_would_not_take_is_the_plugins_mistake(
    deployment: Deployment, name: str, args: dict[str, object], told: str
) -> None:
    """The runner knows what it may send; a frame above that would have been its end."""
    async with deployment.run() as supervisor:
        with pytest.raises(DispatchFailed, match=told):
            await ask(supervisor, name, **args)
        answer = await ask(supervisor, "greet")

    assert answer == "hello"


async def test_what_fits_is_taken(deployment: Deployment) -> None:
    """Near both limits."""
    async with deployment.run() as supervisor:
        large = await ask(supervisor, "large", size=1_040_000)
        full = await ask(supervisor, "full", count=16_000)

    assert large == "x" * 1_040_000
    assert full == [{}] * 16_000


async def test_calls_beyond_the_rate_are_refused_with_a_time(deployment: Deployment) -> None:
    """Nothing is dropped in silence; after that time it goes on."""
    async with deployment.run() as supervisor:
        told = await ask(supervisor, "hurry", times=10)
        later = await ask(supervisor, "take_its_time")
        (shard,) = supervisor.status().shards

    assert isinstance(told, list)
    refused = [each for each in told if each]
    assert 1 <= len(refused) <= 7
    assert refused[0].startswith("E_BACK_PRESSURE True test.guest makes more than 10 requests a second")
    assert later == "done"
    assert shard.connection.refused_requests == len(refused)
