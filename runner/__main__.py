"""What runs in a runner process: ``python -m rookery.runner``."""

from __future__ import annotations

from .boot import main

if __name__ == "__main__":
    main()
