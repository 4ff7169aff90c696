"""How does a person read the summary of a replay: a dozen lines, the numbers in a column."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..replay import ReplaySummary


def summary_lines(summary: ReplaySummary) -> list[str]:
    """The whole summary."""
    lines = [
        _row("messages", summary.read, f"{summary.accepted} accepted" + _unusual(
            ("refused", summary.refused), ("broken", summary.broken),
            ("deduplicated", summary.deduplicated), ("aborted by a hook", summary.aborted),
        )),
        _row("events", summary.events),
        _row("calls", summary.invocations, _unusual(("errors", summary.errors), ("lost", summary.lost)).lstrip(", ")),
        _row("replies", summary.replies, _latencies(summary)),
        _row("restarts", summary.restarts),
        _row("seconds", f"{summary.seconds:.2f}", f"after {summary.startup_seconds:.2f} s of start-up"),
        _row("messages/s", f"{summary.messages_per_second:.0f}"),
    ]  # fmt: skip
    if not summary.complete:
        lines.append(f"not played to its end; {summary.still_open} calls were still open")
    return [*lines, "", *_shard_lines(summary)]


def _row(name: str, value: object, remark: str = "") -> str:
    return f"{name:<12}{value!s:>10}{f'  {remark}' if remark else ''}"


def _unusual(*counts: tuple[str, int]) -> str:
    return "".join(f", {number} {name}" for name, number in counts if number)


def _latencies(summary: ReplaySummary) -> str:
    if summary.p50_ms is None:
        return ""
    return f"half within {summary.p50_ms:.1f} ms, 99 % within {summary.p99_ms:.1f} ms, all within {summary.max_ms:.1f} ms"


def _shard_lines(summary: ReplaySummary) -> list[str]:
    columns = ("invocations", "errors", "lost", "restarts")
    rows = [
        (name, *(str(counts.get(column, 0)) for column in columns))
        for name, counts in summary.per_shard.items()
    ]
    if not rows:
        return []
    width = max(len("shard"), *(len(row[0]) for row in rows))
    head = ("shard", "calls", "errors", "lost", "restarts")
    return [f"{row[0]:<{width}}" + "".join(f"{cell:>10}" for cell in row[1:]) for row in (head, *rows)]
