"""What has an operator chosen about the addresses that plugins have fetched?

```toml
[fetch]
hosts = ["api.example.org", "*.wikipedia.org"]

[plugins."author.weather".fetch]   # its keys in place of those above
hosts = ["weather.example.org"]
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ..ranges import Each, Form, Range, Size
from .allow_list import is_entry, is_private_entry

if TYPE_CHECKING:
    from collections.abc import Mapping

HOST_FORM = Form(
    is_entry,
    "a host such as 'api.example.org', '*.example.org', 'api.example.org:8443', 'http://example.org' or '*'",
)
PRIVATE_FORM = Form(
    is_private_entry, "a host without a '*', such as '127.0.0.1:8080', 'http://printer.local' or '[::1]'"
)
METHOD_FORM = Form(
    lambda text: text.isascii() and text.isalpha() and text.isupper() and text != "CONNECT",
    "a method such as 'GET'",
)


@attrs.frozen(kw_only=True)
class FetchSettings:
    """Whom plugins may ask, and how much. Where no host is named nothing is fetched."""

    hosts: tuple[str, ...] = attrs.field(default=(), validator=Each(HOST_FORM))
    """A name, or ``*.`` and a name for everything below it; over TLS at its usual port unless the entry says otherwise."""
    private_hosts: tuple[str, ...] = attrs.field(default=(), validator=Each(PRIVATE_FORM))
    """The same, of machines in the networks of the host, itself included; ``hosts`` never leads there."""
    methods: tuple[str, ...] = attrs.field(default=("GET", "HEAD"), validator=Each(METHOD_FORM))
    timeout: float = attrs.field(default=15.0, validator=Range(0, 600, above=True))
    """Seconds for all of it, redirects included; never more than the caller waits."""
    max_request: int = attrs.field(default=64 * 1024, validator=Size())
    """Bytes of a body that is sent."""
    max_answer: int = attrs.field(default=512 * 1024, validator=Size())
    """Bytes of a body that comes, when it is unpacked. It has to fit into a frame: 1 MiB for shards that are not trusted, else 16."""
    redirects: int = attrs.field(default=5, validator=Range(0, 20))
    """Of one question that are followed, each to a host that is allowed."""
    rate: float = attrs.field(default=2.0, validator=Range(0, above=True))
    """Questions a second of one plugin, in the long run."""
    burst: int = attrs.field(default=10, validator=Range(1, 10_000))
    """Questions that it may ask at once after a pause."""
    concurrency: int = attrs.field(default=4, validator=Range(1, 256))
    """Questions of one plugin that are out at once; the others wait, each as long as its caller does."""


def laid_over(base: FetchSettings, own: FetchSettings, keys: Mapping[str, object]) -> FetchSettings:
    """The settings of a plugin: those of its own table that stand there, and the deployment's for the rest.

    Args:
        keys: The table as it was written.
    """
    names = {field.name for field in attrs.fields(FetchSettings)}
    return attrs.evolve(base, **{name: getattr(own, name) for name in keys if name in names})
