"""How does a stage of the flow ask its handlers: the older kind of hook, which has priorities and no rules of its own?

Those that block run one after the other, larger priorities first; each sees what the one before left, and may end the stage.
What one returns updates the arguments that it names. Then the others get the final arguments, all at once, each its own copy,
also when the stage was ended. A handler that fails or cannot be asked changes nothing.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from rookery.protocol import PLUGIN_INVOKE_HOOK

from .conversation import conversation_of
from .fate import DispatchFailed

if TYPE_CHECKING:
    from .breaker import Breaker, Ticket
    from .call import Outcome
    from .component import StageHandler
    from .dispatch import Dispatcher
    from .registry import Registry


class Stages:
    """Dispatches stages.

    Args:
        timeout: Seconds for a handler that names none.
    """

    def __init__(
        self, registry: Registry, dispatcher: Dispatcher, breaker: Breaker, *, timeout: float = 30.0
    ) -> None:
        self._registry = registry
        self._dispatcher = dispatcher
        self._breaker = breaker
        self._timeout = timeout

    async def dispatch(self, stage: str, /, **kwargs: Any) -> dict[str, Any]:
        """Ask every handler of a stage; return the arguments as the last one left them. They may be cancelled between two."""
        conversation = conversation_of(kwargs)
        handlers = [each for each in self._registry.stage_handlers(stage) if each.serves_in(conversation)]
        for handler in handlers:
            if handler.blocks:
                answer = await self._ask(handler, stage, kwargs)
                changes = answer.get("modified_kwargs")
                if type(changes) is dict:
                    kwargs = {
                        **kwargs,
                        **{key: changes[key] for key in changes.keys() - {"stage", "hook_name"}},
                    }
                if answer.get("continue_processing") is False or answer.get("action") == "abort":
                    break
        for handler in handlers:
            if not handler.blocks:
                self._show(handler, stage, kwargs)
        return kwargs

    async def _ask(self, handler: StageHandler, stage: str, kwargs: dict[str, Any]) -> dict[str, Any]:
        """What a handler answers; nothing when it failed or was passed over."""
        seconds = handler.timeout or self._timeout
        ticket = self._ticket(handler, seconds)
        if ticket is None:
            return {}
        answer: Outcome
        try:
            answer = await self._dispatcher.call(
                handler, PLUGIN_INVOKE_HOOK, {"stage": stage, **kwargs}, timeout=seconds
            )
        except DispatchFailed as failure:
            answer = failure
        except BaseException:
            self._breaker.give_back(handler, ticket)
            raise
        self._note(handler, ticket, answer)
        return {} if isinstance(answer, DispatchFailed) or answer.get("success") is False else answer

    def _show(self, handler: StageHandler, stage: str, kwargs: dict[str, Any]) -> None:
        seconds = handler.timeout or self._timeout
        ticket = self._ticket(handler, seconds)
        if ticket is not None:
            self._dispatcher.submit(
                handler,
                PLUGIN_INVOKE_HOOK,
                {"stage": stage, **kwargs},
                partial(self._note, handler, ticket),
                deadline=trio.current_time() + seconds,
            )

    def _ticket(self, handler: StageHandler, seconds: float) -> Ticket | None:
        ticket = self._breaker.ask(handler, trio.current_time(), seconds)
        if ticket is None:
            self._dispatcher.tally.counters.skipped += 1
        return ticket

    def _note(self, handler: StageHandler, ticket: Ticket, outcome: Outcome) -> None:
        self._breaker.note(handler, ticket, outcome, trio.current_time())
