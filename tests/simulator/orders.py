"""What an operator, and the host's machine, do to a run at moments of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rookery.supervisor.moves import isolate
from rookery.supervisor.shard_state import AT_REST

if TYPE_CHECKING:
    from rookery.supervisor.supervisor import Supervisor
    from tests.simulator.calls import Books
    from tests.simulator.faults import Faults
    from tests.simulator.laws import Laws
    from tests.simulator.world import World


class Orders:
    """Stops, starts, restarts, holds, moves, releases; and the host's thread that does not run for a while."""

    def __init__(
        self, world: World, faults: Faults, supervisor: Supervisor, spared: frozenset[str], *,
        books: Books, laws: Laws,
    ) -> None:  # fmt: skip
        self._books = books
        self._laws = laws
        self._world = world
        self._faults = faults
        self._supervisor = supervisor
        self._spared = spared

    def begin(self) -> None:
        self._world.at(self._world.between(1.0, 10.0), self._give)
        self._world.at(self._world.between(1.0, 20.0), self._stand_still)

    def _stand_still(self) -> None:
        if self._faults.is_calm:
            return
        if self._faults.fires("the host stands still"):
            self._world.stand_still(self._world.random.choice((0.2, 0.6, 2.0, 6.0, 30.0)))
        self._world.at(self._world.between(1.0, 20.0), self._stand_still)

    def _give(self) -> None:
        if self._faults.is_calm:
            return
        if self._faults.fires("operator"):
            name = self._world.random.choice(
                [name for name in self._supervisor.shards if name not in self._spared] or ["s0"]
            )
            if name not in self._spared:
                self._order(name)
        self._world.at(self._world.between(1.0, 10.0), self._give)

    def _order(self, name: str) -> None:
        shard = self._supervisor.shards[name]
        kind = self._world.random.choice(
            ("restart", "restart", "stop", "stop hard", "start", "start", "hold", "release", "move")
        )
        self._world.note(f"an operator: {kind} {name}")
        if kind == "restart":
            shard.restart("an operator restarts it")
        elif kind == "stop":
            shard.stop()
        elif kind == "stop hard":
            if (runner := self._books.runners.get(name)) is not None:
                runner.blame("it is stopped hard")
            shard.stop(force=True)
        elif kind == "start":
            shard.start()
        elif kind == "hold":
            shard.hold(self._world.between(0.0, 5.0), "an operator holds it")
        elif kind == "release":
            for plugin_id, kept in sorted(self._supervisor.court.kept_out.items()):
                self._laws.note_pardon(kept.shard)
                self._supervisor.release(plugin_id)
        elif kind == "move" and shard.state.value in AT_REST and len(shard.plugins) > 1:
            plugin_id = self._world.random.choice(shard.plugins)
            made = isolate(self._supervisor, plugin_id, shard, hold=0.0, reason="an operator moves it")
            self._world.note(f"{plugin_id} is moved into {made.name}")
