"""A replay is the same deployment with the recording in the place of its gateways."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.supervisor.catalog import find_plugins
from rookery.supervisor.config import Settings, load_settings
from rookery.supervisor.planning import make_plan, shard_settings
from rookery.supervisor.replay_settings import settings_for_replay
from tests.doubles.deployments import ENVIRON, load, write_plugin

EXAMPLES = Path(__file__).parents[2] / "examples"


def replayed(settings: Settings, *, output: Path | None = None, to_stdout: bool = False) -> Settings:
    return settings_for_replay(
        settings, input=Path("/in"), output=output, to_stdout=to_stdout, rate=5.0, state_dir=Path("/s")
    )


@pytest.mark.parametrize("example", ["chatbot", "irc"])
def test_an_example_can_be_replayed(example: str) -> None:
    """Its gateway and the gateway's shard are gone, the recording's are there, the rest is as it was."""
    settings = load_settings(EXAMPLES / example, environ=ENVIRON)
    before = make_plan(settings, find_plugins(settings))

    prepared = replayed(settings)
    plan = make_plan(prepared, find_plugins(prepared))

    gateways = {"rookery.console", "rookery.irc"}
    kept = {key: found.shard for key, found in before.placements.items() if key not in gateways}
    assert {key: found.shard for key, found in plan.placements.items()} == {
        **kept,
        "rookery.replay": "replay",
    }
    assert "gateway" not in plan.shards
    assert prepared.state_dir == Path("/s")


@pytest.mark.parametrize(
    ("output", "to_stdout", "expected"),
    [(None, False, "-"), (Path("/out"), False, "/out"), (None, True, "")],
    ids=["dropped", "written", "printed"],
)
def test_replies_go_where_they_should(output: Path | None, to_stdout: bool, expected: str) -> None:
    """Only the recording's shard may have the terminal, and only to print."""
    prepared = replayed(
        load_settings(EXAMPLES / "chatbot", environ=ENVIRON), output=output, to_stdout=to_stdout
    )

    assert prepared.plugin("rookery.replay").config == {"input": "/in", "output": expected, "rate": 5.0}
    assert {shard.name for shard in prepared.shards if shard.terminal} == ({"replay"} if to_stdout else set())


def test_what_the_file_says_of_gateways_stays_valid(tmp_path: Path) -> None:
    """A gateway in a shard with others, one with a section of its own, a shard that is called replay, all at once."""
    for name, kind in (
        ("a.gate", "adapter"),
        ("a.door", "adapter"),
        ("a.dice", "extension"),
        ("a.karma", "extension"),
    ):
        write_plugin(tmp_path, name, type=kind)
    text = """
    [[shard]]
    name = "replay"
    plugins = ["a.gate", "a.dice"]
    [[shard]]
    name = "doors"
    [[shard]]
    name = "rest"
    [plugins."a.door"]
    shard = "doors"
    config = { x = 1 }
    [plugins."a.karma"]
    shard = "rest"
    separate_from = ["a.gate"]
    """
    prepared = replayed(load(tmp_path, text)[0])

    plan = make_plan(prepared, find_plugins(prepared))

    assert {shard.name: shard.plugins for shard in shard_settings(prepared, plan)} == {
        "replay": ("a.dice",),
        "rest": ("a.karma",),
        "replay-2": ("rookery.replay",),
    }


def test_a_replay_of_a_replay_is_one(tmp_path: Path) -> None:
    """A deployment that names the replay gateway gets it once, with the new recording."""
    settings, _ = load(
        tmp_path, 'rookery.bundled = ["rookery.replay"]\n[[shard]]\nname = "x"\nplugins = ["rookery.replay"]'
    )

    prepared = replayed(settings)

    assert prepared.bundled == ("rookery.replay",)
    assert [shard.name for shard in prepared.shards] == ["replay"]
    assert prepared.plugin("rookery.replay").config["input"] == "/in"


def test_what_plays_a_recording_follows_nobody(tmp_path: Path) -> None:
    """No strategy of the deployment takes its shard along, and no job ends the host before the recording does."""
    text = """
    [[group]]
    name = "plugins"
    strategy = "one_for_all"
    auto_shutdown = "any_significant"
    [[shard]]
    name = "job"
    plugins = ["a.job"]
    significance = "one_shot"
    restart.mode = "transient"
    """
    write_plugin(tmp_path, "a.job")

    prepared = replayed(load(tmp_path, text)[0])

    own = prepared.shards[-1].group
    groups = {group.name: (group.strategy.value, group.auto_shutdown.value) for group in prepared.groups}
    assert groups == {"plugins": ("one_for_all", "never"), own: ("one_for_one", "never")}
    assert own != "plugins"
