"""``statistics.local.*``: how much was said, used and asked on this host?"""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from rookery.protocol import BadPayload

from .. import usage
from ..statistics import ONLINE, TOOL
from ..trends import DAY, HOUR, Window
from ..usage import GroupBy, Metric
from . import arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..statistics import Statistics
    from ..store import Store
    from .request import CapabilityRequest
    from .table import CapabilityTable

    Ask = Callable[[dict[str, Any]], Any]

_E = TypeVar("_E", bound=StrEnum)

MAX_DAYS = 365
MAX_TOP = 50
STEPS = {"day": DAY, "hour": HOUR}


def register_statistics(table: CapabilityTable, store: Store, statistics: Statistics) -> None:
    """Add ``models``, ``model_trend``, ``token_trend``, ``token_distribution``, ``message_trend``, ``tool_trend`` and
    ``online_time_trend``."""

    def add(name: str, ask: Ask, key: str) -> None:
        def implementation(request: CapabilityRequest) -> None:
            operation = ask(request.args)
            statistics.write()  # what was counted until now is part of the answer
            store.submit(operation, request.settle_with(key))

        table.register(f"statistics.local.{name}", implementation, says_mistakes=True)

    add("models", _models, "models")
    add("model_trend", _model_trend, "series")
    add("token_trend", _token_trend, "series")
    add("token_distribution", _token_distribution, "distribution")
    add(
        "message_trend",
        lambda args: usage.message_series(_window(args), top=_top(args, "top_chats")),
        "series",
    )
    add(
        "tool_trend",
        lambda args: usage.activity_series(_window(args), TOOL, top=_top(args, "top_tools")),
        "series",
    )
    add("online_time_trend", lambda args: usage.activity_series(_window(args), ONLINE, top=1), "series")


def _models(args: dict[str, Any]) -> Any:
    return usage.models(_window(args), _top(args, "limit"))


def _model_trend(args: dict[str, Any]) -> Any:
    metric = _choice(args, "metric", Metric, Metric.TOKEN)
    assert metric is not None
    module = arguments.optional_text(args, "module_name")
    return usage.model_series(_window(args), top=_top(args, "top_models"), metric=metric, module=module)


def _token_trend(args: dict[str, Any]) -> Any:
    group_by = _choice(args, "group_by", GroupBy, None)
    if group_by is None:
        return usage.token_kinds(_window(args))
    return usage.model_series(
        _window(args), top=_top(args, "top_items"), metric=Metric.TOKEN, group_by=group_by
    )


def _token_distribution(args: dict[str, Any]) -> Any:
    group_by = _choice(args, "group_by", GroupBy, GroupBy.MODEL)
    assert group_by is not None
    return usage.token_distribution(_window(args), group_by=group_by, top=_top(args, "top_items"))


def _window(args: dict[str, Any]) -> Window:
    bucket = arguments.optional_text(args, "bucket") or "day"
    if bucket not in STEPS:
        raise BadPayload(f"must be 'day' or 'hour', got {bucket!r:.80}", "bucket")
    days = arguments.integer(args, "days", 7, at_least=1)
    if days > MAX_DAYS:
        raise BadPayload(f"must be 1 to {MAX_DAYS}, got {days}", "days")
    return Window(now=time.time(), days=days, step=STEPS[bucket])


def _top(args: dict[str, Any], name: str) -> int:
    return min(arguments.integer(args, name, 10, at_least=1), MAX_TOP)


def _choice(args: dict[str, Any], name: str, kind: type[_E], default: _E | None) -> _E | None:
    text = arguments.optional_text(args, name)
    if not text:
        return default
    try:
        return kind(text)
    except ValueError:
        raise BadPayload(f"must be one of {', '.join(kind)}, got {text!r:.80}", name) from None
