"""What moved between two results? Ratios new/old of every figure, with the spread that the runs themselves had.

    python benchmarks/compare.py OLD.json NEW.json

Exit 1 when a figure got worse by more than both runs' own spread, or when a single number no longer keeps its goal.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

LARGER_IS_BETTER = frozenset({"messages_per_second", "messages_per_r0"})
OF_THE_MACHINE = frozenset({"r0_us"})  # shown, so that the others can be judged; no merit of ours


def compare(old: dict[str, Any], new: dict[str, Any]) -> tuple[list[str], bool]:
    """One line a figure, and whether any got worse beyond the noise."""
    lines, worse = [], False
    for name, before in old["figures"].items():
        after = new["figures"].get(name)
        if after is None or ("value" in before) is not ("value" in after):
            continue
        line, is_worse = _single(name, before, after) if "value" in before else _many(name, before, after)
        lines.append(line)
        worse = worse or is_worse
    return lines, worse


def _many(name: str, before: dict[str, Any], after: dict[str, Any]) -> tuple[str, bool]:
    """A row of many measurements: their spread is the noise."""
    if not before["median"] or not after["median"]:
        return f"{name:40} {before['median']:>10.2f} {after['median']:>10.2f}", False
    ratio = after["median"] / before["median"]
    noise = max(_spread(before), _spread(after))
    bad = (1 / ratio if name in LARGER_IS_BETTER else ratio) > 1 + noise and name not in OF_THE_MACHINE
    line = f"{name:40} {before['median']:>10.2f} {after['median']:>10.2f}  x{ratio:.2f}  ±{noise:.0%}"
    return line + ("  WORSE" if bad else ""), bad


def _single(name: str, before: dict[str, Any], after: dict[str, Any]) -> tuple[str, bool]:
    """A row of one number: nobody knows its noise, so that only its goal can get lost."""
    bad = before.get("holds") is True and after.get("holds") is False
    line = f"{name:40} {before['value']:>10.2f} {after['value']:>10.2f}"
    return line + (f"  WORSE: {after['goal']} held" if bad else ""), bad


def _spread(figure: dict[str, float]) -> float:
    return (figure["max"] - figure["min"]) / figure["median"] if figure["median"] else 0.0


def _read(name: str) -> dict[str, Any]:
    try:
        found = json.loads(Path(name).read_text())
    except (OSError, ValueError) as error:
        sys.exit(f"{name} cannot be read: {error}")
    if type(found) is not dict or type(found.get("figures")) is not dict:
        sys.exit(f"{name} has no figures; for a result of `rookery bench` use its --compare")
    return found


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    old, new = map(_read, sys.argv[1:])
    for what in ("machine", "python"):
        if old.get(what) != new.get(what):
            sys.stdout.write(f"another {what}: {old.get(what)} then, {new.get(what)} now\n")
    lines, worse = compare(old, new)
    sys.stdout.write("\n".join(lines) + "\n")
    sys.exit(1 if worse else 0)


if __name__ == "__main__":
    main()
