"""Does finding who gets an event, a hook or a command cost more, the more plugins there are?

The real registry without any runner, with 10, 100, 1,000 and 10,000 plugins: one handler of the event, one hook handler, one
command with an alias each. The sizes are measured by turns, each turn many look-ups, and what counts is the median of the turns.
Registering is measured one plugin after the other, each of them live at once, which costs more than a shard's all together.

    python benchmarks/lookup.py [--turns 60] [--json OUT]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
from figures import Goal, result, single, summary, table, write_result

from rookery.protocol import ComponentDeclaration, RegisterComponents, build_message
from rookery.supervisor.registry import Registry

SIZES = (10, 100, 1_000, 10_000)
LOOK_UPS = 200
"""In one turn."""
REGISTRIES = 3
"""Of which the quickest counts: there is one number for each size, and it takes long enough to be disturbed."""
SLOWEST = Goal(limit=2.0, of="median")
"""Microseconds, with the most plugins."""
GROWTH = Goal(limit=5.0, of="value")
"""From the fewest plugins to the most."""
MESSAGE = build_message(
    message_id="m1",
    platform="irc",
    user_id="ann",
    user_name="Ann",
    group_id="#lobby",
    text="hello, who rolls some dice tonight? " * 10,
    timestamp=0.0,
)
HOOK = "bench.h3"


@attrs.frozen
class World:
    """Plugins that all handle the event, and three of them get it."""

    name: str
    fits: Mapping[str, Any]
    others: Callable[[int], Mapping[str, Any]]

    def handler(self, number: int) -> ComponentDeclaration:
        wanted = dict(self.fits if number < 3 else self.others(number))
        metadata: dict[str, Any] = {"event_type": wanted.pop("event_type", "on_message")}
        sessions = wanted.pop("sessions", [])
        return ComponentDeclaration(
            name="sees",
            component_type="EVENT_HANDLER",
            allowed_session=sessions,
            metadata={**metadata, "event_filter": wanted},
        )

    def plugin(self, number: int) -> RegisterComponents:
        command = {"command_name": f"c{number}", "aliases": [f"/c{number}"]}
        return RegisterComponents(
            plugin_id=f"bench.p{number}",
            components=[
                self.handler(number),
                ComponentDeclaration(
                    name="asks", component_type="HOOK_HANDLER", metadata={"hook": f"bench.h{number}"}
                ),
                ComponentDeclaration(name="does", component_type="COMMAND", metadata=command),
            ],
        )


WORLDS = (
    World("other events", {}, lambda number: {"event_type": "on_start"}),
    World(
        "other sessions", {"sessions": ["irc:#lobby"]}, lambda number: {"sessions": [f"irc:group:#{number}"]}
    ),
    World("other users", {"users": ["ann"]}, lambda number: {"users": [f"u{number}"], "platforms": ["irc"]}),
    World("other platforms", {"platforms": ["irc"]}, lambda number: {"platforms": [f"p{number}"]}),
)
PATTERNS = World("other words", {"pattern": r"\bdice\b"}, lambda number: {"pattern": rf"\bword{number}\b"})
UNFILTERED = World("all handle it", {}, lambda number: {})


@attrs.define
class Place:
    """A registry of some size, and what was measured in it."""

    registry: Registry
    register: float
    """Microseconds a plugin."""
    rows: dict[str, list[float]] = attrs.Factory(dict)

    def turn(self, name: str, look_up: Callable[[], object]) -> None:
        began = time.perf_counter()
        for _ in range(LOOK_UPS):
            look_up()
        self.rows.setdefault(name, []).append((time.perf_counter() - began) / LOOK_UPS * 1e6)


def make_place(world: World, size: int) -> Place:
    offered = [world.plugin(number) for number in range(size)]
    took = []
    for _ in range(REGISTRIES):
        registry = Registry()
        began = time.thread_time()
        for each in offered:
            registry.register(each, shard="one", is_trusted=True, live=True)
        took.append(time.thread_time() - began)
    return Place(registry, min(took) / size * 1e6)


def look_around(name: str, place: Place) -> None:
    """One turn of everything that a message asks for."""
    registry = place.registry
    place.turn(f"event, {name}", lambda: registry.audience("on_message", MESSAGE))
    if name == UNFILTERED.name:
        place.turn("hook", lambda: registry.hook_handlers(HOOK))
        place.turn("command by its name", lambda: registry.commands.match("!c3 now", _serves))
        place.turn("command by its alias", lambda: registry.commands.match("/c3 now", _serves))
        place.turn("no command", lambda: registry.commands.match("hello there", _serves))


def _serves(_: object) -> bool:
    return True


def measure(world: World, sizes: tuple[int, ...], turns: int) -> dict[str, dict[str, Any]]:
    places = {size: make_place(world, size) for size in sizes}
    for _ in range(turns):
        for place in places.values():
            look_around(world.name, place)
    rows: dict[str, dict[str, Any]] = {}
    fewest, most = min(sizes), max(sizes)
    has_goal = world is not PATTERNS
    for name in places[most].rows:
        for size, place in places.items():
            goal = SLOWEST if size == most and has_goal else None
            rows[f"{name}: {size:,}, µs"] = summary(place.rows[name], goal)
        growth = rows[f"{name}: {most:,}, µs"]["median"] / rows[f"{name}: {fewest:,}, µs"]["median"]
        rows[f"{name}: growth"] = single(growth, GROWTH if has_goal else None)
    for size, place in places.items():
        rows[f"register, {world.name}: {size:,}, µs each"] = single(place.register)
    growth = places[most].register / places[SIZES[1]].register
    rows[f"register, {world.name}: growth from {SIZES[1]}"] = single(growth, GROWTH)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=60, help="of each look-up in each size")
    parser.add_argument("--most", type=int, default=max(SIZES), help="leave larger sizes out")
    parser.add_argument("--json", type=Path, help="where the result goes")
    arguments = parser.parse_args()
    sizes = tuple(size for size in SIZES if size <= arguments.most)
    rows: dict[str, dict[str, Any]] = {}
    for world in (UNFILTERED, *WORLDS, PATTERNS):
        rows |= measure(world, sizes, arguments.turns)
    sys.stdout.write(table(rows))
    write_result(arguments.json, result(rows, sizes=sizes, turns=arguments.turns))


if __name__ == "__main__":
    main()
