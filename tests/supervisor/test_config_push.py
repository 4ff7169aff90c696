"""Nothing lies over a plugin's file that it has not taken, and nothing that was set in the file is lost."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from rookery.protocol import ErrorCode, RemoteError
from rookery.supervisor.config_push import ConfigPush
from rookery.supervisor.shard_state import ShardState

IT = "test.it"


class Link:
    """A runner that answers as it is told."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] | Exception = {"acknowledged": True}

    async def call(self, method: str, payload: dict[str, Any], *, plugin_id: str) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def push_over(link: Link, directory: Path | None = None) -> ConfigPush:
    shard = SimpleNamespace(
        name="one", plugins=(IT,), loaded=(IT,), link=link, state=SimpleNamespace(value=ShardState.READY)
    )
    settings = SimpleNamespace(path="rookery.toml", plugin=lambda _: SimpleNamespace(config={}))
    parts = SimpleNamespace(installed={IT: SimpleNamespace(path=directory)})
    host: Any = SimpleNamespace(is_stopping=False, shards={"one": shard}, settings=settings, parts=parts)
    return ConfigPush(host)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"acknowledged": False}, id="not acknowledged"),
        pytest.param(RemoteError(ErrorCode.E_BAD_PAYLOAD, "sides: must be a number"), id="refused"),
    ],
)
async def test_what_is_not_taken_is_forgotten(answer: Any) -> None:
    """What lay there before lies there again, for each later runner."""
    link = Link()
    push = push_over(link)

    taken = await push.push(IT, {"sides": 8})
    link.answer = answer
    again = await push.push(IT, {"sides": "many"})

    assert (taken, again) == (True, False)
    assert push.values_of(IT) == {"sides": 8}


async def test_two_values_that_are_set_at_once_both_stand(tmp_path: Path) -> None:
    """The plugin is asked about each, which takes time in which the file could change."""
    link = Link()
    link.answer = {"success": True, "acknowledged": True, "enabled": True}
    push = push_over(link, tmp_path)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(push.set_value, IT, "sides", 6)
        nursery.start_soon(push.set_value, IT, "dice", 2)

    assert sorted((tmp_path / "config.toml").read_text().splitlines()) == ["dice = 2", "sides = 6"]
