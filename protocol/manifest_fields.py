"""How are the keys of a manifest read one by one so that every mistake is found, not only the first?"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

from .manifest import ManifestMistake
from .shown import shown

if TYPE_CHECKING:
    from collections.abc import Collection

X_Y_Z = re.compile(r"\d+\.\d+\.\d+")
_MISSING = object()


class Fields:
    """One table of a manifest. Reading never raises: mistakes are collected and a neutral value is returned.

    Args:
        table: The keys and values as they were parsed.
        path: Where the table stands; "" is the whole file.
        mistakes: Where mistakes go; all tables of one file share the list.
    """

    def __init__(self, table: dict[str, Any], path: str, mistakes: list[ManifestMistake]) -> None:
        self._table = table
        self._path = path
        self._mistakes = mistakes

    def wrong(self, key: str, message: str) -> None:
        """Note a mistake at a key of this table; "" is the table itself."""
        self._mistakes.append(ManifestMistake(".".join(filter(None, (self._path, key))), message))

    def only(self, known: Collection[str]) -> None:
        """Note every key that is not known, with the known one that looks most like it."""
        for key in self._table:
            if key not in known:
                close = difflib.get_close_matches(key, known, n=1)
                advice = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(known))}"
                self.wrong(key, f"is not a key of a manifest; {advice}")

    def text(self, key: str, *, required: bool = False, default: str = "") -> str:
        """A text, stripped. One that is there must not be blank."""
        value = self._table.get(key, _MISSING)
        if value is _MISSING:
            if required:
                self.wrong(key, "is required and missing")
            return default
        if type(value) is not str or not value.strip():
            self.wrong(key, f"must be a text that is not empty, got {shown(value)}")
            return default
        return value.strip()

    def matching(self, key: str, pattern: re.Pattern[str], expected: str, *, required: bool = True) -> str:
        """A text of a certain form; "" when it has another."""
        text = self.text(key, required=required)
        if text and not pattern.fullmatch(text):
            self.wrong(key, f"must be {expected}, got {text!r:.100}")
            return ""
        return text

    def texts(self, key: str, *, required: bool = False) -> tuple[str, ...]:
        """A list of texts, stripped, each once, in order."""
        found: dict[str, None] = {}
        for index, value in enumerate(self.listed(key, required=required)):
            if type(value) is not str or not value.strip():
                self.wrong(f"{key}[{index}]", f"must be a text that is not empty, got {shown(value)}")
            else:
                found[value.strip()] = None
        return tuple(found)

    def listed(self, key: str, *, required: bool = False) -> list[Any]:
        value = self._table.get(key, _MISSING)
        if value is _MISSING:
            if required:
                self.wrong(key, "is required and missing")
            return []
        if type(value) is not list:
            self.wrong(key, f"must be a list, got {shown(value)}")
            return []
        return value

    def is_literally(self, key: str, expected: int) -> bool:
        """Whether the key holds exactly this number; a mistake otherwise."""
        value = self._table.get(key)
        if type(value) is int and value == expected:
            return True
        self.wrong(key, f"must be {expected}, got {shown(value)}")
        return False

    def positive_number(self, key: str, default: float) -> float:
        value = self._table.get(key, default)
        if type(value) not in (int, float) or not 0 < value < float("inf"):
            self.wrong(key, f"must be a number greater than 0, got {shown(value)}")
            return default
        return float(value)

    def table(self, key: str, *, required: bool = False) -> Fields | None:
        """A table below this one; ``None`` when it is missing or something else."""
        value = self._table.get(key, _MISSING)
        if value is _MISSING:
            if required:
                self.wrong(key, "is required and missing")
            return None
        return self.inner(key, value)

    def tables(self, key: str) -> list[tuple[str, Fields]]:
        """A list of tables, each with the key it stands at."""
        found = []
        for index, value in enumerate(self.listed(key)):
            if (inner := self.inner(f"{key}[{index}]", value)) is not None:
                found.append((f"{key}[{index}]", inner))
        return found

    def inner(self, key: str, value: object) -> Fields | None:
        if type(value) is not dict:
            self.wrong(key, f"must be a table, got {shown(value)}")
            return None
        return Fields(value, ".".join(filter(None, (self._path, key))), self._mistakes)
