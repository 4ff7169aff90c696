"""``python -m tests.simulator --seed N [--seeds COUNT] [--minutes VIRTUAL] [--trace]``."""

from __future__ import annotations

import sys

from tests.simulator.command import main

sys.exit(main())
