"""Do capabilities get of the host what a plugin may have, and no more?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trio.testing import MockClock

from rookery.protocol import ComponentDeclaration, Manifest, RegisterComponents
from rookery.supervisor.catalog import InstalledPlugin, Source
from rookery.supervisor.platform.departure import Sending
from rookery.supervisor.powers import Powers
from rookery.supervisor.settings import PluginSettings, Settings
from tests.doubles.bots import Bot, open_bot


def _powers(bot: Bot, directory: Path = Path("/d/a"), **plugins: Any) -> Powers:
    settings = Settings(
        path=Path("/d/rookery.toml"),
        name="bot",
        state_dir=Path("/d/state"),
        plugins={
            "p.a": PluginSettings(config=plugins, reads_config_of=("p.b",), shares_tables=("scores",)),
            "p.admin": PluginSettings(reads_config_of=("*",)),
        },
        bot={"nickname": "Rook"},
    )
    manifest = Manifest(plugin_id="p.a", version="1.0.0", name="A", description="does a", is_native=True)
    installed = InstalledPlugin(manifest=manifest, path=directory, source=Source.DIRECTORY)
    return Powers(
        settings=settings,
        registry=bot.stage.registry,
        dispatcher=bot.stage.dispatcher,
        speech=bot.speech,
        installed={"p.a": installed},
        config_over=lambda plugin_id: settings.plugin(plugin_id).config,
    )


# --- what is shown -----------------------------------------------------------------------------------------------------


async def test_a_plugins_configuration_is_its_own_under_the_deployments(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """Defaults, its own file, what the deployment says, table by table; a plugin that nobody knows has none."""
    (tmp_path / "config.toml").write_text("file = true\n[limits]\nsides = 8\ndice = 2\n")
    async with open_bot() as bot:
        powers = _powers(bot, tmp_path, limits={"dice": 9}, word="deployment")
        bot.stage.registry.register(
            RegisterComponents(
                plugin_id="p.a",
                components=[ComponentDeclaration(name="add", component_type="TOOL")],
                default_config={"limits": {"dice": 1, "sides": 6}, "word": "own", "more": [1]},
            ),
            shard="one",
            is_trusted=True,
            live=True,
        )

        own, other = powers.config_of("p.a"), powers.config_of("p.z")

        assert own == {"limits": {"dice": 9, "sides": 8}, "word": "deployment", "more": [1], "file": True}
        assert other == {}


async def test_of_the_deployment_only_what_is_no_secret_is_shown(autojump_clock: MockClock) -> None:
    """No paths, no other plugin's configuration."""
    async with open_bot() as bot:
        shown = _powers(bot, token="secret").global_config()

        assert shown == {"name": "bot", "command_prefix": "!", "shards": [], "bot": {"nickname": "Rook"}}


async def test_the_operator_says_who_reads_whose_configuration(autojump_clock: MockClock) -> None:
    """Everybody their own; one named plugin, or all."""
    async with open_bot() as bot:
        powers = _powers(bot)

        assert powers.may_read_config("p.b", "p.b")
        assert powers.may_read_config("p.a", "p.b")
        assert not powers.may_read_config("p.a", "p.c")
        assert not powers.may_read_config("p.b", "p.a")
        assert powers.may_read_config("p.admin", "p.c")


async def test_the_operator_says_which_tables_are_shared(autojump_clock: MockClock) -> None:
    """No plugin is called like the owner of those."""
    async with open_bot() as bot:
        powers = _powers(bot)

        assert powers.table_owner("p.a", "scores") == "*"
        assert powers.table_owner("p.a", "other") == "p.a"
        assert powers.table_owner("p.b", "scores") == "p.b"


# --- saying things -----------------------------------------------------------------------------------------------------


async def test_what_is_said_is_answered_in_the_words_of_the_capability(autojump_clock: MockClock) -> None:
    """Success with the platform's id, or the error."""
    async with open_bot() as bot:
        powers = _powers(bot)

        sent = await powers.send_text("test:private:u1", "hi", plugin_id="p.a", sending=Sending())
        picture = await powers.send_segments(
            "test:private:u1", [{"type": "image"}], text="[image]", plugin_id="p.a", sending=Sending()
        )
        lost = await powers.send_text("nowhere", "hi", plugin_id="p.a", sending=Sending())

        assert sent == picture == {"success": True, "message_id": "e"}
        assert lost["success"] is False
        assert "'nowhere' is no session" in lost["error"]
        assert [reply["message_info"]["additional_config"]["plugin_id"] for reply in bot.replies] == [
            "p.a"
        ] * 2
