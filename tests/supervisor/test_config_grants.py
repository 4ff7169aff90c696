"""What an operator writes about what plugins may do: read whole, and refused with what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.supervisor.config import load_settings
from rookery.supervisor.errors import ConfigError
from rookery.supervisor.settings import Settings
from tests.doubles.deployments import ENVIRON, write_config


def read(directory: Path, text: str) -> Settings:
    return load_settings(write_config(directory, text), environ=ENVIRON)


def test_leave_is_read_by_plugin_and_by_shard(tmp_path: Path) -> None:
    """Every key, and what is not said gives nothing."""
    settings = read(
        tmp_path,
        '[[shard]]\nname = "s"\ncapabilities = ["send.*"]\n'
        '[plugins."a.b"]\nreads_config_of = ["a.c"]\nmanages = ["*"]\nshares_tables = ["scores"]\n'
        '[bot]\nnickname = "Rook"\n[bot.personality]\nmood = "calm"\n',
    )

    chosen, other = settings.plugin("a.b"), settings.plugin("a.c")
    assert settings.shards[0].capabilities == ("send.*",)
    assert (chosen.reads_config_of, chosen.manages, chosen.shares_tables) == (("a.c",), ("*",), ("scores",))
    assert (other.reads_config_of, other.manages, other.shares_tables) == ((), (), ())
    assert settings.bot == {"nickname": "Rook", "personality": {"mood": "calm"}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            '[plugins."a.b"]\nmanages = ["all"]', "manages[0]: got 'all', expected a plugin's id", id="a word"
        ),
        pytest.param('[plugins."a.b"]\nmanages = "a.c"', "write ['a.c']", id="no list"),
        pytest.param(
            '[plugins."a.b"]\nshares_tables = ["a b"]',
            "shares_tables[0]: got 'a b', expected a table's name",
            id="a table",
        ),
        pytest.param(
            '[[shard]]\nname = "s"\ncapabilities = ["send.te*"]', "capabilities[0]", id="a star in a word"
        ),
        pytest.param("bot = 5", "bot: got 5, expected a section [bot]", id="no section"),
        pytest.param("[bot]\nborn = 10:00:00", "bot: something that cannot be sent", id="a time"),
    ],
)
def test_a_mistake_says_what_to_write(tmp_path: Path, text: str, words: str) -> None:
    """Before anything runs."""
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)

    assert words in str(caught.value)


def test_a_level_is_granted_by_its_name(tmp_path: Path) -> None:
    """A level that nobody speaks of is granted nothing; the plugin's own list counts before the level's."""
    settings = read(
        tmp_path,
        '[grants.untrusted]\nallow = ["send.text", "config.*"]\n[grants.community]\ncalls_apis_of = ["t.shop"]\n'
        '[plugins."a.own"]\ncapabilities = ["llm.*"]\n',
    )

    entitlements = settings.entitlements
    assert entitlements.of("a.b", trust="untrusted").complaint("config.get") == ""
    assert "[grants.untrusted]" in entitlements.of("a.b", trust="untrusted").complaint("llm.embed")
    assert '[plugins."a.own"]' in entitlements.of("a.own", trust="untrusted").complaint("config.get")
    assert "[grants.community]" in entitlements.of("a.b", trust="community").complaint("send.text")
    assert entitlements.of("a.b", trust="community").complaint_about_call("a.b", "t.shop") == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param('grants = ["send.text"]', "grants: got", id="no section"),
        pytest.param("[grants.Un]\n", "expected a word of a-z", id="no trust level"),
        pytest.param("[grants.untrusted]\nalow = []", "did you mean 'allow'?", id="a slip of the pen"),
        pytest.param('[grants.untrusted]\nallow = ["send.te*"]', "allow[0]: got 'send.te*'", id="no pattern"),
        pytest.param('[grants.untrusted]\nallow = "*"', "write ['*']", id="no list"),
    ],
)
def test_a_mistake_in_a_grant_says_what_to_write(tmp_path: Path, text: str, words: str) -> None:
    """As in every other section."""
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)

    assert words in str(caught.value)
