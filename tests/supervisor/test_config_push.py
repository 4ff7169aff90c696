"""What a plugin does not take of a configuration does not lie over its file afterwards."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rookery.protocol import ErrorCode, RemoteError
from rookery.supervisor.config_push import ConfigPush
from rookery.supervisor.shard_state import ShardState

IT = "test.it"


class Link:
    """A runner that answers as it is told."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] | Exception = {"acknowledged": True}

    async def call(self, method: str, payload: dict[str, Any], *, plugin_id: str) -> dict[str, Any]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


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
    shard = SimpleNamespace(
        name="one", plugins=(IT,), link=link, state=SimpleNamespace(value=ShardState.READY)
    )
    settings = SimpleNamespace(plugin=lambda _: SimpleNamespace(config={"sides": 6}))
    host: Any = SimpleNamespace(is_stopping=False, shards={"one": shard}, settings=settings)
    push = ConfigPush(host)

    taken = await push.push(IT, {"sides": 8})
    link.answer = answer
    again = await push.push(IT, {"sides": "many"})

    assert (taken, again) == (True, False)
    assert push.values_of(IT) == {"sides": 8}
