"""Where does the chat policy stand, what is wrong with it, and has it changed?

The file is looked at once a second at most, and read when it has changed: a message costs no look at a disk. A file that
cannot be used changes nothing, because a half-written one must not open the bot to everybody; the log says why.
"""

from __future__ import annotations

import logging
import os
import tomllib
from typing import TYPE_CHECKING, Any

from ..config_table import Notes, as_written, read_table
from .chat_policy import AdapterEntry, ChatDefaults, ChatPolicy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..errors import Mistake

_LOG = logging.getLogger("rookery.platform")

LOOK_PERIOD = 1.0
"""Seconds between two looks whether the file has changed."""

MAX_BYTES = 4 * 1024 * 1024
"""Of a policy: it is read in the host's loop. A hundred thousand ids are two megabytes."""

_ID_LISTS = ("deny_ids", "allow_ids", "ids")


class PolicyFile:
    """The policy as the file says it now.

    Args:
        clock: The time in seconds, of any clock that only grows.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self.path = path
        self._clock = clock
        self._policy = ChatPolicy()
        self._seen: tuple[int, int, int] | None = None
        self._next_look = 0.0
        self.mistakes: tuple[Mistake, ...] = ()
        """What is wrong with the file as it stands; the policy is then an older one."""
        self.loads = 0
        """How many times a policy was read."""

    def current(self) -> ChatPolicy:
        """The policy that holds."""
        now = self._clock()
        if now >= self._next_look:
            self._next_look = now + LOOK_PERIOD
            self._look()
        return self._policy

    def look_now(self) -> ChatPolicy:
        """The policy that holds, after a change of the file that this process has made."""
        self._seen, self._next_look = None, 0.0
        return self.current()

    def _look(self) -> None:
        try:
            found = os.stat(self.path)
            seen = (found.st_mtime_ns, found.st_size, found.st_ino)
        except OSError:
            seen = (0, 0, 0)
        if seen == self._seen:
            return
        self._seen = seen
        policy, mistakes = read_policy(self.path)
        self.mistakes = mistakes
        if policy is None or mistakes:
            for mistake in mistakes:
                _LOG.warning("the chat policy stays as it was: %s", mistake)
            return
        if self.loads:
            _LOG.info("the chat policy in %s was read again", self.path)
        self.loads += 1
        self._policy = policy


def read_policy(path: Path) -> tuple[ChatPolicy | None, tuple[Mistake, ...]]:
    """Read a policy and everything that is wrong with it; no policy when it is no TOML at all."""
    notes = Notes(str(path))
    text = _read(path, notes)
    return (None, tuple(notes.mistakes)) if text is None else read_policy_text(text, path)


def read_policy_text(text: str, path: Path) -> tuple[ChatPolicy | None, tuple[Mistake, ...]]:
    """The same of a text that is not in the file yet."""
    notes = Notes(str(path))
    document = _parse(text, notes)
    if document is None:
        return None, tuple(notes.mistakes)
    _write_ids_as_texts(document)
    notes.check_keys(document, ("defaults", "adapters"), "")
    defaults = read_table(ChatDefaults, document.get("defaults", {}), "defaults", notes)
    tables = document.get("adapters", [])
    if type(tables) is not list:
        advice = "write [[adapters]], with two brackets" if type(tables) is dict else ""
        notes.add("adapters", as_written(tables), "a section [[adapters]] for each", advice)
        tables = []
    adapters = []
    for index, table in enumerate(tables):
        path_of_entry = f"adapters[{index}]"
        entry = read_table(AdapterEntry, table, path_of_entry, notes)
        if entry is None or notes.keys_below(path_of_entry):
            continue
        if not entry.named:
            notes.add(
                path_of_entry,
                "an entry that names no gateway",
                "a plugin_id, a platform or another mark of the gateways that it is for",
                "what is for all of them belongs in [defaults.group] or [defaults.private]",
            )
        else:
            adapters.append(entry)
    return ChatPolicy(defaults, tuple(adapters)), tuple(notes.mistakes)


def _read(path: Path, notes: Notes) -> str | None:
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            notes.add("", f"more than {MAX_BYTES} bytes", "a chat policy")
            return None
        return data.decode("utf-8-sig")
    except OSError as error:
        notes.add("", f"it cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        notes.add(f"line {line}", "bytes that are not UTF-8", "text in UTF-8")
    return None


def _parse(text: str, notes: Notes) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        notes.add("", f"this is not TOML: {error}")
    except RecursionError:
        notes.add("", "lists or tables nest too deeply to be read")
    return None


def _write_ids_as_texts(value: Any) -> None:
    """The ids of some platforms are numbers, and are written as such."""
    if type(value) is list:
        for item in value:
            _write_ids_as_texts(item)
    elif type(value) is dict:
        for name, item in value.items():
            if name in _ID_LISTS and type(item) is list:
                value[name] = [str(each) if type(each) is int else each for each in item]
            elif name == "account_id" and type(item) is int:
                value[name] = str(item)
            else:
                _write_ids_as_texts(item)
