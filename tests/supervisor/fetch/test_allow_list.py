"""Which addresses are named by a list, and is one text read as one address only?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.protocol import BadPayload
from rookery.supervisor.fetch.allow_list import AllowList, is_entry, is_private_entry, read_target

HOSTS = ("api.example.org", "*.wiki.test", "http://old.test", "alt.test:8443", "[2001:db8::1]")


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("https://api.example.org/x?y=1#z", True),
        ("https://API.Example.Org./", True),
        ("https://api.example.org:443/", True),
        ("https://api.example.org:8443/", False),
        ("http://api.example.org/", False),
        ("https://example.org/", False),
        ("https://x.api.example.org/", False),
        ("https://api.example.org.evil.test/", False),
        ("https://evilapi.example.org/", False),
        ("https://en.wiki.test/", True),
        ("https://a.b.wiki.test/", True),
        ("https://wiki.test/", False),
        ("https://evilwiki.test/", False),
        ("http://old.test/", True),
        ("https://old.test/", False),
        ("https://alt.test:8443/", True),
        ("https://alt.test/", False),
        ("https://[2001:DB8:0::1]/", True),
    ],
)
def test_an_address_is_allowed_when_an_entry_names_it(url: str, is_allowed: bool) -> None:
    """Scheme, host and port; letters of both sizes and the dot at the end are the same."""
    assert AllowList.of(HOSTS, ()).allows(read_target(url)) is is_allowed


def test_any_host_may_be_named() -> None:
    """Over TLS at its usual port, which is what a star alone says."""
    allowed = AllowList.of(["*"], ["http://127.0.0.1:80"])

    assert allowed.allows(read_target("https://anything.test/"))
    assert not allowed.allows(read_target("http://anything.test/"))
    assert not allowed.may_be_private(read_target("https://anything.test/"))
    assert allowed.may_be_private(read_target("http://127.0.0.1/"))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "//example.org/",
        "ftp://example.org/",
        "file:///etc/passwd",
        "https://",
        "https:///x",
        "https://user:word@example.org/",
        "https://example.org@evil.test/",
        "https://exa mple.org/",
        "https://example.org\\@evil.test/",
        "https://example.org/\r\nHost: evil.test",
        "https://example.org:0/",
        "https://example.org:99999/",
        "https://example.org:x/",
        "https://[::1/",
        "https://[::1%25eth0]/",
        "https://exa%6dple.org/",
        "https://example..org/",
        "https://-/",
        f"https://example.org/{'x' * 9000}",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    """Before anybody is asked."""
    with pytest.raises(BadPayload) as caught:
        read_target(url)

    assert caught.value.path == "url"


def test_an_address_is_written_as_it_is_sent() -> None:
    """What is not ASCII is quoted, what was quoted stays, and no part of the host's is in the path."""
    target = read_target("HTTPS://Bücher.test:8443/ä b?q=ö&x=%20".replace(" ", "%20"))

    assert str(target) == "https://xn--bcher-kva.test:8443/%C3%A4%20b?q=%C3%B6&x=%20"
    assert target.entry == "xn--bcher-kva.test:8443"
    assert read_target("http://a.test").entry == "http://a.test"


@pytest.mark.parametrize(
    ("entry", "is_one", "may_be_private"),
    [
        ("api.example.org", True, True),
        ("*.example.org", True, False),
        ("*", True, False),
        ("http://printer:631", True, True),
        ("[::1]:8080", True, True),
        ("127.0.0.1", True, True),
        ("", False, False),
        ("*.", False, False),
        ("a.*.org", False, False),
        ("https://example.org/path", False, False),
        ("ftp://example.org", False, False),
        ("example.org:0", False, False),
        ("example.org:70000", False, False),
        ("user@example.org", False, False),
        ("::1", False, False),
    ],
)
def test_an_entry_of_a_list_has_its_form(entry: str, is_one: bool, may_be_private: bool) -> None:
    """A machine of one's own networks is named and never guessed."""
    assert (is_entry(entry), is_private_entry(entry)) == (is_one, may_be_private)


@pytest.mark.slow
@given(st.text(max_size=60))
def test_whatever_is_asked_for_is_an_address_or_refused(text: str) -> None:
    """And an address that was read once is read the same again."""
    for url in (text, f"https://{text}", f"https://example.org/{text}"):
        try:
            target = read_target(url)
        except BadPayload:
            continue
        assert read_target(str(target)) == target
        assert str(target).isascii()
