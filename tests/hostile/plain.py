"""What does an attack reach where nothing stops it: made in a process that has inherited everything."""

from __future__ import annotations

import json
import sys

from .attacks import all_rows
from .attacks.row import make

if __name__ == "__main__":
    all_rows()
    told = json.load(sys.stdin)
    outcome = make(told.pop("name"), told)
    sys.stdout.write(json.dumps(outcome) + "\n")
