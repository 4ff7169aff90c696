"""``chat.*``: which chats does the bot know?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..messages import chats
from . import arguments

if TYPE_CHECKING:
    from ..store import Store
    from .request import CapabilityRequest
    from .table import CapabilityTable

ALL_PLATFORMS = "all_platforms"
DEFAULT_PLATFORM = "qq"
"""What protocol 1.0.0 takes when a plugin names no platform."""


def register_chat(table: CapabilityTable, store: Store) -> None:
    """Add ``chat.get_all_streams``, ``get_group_streams`` and ``get_private_streams``."""

    def add(name: str, **kinds: bool) -> None:
        def implementation(request: CapabilityRequest) -> None:
            platform = arguments.optional_text(request.args, "platform", default=DEFAULT_PLATFORM)
            wanted = None if platform == ALL_PLATFORMS else platform
            store.submit(chats(wanted, **kinds), request.settle_with("streams"))

        table.register(f"chat.{name}", implementation, says_mistakes=True)

    add("get_all_streams")
    add("get_group_streams", private=False)
    add("get_private_streams", groups=False)
