"""Which user does a shard become, where the host is run by root, and does it stay that one?

A number that went from one shard to another with the next start of the host would hand over whatever the first has left under it. So
who has which is written down in the state directory, and a shard that is gone keeps its number.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RECORD = "uids.json"
"""In the state directory: shard to user."""


class NoUid(Exception):
    """A shard cannot be given a user; the text says why, and what to do."""


class Uids:
    """The users of the shards of one deployment.

    Args:
        state_dir: Need not exist before ``save``.
        uids: Those that there are; nobody else has them.
    """

    def __init__(self, state_dir: Path, uids: Sequence[int]) -> None:
        self._path = state_dir / RECORD
        self._uids = uids
        self._known: dict[str, int] | None = None
        self._is_saved = True

    def uid_of(self, shard: str) -> int:
        """The user of a shard, the same ever after once it is saved.

        Raises:
            NoUid: All are taken, or the record cannot be read.
        """
        known = self._known = self._read() if self._known is None else self._known
        if known.get(shard) not in self._uids:
            taken = set(known.values())
            free = next((uid for uid in self._uids if uid not in taken), None)
            if free is None:
                raise NoUid(
                    f"uid_range in [rookery] has {len(self._uids)} users, and more shards need one, or have had one"
                    f" ({self._path})"
                )
            known[shard], self._is_saved = free, False
        return known[shard]

    def save(self) -> None:
        """Write down what was given since. Before anything belongs to such a user.

        Raises:
            OSError: It cannot be written.
        """
        if self._is_saved:
            return
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(self._known, indent=1, sort_keys=True), "utf-8")
        new.chmod(0o600)
        new.replace(self._path)
        self._is_saved = True

    def _read(self) -> dict[str, int]:
        try:
            found = json.loads(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise NoUid(f"{self._path} says which shard is which user, and cannot be read: {error}") from None
        if not isinstance(found, dict) or not all(type(uid) is int for uid in found.values()):
            raise NoUid(f"{self._path} should say which shard is which user, and says something else")
        return found
