"""How is a file replaced, so that whoever reads it finds the old text or the new one, whatever happens?"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def replace_file(path: Path, text: str) -> None:
    """Put this text in the place of a file: all of it, or the old one stays.

    Raises:
        OSError: It cannot be written; nothing is left behind.
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
    finally:
        new.unlink(missing_ok=True)
