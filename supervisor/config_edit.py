"""How is one value set in a plugin's configuration file without touching what its owner wrote around it?"""

from __future__ import annotations

import os
import stat
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from .errors import UsageError
from .foreign_file import read_foreign

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def read_text(path: Path) -> str:
    """The file's text; "" where there is none.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        return read_foreign(path).decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8; save it as UTF-8") from None


def edited(text: str, key: Sequence[str], value: Any, path: Path) -> str:
    """The text with one value more, or another one; tables on the way are made.

    Args:
        key: The names of the tables on the way, and of the value.
        path: Whose text it is, for the errors.

    Raises:
        UsageError: The text is broken, or a value stands where a table would have to be.
    """
    try:
        document = tomlkit.parse(text)
        here: Any = document
        for name in key[:-1]:
            if name not in here:
                here[name] = tomlkit.table()
            here = here[name]
            if not isinstance(here, MutableMapping):  # a table in several places is one too
                raise UsageError(f"{path}: {name!r} is no table, so it has no {key[-1]!r}")
        here[key[-1]] = value
        return tomlkit.dumps(document)
    except TOMLKitError as error:
        raise UsageError(f"{path}: {error}; correct it first") from None


def write_text(path: Path, text: str) -> None:
    """Put this text in the place of the file: all of it, or the old one stays.

    Raises:
        UsageError: It cannot be written; nothing is left behind.
    """
    path = path.resolve()  # what a link leads to is replaced, not the link
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with new.open("w", encoding="utf-8") as file:
            if path.exists():
                os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        new.unlink(missing_ok=True)
