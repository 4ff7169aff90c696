"""What one plugin does wrong is told by name, costs it alone, and is over in time: over real processes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import trio
import trio.testing

from rookery.supervisor import DispatchFailed, Fate
from rookery.supervisor.observers import LogWritten, PluginNotLoaded, RunnerBack, RunnerDied
from tests.whole.deployment import kill
from tests.whole.host import Deployment

pytestmark = pytest.mark.slow

GOOD = '@tool(description="")\nasync def answer(self) -> str:\n    return "fine"'


@pytest.fixture
def deployment(tmp_path: Path, state_dir: Path) -> Deployment:
    """A good plugin in the shard "mixed", where the bad ones come, and one next door."""
    found = Deployment(tmp_path, state_dir)
    found.plugin("mixed", "neighbour", GOOD)
    found.plugin("other", "bystander", GOOD)
    return found


async def test_what_does_not_load_takes_nobody_along(deployment: Deployment) -> None:
    """A syntax error, an exit, an endless loop, an exception: each is named with its reason, the others serve."""
    deployment.module("mixed", "syntax", "x = 1\n")
    deployment.module("mixed", "leaves", "import sys\nsys.exit(3)\n")
    deployment.module("mixed", "loops", "while True:\n    pass\n")
    deployment.module("mixed", "raises", "raise LookupError('where?')\n")
    deployment.plugin(
        "mixed", "unready", "async def on_load(self) -> None:\n    raise ValueError('not today')"
    )
    deployment.plugin("mixed", "sleeps", "async def on_load(self) -> None:\n    await trio.sleep_forever()")
    (deployment.directory / "plugins" / "test.syntax" / "plugin.py").write_text("def f(:\n")

    async with deployment.run() as supervisor:
        answers = [await supervisor.invoke(f"test.{name}", "answer") for name in ("neighbour", "bystander")]
        failed = {
            each.plugin_id.removeprefix("test."): each.reason for each in deployment.told(PluginNotLoaded)
        }

    assert answers == ["fine", "fine"]
    assert "line 1" in failed["syntax"]
    assert "SystemExit: 3" in failed["leaves"]
    assert "2 s" in failed["loops"]
    assert "LookupError: where?" in failed["raises"]
    assert "plugin.py line" in failed["raises"]
    assert "ValueError: not today" in failed["unready"]
    assert "2 s" in failed["sleeps"]
    assert [died.report.planned for died in deployment.told(RunnerDied)] == [True, True]


@pytest.mark.parametrize(
    ("body", "fate", "text"),
    [
        pytest.param("raise KeyError('no such thing')", Fate.HANDLER_ERROR, "KeyError", id="raises"),
        pytest.param("raise SystemExit(1)", Fate.HANDLER_ERROR, "SystemExit", id="wants to end the process"),
        pytest.param("return object()", Fate.RESULT_UNENCODABLE, "cannot be sent", id="returns an object"),
        pytest.param(
            "return {1: 2}", Fate.RESULT_UNENCODABLE, "map keys must be text", id="keys are no text"
        ),
        pytest.param(
            "return 'x' * 100_000_000", Fate.RESULT_TOO_LARGE, "exceeds the limit", id="returns 100 MB"
        ),
        pytest.param("await trio.sleep(60)", Fate.TIMEOUT, "", id="sleeps past its deadline"),
    ],
)
async def test_a_bad_handler_is_one_failure(deployment: Deployment, body: str, fate: Fate, text: str) -> None:
    """The caller is told which kind; the same runner answers the next call."""
    deployment.plugin("mixed", "bad", f'@tool(description="")\nasync def bad(self) -> object:\n    {body}')

    async with deployment.run() as supervisor:
        begun = time.monotonic()
        with pytest.raises(DispatchFailed) as failed:
            await supervisor.invoke("test.bad", "bad", timeout=1.0 if fate is Fate.TIMEOUT else 20.0)
        took = time.monotonic() - begun
        answer = await supervisor.invoke("test.neighbour", "answer")

    assert (failed.value.fate, answer) == (fate, "fine")
    assert text in str(failed.value)
    assert took < 20
    assert [died.report.planned for died in deployment.told(RunnerDied)] == [True, True]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param("import os; os._exit(5)", "exited by itself with code 5", id="leaves at once"),
        pytest.param(
            "import os; os.abort()",
            "was killed by SIGABRT in test.bad.bad (plugin.py line 8, in bad)",
            id="aborts",
        ),
        pytest.param(
            "import ctypes; ctypes.string_at(0)",
            "was killed by SIGSEGV in test.bad.bad (plugin.py line 8, in bad)",
            id="reads where nothing is",
        ),
        pytest.param(
            "import os; os.closerange(3, 100); await trio.sleep(60)",
            "shard",
            id="closes every descriptor",
        ),
    ],
)
async def test_a_handler_that_ends_its_runner(
    deployment: Deployment, state_dir: Path, body: str, told: str
) -> None:
    """One line says how it died, a file says what is known; the plugins of that shard are back, the next door never noticed."""
    deployment.plugin("mixed", "bad", f'@tool(description="")\nasync def bad(self) -> object:\n    {body}')

    async with deployment.run() as supervisor:
        with pytest.raises(DispatchFailed) as failed:
            await supervisor.invoke("test.bad", "bad")
        neighbour = await supervisor.invoke("test.neighbour", "answer")
        bystander = await supervisor.invoke("test.bystander", "answer")
        restarts = {name: shard.restarts for name, shard in supervisor.shards.items()}

    assert failed.value.fate is Fate.RUNNER_LOST
    assert (neighbour, bystander) == ("fine", "fine")
    assert restarts == {"mixed": 1, "other": 0}
    death = next(died.report for died in deployment.told(RunnerDied) if not died.report.planned)
    (file,) = (state_dir / "crashes").iterdir()
    assert told in death.describe()
    assert death.describe() in file.read_text()
    assert (death.in_flight, death.called) == (1, ("test.bad",))


async def test_a_handler_that_blocks_its_loop_is_not_felt_next_door(deployment: Deployment) -> None:
    """Its caller is told at the deadline; the other shard answers meanwhile; a forced stop ends it."""
    deployment.plugin(
        "mixed",
        "bad",
        '@tool(description="")\nasync def bad(self) -> None:\n    import time\n    time.sleep(600)',
    )

    async with deployment.run() as supervisor:
        with pytest.raises(DispatchFailed) as failed:
            await supervisor.invoke("test.bad", "bad", timeout=0.5)
        answer = await supervisor.invoke("test.bystander", "answer", timeout=5.0)
        supervisor.request_stop(force=True)

    assert (failed.value.fate, answer) == (Fate.TIMEOUT, "fine")


async def test_output_without_end_arrives_with_a_name_and_blocks_nobody(deployment: Deployment) -> None:
    """Printed, logged and written past Python: what is too much is dropped and counted."""
    deployment.plugin(
        "mixed",
        "loud",
        '@tool(description="")\nasync def shout(self) -> int:\n    import os\n    print("printed")\n'
        '    self.ctx.logger.warning("logged")\n    os.write(1, b"written raw\\n")\n'
        "    for _ in range(4096):\n        os.write(2, b'x' * 1023 + b'\\n')\n    return 1",
    )

    async with deployment.run() as supervisor:
        done = await supervisor.invoke("test.loud", "shout")
        answer = await supervisor.invoke("test.neighbour", "answer")
        for text in ("printed", "logged", "written raw"):
            told = await deployment.wait_told(LogWritten, lambda record, text=text: text in record.text)
            assert told.plugin_id == "test.loud"

    assert (done, answer) == (1, "fine")


async def test_killed_while_it_loads(deployment: Deployment) -> None:
    """The plugin that was being loaded is named; the next attempt brings everybody up."""
    marker = deployment.directory / "once"
    deployment.plugin(
        "mixed",
        "slow",
        "async def on_load(self) -> None:\n    import os, pathlib, signal\n"
        f"    marker = pathlib.Path({str(marker)!r})\n"
        "    if not marker.exists():\n        marker.touch()\n        os.kill(os.getpid(), signal.SIGKILL)",
    )

    async with deployment.run() as supervisor:
        answer = await supervisor.invoke("test.neighbour", "answer")
        loaded = supervisor.shards["mixed"].loaded

    death = next(died.report for died in deployment.told(RunnerDied) if not died.report.planned)
    assert (death.loading, answer) == ("test.slow", "fine")
    assert "test.slow" in loaded


async def test_killed_in_the_middle_of_handlers(deployment: Deployment, tmp_path: Path) -> None:
    """Everybody whose handler had begun is told at once; nobody waits for a deadline."""
    begun = tmp_path / "begun"
    begun.touch()
    deployment.plugin(
        "mixed",
        "naps",
        '@tool(description="")\nasync def nap(self) -> None:\n'
        f"    with open({str(begun)!r}, 'a') as file:\n        file.write('x')\n"
        "    await trio.sleep(600)",
    )
    fates: list[Fate] = []

    async def call() -> None:
        try:
            await supervisor.invoke("test.naps", "nap", timeout=600.0)
        except DispatchFailed as failure:
            fates.append(failure.fate)

    async with deployment.run() as supervisor:
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(call)
            while begun.stat().st_size < 20:  # what has not begun would wait for the next runner
                await trio.sleep(0.01)
            pid = supervisor.shards["mixed"].pid
            assert pid is not None
            kill(pid)
        await deployment.wait_told(RunnerBack, lambda record: record.incarnation == 2)
        answer = await supervisor.invoke("test.neighbour", "answer")

    assert (fates, answer) == ([Fate.RUNNER_LOST] * 20, "fine")
