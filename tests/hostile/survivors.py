"""What outlives a host that is killed: a host that lets the attacking plugin start everything that might, and waits to be killed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import trio

from rookery.supervisor import DispatchFailed, load_settings, open_supervisor

from .canaries import Canaries
from .host import write_config


async def wait_to_be_killed(path: Path) -> None:
    """Write into ``ready.json`` what could be started, then wait."""
    stage: dict[str, Any] = json.loads(path.read_text())
    root = Path(stage["root"])
    canaries = Canaries(
        root, stage["nonce"], Path(stage["site"]), root / "state" / "plugins" / "test.attacker"
    )
    write_config(root, stage, canaries.secret)
    async with open_supervisor(load_settings(root / "bot" / "rookery.toml"), owns_process=True) as supervisor:
        await supervisor.wait_ready()
        runners = [shard.pid for shard in supervisor.shards.values()]
        try:
            started = await supervisor.invoke("test.attacker", "survive", {"stage": stage}, timeout=10)
        except DispatchFailed as failed:
            started = [f"nothing: {failed}"]
        (root / "ready.new").write_text(json.dumps({"started": started, "runners": runners}))
        (root / "ready.new").rename(root / "ready.json")
        await trio.sleep_forever()


async def come_next(path: Path) -> None:
    """The host that is started after one that was killed: it ends what it finds, and leaves in order."""
    stage: dict[str, Any] = json.loads(path.read_text())
    settings = load_settings(Path(stage["root"]) / "bot" / "rookery.toml")
    async with open_supervisor(settings, owns_process=True) as supervisor:
        await supervisor.wait_ready()


if __name__ == "__main__":
    trio.run(come_next if sys.argv[2:] == ["next"] else wait_to_be_killed, Path(sys.argv[1]))
