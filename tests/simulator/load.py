"""An open loop of numbered calls: what is called when does not depend on how the host does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rookery.protocol import PLUGIN_EMIT_EVENT
from rookery.supervisor.component import INVOKE_METHODS
from tests.simulator.calls import Booked, Books

if TYPE_CHECKING:
    from rookery.supervisor.component import Component
    from rookery.supervisor.supervisor import Supervisor
    from tests.simulator.faults import Faults
    from tests.simulator.world import World

RATE = 1.2
"""Calls a virtual second, in the mean; they come in bursts."""


class Load:
    """Makes the calls of one run.

    Attributes:
        ends: No more calls are made.
    """

    def __init__(
        self, world: World, faults: Faults, books: Books, supervisor: Supervisor, spared: frozenset[str]
    ) -> None:
        self._faults = faults
        self._world = world
        self._books = books
        self._supervisor = supervisor
        self._spared = spared
        self._plugins = list(supervisor.catalog.plugins)
        self._count = 0
        self._events = 0
        self.ends = False

    def begin(self) -> None:
        self._world.at(self._world.between(0.0, 2.0), self._burst)

    def _burst(self) -> None:
        if self.ends:
            return
        chance = self._world.random
        size = chance.choice((1, 1, 2, 4, 12))
        if chance.random() < 0.2:
            self._show_event()
        plugin_id = chance.choice(self._plugins)
        for _ in range(size):
            if chance.random() < 0.3:
                plugin_id = chance.choice(self._plugins)
            self.call(plugin_id)
        self._world.at(chance.expovariate(RATE / 4.0), self._burst)

    def _show_event(self) -> None:
        """To every plugin at once; one may come again, as a message does whose sender had no answer."""
        chance = self._world.random
        if not self._events or chance.random() < 0.6:
            self._events += 1
        key = chance.choice(("k1", "k2"))
        for plugin_id in self._plugins:
            component = self._supervisor.parts.registry.component(plugin_id, "seen")
            if component is not None:
                work = chance.choice((0.0, 0.01, 0.2))
                self._submit(component, key, work, 10.0, {"message_id": f"m{self._events}"})

    def call(self, plugin_id: str) -> Booked | None:
        """Make one call, if the plugin is known by now."""
        chance = self._world.random
        name = chance.choice(("once", "once", "again", "inner", "inner_again"))
        key = chance.choice((None, "k1", "k1", "k2"))
        component = self._supervisor.parts.registry.component(plugin_id, name)
        if component is None:
            return None
        is_spared = component.shard in self._spared
        work = chance.choice((0.0, 0.01, 0.05, 0.2) if is_spared else (0.0, 0.01, 0.05, 0.2, 1.0, 3.0))
        timeout = chance.choice((10.0, 20.0) if is_spared else (0.05, 0.5, 0.5, 2.0, 2.0, 5.0, 20.0))
        return self._submit(component, key, work, timeout)

    def try_out(self, plugin_id: str) -> Booked:
        """A call that nothing stands against."""
        component = self._supervisor.parts.registry.component(plugin_id, "once")
        assert component is not None
        return self._submit(component, None, 0.0, 4.0)

    def _submit(
        self,
        component: Component,
        key: str | None,
        work: float,
        timeout: float,
        message: dict[str, str] | None = None,
    ) -> Booked:
        self._count += 1
        booked = Booked(
            number=self._count,
            plugin_id=component.plugin_id,
            shard=component.shard,
            component=component.name,
            key=key,
            is_idempotent=component.is_idempotent,
            deadline=self._world.now + timeout,
            work=work,
            is_poison=self._faults.fires("poison", component.shard),
        )
        self._books.add(booked)
        self._world.note(f"{booked} is made, for {timeout:g} s, works {work:g} s")
        args: dict[str, Any] = {"n": booked.number, "work": work}
        if message is not None:
            args["message"] = message
        booked.call = self._supervisor.parts.dispatcher.submit(
            component,
            INVOKE_METHODS.get(component.type, PLUGIN_EMIT_EVENT),
            args,
            lambda outcome: self._books.settle(booked, outcome),
            deadline=booked.deadline,
            key=key,
        )
        if not self.ends and self._world.happens(0.03):
            self._world.at(self._world.between(0.0, 1.0), self._withdraw, booked)
        return booked

    def _withdraw(self, booked: Booked) -> None:
        if booked.number not in self._books.open or booked.call is None:
            return
        was_waiting = booked.call in self._supervisor.parts.dispatcher._waiting
        self._books.withdraw(booked, was_waiting=was_waiting)
        self._supervisor.parts.dispatcher.withdraw(booked.call)
