"""What does a shard tell whoever passes calls to its runner and requests from it?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rookery.protocol import Exchange, Link, Request, RunnerReady

    from .exit_report import ExitReport
    from .shard import Shard


class ShardTraffic(Protocol):
    """What happens with a runner's requests and what passes to it. Called from the loop; must not raise."""

    def runner_connected(self, shard: Shard, link: Link) -> None:
        """A runner was accepted and loads its plugins. ``runner_lost`` follows for each of these."""

    def handle_request(self, shard: Shard, request: Request) -> None:
        """Answer it once, now or later. All requests but hello and ready come here."""

    def runner_ready(self, shard: Shard, ready: RunnerReady) -> None:
        """Called before the state becomes READY."""

    def runner_suspect(self, shard: Shard) -> None:
        """Nothing new may be sent to it for now; called when the state is SUSPECT."""

    def runner_recovered(self, shard: Shard) -> None:
        """It works after all; called when the state is READY again."""

    def runner_works(self, shard: Shard) -> None:
        """It shows life, and is READY; told once a second."""

    def plugin_exchanged(self, shard: Shard, exchange: Exchange) -> None:
        """It tries newer code of a plugin, or has come to an end with that."""

    def runner_draining(self, shard: Shard) -> None:
        """Nothing new may be sent to it; what it has may end."""

    def runner_lost(self, shard: Shard, report: ExitReport) -> None:
        """Its link is closed and every request that waited on it has been settled."""
