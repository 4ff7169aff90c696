"""Authors can test a plugin in a few lines, and their own assertions look like their own."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from rookery.protocol import ErrorCode, RemoteError
from rookery.runner import (
    EventOutcome,
    Field,
    Message,
    Plugin,
    PluginConfig,
    PluginConfigError,
    PluginFailed,
    api,
    command,
    event_handler,
    message_gateway,
)
from rookery.runner.testing import run_plugin

EXAMPLES = Path(__file__).parents[2] / "examples" / "chatbot" / "plugins"


class Settings(PluginConfig):
    word: str = Field("hi")


class Life(Plugin[Settings]):
    """Notes what happens to it."""

    def __init__(self) -> None:
        self.happened: list[str] = []

    def on_load(self) -> None:
        self.happened.append("load")
        self.ctx.start_task(self._background)

    async def on_unload(self) -> None:
        self.happened.append("unload")

    async def on_config_update(self) -> None:
        self.happened.append(self.config.word)

    async def _background(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self.happened.append("background ended")

    @command("fail")
    async def fail(self) -> None:
        raise ValueError("boom")

    @event_handler("on_message", weight=1)
    async def late(self, message: Message) -> str:
        return message.text

    @event_handler("on_message", intercept=True)
    async def early(self, message: Message) -> EventOutcome:
        return EventOutcome.change(message.with_text("changed"))

    @message_gateway("door", route_type="duplex")
    async def deliver(self, message: Message) -> str:
        return f"out: {message.text}"

    @api("add")
    async def add(self, a: int, b: int) -> int:
        return a + b


async def test_a_plugin_lives_as_long_as_the_block() -> None:
    """Loaded before, unloaded after, then its tasks end."""
    async with run_plugin(Life) as plugin:
        await trio.testing.wait_all_tasks_blocked()
        await plugin.configure({"word": "ho"})
        happened = plugin.instance.happened

    assert happened == ["load", "ho", "unload", "background ended"]


async def test_a_failed_assertion_arrives_as_it_is() -> None:
    """No group is wrapped around a test's own error."""
    with pytest.raises(AssertionError, match=r"^mine$"):
        async with run_plugin(Life):
            raise AssertionError("mine")


async def test_a_failing_component_raises_with_its_cause() -> None:
    """The author sees the own traceback."""
    async with run_plugin(Life) as plugin:
        with pytest.raises(PluginFailed, match=r"ValueError: boom \(test_testing\.py line") as caught:
            await plugin.command("fail")

    assert isinstance(caught.value.__cause__, ValueError)


async def test_events_go_through_interceptors_first() -> None:
    """As in the real order: who may change goes before who sees."""
    async with run_plugin(Life) as plugin:
        await plugin.event("on_message", "hello")

    assert [sent.text for sent in plugin.sent] == ["changed"]


class Picky(Plugin):
    """Wants little."""

    @event_handler("on_message", platforms=("irc",), chat_scope="group", pattern=r"^dice\b")
    async def picky(self, message: Message) -> str:
        return message.text

    @event_handler("on_start", users=("ann",))
    async def never(self) -> str:
        return "never"


async def test_an_event_reaches_only_those_who_want_it() -> None:
    """As from a host: where the message is from and what it says decides, and no message fits no filter."""
    async with run_plugin(Picky) as plugin:
        for text, who in (
            ("dice here", {"platform": "irc"}),
            ("no dice", {"platform": "irc"}),
            ("dice elsewhere", {}),
            ("dice alone", {"platform": "irc", "chat": None}),
        ):
            await plugin.event("on_message", text, **who)
        await plugin.event("on_start")

    assert [sent.text for sent in plugin.sent] == ["dice here"]


async def test_gateways_and_apis_can_be_called() -> None:
    """And what is missing is told as the host would be."""
    async with run_plugin(Life) as plugin:
        assert await plugin.deliver("door", "hello") == "out: hello"
        assert await plugin.api("add", a=1, b=2) == 3
        with pytest.raises(RemoteError, match=r"args\.b: is required") as caught:
            await plugin.api("add", a=1)

    assert caught.value.code is ErrorCode.E_BAD_PAYLOAD


async def test_a_broken_configuration_is_told_on_entering() -> None:
    """As a runner would refuse to load the plugin."""
    with pytest.raises(PluginConfigError, match="word: must be a text, got int 5"):
        async with run_plugin(Life, config={"word": 5}):
            pass


async def test_a_directory_is_granted_what_its_manifest_asks_for(tmp_path: Path) -> None:
    """So that a missing line in the manifest fails the test and not the bot."""
    (tmp_path / "plugin.toml").write_text(
        '[plugin]\nid = "test.greedy"\nversion = "1.0.0"\nname = "Greedy"\n'
    )
    (tmp_path / "plugin.py").write_text(
        "from rookery.runner import Plugin, command\n"
        "class Greedy(Plugin):\n"
        "    @command('take')\n"
        "    async def take(self):\n"
        "        await self.ctx.db.put('t', 'k', {})\n"
    )

    async with run_plugin(tmp_path) as plugin:
        with pytest.raises(PluginFailed, match=r"E_CAPABILITY_DENIED.*database\.put_row is not granted"):
            await plugin.command("take")


async def test_a_directory_without_a_manifest_is_no_plugin(tmp_path: Path) -> None:
    """Said as such."""
    with pytest.raises(FileNotFoundError, match=r"is no plugin: it has no plugin\.toml"):
        async with run_plugin(tmp_path):
            pass


async def test_an_unknown_capability_can_be_played() -> None:
    """The fake says how."""
    async with run_plugin(EXAMPLES / "help") as plugin:
        with pytest.raises(
            PluginFailed, match=r"run_plugin\(…, capabilities=\{'component\.get_all_plugins': function"
        ):
            await plugin.command("help")
