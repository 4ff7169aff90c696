"""What moved between two results? Ratios new/old of every figure, with the spread that the runs themselves had.

    python benchmarks/compare.py OLD.json NEW.json

Exit 1 when a figure got worse by more than both runs' own spread.
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
        if after is None or not before["median"]:
            continue
        ratio = after["median"] / before["median"]
        noise = max(_spread(before), _spread(after))
        bad = (1 / ratio if name in LARGER_IS_BETTER else ratio) > 1 + noise
        bad = bad and name not in OF_THE_MACHINE
        worse = worse or bad
        lines.append(
            f"{name:28} {before['median']:>10.2f} {after['median']:>10.2f}  x{ratio:.2f}  ±{noise:.0%}"
            + ("  WORSE" if bad else "")
        )
    return lines, worse


def _spread(figure: dict[str, float]) -> float:
    return (figure["max"] - figure["min"]) / figure["median"] if figure["median"] else 0.0


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    old, new = (json.loads(Path(name).read_text()) for name in sys.argv[1:])
    lines, worse = compare(old, new)
    sys.stdout.write("\n".join(lines) + "\n")
    sys.exit(1 if worse else 0)


if __name__ == "__main__":
    main()
