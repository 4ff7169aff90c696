"""What did each plugin that is not trusted ask for when its operator looked last?

An update may ask for more than the plugin that somebody has once let in, and be granted it because its trust level is. So what
a manifest asks for when its plugin comes for the first time is remembered in the state directory; what a later manifest asks
for beyond that is held back until the operator approves it. Meanwhile the plugin runs, with what it had.

What its components would need (`component_grants.py`) no manifest says. So what its first registration offers is remembered
in the same way, under the same names. That is told by a runner, which may offer as much as it likes, as often as it likes: the file
is written by one task, in a thread, once a second at most.

Not to run the newer code at all was the rival: then an update that mends a hole and asks for one thing more mends nothing, and
whoever writes plugins soon asks for everything in the first version. To remember it in the configuration was another: a host does
not write in its operator's file.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from typing import TYPE_CHECKING, Any

import trio

from .entitlement import covers
from .errors import UsageError
from .suggestion import one_of, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_LOG = logging.getLogger(__name__)

PERIOD = 1.0
"""Seconds between two times that the file is written for what plugins offer."""

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
        found = _read(path)
        self._approved = {plugin_id: approved for plugin_id, (approved, _) in found.items()}
        self._offered = {
            plugin_id: offered for plugin_id, (_, offered) in found.items() if offered is not None
        }
        """What components wanted at the latest registration; nothing for a plugin that never registered."""
        self._let_in: dict[str, frozenset[str]] = {}
        """What components wanted at a first registration that this process has seen."""
        self._is_new = trio.Event()
        """Something of that is not in the file."""
        self._writing = threading.Lock()

    def __repr__(self) -> str:
        return f"<Approvals of {len(self._approved)} plugins>"

    def of(self, plugin_id: str) -> frozenset[str]:
        """The patterns of a plugin; nothing for one that was never let in."""
        return self._approved.get(plugin_id, frozenset()) | self._let_in.get(plugin_id, frozenset())

    def offered(self, plugin_id: str) -> tuple[str, ...]:
        """What the components of a plugin wanted when it registered last."""
        return tuple(sorted(self._offered.get(plugin_id, ())))

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

    def offer(self, plugin_id: str, names: Iterable[str]) -> frozenset[str]:
        """A plugin registers components that want so much. The first time that is approved by that; later it is not.

        Returns:
            What is held back of it.
        """
        offered = frozenset(names)
        known = self._offered.get(plugin_id)
        if known is None:
            self._let_in[plugin_id] = offered
        if known != offered:
            self._offered[plugin_id] = offered
            self._is_new.set()
        approved = self.of(plugin_id)
        return frozenset(name for name in offered if not covers(approved, name))

    def held(self, plugin_id: str, asked: Iterable[str]) -> tuple[str, ...]:
        """What a plugin asks for beyond what was approved, in its order, and what its components want beyond."""
        approved = self.of(plugin_id)
        names = dict.fromkeys((*asked, *self.offered(plugin_id)))
        return tuple(name for name in names if not covers(approved, name))

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

    async def run(self) -> None:
        """Write down what plugins offer, until cancelled, and then what is left of it."""
        try:
            while True:
                await self._is_new.wait()
                self._is_new = trio.Event()
                await trio.to_thread.run_sync(self._write_down)
                await trio.sleep(PERIOD)
        finally:
            if self._is_new.is_set():
                self._write_down()

    def _write_down(self) -> None:
        try:
            self._write()
        except UsageError as error:
            _LOG.warning(
                "%s; after a restart what plugins offer then is taken for what they always did", error
            )

    def _write(self, approved: dict[str, frozenset[str]] | None = None) -> None:
        """As a whole: a host that dies meanwhile leaves the file as it was.

        Args:
            approved: In place of what was.
        """
        with self._writing:
            made = self._approved if approved is None else approved
            rows = {plugin_id: self._row(plugin_id, made) for plugin_id in sorted({*made, *self._offered})}
            self._replace(json.dumps(rows, indent=2))
            self._approved = made

    def _row(self, plugin_id: str, approved: Mapping[str, frozenset[str]]) -> dict[str, Any] | list[str]:
        names = sorted(approved.get(plugin_id, frozenset()) | self._let_in.get(plugin_id, frozenset()))
        offered = self._offered.get(plugin_id)
        return names if offered is None else {"approved": names, "offered": sorted(offered)}

    def _replace(self, text: str) -> None:
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


def _read(path: Path) -> dict[str, tuple[frozenset[str], frozenset[str] | None]]:
    """By plugin, what is approved, and what was offered by one that has registered."""
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(MAX_FILE_BYTES))
        return {plugin_id: _parse(row) for plugin_id, row in found.items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        # To go on without it would approve whatever the manifests ask for now.
        raise UsageError(
            f"{path} says what plugins may ask for, and cannot be understood; put it right, or remove it to approve what"
            " they ask for now"
        ) from None


def _parse(row: Any) -> tuple[frozenset[str], frozenset[str] | None]:
    if type(row) is dict:
        return frozenset(map(_text, row["approved"])), frozenset(map(_text, row["offered"]))
    return frozenset(map(_text, row)), None


def _text(name: object) -> str:
    if type(name) is not str:
        raise TypeError("a name of a capability is a text")
    return name
