"""What did each plugin that is not trusted ask for when its operator looked last?

An update may ask for more than the plugin that somebody has once let in, and be granted it because its trust level is. So what
a manifest asks for when its plugin comes for the first time is remembered in the state directory; what a later manifest asks
for beyond that is held back until the operator approves it. Meanwhile the plugin runs, with what it had.

Not to run the newer code at all was the rival: then an update that mends a hole and asks for one thing more mends nothing, and
whoever writes plugins soon asks for everything in the first version. To remember it in the configuration was another: a host does
not write in its operator's file.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from .entitlement import covers
from .errors import UsageError
from .suggestion import one_of, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

MAX_FILE_BYTES = 16 * 1024 * 1024
"""Of the file: some hundred thousand plugins."""


class Approvals:
    """By plugin, what it may ask for without anybody's looking at it again.

    Args:
        path: The file that keeps them.

    Raises:
        UsageError: The file is there and cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._approved = _read(path)

    def __repr__(self) -> str:
        return f"<Approvals of {len(self._approved)} plugins>"

    def of(self, plugin_id: str) -> frozenset[str]:
        """The patterns of a plugin; nothing for one that was never let in."""
        return self._approved.get(plugin_id, frozenset())

    def knows(self, plugin_id: str) -> bool:
        """Whether it was let in before."""
        return plugin_id in self._approved

    def admit(self, asked: Mapping[str, Iterable[str]]) -> None:
        """Let plugins in: what one that comes for the first time asks for counts as approved. Writes the file if there is one.

        Raises:
            UsageError: It cannot be written.
        """
        new = {
            plugin_id: frozenset(names)
            for plugin_id, names in asked.items()
            if plugin_id not in self._approved
        }
        if new:
            self._write({**self._approved, **new})

    def held(self, plugin_id: str, asked: Iterable[str]) -> tuple[str, ...]:
        """What a plugin asks for beyond what was approved, in its order."""
        approved = self.of(plugin_id)
        return tuple(name for name in dict.fromkeys(asked) if not covers(approved, name))

    def approve(self, plugin_id: str, asked: Iterable[str], names: Iterable[str] = ()) -> tuple[str, ...]:
        """Approve what a plugin asks for; what was held back before and is not any more. Writes the file.

        Args:
            asked: What its manifest says now.
            names: Some of that; none is all.

        Raises:
            UsageError: A name is none that is held back, or the file cannot be written.
        """
        held = self.held(plugin_id, asked)
        wanted = tuple(dict.fromkeys(names)) or held
        for name in wanted:
            if name not in held:
                advice = suggest(name, held) or f"there is {one_of(held)}"
                raise UsageError(f"{name!r} of {plugin_id} is not held back; {advice}")
        if wanted:
            self._write({**self._approved, plugin_id: self.of(plugin_id) | {*wanted}})
        return wanted

    def _write(self, approved: dict[str, frozenset[str]]) -> None:
        """As a whole: a host that dies meanwhile leaves the file as it was."""
        text = json.dumps(
            {plugin_id: sorted(names) for plugin_id, names in sorted(approved.items())}, indent=2
        )
        part = self._path.with_name(f"{self._path.name}.part")
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(f"{text}\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, self._path)
        except OSError as error:
            raise UsageError(
                f"what plugins may ask for cannot be written to {self._path}: {error.strerror}"
            ) from None
        self._approved = approved


def _read(path: Path) -> dict[str, frozenset[str]]:
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(MAX_FILE_BYTES))
        return {plugin_id: frozenset(map(_text, names)) for plugin_id, names in found.items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, AttributeError, RecursionError):
        # To go on without it would approve whatever the manifests ask for now.
        raise UsageError(
            f"{path} says what plugins may ask for, and cannot be understood; put it right, or remove it to approve what"
            " they ask for now"
        ) from None


def _text(name: object) -> str:
    if type(name) is not str:
        raise TypeError("a name of a capability is a text")
    return name
