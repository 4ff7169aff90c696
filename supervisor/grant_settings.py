"""What has an operator granted the plugins of a trust level?

```toml
[grants.untrusted]
allow = ["send.text", "config.*", "listen.events"]
```
"""

from __future__ import annotations

import attrs

from rookery.protocol import PLUGIN_ID

from .ranges import CAPABILITY, Each, Form

PLUGINS_FORM = Form(
    lambda text: text == "*" or PLUGIN_ID.fullmatch(text),
    "a plugin's id such as 'author.plugin', or '*' for every one",
)


@attrs.frozen(kw_only=True)
class LevelGrants:
    """What the plugins of one trust level are granted that have no list of their own."""

    allow: tuple[str, ...] = attrs.field(default=(), validator=Each(CAPABILITY))
    """Patterns of capabilities, and of components that not everybody may offer, see `component_grants.py`."""
    calls_apis_of: tuple[str, ...] = attrs.field(default=(), validator=Each(PLUGINS_FORM))
    """Trusted plugins whose APIs all of them may call."""
