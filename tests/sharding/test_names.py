"""A shard that a policy makes gets a name that is valid, tells its origin and never depends on others."""

from __future__ import annotations

import pytest

from rookery.protocol import is_shard_name
from rookery.sharding.hashing import fingerprint
from rookery.sharding.names import name_shard


@pytest.mark.parametrize(
    ("origin", "stem"),
    [
        pytest.param("example-dice", "example-dice", id="a hyphen could stand for a dot"),
        pytest.param("Example.Dice", "example-dice", id="capitals"),
        pytest.param("a." + "b" * 40, "a-" + "b" * 21, id="too long"),
        pytest.param("_.x", "x", id="a first character that no name may have"),
        pytest.param("信.任", "shard", id="nothing that a name may have"),
    ],
)
def test_where_the_plain_name_would_not_do_a_fingerprint_follows(origin: str, stem: str) -> None:
    """So that no other origin has the same."""
    name = name_shard(origin, ())

    assert name == f"{stem}-{fingerprint(origin)}"
    assert is_shard_name(name)


def test_the_plain_name_has_hyphens_for_dots() -> None:
    """What people would have called it."""
    assert name_shard("example.dice", ()) == "example-dice"
    assert name_shard("untrusted", ()) == "untrusted"


def test_a_taken_name_is_not_given_again() -> None:
    """Neither the plain one nor, twice over, the one with a fingerprint."""
    first = name_shard("example.dice", {"example-dice"})
    second = name_shard("example.dice", {"example-dice", first})

    assert first == f"example-dice-{fingerprint('example.dice')}"
    assert second == f"example-dice-{fingerprint('example.dice', '1')}"


def test_a_plain_name_never_looks_like_one_with_a_fingerprint() -> None:
    """Otherwise it would depend on which of two plugins comes first who gets it."""
    origin = f"a.b.{fingerprint('a-b')}"

    assert name_shard("a-b", ()) == f"a-b-{fingerprint('a-b')}"
    assert name_shard(origin, ()) == f"{origin.replace('.', '-')}-{fingerprint(origin)}"
