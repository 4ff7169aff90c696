"""Settings and manifests become a plan, or the mistakes that stand against it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.supervisor.errors import ConfigError
from rookery.supervisor.planning import make_plan, make_seats, shard_settings
from tests.doubles.deployments import load, write_plugin


def plan_mistakes(directory: Path, text: str) -> list[str]:
    settings, catalog = load(directory, text)
    with pytest.raises(ConfigError) as caught:
        make_plan(settings, catalog)
    return [mistake.explain() for mistake in caught.value.mistakes]


def test_named_plugins_sit_where_they_are_named(tmp_path: Path) -> None:
    """By the shard's list or by the plugin's own section; disabled ones nowhere."""
    for name in ("a.one", "a.two", "a.off"):
        write_plugin(tmp_path, name)
    text = """
    [[shard]]
    name = "games"
    plugins = ["a.one", "a.off"]
    [[shard]]
    name = "rest"
    [plugins."a.two"]
    shard = "rest"
    [plugins."a.off"]
    enabled = false
    """

    plan = make_plan(*load(tmp_path, text))

    assert {key: found.shard for key, found in plan.placements.items()} == {"a.one": "games", "a.two": "rest"}


def test_a_policy_has_the_shards_it_is_given(tmp_path: Path) -> None:
    """Beside the named ones, and a named one with such a name is one of them."""
    text = """
    [placement]
    policy = "spread"
    shards = 2
    [[shard]]
    name = "gateway"
    plugins = ["a.gate"]
    [[shard]]
    name = "shard-2"
    capacity = 5
    """
    write_plugin(tmp_path, "a.gate")

    seats = make_seats(load(tmp_path, text)[0])

    assert [(seat.name, seat.explicit_only, seat.capacity) for seat in seats] == [
        ("gateway", True, None), ("shard-2", False, 5.0), ("shard-1", False, None),
    ]  # fmt: skip


def test_the_settings_of_all_shards_have_their_plugins(tmp_path: Path) -> None:
    """Those of the file in its order, then those of the policy by number."""
    for number in range(30):
        write_plugin(tmp_path, f"a.p{number}")
    text = """
    [placement]
    policy = "spread"
    shards = 11
    [[shard]]
    name = "zoo"
    plugins = ["a.p0"]
    max_inflight = 3
    """
    settings, catalog = load(tmp_path, text)

    shards = shard_settings(settings, make_plan(settings, catalog))

    assert [shard.name for shard in shards] == ["zoo", *(f"shard-{number}" for number in range(1, 12))]
    assert (shards[0].plugins, shards[0].max_inflight) == (("a.p0",), 3)
    assert sum(len(shard.plugins) for shard in shards) == 30


def test_a_plan_does_not_depend_on_the_order_of_files(tmp_path: Path) -> None:
    """The same plugins in other folders make the same plan."""
    text = '[placement]\npolicy = "spread"\nshards = 3'
    plans = []
    for name, order in (("one", range(8)), ("two", range(7, -1, -1))):
        (tmp_path / name).mkdir()
        for place, number in enumerate(order):
            write_plugin(tmp_path / name, f"a.p{number}", folder=f"f{place}")
        plans.append(make_plan(*load(tmp_path / name, text)))

    assert plans[0] == plans[1]


def test_trust_comes_from_the_shard_or_the_plugin(tmp_path: Path) -> None:
    """Under the policy `trust` each level gets a shard of its own."""
    write_plugin(tmp_path, "a.named")
    write_plugin(tmp_path, "a.wild")
    write_plugin(tmp_path, "a.tame")
    text = """
    [placement]
    policy = "trust"
    [[shard]]
    name = "cage"
    plugins = ["a.named"]
    trust = "untrusted"
    [plugins."a.wild"]
    trust = "untrusted"
    """
    settings, catalog = load(tmp_path, text)

    shards = shard_settings(settings, make_plan(settings, catalog))

    assert {shard.name: (shard.trust, shard.plugins) for shard in shards} == {
        "cage": ("untrusted", ("a.named",)),
        "trusted": ("trusted", ("a.tame",)),
        "untrusted": ("untrusted", ("a.wild",)),
    }


def test_the_weight_of_the_settings_wins_over_the_manifests(tmp_path: Path) -> None:
    """A plugin that is too heavy by its manifest fits when its operator knows better."""
    write_plugin(tmp_path, "a.big", weight=9)
    shard = '[[shard]]\nname = "s"\ncapacity = 5\nplugins = ["a.big"]'

    too_heavy = plan_mistakes(tmp_path, shard)
    plan = make_plan(*load(tmp_path, f'{shard}\n[plugins."a.big"]\nweight = 4'))

    assert "weighs 9" in too_heavy[0]
    assert plan.shard_of("a.big") == "s"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param("", ["plugins.\"a.dice\".shard: got nothing, and policy 'explicit' places only what is named for a "
                          "shard, expected the name of a shard; add it to the plugins of a [[shard]], disable it, or let a "
                          "policy place it: [placement] policy = 'spread', shards = 2"], id="nobody places a plugin"),
        pytest.param('[placement]\npolicy = "spread"',
                     ["placement: no shard is open to trusted plugins, so policy spread finds none for a.dice: add a shard "
                      "of that trust level, or name one for it; placement.shards = 2 makes two that are open"],
                     id="no shard is open"),
        pytest.param('[[shard]]\nname = "s"\nplugins = ["a.dice", "a.dcie"]',
                     ["shard.s.plugins: 'a.dcie', which is not installed; did you mean 'a.dice'?"],
                     id="a shard names what is not there"),
        pytest.param('[[shard]]\nname = "s"\nplugins = ["a.dice"]\n[[shard]]\nname = "t"\nplugins = ["a.dice"]',
                     ["shard.t.plugins: 'a.dice', which shard 's' has too; take it out of one of them: a plugin lives in "
                      "one shard"], id="a plugin in two shards"),
        pytest.param('[[shard]]\nname = "s"\nplugins = ["a.dice"]\n[[shard]]\nname = "t"\n[plugins."a.dice"]\nshard = "t"',
                     ["plugins.\"a.dice\".shard: 't', but shard 's' has it; take one of the two out"],
                     id="two keys that name two shards"),
        pytest.param('[[shard]]\nname = "games"\n[plugins."a.dice"]\nshard = "gamse"',
                     ["plugins.\"a.dice\".shard: got 'gamse', a shard that is not there, expected 'games'; did you mean "
                      "'games'?"], id="a shard that is not there, and nothing else for it"),
        pytest.param('[[shard]]\nname = "s"\nplugins = ["a.dice"]\n[plugins."a.dice"]\ntogether_with = ["a.x"]\n'
                     'separate_from = ["a.y"]\ncapabilities = ["send.text"]',
                     ["plugins.\"a.dice\".together_with: 'a.x', which is not installed; plugins were looked for in {plugins}",
                      "plugins.\"a.dice\".separate_from: 'a.y', which is not installed; plugins were looked for in {plugins}",
                      "plugins.\"a.dice\".capabilities[0]: got 'send.text', which its manifest does not declare, expected "
                      "'database.*'"], id="names that mean nothing"),
        pytest.param('[[shard]]\nname = "s"\nplugins = ["a.dice"]\n[plugins."a.dice"]\ncalls_apis_of = ["*", "a.dcie"]\n'
                     '[grants.untrusted]\ncalls_apis_of = ["a.dcie"]',
                     ["plugins.\"a.dice\".calls_apis_of: 'a.dcie', which is not installed; did you mean 'a.dice'?",
                      "grants.untrusted.calls_apis_of: 'a.dcie', which is not installed; did you mean 'a.dice'?"],
                     id="whose APIs nobody can call"),
        pytest.param('[[shard]]\nname = "s"\nplugins = ["a.dice"]\n[plugins."a.dice"]\nmanages = ["a.dcie", "*"]\n'
                     'reads_config_of = ["a.dice", "a.dcie"]',
                     ["plugins.\"a.dice\".manages: 'a.dcie', which is not installed; did you mean 'a.dice'?",
                      "plugins.\"a.dice\".reads_config_of: 'a.dcie', which is not installed; did you mean 'a.dice'?"],
                     id="leave about what is not there"),
        pytest.param('[[shard]]\nname = "s"\nplugins = ["a.dice", "rookery.irc"]',
                     ["shard.s.plugins: 'rookery.irc', which is not installed; add it to rookery.bundled if it comes with "
                      "rookery; plugins were looked for in {plugins}"], id="a bundled plugin that is not asked for"),
        pytest.param('[[shard]]\nname = "s"\nplugins = ["a.dice"]\n[plugins."a.dice"]\ntrust = "untrusted"',
                     ['placement: a.dice is untrusted, but shard "s", which is named for it, is for trusted plugins only: '
                      "name a shard of its own trust level"], id="the wrong trust"),
    ],
)  # fmt: skip
def test_what_stands_against_a_plan_is_a_mistake(text: str, lines: list[str], tmp_path: Path) -> None:
    """One line for each, none for what only follows from another."""
    write_plugin(tmp_path, "a.dice", capabilities=["database.*"])

    assert plan_mistakes(tmp_path, text) == [line.format(plugins=tmp_path / "plugins") for line in lines]


@pytest.mark.parametrize("allowed", ["database.put_row", "database.*", "*", "config.get"])
def test_a_part_of_what_is_declared_may_be_allowed(allowed: str, tmp_path: Path) -> None:
    """Patterns on either side."""
    write_plugin(tmp_path, "a.dice", capabilities=["database.*", "config.get"])
    text = f'[[shard]]\nname = "s"\nplugins = ["a.dice"]\n[plugins."a.dice"]\ncapabilities = ["{allowed}"]'

    assert make_plan(*load(tmp_path, text)).shard_of("a.dice") == "s"


def test_a_broken_plugin_causes_no_second_mistake(tmp_path: Path) -> None:
    """It is there, so a shard may name it."""
    write_plugin(tmp_path, "a.dice", version="x")

    [line] = plan_mistakes(tmp_path, '[[shard]]\nname = "s"\nplugins = ["a.dice"]')

    assert line.startswith("plugin.version")


def test_contradictions_and_mistakes_come_together(tmp_path: Path) -> None:
    """Of the catalog, of names, of wishes."""
    write_plugin(tmp_path, "a.one", dependencies=["a.two", "no.where"])
    write_plugin(tmp_path, "a.two")
    text = """
    [[shard]]
    name = "s"
    plugins = ["a.one", "no.plugin"]
    [[shard]]
    name = "t"
    plugins = ["a.two"]
    """

    lines = plan_mistakes(tmp_path, text)

    assert [line.split(":")[0] for line in lines] == ["plugin.dependencies", "shard.s.plugins", "placement"]
    assert "keep_dependencies_together = false" in lines[2]
