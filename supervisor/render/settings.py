"""What has an operator chosen about pictures of pages?

```toml
[render]
executable = "/usr/bin/chromium"
```
"""

from __future__ import annotations

import attrs

from ..ranges import Form, Range

FILE_FORM = Form(
    lambda text: bool(text.strip()) and "\0" not in text, "the path of a browser, or its name on PATH"
)


@attrs.frozen(kw_only=True)
class RenderSettings:
    """The browser, and what it may do."""

    executable: str | None = attrs.field(default=None, validator=attrs.validators.optional(FILE_FORM))
    """A Chromium, or what is made of it; None looks for one on PATH when the first picture is wanted."""
    sandbox: bool = True
    """Whether the browser shuts its own pages in. It refuses to as root."""
    allow_network: bool = False
    """Whether a plugin that asks for it may load from elsewhere: from where the host stands, which may be inside of much."""
    max_concurrent: int = attrs.field(default=2, validator=Range(1, 64))
    """Pages that are shown at once."""
    pictures_per_browser: int = attrs.field(default=200, validator=Range(1))
    """After which it is replaced: browsers grow."""
    idle: float = attrs.field(default=60.0, validator=Range(0))
    """Seconds without work after which it is ended; the next picture starts another."""
    timeout: float = attrs.field(default=30.0, validator=Range(0, 600, above=True))
    """Seconds for one picture, for who does not say; never more than its caller waits."""
