"""What can be wrong with a plugin before, and beside, the run of its code?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from rookery.protocol import RookeryError

if TYPE_CHECKING:
    from collections.abc import Sequence


class DeclarationError(RookeryError):
    """A plugin declares something that cannot be: a decorator, a signature, a configuration class.

    The author is to blame. The text says what was given, what is expected and what to write. Not a
    ``PluginConfigError``, which is about the values that a deployment gives.
    """


@attrs.frozen
class ConfigMistake:
    """One wrong value of a plugin's configuration."""

    key: str
    """Dotted, e.g. ``limits.max_dice``; "" is the file as a whole."""
    message: str
    """What was given and what is expected."""
    source: str = ""
    """The file, or the part of the deployment's file, that says it; "" when nobody knows."""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.source, self.key, self.message) if part)


class PluginConfigError(RookeryError):
    """The configuration of a plugin is broken. The plugin is not started with other values instead.

    Attributes:
        mistakes: Every one that was found, in the order of the plugin's fields.
    """

    def __init__(self, mistakes: Sequence[ConfigMistake]) -> None:
        super().__init__("; ".join(map(str, mistakes)))
        self.mistakes = tuple(mistakes)


class CapabilityFailed(RookeryError):
    """The host tried what a plugin asked for and it did not work, e.g. a text could not be delivered.

    Not a ``RemoteError``, with which the host refuses to try.

    Attributes:
        capability: Its name on the wire, e.g. ``send.text``.
        kind: What a caller can act on, e.g. ``timeout`` or ``unavailable``; "" when the host does not say.
        maybe_executed: True when it may have been done all the same, so that a repetition does it twice.
        retry_after: Seconds after which it is worth another try; None when nobody has said.
    """

    def __init__(
        self,
        capability: str,
        reason: str,
        *,
        kind: str = "",
        maybe_executed: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{capability}: {reason}")
        self.capability = capability
        self.kind = kind
        self.maybe_executed = maybe_executed
        self.retry_after = retry_after
