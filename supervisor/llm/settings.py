"""What has an operator chosen about language models: the models, and which of them does what?

```toml
[llm.models.small]
base_url = "https://api.example.com/v1"
api_key_env = "EXAMPLE_KEY"
model = "small-2"

[llm.tasks]
default = "small"
embedding = ["vectors", "small"]
```
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import attrs

from ..ranges import Clash, Form, Range

HTTP = "openai"
"""The provider that the host is itself: an endpoint that speaks as OpenAI's does."""

DEFAULT_TASK = "default"


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  # raises for a port that is none
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and text.isascii() and " " not in text


NAME_FORM = Form(
    re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}").fullmatch, "a word of a-z, 0-9, '_', '-' and '.'"
)
URL_FORM = Form(_is_url, "the address of an endpoint, such as 'https://api.example.com/v1'")
ENV_FORM = Form(re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch, "the name of an environment variable")
TEXT_FORM = Form(lambda text: bool(text.strip()) and len(text) <= 200, "a text of 1 to 200 characters")
FILE_FORM = Form(lambda text: bool(text.strip()) and "\0" not in text, "the path of a file")

_optional = attrs.validators.optional


def _frozen(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(values))


@attrs.frozen(kw_only=True)
class ModelSettings:
    """One model, and how it is reached.

    Raises:
        Clash: Two or more do not go together.
    """

    provider: str = attrs.field(default=HTTP, validator=TEXT_FORM)
    """Who serves it: ``openai`` for an endpoint at ``base_url``, else the client type of a plugin's provider."""
    base_url: str | None = attrs.field(default=None, validator=_optional(URL_FORM))
    """What stands before ``/chat/completions``."""
    model: str = attrs.field(
        default="", validator=Form(lambda text: len(text) <= 200, "a text of at most 200 characters")
    )
    """As its provider calls it; "" for its name here."""
    api_key_env: str | None = attrs.field(default=None, validator=_optional(ENV_FORM))
    """The environment variable of the host that holds the key."""
    api_key_file: str | None = attrs.field(default=None, validator=_optional(FILE_FORM))
    """The file that holds it; relative to the configuration."""
    temperature: float | None = attrs.field(default=None, validator=_optional(Range(0, 2)))
    """For who does not say; None leaves it to the provider."""
    max_tokens: int | None = attrs.field(default=None, validator=_optional(Range(1)))
    """Likewise."""
    timeout: float = attrs.field(default=60.0, validator=Range(0, 3600, above=True))
    """Seconds for one try."""
    retries: int = attrs.field(default=2, validator=Range(0, 10))
    """How often it is asked again when the provider is busy or broken."""
    price_in: float = attrs.field(default=0.0, validator=Range(0))
    """Of a million tokens of a question, in whatever currency; for the statistics."""
    price_out: float = attrs.field(default=0.0, validator=Range(0))
    """The same of an answer."""
    extra: Mapping[str, Any] = attrs.field(factory=dict)
    """What else the provider is told with each question."""

    def __attrs_post_init__(self) -> None:
        keys = [key for key in ("api_key_env", "api_key_file") if getattr(self, key) is not None]
        if len(keys) > 1:
            raise Clash(*keys, given="given, and api_key_file too", expected="one of the two")
        if keys and self.provider != HTTP:
            raise Clash(
                keys[0],
                "provider",
                given=f"given, and the provider is {self.provider!r}: no key of the host's is told to a plugin",
                advice="take it away, and put the key into the configuration of the plugin",
            )

    @property
    def complaint(self) -> tuple[str, str]:
        """What is wrong with ``base_url`` and what would be right; two empty texts when it is right. What stands in it is
        not repeated, because it may be a key."""
        if self.base_url is None:
            return ("nothing", URL_FORM.expected) if self.is_http else ("", "")
        parts = urlsplit(self.base_url)
        if parts.username or parts.password or parts.query or parts.fragment:
            return (
                "an address with more in it than a host and a path",
                "a key in api_key_env or api_key_file",
            )
        return ("", "")

    @property
    def is_http(self) -> bool:
        return self.provider == HTTP


@attrs.frozen(kw_only=True)
class LlmSettings:
    """All models, and the tasks that plugins know them by."""

    max_concurrent: int = attrs.field(default=16, validator=Range(1, 1024))
    """Questions that are out at once; the others wait, each as long as its caller does."""
    models: Mapping[str, ModelSettings] = attrs.field(factory=dict, converter=_frozen)
    tasks: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict, converter=_frozen)
    """By name, the models that do it: the first, and the next when one cannot."""

    @property
    def key_variables(self) -> frozenset[str]:
        """The environment variables that hold keys."""
        return frozenset(model.api_key_env for model in self.models.values() if model.api_key_env)

    @property
    def default_task(self) -> str:
        """For who names none: ``default``, else the first of the file; "" when there is none."""
        return DEFAULT_TASK if DEFAULT_TASK in self.tasks else next(iter(self.tasks), "")
