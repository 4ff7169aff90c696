"""A message that comes twice counts once, for a while and in bounded memory; one that was not taken may come again."""

from __future__ import annotations

import pytest

from rookery.supervisor.platform.dedupe import Deduplicator


def _pass(seen: Deduplicator, key: str, now: float = 0.0) -> bool:
    """A message comes and is dealt with at once; whether it was new."""
    is_new = seen.begin(key, now)
    seen.settle(key, now)
    return is_new


def test_a_key_is_new_once() -> None:
    """Until its time is over."""
    seen = Deduplicator(ttl=10.0)

    assert _pass(seen, "a", 0.0)
    assert not _pass(seen, "a", 9.9)
    assert _pass(seen, "a", 10.0)


def test_a_key_is_held_while_its_message_is_dealt_with() -> None:
    """However long that takes; its time begins when it is over."""
    seen = Deduplicator(ttl=10.0)
    seen.begin("a", 0.0)

    assert not seen.begin("a", 100.0)
    seen.settle("a", 101.0)
    assert not seen.begin("a", 110.9)
    assert seen.begin("a", 111.0)


def test_a_message_whose_dispatch_failed_may_come_again() -> None:
    """It was not seen by anybody, so a repeat is no repeat."""
    seen = Deduplicator()
    seen.begin("a", 0.0)

    seen.settle("a", 0.0, taken=False)
    seen.settle("never seen", 0.0)

    assert seen.begin("a", 0.0)
    assert len(seen) == 0


def test_a_repetition_does_not_lengthen_its_time() -> None:
    """Or a message that is repeated for ever would never come again."""
    seen = Deduplicator(ttl=10.0)
    _pass(seen, "a", 0.0)
    _pass(seen, "a", 9.0)

    assert seen.begin("a", 11.0)


def test_the_oldest_key_makes_room() -> None:
    """At most so many are remembered."""
    seen = Deduplicator(max_keys=2)

    assert [_pass(seen, key) for key in "abc"] == [True, True, True]
    assert len(seen) == 2
    assert not _pass(seen, "b")
    assert _pass(seen, "a")


def test_a_held_key_is_never_pushed_out() -> None:
    """A message in flight is no repeat of itself, whatever comes meanwhile."""
    seen = Deduplicator(max_keys=1)
    seen.begin("a", 0.0)
    for key in "bcd":
        _pass(seen, key)

    assert not seen.begin("a", 0.0)


def test_what_is_over_is_let_go() -> None:
    """All of it, at the next message."""
    seen = Deduplicator(ttl=1.0)
    for number in range(100):
        _pass(seen, str(number))

    _pass(seen, "new", 2.0)

    assert len(seen) == 1


@pytest.mark.parametrize(("ttl", "keys"), [(-1.0, 1), (1.0, 0), (1.0, -1)])
def test_limits_that_make_no_sense_are_refused(ttl: float, keys: int) -> None:
    """When it is made."""
    with pytest.raises(ValueError, match=rf"got {ttl!r} and {keys!r}"):
        Deduplicator(ttl=ttl, max_keys=keys)
