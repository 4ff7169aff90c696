"""What `rookery plan` says about policies: one line for each shard and group, and when a shard is given up."""

from __future__ import annotations

import pytest

from rookery.supervisor.cli.policies import give_up_lines, give_up_map, group_map, group_rows, shard_rows
from rookery.supervisor.restart import RestartPolicy
from rookery.supervisor.settings import ShardSettings
from rookery.supervisor.strategy import AutoShutdown, GroupSettings, Significance, Strategy

ENDLESS = RestartPolicy(burst_limit=10**6, sustained_limit=10**6)


def shard(name: str, **changes: object) -> ShardSettings:
    """A shard with a plugin."""
    return ShardSettings(name=name, plugins=("a.dice",), **changes)


def test_the_defaults_are_told_in_five_lines() -> None:
    """From what cannot live to what is never given up."""
    assert give_up_lines(RestartPolicy()) == [
        "an instant crash loop is given up after 4.0 s and 5 restarts",
        "ready for 10 s each time: given up after 1 m 04 s and 5 restarts",
        "ready for 100 s each time: given up after 39 m 58 s and 20 restarts",
        "ready for 200 s or more each time: never given up",
        "and then one attempt after 300 s, doubling up to 3600 s",
    ]


@pytest.mark.parametrize(
    ("policy", "line"),
    [
        pytest.param(RestartPolicy(mode="temporary"), "it is never started again, so nothing gives it up", id="temporary"),
        pytest.param(RestartPolicy(mode="transient"), "an end by itself with code 0 is final; every other one counts:",
                     id="transient"),
        pytest.param(RestartPolicy(failed_retry=0), "and then nothing until it is started by hand", id="no retry"),
        pytest.param(RestartPolicy(failed_retry=60, failed_retry_max=60), "and then one attempt every 60 s", id="one pace"),
        pytest.param(RestartPolicy(burst_limit=1), "an instant crash loop is given up after 0.4 s and 1 restart", id="one"),
        pytest.param(ENDLESS, "an instant crash loop is never given up", id="no limit"),
    ],
)  # fmt: skip
def test_what_a_policy_means_is_said(policy: RestartPolicy, line: str) -> None:
    """In words that need no knowledge of the windows."""
    assert line in give_up_lines(policy)


def test_each_shard_has_a_line() -> None:
    """Short enough to be read beside the others."""
    shards = [
        shard("a", significance=Significance.REQUIRED),
        shard("b", restart=RestartPolicy(mode="temporary")),
        shard("c", restart=ENDLESS),
    ]

    assert shard_rows(shards)[1:] == [
        ("a", "plugins", "required", "permanent", "after 4.0 s and 5 restarts",
         "one attempt after 300 s, doubling up to 3600 s"),
        ("b", "plugins", "optional", "temporary", "-", "-"),
        ("c", "plugins", "optional", "permanent", "never", "-"),
    ]  # fmt: skip


def test_each_group_has_a_line_with_its_shards_as_they_start() -> None:
    """A group without a shard has none, and a shard without a plugin is not started."""
    groups = [
        GroupSettings(
            name="chain", strategy=Strategy.REST_FOR_ONE, auto_shutdown=AutoShutdown.ANY_SIGNIFICANT
        ),
        GroupSettings(name="empty"),
        GroupSettings(),
    ]
    shards = [
        shard("a", group="chain"),
        shard("b", group="chain", order=1),
        shard("c"),
        ShardSettings(name="spare", group="empty"),
    ]

    assert group_rows(groups, shards)[1:] == [
        ("chain", "rest_for_one", "3 in 300 s", "4", "any_significant", "b, then a"),
        ("plugins", "one_for_one", "3 in 300 s", "4", "never", "c"),
    ]
    assert group_map(groups[0], shards)["shards"] == ["b", "a"]


def test_programs_get_numbers() -> None:
    """And None where there is no answer."""
    found, endless = give_up_map(RestartPolicy()), give_up_map(ENDLESS)

    assert found is not None
    assert found["lives"][0] == {"ready_for": 0.0, "seconds": 4.0, "restarts": 5}
    assert found["never_from"] == 200.0
    assert endless is not None
    assert endless["lives"][0] == {"ready_for": 0.0, "seconds": None, "restarts": None}
    assert give_up_map(RestartPolicy(mode="temporary")) is None
