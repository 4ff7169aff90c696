"""Which nicks and channels are the same: the server's case mapping and its kinds of targets."""

from __future__ import annotations

import string

import attrs

_ASCII = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_STRICT = str.maketrans(string.ascii_uppercase + "[]\\", string.ascii_lowercase + "{}|")
_RFC1459 = str.maketrans(string.ascii_uppercase + "[]\\~", string.ascii_lowercase + "{}|^")
_TABLES = {"ascii": _ASCII, "strict-rfc1459": _STRICT, "rfc1459": _RFC1459}


@attrs.frozen
class Naming:
    """What the server announced about names; the defaults hold until it does (RFC 1459)."""

    casemapping: str = "rfc1459"
    """A name of the table above; an unknown one is treated as ``ascii``, which never joins two different names."""
    channel_signs: str = "#&"
    """What the name of a channel may begin with (``CHANTYPES``)."""
    status_signs: str = ""
    """What may stand before a channel to reach only some of its members (``STATUSMSG``)."""
    nick_limit: int = 0
    """The longest nick (``NICKLEN``); 0 while unknown."""

    def fold(self, name: str) -> str:
        """The form in which two spellings of one name are equal."""
        return name.translate(_TABLES.get(self.casemapping, _ASCII))

    def same(self, one: str, other: str) -> bool:
        """Whether these are two spellings of one name."""
        return self.fold(one) == self.fold(other)

    def is_channel(self, target: str) -> bool:
        """Whether the target is a channel, or a part of the members of one."""
        bare = target.lstrip(self.status_signs) if self.status_signs else target
        return bool(bare) and bare[0] in self.channel_signs

    def learn(self, tokens: tuple[str, ...]) -> Naming:
        """What is known after one ``005`` line with these tokens."""
        known = self
        for token in tokens:
            name, _, value = token.partition("=")
            match name:
                case "CASEMAPPING" if value:
                    known = attrs.evolve(known, casemapping=value.lower())
                case "CHANTYPES":
                    known = attrs.evolve(known, channel_signs=value)
                case "STATUSMSG":
                    known = attrs.evolve(known, status_signs=value)
                case "NICKLEN" if value.isascii() and value.isdigit():
                    known = attrs.evolve(known, nick_limit=int(value))
        return known
