"""A soak test hurts a deployment of its own, or an operator's with one more plugin in each shard and no gateway."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from rookery.supervisor.catalog import find_plugins
from rookery.supervisor.errors import UsageError
from rookery.supervisor.limits import MIB
from rookery.supervisor.planning import make_plan
from rookery.supervisor.restart import RestartMode
from rookery.supervisor.soak_plan import FaultKind
from rookery.supervisor.soak_settings import own_settings, prepare_soak
from rookery.supervisor.strategy import AutoShutdown, Significance
from tests.doubles.deployments import load, write_plugin

CODE = "from rookery.runner import Plugin\n\n\nclass It(Plugin):\n    pass\n"


def test_its_own_deployment_has_four_shards_and_every_fault(tmp_path: Path) -> None:
    """Each with a plugin of its own, which is placed there."""
    prepared = prepare_soak(own_settings(tmp_path), tmp_path)

    plan = make_plan(prepared.settings, find_plugins(prepared.settings))
    assert {shard: plan.plugins_of(shard) for shard in plan.shards} == {
        shard: (plugin,) for shard, plugin in prepared.plugins.items()
    }
    assert len(prepared.plugins) == 4
    assert prepared.kinds == tuple(FaultKind)


def test_an_operators_shards_get_one_more_plugin_and_no_gateway(tmp_path: Path) -> None:
    """What he chose for hangs and times stays; that somebody is given up or moved does not."""
    write_plugin(tmp_path, "my.work", code=CODE)
    write_plugin(tmp_path, "my.gate", code=CODE, type="adapter")
    settings, _ = load(
        tmp_path,
        '[[group]]\nname = "plugins"\nauto_shutdown = "any_significant"\n'
        '[[shard]]\nname = "one"\nplugins = ["my.work"]\nterminal = true\nsignificance = "one_shot"\n[shard.restart]\nmode = "temporary"\n[shard.health]\nhang_timeout = 33.0\n'
        '[[shard]]\nname = "two"\nplugins = ["my.gate"]\n',
    )

    prepared = prepare_soak(settings, tmp_path / "soak")

    [shard] = prepared.settings.shards
    assert (shard.name, shard.plugins) == ("one", ("my.work", "soak.n1"))
    assert shard.health.hang_timeout == 33.0
    assert (shard.restart.mode, shard.significance) == (RestartMode.PERMANENT, Significance.OPTIONAL)
    assert shard.restart.burst_limit >= 1_000_000
    assert not shard.terminal
    assert not prepared.settings.plugin("my.gate").enabled
    assert prepared.settings.state_dir == tmp_path / "soak"
    assert {group.auto_shutdown for group in prepared.settings.groups} == {AutoShutdown.NEVER}
    make_plan(prepared.settings, find_plugins(prepared.settings))


def test_shards_of_a_policy_are_soaked_where_their_plugins_are(tmp_path: Path) -> None:
    """The plan is made once, with the operator's rules, and then kept."""
    for name in ("my.one", "my.two", "my.three"):
        write_plugin(tmp_path, name, code=CODE)
    settings, catalog = load(tmp_path, '[placement]\npolicy = "spread"\nshards = 2\n')
    before = make_plan(settings, catalog)

    prepared = prepare_soak(settings, tmp_path / "soak")

    after = make_plan(prepared.settings, find_plugins(prepared.settings))
    for shard in before.shards:
        assert after.plugins_of(shard) == (*before.plugins_of(shard), prepared.plugins[shard])


@pytest.mark.parametrize("soft", [0, 768 * MIB], ids=["no limit", "more than a test takes"])
def test_memory_is_not_taken_from_an_operators_machine(tmp_path: Path, soft: int) -> None:
    """Growing over a limit is one of the faults only where the limit is small."""
    own = own_settings(tmp_path)
    limits = attrs.evolve(own.shards[0].limits, rss_soft=soft, rss_hard=0)
    large = attrs.evolve(own, shards=tuple(attrs.evolve(each, limits=limits) for each in own.shards))

    prepared = prepare_soak(large, tmp_path)

    assert FaultKind.ALLOCATE not in prepared.kinds


def test_without_a_shard_there_is_nothing_to_soak(tmp_path: Path) -> None:
    """It is said, with the file."""
    settings, _ = load(tmp_path, "")

    with pytest.raises(UsageError, match=r"rookery\.toml has no shard with a plugin in it"):
        prepare_soak(settings, tmp_path / "soak")
