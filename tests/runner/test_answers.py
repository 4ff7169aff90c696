"""A result means one thing on the wire, and a result that means nothing is explained to its author."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol import CannotEncode
from rookery.runner import (
    EventOutcome,
    HookOutcome,
    Message,
    Plugin,
    PluginFailed,
    command,
    event_handler,
    hook,
)
from rookery.runner.answers import plain_value
from tests.runner.makers import message_map, running


class Returns(Plugin):
    """Answers with whatever the test puts in."""

    value: Any = None

    @command("say")
    async def say(self) -> Any:
        return self.value

    @event_handler("seen")
    async def see(self, message: Message | None = None) -> Any:
        return self.value

    @event_handler("changed", intercept=True)
    async def change(self, message: Message) -> Any:
        return self.value

    @hook("point")
    async def point(self, message: Message | None = None) -> Any:
        return self.value


async def test_a_text_is_the_reply_of_a_command() -> None:
    """And None is no reply."""
    async with running(Returns) as plugin:
        assert await plugin.command("say") is None
        plugin.instance.value = "hi"
        assert await plugin.command("say") == "hi"


async def test_a_text_of_an_event_handler_is_sent_as_a_reply() -> None:
    """To the chat of the message, as an answer to it; an empty text is nothing."""
    async with running(Returns) as plugin:
        plugin.instance.value = "hi"
        await plugin.event("seen", "hello")
        plugin.instance.value = ""
        await plugin.event("seen", "hello")

    (sent,) = plugin.sent
    assert (sent.text, sent.session_id, sent.reply_to) == ("hi", "test:group:lobby", "m1")


async def test_an_interceptor_changes_and_stops_events() -> None:
    """Later handlers see the other message, or nothing."""
    async with running(Returns) as plugin:
        plugin.instance.value = EventOutcome.change(Message(message_map("other")), result=7)
        changed = await plugin.event("changed", "hello")
        plugin.instance.value = EventOutcome.stop()
        stopped = await plugin.event("changed", "hello")

    assert changed.message is not None
    assert (changed.message.text, changed.results, changed.stopped) == ("other", (7,), False)
    assert stopped.stopped


async def test_a_hook_changes_the_arguments_that_it_names() -> None:
    """The host replaces them all, so the others are among what it gets."""
    async with running(Returns) as plugin:
        plugin.instance.value = HookOutcome.change(message=Message(message_map("other")))
        changed = await plugin.hook("point", message="hello", limit=3)
        plugin.instance.value = HookOutcome.abort("spam")
        aborted = await plugin.hook("point", message="hello")

    assert changed.message is not None
    assert (changed.message.text, changed.arguments["limit"]) == ("other", 3)
    assert "hook_name" not in changed.arguments
    assert (aborted.stopped, aborted.reason) == (True, "spam")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        pytest.param(
            5, r"say returned int 5: a command returns the text of its reply.*write return str", id="a number"
        ),
        pytest.param(True, r"say returned bool True", id="a truth value"),
    ],
)
async def test_a_command_that_returns_no_text_is_told_so(value: object, told: str) -> None:
    """It would look as if the bot were silent."""
    async with running(Returns) as plugin:
        plugin.instance.value = value
        with pytest.raises(PluginFailed, match=told):
            await plugin.command("say")


async def test_an_event_handler_that_returns_nonsense_is_told_so() -> None:
    """With what it may return."""
    async with running(Returns) as plugin:
        plugin.instance.value = True
        with pytest.raises(
            PluginFailed, match=r"change returned bool True: an event handler returns None, a text"
        ):
            await plugin.event("changed", "hello")


async def test_only_an_interceptor_may_change_an_event() -> None:
    """The host would ignore it: the error says what is missing."""
    async with running(Returns) as plugin:
        plugin.instance.value = EventOutcome.stop()
        with pytest.raises(PluginFailed, match=r'write @event_handler\("seen", intercept=True\)'):
            await plugin.event("seen", "hello")


async def test_a_reply_needs_a_message() -> None:
    """An event without one has nobody to answer."""
    async with running(Returns) as plugin:
        plugin.instance.value = "hi"
        with pytest.raises(PluginFailed, match="the event 'seen' has no message that it could answer"):
            await plugin.event("seen")


async def test_a_hook_that_returns_nonsense_is_told_so() -> None:
    """With what it may return."""
    async with running(Returns) as plugin:
        plugin.instance.value = {"action": "abort"}
        with pytest.raises(
            PluginFailed, match=r"point returned dict .*: a hook handler returns None, HookOutcome"
        ):
            await plugin.hook("point")


def test_sets_become_lists_and_messages_maps() -> None:
    """All the way down, in an order that does not hang on a hash seed."""
    raw = message_map()

    assert plain_value({"a": ({3, 1, 2}, frozenset("b")), "m": Message(raw)}) == {
        "a": [[1, 2, 3], ["b"]],
        "m": raw,
    }


def test_a_circle_is_refused() -> None:
    """It ends with an error instead of the stack."""
    circle: list[Any] = []
    circle.append(circle)

    with pytest.raises(CannotEncode, match="nests deeper"):
        plain_value(circle)
