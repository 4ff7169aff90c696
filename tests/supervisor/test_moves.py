"""What is the shard of an isolated plugin called, and by which rules does it live?"""

from __future__ import annotations

import pytest

from rookery.protocol import is_shard_name
from rookery.supervisor.moves import isolated_name, isolated_settings
from rookery.supervisor.settings import ShardSettings
from rookery.supervisor.strategy import Significance


@pytest.mark.parametrize(
    ("plugin_id", "taken", "name"),
    [
        ("author.dice", (), "author-dice"),
        ("author.dice", ("author-dice",), "author-dice-2"),
        ("author.dice", ("author-dice", "author-dice-2"), "author-dice-3"),
        ("Some.Very-Long.Name-That-Goes-On-And-On", (), "some-very-long-name-that-goe"),
    ],
)
def test_its_name_says_whose_it_is(plugin_id: str, taken: tuple[str, ...], name: str) -> None:
    """A name that a file could have, and that nobody has yet."""
    assert isolated_name(plugin_id, taken) == name
    assert is_shard_name(name)


def test_it_keeps_the_rules_of_where_it_comes_from_but_no_part_in_the_whole() -> None:
    """No terminal, no duty, no limit of weight; the same trust and limits."""
    home = ShardSettings(
        name="games", trust="community", terminal=True, capacity=3.0, significance=Significance.REQUIRED
    )

    own = isolated_settings(home, "author.dice", ("games",))

    assert (own.trust, own.terminal, own.capacity, own.significance) == (
        "community",
        False,
        None,
        Significance.OPTIONAL,
    )
    assert own.limits == home.limits
