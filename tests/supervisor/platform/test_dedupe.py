"""A message that comes twice counts once, for a while and in bounded memory."""

from __future__ import annotations

import pytest

from rookery.supervisor.platform.dedupe import Deduplicator


def test_a_key_is_new_once() -> None:
    """Until its time is over."""
    seen = Deduplicator(ttl=10.0)

    assert seen.is_new("a", 0.0)
    assert not seen.is_new("a", 9.9)
    assert seen.is_new("a", 10.0)


def test_a_repetition_does_not_lengthen_its_time() -> None:
    """Or a message that is repeated for ever would never come again."""
    seen = Deduplicator(ttl=10.0)
    seen.is_new("a", 0.0)
    seen.is_new("a", 9.0)

    assert seen.is_new("a", 11.0)


def test_the_oldest_key_makes_room() -> None:
    """At most so many are remembered."""
    seen = Deduplicator(max_keys=2)

    assert [seen.is_new(key, 0.0) for key in "abc"] == [True, True, True]
    assert len(seen) == 2
    assert not seen.is_new("b", 0.0)
    assert seen.is_new("a", 0.0)


def test_what_is_over_is_let_go() -> None:
    """All of it, at the next message."""
    seen = Deduplicator(ttl=1.0)
    for number in range(100):
        seen.is_new(str(number), 0.0)

    seen.is_new("new", 2.0)

    assert len(seen) == 1


def test_a_forgotten_key_is_new_again() -> None:
    """The message was not taken after all."""
    seen = Deduplicator()
    seen.is_new("a", 0.0)

    seen.forget("a")
    seen.forget("never seen")

    assert seen.is_new("a", 0.0)


@pytest.mark.parametrize(("ttl", "keys"), [(-1.0, 1), (1.0, 0), (1.0, -1)])
def test_limits_that_make_no_sense_are_refused(ttl: float, keys: int) -> None:
    """When it is made."""
    with pytest.raises(ValueError, match=rf"got {ttl!r} and {keys!r}"):
        Deduplicator(ttl=ttl, max_keys=keys)
