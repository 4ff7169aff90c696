"""What runs in a runner process: ``python -m rookery.runner``."""

from __future__ import annotations

import sys

from .boot import main
from .zygote import ZYGOTE_FLAG, be_zygote

if __name__ == "__main__":
    if sys.argv[1:2] == [ZYGOTE_FLAG]:
        sys.argv[1:] = be_zygote(sys.argv[2:])  # it comes back in a runner that was forked
    main()
