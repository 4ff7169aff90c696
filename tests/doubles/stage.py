"""The host's traffic on a stage: real registry, dispatcher, events and hooks; the runners are scripted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio

from rookery.protocol import (
    ComponentDeclaration,
    ComponentType,
    MessageMap,
    RegisterComponents,
    build_message,
)
from rookery.supervisor.component import Component
from rookery.supervisor.counters import Counters
from rookery.supervisor.dispatch import Dispatcher
from rookery.supervisor.events import Events
from rookery.supervisor.hook_specs import HookSpecs
from rookery.supervisor.hooks import Hooks
from rookery.supervisor.registry import Registry
from tests.doubles.fake_links import Answer, FakeLink, Late, Sent

Handler = Callable[[dict[str, Any]], Answer | Late | None]

KINDS = {
    "event": ComponentType.EVENT_HANDLER,
    "hook": ComponentType.HOOK_HANDLER,
    "command": ComponentType.COMMAND,
    "tool": ComponentType.TOOL,
    "api": ComponentType.API,
    "gateway": ComponentType.MESSAGE_GATEWAY,
}


class Stage:
    """Attributes:
    seen: Every call that a runner got, in order over all shards: full name of the component and its arguments.
    """

    def __init__(self, *, waits: bool, timeout: float, max_inflight: int, queue_limit: int) -> None:
        self.counters = Counters()
        self.specs = HookSpecs()
        self.registry = Registry(check_hook=self.specs.complaint_about)
        self.dispatcher = Dispatcher(self.counters, waits=waits)
        self.events = Events(self.registry, self.dispatcher, self.counters, timeout=timeout)
        self.hooks = Hooks(self.registry, self.dispatcher, self.specs, timeout=timeout)
        self.links: dict[str, FakeLink] = {}
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self._max_inflight = max_inflight
        self._queue_limit = queue_limit
        self._declared: dict[str, list[ComponentDeclaration]] = {}
        self._handlers: dict[tuple[str, str], Handler] = {}
        self._nursery: trio.Nursery | None = None

    def add_shard(self, name: str) -> None:
        self.dispatcher.add_shard(name, max_inflight=self._max_inflight, queue_limit=self._queue_limit)

    def open(self, shard: str, *, orders: bool = False) -> FakeLink:
        """Its runner is ready, for the first time or again.

        Args:
            orders: It keeps the order of calls with one key itself.
        """
        assert self._nursery is not None
        link = self.links[shard] = FakeLink(self._answer, orders=orders)
        self._nursery.start_soon(link.run)
        self.dispatcher.open_shard(shard, link, orders=orders)  # type: ignore[arg-type]
        return link

    def lose(self, shard: str) -> None:
        """Its runner has died."""
        self.links[shard].die()
        self.dispatcher.close_shard(shard)

    def offer(
        self,
        kind: str,
        plugin_id: str,
        name: str,
        answer: Handler | Answer | Late | None = None,
        *,
        shard: str = "one",
        is_trusted: bool = True,
        chat_scope: str = "all",
        **metadata: Any,
    ) -> Component:
        """A plugin has one more component.

        Args:
            answer: What it answers, or what makes that of its arguments; ``None`` never answers.
        """
        declared = self._declared.setdefault(plugin_id, [])
        declared.append(
            ComponentDeclaration(
                name=name, component_type=KINDS[kind].value, metadata=metadata, chat_scope=chat_scope
            )
        )
        self._handlers[plugin_id, name] = answer if callable(answer) else lambda _: answer
        self.registry.register(
            RegisterComponents(plugin_id=plugin_id, components=declared),
            shard=shard,
            is_trusted=is_trusted,
            live=True,
        )
        found = self.registry.component(plugin_id, name)
        assert found is not None
        return found

    def interceptor(self, plugin_id: str, name: str, answer: Any = None, **metadata: Any) -> Component:
        """An event handler that may change and stop ``on_message``."""
        known = {"event_type": "on_message", "intercept_message": True, **metadata}
        return self.offer("event", plugin_id, name, answer, **known)

    def watcher(self, plugin_id: str, name: str, answer: Any = None, **metadata: Any) -> Component:
        """An event handler that only sees ``on_message``."""
        return self.offer("event", plugin_id, name, answer or {}, **{"event_type": "on_message", **metadata})

    def hook(self, plugin_id: str, name: str, answer: Any = None, **metadata: Any) -> Component:
        """A hook handler."""
        return self.offer("hook", plugin_id, name, answer, **metadata)

    @property
    def asked(self) -> list[str]:
        """The full names of the components that were called, in order."""
        return [name for name, _ in self.seen]

    @property
    def names(self) -> list[Any]:
        """The argument ``name`` of each call, in the order in which runners got them."""
        return [args["name"] for _, args in self.seen]

    def args_of(self, full_name: str) -> list[dict[str, Any]]:
        """The arguments of each call of one component."""
        return [args for name, args in self.seen if name == full_name]

    def _answer(self, sent: Sent) -> Answer | Late | None:
        self.seen.append((f"{sent.plugin_id}.{sent.component}", sent.args))
        handler = self._handlers[sent.plugin_id, sent.component]
        return handler(sent.args)

    async def settle(self) -> None:
        """Until every call has ended."""
        with trio.fail_after(1000):
            await self.dispatcher.wait_idle()


@asynccontextmanager
async def open_stage(
    *shards: str,
    closed: tuple[str, ...] = (),
    waits: bool = True,
    timeout: float = 30.0,
    max_inflight: int = 64,
    queue_limit: int = 10_000,
    orders: bool = False,
) -> AsyncIterator[Stage]:
    """A stage whose shards are open.

    Args:
        closed: More shards, whose runners are not up.
        orders: The runners of those that are open keep lanes by themselves.
    """
    stage = Stage(waits=waits, timeout=timeout, max_inflight=max_inflight, queue_limit=queue_limit)
    async with trio.open_nursery() as nursery:
        stage._nursery = nursery
        nursery.start_soon(stage.dispatcher.run)
        for name in (*shards, *closed):
            stage.add_shard(name)
        for name in shards:
            stage.open(name, orders=orders)

        yield stage

        nursery.cancel_scope.cancel()


def said(result: Any = None) -> dict[str, Any]:
    """The answer of a component that went well."""
    return {"success": True, "result": result}


def chat(text: str = "hello", *, user: str = "u1", group: str | None = None, number: int = 1) -> MessageMap:
    """A message of the platform ``test``."""
    return build_message(
        message_id=f"m{number}",
        platform="test",
        user_id=user,
        user_name=user.upper(),
        group_id=group,
        text=text,
        timestamp=1000.0 + number,
    )
