"""A misspelt word is answered with the one that was meant, or with all there are."""

from __future__ import annotations

from rookery.supervisor.suggestion import one_of, suggest


def test_the_closest_word_is_suggested() -> None:
    """And nothing when nothing is close."""
    assert suggest("shads", ["shards", "policy"]) == "did you mean 'shards'?"
    assert suggest("zzz", ["shards", "policy"]) == ""


def test_known_words_are_listed_in_order() -> None:
    """One alone, several sorted, many shortened, none said so."""
    assert one_of(["a"]) == "'a'"
    assert one_of(["b", "a"]) == "one of 'a', 'b'"
    assert one_of(map(str, range(100, 115))).endswith("'111' or 3 more")
    assert one_of([]) == "nothing, there are none"


def test_no_advice_is_worth_the_time_of_the_host() -> None:
    """A plugin may offer a thousand long names and ask for one that is nearly one of them, again and again."""
    known = {f"{'ab' * 60}{number:06}" for number in range(1000)}

    assert suggest("ab" * 63, known) == ""
