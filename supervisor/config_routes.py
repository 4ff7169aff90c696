"""Which routes does a configuration file name, what does it say about gateways, and do they fit each other?"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from rookery.protocol import BadPayload

from .config_table import as_written, read_table
from .errors import Mistake
from .platform.policy_file import read_policy
from .platform.routes import Direction, Route, route_key
from .ranges import Each, Form
from .suggestion import suggest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from .config_table import Notes

GATEWAY_FORM = Form(
    re.compile(r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)+(?::[^\s:]{1,128})?").fullmatch,
    "the id of a gateway's plugin, such as 'rookery.irc', or 'PLUGIN:GATEWAY'",
)
PLATFORM_FORM = Form(lambda text: bool(text.strip()), "the name of a platform, or '*' for every one")


@attrs.frozen(kw_only=True)
class GatewaySettings:
    """What holds for all gateways."""

    chat_policy: str | None = attrs.field(
        default=None,
        validator=attrs.validators.optional(
            Form(lambda text: bool(text.strip()) and "\0" not in text, "a path")
        ),
    )
    """A file that says which chats the bot takes part in; None lets everybody in."""


@attrs.frozen(kw_only=True)
class _RouteTable:
    """A section [[route]] as it stands in the file."""

    platform: str = attrs.field(validator=PLATFORM_FORM)
    account_id: str = ""
    scope: str = ""
    gateways: tuple[str, ...] = attrs.field(default=(), validator=Each(GATEWAY_FORM))
    direction: Direction = Direction.BOTH
    broadcast: bool = False


def read_routes(tables: object, notes: Notes) -> tuple[Route, ...]:
    """Read every [[route]]."""
    if type(tables) is not list:
        advice = "write [[route]], with two brackets" if type(tables) is dict else ""
        notes.add("route", as_written(tables), "a section [[route]] for each route", advice)
        return ()
    routes: list[Route] = []
    for index, table in enumerate(tables):
        path = f"route[{index}]"
        written = read_table(_RouteTable, table, path, notes)
        if written is None:
            continue
        route = _make_route(written, index, path, notes)
        if route is not None and _is_alone(route, routes, path, notes):
            routes.append(route)
    return tuple(routes)


def _make_route(written: _RouteTable, place: int, path: str, notes: Notes) -> Route | None:
    try:
        key = route_key(written.platform, written.account_id, written.scope)
    except BadPayload as error:
        notes.add(f"{path}.{error.path}", error.message)
        return None
    if written.broadcast and written.direction is Direction.RECEIVE:
        notes.add(
            f"{path}.broadcast",
            "true, and the route only receives",
            advice='leave it out, or set direction to "send" or "both"',
        )
    if not (written.gateways or written.broadcast or notes.keys_below(path)):
        notes.add(
            f"{path}.gateways",
            "no gateway, and no broadcast: the route would say nothing",
            GATEWAY_FORM.expected,
            "name the gateways in the order in which they are tried, or set broadcast = true for all that fit",
        )
    return Route(
        key=key,
        gateways=written.gateways,
        direction=written.direction,
        broadcast=written.broadcast,
        place=place,
    )


def _is_alone(route: Route, others: list[Route], path: str, notes: Notes) -> bool:
    for other in others:
        both_send = route.for_sending and other.for_sending
        if route.key == other.key and (both_send or (route.for_receiving and other.for_receiving)):
            way = "sending" if both_send else "receiving"
            notes.add(
                path,
                f"a second route for {way} with the key {route.key}; the first is route[{other.place}]",
                advice="make one of the two: it may name several gateways",
            )
            return False
    return True


def strange_gateways(
    routes: Iterable[Route], known: Collection[str], disabled: Collection[str], file: str
) -> list[Mistake]:
    """The gateways of routes whose plugins are not there.

    Args:
        known: The ids of all plugins that were found.
        disabled: Those of them that are switched off.
    """
    mistakes = []
    for route in routes:
        for index, gateway in enumerate(route.gateways):
            plugin_id = gateway.partition(":")[0]
            key = f"route[{route.place}].gateways[{index}]"
            if plugin_id not in known:
                told, advice = f"{gateway!r}, and there is no such plugin", suggest(plugin_id, known)
                mistakes.append(Mistake(file=file, key=key, given=told, advice=advice))
            elif plugin_id in disabled:
                told = f"{gateway!r}, and its plugin is switched off"
                mistakes.append(Mistake(file=file, key=key, given=told))
    return mistakes


def read_chat_policy(config: Path, gateways: GatewaySettings, notes: Notes) -> Path | None:
    """Where the chat policy stands; its mistakes are noted under its own name."""
    if gateways.chat_policy is None:
        return None
    try:
        path = (config.parent / Path(gateways.chat_policy).expanduser()).absolute()
    except RuntimeError:  # ~somebody, whom the system does not know
        notes.add("gateways.chat_policy", as_written(gateways.chat_policy), "a path")
        return None
    if not path.is_file():
        notes.add("gateways.chat_policy", f"{gateways.chat_policy!r}, and there is no such file")
        return path
    notes.mistakes.extend(read_policy(path)[1])
    return path
