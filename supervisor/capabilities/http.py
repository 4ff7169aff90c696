"""``http.fetch``: a plugin has an address fetched, from a host that its operator has named.

What goes wrong is said in the result, ``{success: false, error, kind}``, with ``retry_after`` where it is known, and
``maybe_executed`` where a repetition might do the work twice. A host that is not allowed is a denial as of any capability.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from rookery.protocol import ErrorCode, RemoteError

from ..fetch.failure import FetchFailed, NotAllowed

if TYPE_CHECKING:
    from ..fetch.fetcher import Fetcher
    from .request import CapabilityRequest
    from .table import CapabilityTable


def register_http(table: CapabilityTable, fetcher: Fetcher) -> None:
    """Add ``http.fetch``."""

    async def fetch(request: CapabilityRequest) -> dict[str, Any]:
        try:
            fetched = await fetcher.fetch(request.plugin_id, request.args, deadline=request.deadline)
        except NotAllowed as refused:
            raise RemoteError(ErrorCode.E_CAPABILITY_DENIED, str(refused)) from None
        except FetchFailed as failure:
            told: dict[str, Any] = {"success": False, "error": str(failure), "kind": failure.kind.value}
            if failure.retry_after is not None:
                told["retry_after"] = failure.retry_after
            told["maybe_executed"] = failure.was_sent and request.args.get("method") not in (
                None,
                "",
                "GET",
                "HEAD",
            )
            return told
        return {"success": True, "answer": attrs.asdict(fetched)}

    table.register("http.fetch", fetch)
