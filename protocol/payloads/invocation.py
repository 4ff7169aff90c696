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
