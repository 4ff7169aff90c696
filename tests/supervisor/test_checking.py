"""One look finds everything that is wrong, and nothing that only follows from something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.supervisor.checking import check_deployment
from tests.doubles.deployments import ENVIRON, write_config, write_plugin

GOOD = 'rookery.plugin_dirs = ["plugins"]\n[[shard]]\nname = "s"\nplugins = ["a.dice"]\n'


def test_a_deployment_without_a_mistake_has_a_plan(tmp_path: Path) -> None:
    """And everything that the plan was made from."""
    write_plugin(tmp_path, "a.dice")

    checked = check_deployment(write_config(tmp_path, GOOD), environ=ENVIRON)

    assert checked.mistakes == ()
    assert checked.plan is not None
    assert checked.plan.shard_of("a.dice") == "s"


def test_a_file_that_is_not_there_is_the_only_mistake(tmp_path: Path) -> None:
    """There is nothing else to look at."""
    checked = check_deployment(tmp_path, environ=ENVIRON)

    assert len(checked.mistakes) == 1
    assert (checked.settings, checked.catalog, checked.plan) == (None, None, None)


def test_a_wrong_number_does_not_hide_the_other_mistakes(tmp_path: Path) -> None:
    """Configuration, manifest and placement in one list."""
    write_plugin(tmp_path, "a.dice", version="x")
    write_plugin(tmp_path, "a.stray")
    text = f"{GOOD}max_inflight = 0\nrestart.burst_limit = 'x'\n[pipeline]\ndedupe_ttl = -1"

    checked = check_deployment(write_config(tmp_path, text), environ=ENVIRON)

    assert {mistake.key for mistake in checked.mistakes} == {
        "shard.s.max_inflight", "shard.s.restart.burst_limit", "pipeline.dedupe_ttl", "plugin.version",
        'plugins."a.stray".shard',
    }  # fmt: skip
    assert checked.plan is None


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("health.hang_timeout = 1", "shard.s.health.hang_timeout"),
        ("limits.rss_soft = '9G'", "shard.s.limits.rss_soft"),
        ("quarantine.max_fraction = 2", "shard.s.quarantine.max_fraction"),
        ("significance = 'one_shot'", "shard.s.significance"),
        ("group = 'mine'", "shard.s.group"),
        ("order = -1", "shard.s.order"),
        ("[[group]]\nname = 'plugins'\nrestart_limit = -1", "group.plugins.restart_limit"),
    ],
)
def test_a_wrong_policy_does_not_hide_where_plugins_go(text: str, key: str, tmp_path: Path) -> None:
    """A policy has no say in that, so the plan is looked at all the same."""
    write_plugin(tmp_path, "a.dice")
    write_plugin(tmp_path, "a.stray")

    checked = check_deployment(write_config(tmp_path, f"{GOOD}{text}"), environ=ENVIRON)

    assert [mistake.key for mistake in checked.mistakes] == [key, 'plugins."a.stray".shard']


@pytest.mark.parametrize(
    "slip",
    [
        pytest.param('plugin = ["a.dice"]', id="an unknown key"),
        pytest.param('plugins = "a.dice"', id="a text for a list"),
        pytest.param("trust = 3", id="a wrong trust"),
    ],
)
def test_a_mistake_about_places_does_not_cause_others(slip: str, tmp_path: Path) -> None:
    """That nobody names the plugin is not told: somebody tried to."""
    write_plugin(tmp_path, "a.dice")
    text = f'rookery.plugin_dirs = ["plugins"]\n[[shard]]\nname = "s"\n{slip}'

    checked = check_deployment(write_config(tmp_path, text), environ=ENVIRON)

    assert len(checked.mistakes) == 1


def test_a_wrong_item_of_a_list_does_not_hide_the_others(tmp_path: Path) -> None:
    """The plugins of the other directories are looked at."""
    write_plugin(tmp_path, "a.dice", version="x")
    text = 'rookery.plugin_dirs = ["", 3, "plugins"]'

    checked = check_deployment(write_config(tmp_path, text), environ=ENVIRON)

    assert [mistake.key for mistake in checked.mistakes] == [
        "rookery.plugin_dirs[0]", "rookery.plugin_dirs[1]", "plugin.version",
    ]  # fmt: skip
