"""How does a function of the embedding host send a message, where no gateway carries its platform?"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import attrs

from .receipts import Receipt, SendFailure, read_result

if TYPE_CHECKING:
    from rookery.protocol import MessageMap

    from .routes import Driver

_LOG = logging.getLogger("rookery.platform")


async def ask_sender(driver: Driver, message: MessageMap, blank: Receipt) -> Receipt:
    """Call it. ``False`` means that it failed; whatever else it returns is read as a gateway's answer.

    Args:
        blank: The receipt that is filled in.
    """
    assert driver.sender is not None, "a legacy driver has one"
    try:
        result = await driver.sender(message)
    except Exception as error:  # the embedding host's code: its failure is the receipt of one message
        _LOG.exception("sending by %s failed", driver.driver_id)
        error_text = f"{type(error).__name__}: {error}"
        return attrs.evolve(blank, failure=SendFailure.FAILED, error=error_text, maybe_sent=True)
    if result is False:
        return attrs.evolve(blank, failure=SendFailure.REFUSED, error="it failed")
    return read_result(result, blank)
