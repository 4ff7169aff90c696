"""How is a component run: what is asked of it and the three shapes of its answer."""

from __future__ import annotations

from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class Invocation:
    """The request of every ``plugin.invoke_*`` method and of ``plugin.emit_event``."""

    component_name: str
    args: dict[str, Any] = attrs.Factory(dict)
    ordering_key: str = ""
    """Calls of one plugin with the same key run one after the other, in the order of arrival; "" waits for nobody.
    Said only to a runner with the feature ``ordered``."""


@attrs.frozen(kw_only=True)
class Segment:
    """``plugin.run_segment``: neighbours in the order of handlers, asked by one request. Said only to a runner with the
    feature ``segments``.

    It uses up one id more for each handler: the request's, plus one, plus the handler's place. In turn, each begins when
    the one before has ended and had nothing to say; the first that has something to say, or that does not end at once, is
    the last to begin, and its answer, under its own id, is the segment's. Not in turn, all of them begin, and the
    segment's answer (``SegmentAnswer``) says who is silent; the others answer under their own ids after it.
    """

    method: str
    """``plugin.emit_event`` or ``plugin.invoke_hook``, for all of them."""
    args: bytes = b""
    """One packed map, the same for all of them; each gets a copy of its own."""
    plugins: list[str] = attrs.Factory(list)
    components: list[str] = attrs.Factory(list)
    """By name; the handlers' plugins are at the same places of ``plugins``."""
    timeouts_ms: list[int] = attrs.Factory(list)
    """What each may take, at the same places."""
    group: int = 0
    """What these three lists may be called from now on, until so many others were named that it is let go (``groups.py``); a
    segment with empty lists has those of its group. 0: they are not to be remembered."""
    in_turn: bool = False
    ordering_key: str = ""
    sent_at: float = 0.0
    """Seconds on the clock that all processes of a machine share (``time.monotonic``); 0 when it is not said. In turn, no
    handler but the first begins when a quarter of the shortest time is over since then: its host has perhaps stopped
    waiting for the one before, and asked this one again."""


@attrs.frozen(kw_only=True)
class SegmentAnswer:
    """Of a segment whose handlers are not in turn. Who is not named has ended and had nothing to say."""

    speaking: list[int] = attrs.Factory(list)
    """Places of those that answer for themselves: they had something to say, were refused, or go on."""


@attrs.frozen(kw_only=True)
class Started:
    """``runner.started``: the handlers of these requests are about to begin. It is in the kernel before they do, so that it
    outlives the runner. Said where the shared page has no room for it; see ``page.py``."""

    request_ids: list[int] = attrs.Factory(list)


@attrs.frozen(kw_only=True)
class Cancel:
    """``plugin.cancel``: nobody wants the answers any more. What runs is cancelled, what waits is dropped."""

    request_ids: list[int] = attrs.Factory(list)


@attrs.frozen(kw_only=True)
class Recall:
    """``plugin.recall``: what has not begun is to be refused with ``E_SHUTTING_DOWN`` and ``{"kind": "Recalled"}``."""

    request_ids: list[int] = attrs.Factory(list)


@attrs.frozen(kw_only=True)
class InvocationAnswer:
    """Of commands, actions, tools, APIs, gateways and model providers.

    ``success`` is false when the plugin's code raised; ``result`` is then the text of the exception.
    """

    success: bool
    result: Any = None


@attrs.frozen(kw_only=True)
class LLMInvocation:
    client_type: str
    operation: str
    request: dict[str, Any] = attrs.Factory(dict)


@attrs.frozen(kw_only=True)
class EventAnswer:
    """Of ``plugin.emit_event``."""

    success: bool = True
    continue_processing: bool = True
    modified_message: dict[str, Any] | None = None
    custom_result: Any = None


@attrs.frozen(kw_only=True)
class HookAnswer:
    """Of ``plugin.invoke_hook``."""

    success: bool = True
    action: str = "continue"
    """``continue`` or ``abort``."""
    modified_kwargs: dict[str, Any] | None = None
    custom_result: Any = None
    error_message: str = ""
