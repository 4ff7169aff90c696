"""A pattern says what ``re`` says, or is refused with the reason and the place; and none of them takes long."""

from __future__ import annotations

import re
import time

import pytest

from rookery.protocol.pattern import MAX_PATTERN_TEXT, MAX_STEPS, TextPattern, compile_pattern, letters_of
from rookery.protocol.pattern_syntax import MAX_DEPTH, MAX_PATTERN_CHARS, PatternError

TEXTS = (
    *("", "a", "ab", "aab", "A", "b", "ba", "abab", "a b", " ", "a\n", "\n", "a\nb", "\na", "12", "a1", "_"),
    *(
        "-",
        "]",
        "a-b",
        "^",
        "a{2}",
        "a{",
        "é",
        "É",
        "你好",
        "hello, world",
        "roll 2d6",
        "x.y",
        "\t",
        "\\",
        "a" * 8,
    ),
)


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "",
            "a",
            "ab",
            "a|b",
            "a|",
            "(a)(b)",
            "(?:ab)+",
            "(?P<who>a)b",
            "a*",
            "a+b",
            "ab?",
            "a{2}",
            "a{2,}",
        ),
        *("a{,1}b", "a{1,2}$", "a{,}", "a{0}b", "a{", "a{2", "a{x}", "a{}", "a{ 2}", "{", "}", "]", "a*?b"),
        *(
            "a+?$",
            "a??b",
            "a{2}?",
            ".",
            ".$",
            "a.b",
            "(?s)a.b",
            "(?s:a.)b",
            "^a",
            "^a$",
            r"\Aa",
            r"a\Z",
            "a$",
        ),
        *(
            "(?m)^b",
            "(?m)a$",
            "(?m:^)b",
            r"\ba\b",
            r"\bb",
            r"(?:^|\s)b(?:$|\s)",
            r"(?i)AB",
            "(?i:a)B",
            "(?i)É",
        ),
        *(r"(?i-s:a)", r"(?-i:a)", "[ab]b", "[^a]b", "[a-c]+$", "[]a]", "[^]a]", "[a-]b", "[-a]", r"[\]]"),
        *(r"[\d_]+$", r"[^\W]", r"\d+", r"\D", r"\w+\s\w+", r"\W", r"\S+$", r"[\s\S]b", r"\x61", r"\u4f60"),
        *(
            r"\U00004f60",
            r"\n",
            r"\t",
            r"\\",
            r"\.",
            r"\-",
            "你",
            r"[\x61-\u0062]",
            r"[\b]",
            "(a|b)*b",
            "(a*)*b",
        ),
        *("(a*)+$", "(?:)*a", "(?:a?){3}b", "(^a|b)+$", r"(\b|a)+b", "(?i)[^A]", r"(?:\b){3}a", "(?:^){2}a"),
    ],
)
def test_a_pattern_says_what_it_says_to_python(pattern: str) -> None:
    """Whether it is somewhere in the text, over texts that each of them could meet."""
    compiled = compile_pattern(pattern)

    found = [text for text in TEXTS if compiled.is_in(text)]

    assert found == [text for text in TEXTS if re.search(pattern, text)]


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(a", "has a parenthesis that is never closed at character 0"),
        ("a)", "has a parenthesis that was never opened at character 1"),
        ("[a", "has a set that is never closed at character 0"),
        ("[]", "has a set that is never closed at character 0"),
        ("[b-a]", "has a range whose end is before its beginning at character 1"),
        (r"[a-\d]", "has a range whose end is before its beginning at character 1"),
        (r"[\d-a]", "has a range that begins with a kind of characters at character 1"),
        ("*a", "has nothing to repeat at character 0"),
        ("a|+", "has nothing to repeat at character 2"),
        ("{2}", "has nothing to repeat at character 0"),
        ("^*", "repeats what is no character at character 1"),
        ("a**", "repeats a repeat; put a group around it at character 2"),
        ("a{2}{3}", "repeats a repeat; put a group around it at character 4"),
        ("a{3,2}", "repeats at least more often than at most at character 1"),
        ("a++", "has a possessive repeat, which a host does not judge, at character 1"),
        (r"(a)\1", "has a back reference, which a host does not judge, at character 3"),
        ("(?P=a)", "has a back reference, which a host does not judge, at character 0"),
        ("b(?=a)", "has looking ahead, which a host does not judge, at character 1"),
        ("b(?!a)", "has looking ahead, which a host does not judge, at character 1"),
        ("(?<=a)b", "has looking behind, which a host does not judge, at character 0"),
        ("(?>a)", "has an atomic group, which a host does not judge, at character 0"),
        ("(a)(?(1)b)", "has a condition, which a host does not judge, at character 3"),
        ("(?x)a", "has (?x, which a host does not know; it knows i, m and s, at character 0"),
        ("(?#a)", "has (?#, which a host does not know; it knows i, m and s, at character 0"),
        ("a(?i)b", "has flags for all of it that are not at its beginning at character 1"),
        ("(?i", "has flags that do not end at character 0"),
        ("(?-i)", "has flags that do not end at character 0"),
        ("(?P<1>a)", "has a group whose name is none at character 0"),
        ("(?P<a", "has a group whose name is none at character 0"),
        (r"\q", "has an unknown escape at character 0"),
        (r"\B", "has an unknown escape at character 0"),
        (r"\x6", r"has an incomplete \x at character 0"),
        (r"\U00110000", "has a character that does not exist at character 0"),
        ("a\\", "ends in a backslash at character 1"),
        ("a{999999999999}", "is too large: written out it has more than 400 characters at character 0"),
        ("((a{20}){20}){20}", "is too large: written out it has more than 400 characters at character 0"),
        ("(?:|||||||||||){99}", "is too large: written out it has more than 400 characters at character 0"),
        ("a" * (MAX_PATTERN_CHARS + 1), "has 1001 characters, at most 1000 are allowed"),
        ("a" * MAX_PATTERN_CHARS, "is too large: written out it has more than 400 characters at character 0"),
        ("(" * 500, f"has groups that are nested more than {MAX_DEPTH} deep at character {MAX_DEPTH}"),
    ],
)
def test_what_is_no_pattern_for_a_host_is_refused(pattern: str, reason: str) -> None:
    """With what is wrong, and where."""
    with pytest.raises(PatternError) as caught:
        compile_pattern(pattern)

    assert caught.value.reason == reason


HOSTILE = [
    *("(a+)+$", "(a|aa)+$", "(a|a?)+$", "(.*)*x", "([a-zA-Z]+)*$", "(.*a){20}", "(a*)*b", r"(\w+\s?)*$"),
    *(
        r"^(([a-z])+.)+[A-Z]([a-z])+$",
        r"(?:(?:(?:a?)*)*)*$",
        "(a?){190}a{190}",
        "(?:a|b)*a(?:a|b){90}",
        ".{398}x",
    ),
    *(r"(?:.?\b){190}x", r"(?m)(?:^|$|.)*x", "(?i)" + "(?:[^a-y]?){390}", r"[\s\S]*[\s\S]*[\s\S]*[\s\S]*x$"),
    *(r"((\d+)*,)*$", r"^(\d+)*$", r"<(.|\n)*>", "(x+x+)+y", r"([^@]+)+@", ".*.*=.*;.*=.*", "a{399}"),
]
LONG = 2**20
LONG_TEXTS = {
    "one letter": "x" + "a" * LONG,
    "two letters": "x" + "ab" * (LONG // 2),
    "all letters": "x=;<,@" + "".join(map(chr, range(0x4E00, 0x9E00))) * 52,
    "words": "x yz " + "ab c_ \n" * (LONG // 7),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG_TEXTS)
def test_no_pattern_holds_its_caller(name: str) -> None:
    """50 ms of a processor for compiling it and its first search in a text of a million characters, at most."""
    slow = {pattern: _fastest(pattern, LONG_TEXTS[name]) for pattern in HOSTILE}

    assert {pattern: spent for pattern, spent in slow.items() if spent > 0.05} == {}


def _fastest(pattern: str, text: str) -> float:
    """Of three first searches: a collection of garbage, or another process, is not the pattern's doing."""
    took = []
    for _ in range(3):
        began = time.thread_time()
        TextPattern(pattern).is_in(text)
        took.append(time.thread_time() - began)
    return min(took)


def test_only_the_beginning_of_a_long_text_counts() -> None:
    """And its end is not taken for the end of the text."""
    long = "a" * MAX_PATTERN_TEXT

    assert compile_pattern("a$").is_in(long)
    assert not compile_pattern("a$").is_in(long + "a")
    assert not compile_pattern(r"a\b").is_in(long + "a")
    assert compile_pattern(r"a\b").is_in(long + " ")
    assert not compile_pattern("b").is_in(long + "b")
    assert compile_pattern("b").is_in(long[1:] + "b" + long)


def test_what_is_remembered_is_bounded_and_changes_nothing() -> None:
    """Whatever the texts are made of."""
    pattern = compile_pattern("[^a]b")

    found = [pattern.is_in(chr(0x4E00 + number) + "ab"[number % 2]) for number in range(3 * MAX_STEPS)]

    assert found == [number % 2 == 1 for number in range(3 * MAX_STEPS)]
    assert sum(map(len, pattern._states.values())) <= MAX_STEPS


def test_one_text_makes_one_pattern() -> None:
    """As long as somebody has it."""
    assert compile_pattern("a+b") is compile_pattern("a+b")
    assert compile_pattern("a+b") != compile_pattern("a+c")


@pytest.mark.parametrize(
    ("pattern", "needed"),
    [
        ("hello", "hello"),
        (r"^!(?:roll)\s+\d+", "!roll"),
        ("(?i)hello", ""),
        ("a|b", ""),
        ("ab?cde", "cde"),
        ("a[b]c.", "abc"),
        ("", ""),
    ],
)
def test_a_pattern_knows_what_it_needs(pattern: str, needed: str) -> None:
    """The longest piece without which no text fits."""
    assert compile_pattern(pattern).needed == needed


def test_letters_are_pairs_of_neighbours() -> None:
    """A text of one letter has only itself."""
    assert [letters_of(text) for text in ("", "a", "ab", "abc")] == [[], ["a"], ["ab"], ["ab", "bc"]]
