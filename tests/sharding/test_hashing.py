"""A key prefers the same shards in every process, and nobody else's keys matter."""

from __future__ import annotations

from collections import Counter

import pytest

from rookery.sharding.hashing import draw, fingerprint, rank

SHARES = dict.fromkeys(["s1", "s2", "s3", "s4"], 1.0)


def test_the_numbers_never_change() -> None:
    """A new version of rookery that drew others would move every plugin of every deployment."""
    assert fingerprint("example.dice") == "1df25c42"
    assert draw("example.dice", "games") == 0.4089881872131269
    assert rank("example.dice", SHARES) == ("s2", "s1", "s3", "s4")


def test_parts_of_a_key_are_told_apart() -> None:
    """Joining them would mix up plugins with each other."""
    assert fingerprint("ab", "c") != fingerprint("a", "bc")
    assert fingerprint("ab") != fingerprint("ab", "")


def test_lone_surrogates_have_a_number_too() -> None:
    """A name that cannot be printed still has a place."""
    assert len(fingerprint("\ud800")) == 8


def test_equal_shares_get_equally_many_keys() -> None:
    """Within what dice allow: ten standard deviations of 4000 throws."""
    first = Counter(rank(f"p.n{number}", SHARES)[0] for number in range(4000))

    assert set(first) == set(SHARES)
    assert all(730 < count < 1270 for count in first.values())


def test_a_larger_share_wins_in_proportion() -> None:
    """Three quarters of the weight, three quarters of the keys."""
    first = Counter(rank(f"p.n{number}", {"small": 1.0, "large": 3.0})[0] for number in range(4000))

    assert 2730 < first["large"] < 3270


@pytest.mark.parametrize("gone", list(SHARES))
def test_a_shard_that_goes_moves_only_its_own_keys(gone: str) -> None:
    """The order of the others is not touched."""
    for number in range(200):
        before = rank(f"p.n{number}", SHARES)
        after = rank(f"p.n{number}", {name: share for name, share in SHARES.items() if name != gone})

        assert after == tuple(name for name in before if name != gone)
