"""Every kind of handler may be declared for certain chats, and a stage handler for its stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rookery.runner import DeclarationError, HookOutcome, Plugin, action, hook, stage_handler, tool
from rookery.runner.components import collect_components
from rookery.runner.testing import run_plugin


class Scoped(Plugin):
    @hook("chat.receive.before_process", chat_scope="group", allowed_session=["g"])
    async def guards(self) -> None: ...

    @tool(description="Counts.", chat_scope="private")
    async def counts(self) -> int:
        return 1

    @action(allowed_session=["test:g"])
    async def waves(self) -> None:
        """Waves."""

    @stage_handler("pre_send", priority=3, blocking=True, chat_scope="group")
    async def sends(self, text: str) -> HookOutcome:
        return HookOutcome.change(text=text.upper())


def test_scopes_are_declared() -> None:
    """Beside the metadata, as the protocol has it."""
    told = {name: component.declaration("p.a") for name, component in collect_components(Scoped()).items()}

    assert {name: (each.chat_scope, each.allowed_session) for name, each in told.items()} == {
        "guards": ("group", ["g"]),
        "counts": ("private", []),
        "waves": ("all", ["test:g"]),
        "sends": ("group", []),
    }
    assert told["sends"].component_type == "HOOK_HANDLER"
    assert told["sends"].metadata["stage"] == "pre_send"
    assert (told["sends"].metadata["priority"], told["sends"].metadata["blocking"]) == (3, True)


async def test_a_stage_handler_is_no_handler_of_a_hook() -> None:
    """A test that comes to a hook does not meet it."""
    async with run_plugin(Scoped) as plugin:
        passed = await plugin.hook("chat.receive.before_process", text="a")

    assert passed.arguments == {"text": "a"}


@pytest.mark.parametrize(
    ("decorate", "words"),
    [
        pytest.param(lambda: stage_handler(""), "takes the text of a stage first", id="no stage"),
        pytest.param(lambda: stage_handler("s", priority="high"), "priority is an integer", id="a priority"),  # type: ignore[arg-type]
        pytest.param(lambda: stage_handler("s", blocking=1), "blocking is True or False", id="blocking"),  # type: ignore[arg-type]
        pytest.param(lambda: tool(chat_scope="groups"), 'chat_scope is "all"', id="a scope"),  # type: ignore[arg-type]
        pytest.param(lambda: hook("h", allowed_session="g"), "allowed_session is a list", id="sessions"),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_written(decorate: Callable[[], Any], words: str) -> None:
    """With what is expected."""
    with pytest.raises(DeclarationError, match=words):
        decorate()
