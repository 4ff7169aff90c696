"""A shard names a directory, and has whatever plugins are in it; nobody else has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.supervisor.errors import ConfigError
from rookery.supervisor.planning import make_plan, make_seats
from tests.doubles.deployments import load, write_plugin

STRANGERS = """
[[shard]]
name = "strangers"
plugin_dirs = ["plugins/strangers"]
trust = "untrusted"
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """One plugin in the directory of all, and two in a directory that lies in there."""
    write_plugin(tmp_path, "a.own")
    write_plugin(tmp_path, "b.wild", folder="strangers/wild")
    write_plugin(tmp_path, "b.odd", folder="strangers/odd")
    return tmp_path


def mistakes(directory: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        make_plan(*load(directory, text))
    return [mistake.explain() for mistake in caught.value.mistakes]


def test_its_plugins_are_for_that_shard(directory: Path) -> None:
    """All of them at its level of trust, beside those that it names, and none that a policy places."""
    settings, catalog = load(directory, f'[placement]\npolicy = "spread"\nshards = 1\n{STRANGERS}')

    plan = make_plan(settings, catalog)

    assert plan.plugins_of("strangers") == ("b.odd", "b.wild")
    assert plan.plugins_of("shard-1") == ("a.own",)
    assert settings.all_plugin_dirs == (directory / "plugins", directory / "plugins" / "strangers")
    assert next(seat.explicit_only for seat in make_seats(settings) if seat.name == "strangers")


def test_a_directory_of_all_as_well_stays_the_shards_own(directory: Path) -> None:
    """Whoever is a stranger in one place is not trusted by another."""
    text = STRANGERS.replace("plugins/strangers", "plugins")
    settings, catalog = load(directory, text)

    assert make_plan(settings, catalog).plugins_of("strangers") == ("a.own",)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        pytest.param(
            '[[shard]]\nname = "own"\nplugins = ["a.own", "b.odd"]',
            "shard.strangers.plugin_dirs: {strangers}, whose plugin 'b.odd' shard 'own' has in its plugins; take it out of"
            " one of them",
            id="another names it",
        ),
        pytest.param(
            '[[shard]]\nname = "own"\nplugins = ["a.own"]\n[plugins."b.odd"]\nshard = "own"',
            "plugins.\"b.odd\".shard: 'own', but shard 'strangers' has it; take one of the two out",
            id="it is named for another",
        ),
        pytest.param(
            '[[shard]]\nname = "own"\nplugins = ["a.own"]\nplugin_dirs = ["plugins/strangers/odd"]',
            "shard.own.plugin_dirs: {strangers}/odd, whose plugin 'b.odd' shard 'strangers' has too; take the directory out"
            " of one of them: a plugin lives in one shard",
            id="another has it too",
        ),
        pytest.param(
            '[[shard]]\nname = "own"\nplugins = ["a.own"]\nplugin_dirs = ["nowhere"]',
            "shard.own.plugin_dirs: got {top}/nowhere, where there is nothing, expected a directory; create the directory,"
            " or correct the path: a relative one begins where this file is",
            id="it is not there",
        ),
    ],
)
def test_what_makes_no_sense_is_a_mistake(directory: Path, more: str, told: str) -> None:
    """By its key."""
    strangers = directory / "plugins" / "strangers"

    assert mistakes(directory, f"{STRANGERS}{more}") == [told.format(strangers=strangers, top=directory)]


def test_an_original_runner_finds_its_plugins_itself(directory: Path) -> None:
    """It is told their names alone."""
    with pytest.raises(ConfigError, match=r"plugin_dirs.*a setting for runners of rookery"):
        load(directory, f'{STRANGERS}runner = ["python"]\n')
