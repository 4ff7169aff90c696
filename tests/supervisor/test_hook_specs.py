"""Does a hook's description keep out handlers that it does not allow?"""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock

from rookery.protocol import BadPayload
from rookery.supervisor.hook_specs import CATALOGUE, HookSpec, HookSpecs, Unavailable
from tests.doubles.stage import open_stage


@pytest.mark.parametrize(
    ("fields", "declared", "words"),
    [
        ({"allow_blocking": False}, {}, "declare mode 'observe'"),
        ({"allow_observe": False}, {"mode": "observe"}, "declare mode 'blocking'"),
        ({"allow_abort": False}, {"error_policy": "abort"}, "declare error_policy 'skip' or 'log'"),
    ],
)
async def test_a_handler_that_the_hook_does_not_allow_cannot_register(
    autojump_clock: MockClock, fields: dict[str, Any], declared: dict[str, Any], words: str
) -> None:
    """The author is told what to declare instead."""
    async with open_stage("one") as stage:
        stage.specs.add(HookSpec(name="test.gate", **fields))

        with pytest.raises(BadPayload, match=words):
            stage.hook("p.a", "bad", {}, hook="test.gate", **declared)

        assert not stage.hooks.has_handlers("test.gate")


async def test_an_unknown_hook_cannot_be_registered_for(autojump_clock: MockClock) -> None:
    """The error lists those that exist."""
    async with open_stage("one") as stage:
        with pytest.raises(
            BadPayload, match=r"no hook 'chat\.typo'; there are chat\.command\.after_execute, "
        ):
            stage.hook("p.a", "bad", {}, hook="chat.typo")


def test_the_catalogue_contradicts_itself_nowhere() -> None:
    """Names are unique; an abort on unavailability needs the permission to abort."""
    names = [spec.name for spec in CATALOGUE]

    assert len(set(names)) == len(names)
    assert HookSpecs().names == tuple(sorted(names))
    assert all(spec.allow_abort or spec.on_unavailable is not Unavailable.ABORT for spec in CATALOGUE)
    assert all(spec.description for spec in CATALOGUE)
