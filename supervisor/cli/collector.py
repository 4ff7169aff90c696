"""Which objects does the collector of cycles need not look at in a command that serves for long?"""

from __future__ import annotations

import gc


def settle_objects() -> None:
    """Take those that are there now for ones that stay.

    The modules, the plan and the shards of a bot are some hundred thousand objects. A full collection looked at all of them,
    for 25 milliseconds in which no message was answered, whenever enough calls had been open at once. Not for the embedding
    program, whose objects are its own affair.
    """
    gc.collect()
    gc.freeze()
