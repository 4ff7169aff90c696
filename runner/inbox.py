"""Who takes what the host asks before there is somebody who can answer it?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from rookery.protocol import Method, Request

    from .rounds import Rounds


class Inbox:
    """Keeps what the host asks between its answer to the hello and the moment when somebody can answer."""

    def __init__(self) -> None:
        self._early: list[Request] | None = []
        self._take: Callable[[Request], None] = self._early.append
        self._hear: Callable[[Method, str, dict[str, Any]], None] = _hear_nothing
        self.rounds: Rounds | None = None
        """Told when something is asked."""

    def take(self, request: Request) -> None:
        if self.rounds is not None and self.rounds.is_resting:
            self.rounds.begin()
        self._take(request)

    def hear(self, method: Method, plugin_id: str, payload: dict[str, Any]) -> None:
        """What the host says without waiting for an answer; before ``open`` there is nothing that it could mean."""
        self._hear(method, plugin_id, payload)

    def open(
        self, take: Callable[[Request], None], hear: Callable[[Method, str, dict[str, Any]], None]
    ) -> None:
        """From now on requests go to ``take``; those that came before go there first. Broadcasts go to ``hear``."""
        early, self._early = self._early or [], None
        self._take = take
        self._hear = hear
        for request in early:
            self.take(request)


def _hear_nothing(method: Method, plugin_id: str, payload: dict[str, Any]) -> None:
    """Before anything runs nothing can be cancelled."""
