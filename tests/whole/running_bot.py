"""`rookery run` as a child of the test, that is asked and stopped as its operator would."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from tests.whole.deployment import EXAMPLE, rookery, runner_pids, start


@attrs.frozen
class Bot:
    """A bot with a configuration and a state of its own."""

    config: Path
    state: Path
    process: subprocess.Popen[bytes]

    async def status(self) -> dict[str, Any]:
        done = await rookery("status", self.config, "--json", state=self.state)
        assert done.code == 0, done
        status: dict[str, Any] = json.loads(done.out)
        return status

    async def shard(self, name: str) -> dict[str, Any]:
        """One of its shards, as `rookery status` tells of it."""
        shard: dict[str, Any]
        (shard,) = (shard for shard in (await self.status())["shards"] if shard["name"] == name)
        return shard

    def stop(self) -> str:
        """Stop it as a service manager does; what it told meanwhile. It has to end in order."""
        self.process.send_signal(signal.SIGTERM)
        _, told = self.process.communicate(timeout=40)
        text = told.decode()
        assert (self.process.returncode, "Traceback" in text) == (0, False), text
        assert runner_pids() == []
        return text


def changed_example(example: Path, changes: dict[str, str]) -> str:
    """The text of an example's configuration, with the chatbot's plugins where they are.

    Args:
        changes: Lines of the example, each there once, and what stands in their place.
    """
    text = example.read_text()
    for old, new in {'"../chatbot/plugins"': json.dumps(str(EXAMPLE.parent / "plugins")), **changes}.items():
        assert text.count(old) == 1, f"the example has changed: {old!r}"
        text = text.replace(old, new)
    return text


@contextmanager
def running_bot(config: Path, state: Path) -> Iterator[Bot]:
    """A bot that is being started. One that does not end in the block is killed, and what it has told is logged."""
    process = start(
        "run", config, state=state,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Bot(config, state, process)
    finally:
        is_running = process.poll() is None
        if is_running:
            process.kill()
        told = process.communicate()[1].decode(errors="replace")
        if is_running:
            logging.getLogger("bot").error("it did not end, and told:\n%s", told)
