"""Every case is measured once, has a name of its own, and finds its handlers in the deployment that is made for it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from rookery.supervisor.bench_cases import JUDGED, SHARDS, Case, Runs, Work, all_cases, size, topics
from rookery.supervisor.bench_settings import (
    FEW_SHARDS,
    MANY,
    MANY_SHARDS,
    MANY_TOPICS,
    plugin_of,
    prepare_bench,
    share,
)
from rookery.supervisor.catalog import find_plugins
from rookery.supervisor.planning import make_plan
from rookery.supervisor.registry import MAX_COMPONENTS


def test_a_quick_run_has_the_cases_with_goals_and_a_whole_one_has_more() -> None:
    """No case twice, none without its own name."""
    quick, whole = (all_cases(is_quick=is_quick, cpus=2) for is_quick in (True, False))

    assert quick == JUDGED
    assert set(quick) < set(whole)
    assert len({case.name for case in whole}) == len(whole) == len(set(whole))


def test_a_case_for_more_processors_than_there_are_is_left_out() -> None:
    """It would say the same as that for one."""
    assert all(case.cpus == 1 for case in all_cases(is_quick=False, cpus=1))


def test_a_whole_run_sweeps_over_everything() -> None:
    """Shards, payload, handlers and how many are in flight, of each kind of work."""
    cases = all_cases(is_quick=False, cpus=2)

    for field in ("shards", "payload", "in_flight"):
        for work in (Work.INVOKE, Work.EVENT, Work.CHAIN):
            found = {getattr(case, field) for case in cases if case.work is work}
            assert len(found) > 1, (work, field)
    assert {case.handlers for case in cases if case.work is Work.EVENT} == {4, 16, 64}


@pytest.mark.parametrize(("count", "text"), [(64, "64 B"), (1024, "1 KB"), (65536, "64 KB")])
def test_a_size_is_told_as_people_do(count: int, text: str) -> None:
    """In the larger unit where it fits."""
    assert size(count) == text


def test_handlers_are_spread_evenly() -> None:
    """And none is lost."""
    assert [share(10, 4, place) for place in range(5)] == [3, 3, 2, 2, 0]
    assert sum(share(64, 7, place) for place in range(7)) == 64


@pytest.mark.parametrize(
    "is_quick",
    [pytest.param(True, id="quick"), pytest.param(False, id="whole", marks=pytest.mark.slow)],
)
def test_the_deployment_has_each_handler_that_a_case_counts_on(tmp_path: Path, is_quick: bool) -> None:
    """By topic, in as many shards; a plugin registers no more than one may."""
    cases = all_cases(is_quick=is_quick, cpus=2)

    settings = prepare_bench(tmp_path, cases, is_quick=is_quick)

    plan = make_plan(settings, find_plugins(settings))
    found: Counter[str] = Counter()
    shards: dict[str, set[str]] = {}
    for shard in plan.shards:
        for plugin_id in plan.plugins_of(shard):
            told = json.loads((tmp_path / "plugins" / plugin_id / "handlers.json").read_text())
            assert sum(each["count"] for each in told) < MAX_COMPONENTS - 2
            for each in told:
                found[each["name"]] += each["count"]
                shards.setdefault(each["name"], set()).add(shard)
    for case in (*topics(cases), *(case for case in cases if case.work is Work.MIXED)):
        assert found[case.topic] == case.handlers
        assert shards[case.topic] == set(SHARDS[: case.shards])
    assert len(shards["bench.all"]) == (len(FEW_SHARDS) if is_quick else 64)
    assert [found[topic] for topic in MANY_TOPICS.values()] == [0 if is_quick else MANY] * 2
    assert {plugin_of(shard) for shard in FEW_SHARDS} <= {
        plugin_id for shard in FEW_SHARDS for plugin_id in plan.plugins_of(shard)
    }
    assert is_quick is not (set(MANY_SHARDS) <= set(plan.shards))


def test_the_mixed_chain_goes_to_another_shard_after_each_group(tmp_path: Path) -> None:
    """Its plugins stand in the order of their ids, which is that of the hook."""
    settings = prepare_bench(tmp_path, JUDGED, is_quick=True)

    plan = make_plan(settings, find_plugins(settings))
    mixed = sorted(
        (plugin_id, shard)
        for shard in plan.shards
        for plugin_id in plan.plugins_of(shard)
        if "mixed" in plugin_id
    )
    assert [shard for _, shard in mixed] == [*SHARDS, *SHARDS]


def test_a_topic_is_told_apart_by_all_that_its_handlers_depend_on() -> None:
    """And shared by cases that differ in something else."""
    case = Case(work=Work.EVENT, handlers=16, shards=4)
    others = [
        Case(work=Work.CHAIN, handlers=16, shards=4),
        Case(work=Work.EVENT, handlers=64, shards=4),
        Case(work=Work.EVENT, handlers=16, shards=1),
        Case(work=Work.EVENT, handlers=16, shards=4, runs=Runs.PLAIN),
    ]

    assert len({case.topic, *(other.topic for other in others)}) == 5
    assert Case(work=Work.EVENT, handlers=16, shards=4, payload=64, in_flight=8).topic == case.topic
