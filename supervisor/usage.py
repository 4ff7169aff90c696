"""Which operations are there on what was counted: language models, tokens, messages, tools, the time that the host was there?

Each returns what plugins are shown of it; see `trends.py` for its form.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from rookery.protocol import decode_value

from .digest import MESSAGE, digest
from .trends import HOUR, Window, make_distribution, make_series

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    Operation = Callable[[sqlite3.Connection], Any]


class Metric(StrEnum):
    """What of language models is shown."""

    TOKEN = "token"
    REQUEST = "request"
    COST = "cost"
    LATENCY = "latency"
    """Seconds of one call, on average."""


class GroupBy(StrEnum):
    """By what the use of language models is told apart."""

    MODEL = "model"
    MODULE = "module"
    PROVIDER = "provider"
    TYPE = "type"


_COLUMNS = {
    GroupBy.MODEL: "model",
    GroupBy.MODULE: "module",
    GroupBy.PROVIDER: "provider",
    GroupBy.TYPE: "kind",
}
_TOKENS = "prompt_tokens + completion_tokens"
_AMOUNTS = {
    Metric.TOKEN: _TOKENS,
    Metric.REQUEST: "requests",
    Metric.COST: "cost",
    Metric.LATENCY: "seconds",
}


def models(window: Window, limit: int) -> Operation:
    """What each model was used for, the most used first."""
    sql = (
        "SELECT model, provider, sum(requests), sum(failures), sum(prompt_tokens), sum(completion_tokens), total(cost),"
        " total(seconds) FROM llm_use WHERE hour >= ? GROUP BY model, provider ORDER BY 3 DESC, 1, 2 LIMIT ?"
    )

    def operation(connection: sqlite3.Connection) -> list[dict[str, Any]]:
        return [
            {
                "model_name": model,
                "provider": provider,
                "request_count": requests,
                "failure_count": failures,
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": prompt + completion,
                "total_cost": cost,
                "avg_response_time": seconds / requests if requests else 0.0,
            }
            for model, provider, requests, failures, prompt, completion, cost, seconds in connection.execute(
                sql, (window.first_hour, limit)
            )
        ]

    return operation


def model_series(
    window: Window, *, top: int, metric: Metric, module: str = "", group_by: GroupBy = GroupBy.MODEL
) -> Operation:
    """The use of language models over time.

    Args:
        module: Only what this module asked for; "" takes all.
    """
    where = "hour >= ?"
    values: list[Any] = [window.first_hour]
    if module:
        where = f"{where} AND module = ?"
        values.append(module)
    column = _COLUMNS[group_by]
    sql = f"SELECT hour, {column}, {{}} FROM llm_use WHERE {where}"

    def operation(connection: sqlite3.Connection) -> dict[str, Any]:
        counts = connection.execute(sql.format(_AMOUNTS[metric]), values).fetchall()
        weights = None
        if metric is Metric.LATENCY:
            weights = connection.execute(sql.format(_AMOUNTS[Metric.REQUEST]), values).fetchall()
        return make_series(window, counts, top=top, weights=weights)

    return operation


def token_kinds(window: Window) -> Operation:
    """Tokens over time, those of questions and those of answers."""
    sql = (
        "SELECT hour, 'prompt_tokens', prompt_tokens FROM llm_use WHERE hour >= ?"
        " UNION ALL SELECT hour, 'completion_tokens', completion_tokens FROM llm_use WHERE hour >= ?"
    )

    def operation(connection: sqlite3.Connection) -> dict[str, Any]:
        return make_series(window, connection.execute(sql, (window.first_hour,) * 2).fetchall(), top=2)

    return operation


def token_distribution(window: Window, *, group_by: GroupBy, top: int) -> Operation:
    """Who has used which part of the tokens."""
    column = _COLUMNS[group_by]
    sql = f"SELECT {column}, sum({_TOKENS}) FROM llm_use WHERE hour >= ? GROUP BY 1"

    def operation(connection: sqlite3.Connection) -> dict[str, Any]:
        return make_distribution(dict(connection.execute(sql, (window.first_hour,)).fetchall()), top=top)

    return operation


def activity_series(window: Window, kind: str, *, top: int) -> Operation:
    """Calls of tools, or seconds that the host was there, over time."""

    def operation(connection: sqlite3.Connection) -> dict[str, Any]:
        return make_series(window, _activity(connection, window, kind), top=top)

    return operation


def message_series(window: Window, *, top: int) -> Operation:
    """Messages over time, by chat."""

    def operation(connection: sqlite3.Connection) -> dict[str, Any]:
        digest(connection)
        counts = _activity(connection, window, MESSAGE)
        return make_series(window, counts, top=top, label=lambda key: _name_of_chat(connection, key))

    return operation


def _activity(connection: sqlite3.Connection, window: Window, kind: str) -> list[Any]:
    last_hour = int(window.now // HOUR)
    sql = "SELECT hour, key, amount FROM activity WHERE kind = ? AND hour BETWEEN ? AND ?"
    return connection.execute(sql, (kind, window.first_hour, last_hour)).fetchall()


def _name_of_chat(connection: sqlite3.Connection, session_id: str) -> str:
    """What people call a chat: its group's name, or who is on the other side."""
    sql = "SELECT body FROM message WHERE session_id = ? AND direction = 'in' ORDER BY timestamp DESC LIMIT 1"
    row = connection.execute(sql, (session_id,)).fetchone()
    if row is None:
        return session_id
    info = decode_value(row[0])["message_info"]
    group = info.get("group_info")
    name = group.get("group_name") if group else info["user_info"].get("user_nickname")
    return name if type(name) is str and name else session_id
