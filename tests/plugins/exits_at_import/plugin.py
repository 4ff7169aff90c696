"""A plugin that ends the interpreter while it is imported, as a script would."""

from __future__ import annotations

import sys

sys.exit(3)
