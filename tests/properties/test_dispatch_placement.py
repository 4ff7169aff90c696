"""The outcome of an event or a hook does not depend on the shards where its handlers live.

Handlers of every kind and conduct are put on one shard, then on two to four in any way, and registered in another
order. Final arguments, who stopped it, errors, what ran in which order and what was counted have to be equal; what ran
is also compared with the order that the words of the design give.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from rookery.protocol import ErrorCode, RemoteError, with_text
from rookery.supervisor.hook_spec import HookSpec
from tests.doubles.fake_links import Late
from tests.doubles.stage import Stage, chat, open_stage

SHARDS = ("s1", "s2", "s3", "s4")
PLUGINS = ("p.a", "p.b", "p.c", "p.d")
UNTRUSTED = "p.d"
"""Its shard is not trusted, wherever that is."""
HOOKS = (
    HookSpec(name="test.open"),
    HookSpec(name="test.pinned", read_only=frozenset({"a"}), allow_abort=False),
    HookSpec(name="test.fixed", allow_mutation=False),
)

Args = dict[str, Any]


@attrs.frozen
class Conduct:
    """What a handler does with its arguments; pure, so that only the order can make a difference."""

    name: str
    answer: Callable[[str, Args], Any]

    def __repr__(self) -> str:
        return self.name


def _longer(own: str, args: Args) -> dict[str, Any]:
    return with_text(args["message"], f"{args['message']['processed_plain_text']} {own}")


EVENT_CONDUCTS = [
    Conduct("changes", lambda own, args: {"modified_message": _longer(own, args)}),
    Conduct("changes late", lambda own, args: Late(0.3, {"modified_message": _longer(own, args)})),
    Conduct("looks", lambda own, args: {"success": True, "continue_processing": True}),
    Conduct("fails", lambda own, args: {"success": False}),
    Conduct("crashes", lambda own, args: RemoteError(ErrorCode.E_UNKNOWN, f"{own} raised")),
    Conduct("says nothing", lambda own, args: None),
    Conduct("returns rubbish", lambda own, args: {"modified_message": {"raw_message": own}}),
    Conduct(
        "changes and stops",
        lambda own, args: {"modified_message": _longer(own, args), "continue_processing": False},
    ),
    Conduct("stops if it was changed twice", lambda own, args: {"continue_processing": _words(args) < 3}),
]


WANTED: dict[str, tuple[dict[str, Any], bool]] = {
    "everything": ({}, True),
    "its user": ({"users": ["u1"]}, True),
    "its text, which others change": ({"pattern": "hello$"}, True),
    "what others make of its text": ({"pattern": r"hello p\."}, False),
    "another platform": ({"platforms": ["irc"]}, False),
}
"""Filters of event handlers, and whether the event fits them."""


def _words(args: Args) -> int:
    return len(args["message"]["processed_plain_text"].split())


def _joined(own: str, args: Args) -> dict[str, Any]:
    return {"modified_kwargs": {"a": f"{args.get('a', '')}{own}", own: len(args)}}


HOOK_CONDUCTS = [
    Conduct("changes", _joined),
    Conduct("changes late", lambda own, args: Late(0.3, _joined(own, args))),
    Conduct("adds a result", lambda own, args: {"custom_result": [own, args.get("a")]}),
    Conduct("fails", lambda own, args: {"success": False, "error_message": f"{own} failed"}),
    Conduct("crashes", lambda own, args: RemoteError(ErrorCode.E_UNKNOWN, f"{own} raised")),
    Conduct("says nothing", lambda own, args: None),
    Conduct("changes and aborts", lambda own, args: {**_joined(own, args), "action": "abort"}),
]


@attrs.frozen
class Handler:
    """One handler of a set, apart from where it lives."""

    kind: str
    plugin_id: str
    name: str
    conduct: Conduct
    metadata: dict[str, Any]

    @property
    def full_name(self) -> str:
        return f"{self.plugin_id}.{self.name}"

    def join(self, stage: Stage, shard: str) -> None:
        stage.offer(
            self.kind,
            self.plugin_id,
            self.name,
            lambda args: self.conduct.answer(self.full_name, args),
            shard=shard,
            is_trusted=self.plugin_id != UNTRUSTED,
            timeout_ms=1000,
            **self.metadata,
        )


def _named(handlers: list[Handler]) -> list[Handler]:
    # Names are unique within a plugin, and their order is none of the weights'.
    return [attrs.evolve(each, name=f"h{(number * 7) % 10}") for number, each in enumerate(handlers)]


event_handlers = st.lists(
    st.builds(
        lambda plugin_id, conduct, weight, intercepts, wanted: Handler(
            "event",
            plugin_id,
            "",
            conduct,
            {
                "event_type": "on_message",
                "weight": weight,
                "intercept_message": intercepts,
                "event_filter": WANTED[wanted][0],
            },
        ),
        st.sampled_from(PLUGINS),
        st.sampled_from(EVENT_CONDUCTS),
        st.integers(-1, 1),
        st.sampled_from([True, True, False]),
        st.sampled_from(["everything", "everything", *WANTED]),
    ),
    min_size=2,
    max_size=8,
).map(_named)


@st.composite
def hook_handlers(draw: st.DrawFn) -> tuple[HookSpec, list[Handler]]:
    spec = draw(st.sampled_from(HOOKS))
    policies = ["skip", "log", *(["abort"] if spec.allow_abort else [])]
    handler = st.builds(
        lambda plugin_id, conduct, mode, order, policy: Handler(
            "hook",
            plugin_id,
            "",
            conduct,
            {"hook": spec.name, "mode": mode, "order": order, "error_policy": policy},
        ),
        st.sampled_from(PLUGINS),
        st.sampled_from(HOOK_CONDUCTS),
        st.sampled_from(["blocking", "blocking", "observe"]),
        st.sampled_from(["early", "normal", "late"]),
        st.sampled_from(policies),
    )
    return spec, _named(draw(st.lists(handler, min_size=2, max_size=8)))


placements = st.fixed_dictionaries({plugin_id: st.sampled_from(SHARDS) for plugin_id in PLUGINS})
ONE_SHARD = dict.fromkeys(PLUGINS, "s1")


def _play(handlers: Sequence[Handler], shard_of: dict[str, str], fire: Callable[[Stage], Any]) -> Any:
    """What a set of handlers makes of one dispatch, when they live like this."""

    async def play() -> Any:
        async with open_stage(*SHARDS) as stage:
            for spec in HOOKS:
                stage.specs.add(spec)
            for handler in handlers:
                handler.join(stage, shard_of[handler.plugin_id])
            result = await fire(stage)
            await stage.settle()
            counters = stage.counters
            return result, stage.seen, (counters.invocations, counters.errors, counters.lost)

    return trio.run(play, clock=MockClock(autojump_threshold=0))


def _outcome(played: Any, in_turn: Sequence[str]) -> Any:
    """A play in a form that can be compared.

    Args:
        in_turn: The handlers that run one after the other; the rest run at once, so that their order says nothing.
    """
    result, seen, counted = played
    turns = [(name, args) for name, args in seen if name in in_turn]
    others = sorted((name, repr(args)) for name, args in seen if name not in in_turn)
    return attrs.asdict(result), turns, others, counted


def _event_order(handler: Handler) -> tuple[Any, ...]:
    return -handler.metadata["weight"], handler.plugin_id, handler.name


def _gets_it(handler: Handler) -> bool:
    return (handler.metadata["event_filter"], True) in WANTED.values()


def _hook_order(handler: Handler) -> tuple[Any, ...]:
    place = ["early", "normal", "late"].index(handler.metadata["order"])
    return place, handler.plugin_id == UNTRUSTED, handler.plugin_id, handler.name


def _check(
    handlers: list[Handler],
    turns: list[str],
    shard_of: dict[str, str],
    order: st.DataObject,
    fire: Callable[[Stage], Any],
) -> None:
    together = _outcome(_play(handlers, ONE_SHARD, fire), turns)
    apart = _outcome(_play(order.draw(st.permutations(handlers)), shard_of, fire), turns)

    assert apart == together
    ran = [name for name, _ in apart[1]]
    assert ran == turns[: len(ran)]


@pytest.mark.slow
@settings(max_examples=200)
@given(event_handlers, placements, st.data())
def test_an_event_ends_the_same_wherever_its_handlers_live(
    handlers: list[Handler], shard_of: dict[str, str], order: st.DataObject
) -> None:
    """Intercepting handlers run in the total order, the others see the final message; filters go by the first one."""
    turns = [
        each.full_name
        for each in sorted(handlers, key=_event_order)
        if each.metadata["intercept_message"] and _gets_it(each)
    ]

    async def fire(stage: Stage) -> Any:
        return await stage.events.dispatch("on_message", chat("hello"), {"extra": 1})

    _check(handlers, turns, shard_of, order, fire)


@pytest.mark.slow
@settings(max_examples=200)
@given(hook_handlers(), placements, st.data())
def test_a_hook_ends_the_same_wherever_its_handlers_live(
    hook: tuple[HookSpec, list[Handler]], shard_of: dict[str, str], order: st.DataObject
) -> None:
    """Blocking handlers run in the total order, observers see the final arguments."""
    spec, handlers = hook
    turns = [
        each.full_name for each in sorted(handlers, key=_hook_order) if each.metadata["mode"] == "blocking"
    ]

    async def fire(stage: Stage) -> Any:
        return await stage.hooks.invoke(spec.name, a="", b={"deep": [1]})

    _check(handlers, turns, shard_of, order, fire)


@pytest.mark.slow
@settings(max_examples=60)
@given(event_handlers, placements)
def test_watchers_see_the_final_message_and_change_nothing(
    handlers: list[Handler], shard_of: dict[str, str]
) -> None:
    """Each its own copy, once, after every interceptor; none of them when the event was stopped."""

    async def fire(stage: Stage) -> Any:
        return await stage.events.dispatch("on_message", chat("hello"))

    result, seen, _ = _play(handlers, shard_of, fire)

    watchers = sorted(
        each.full_name for each in handlers if not each.metadata["intercept_message"] and _gets_it(each)
    )
    shown = [(name, args) for name, args in seen if name in watchers]
    assert all(args["message"] == result.message for _, args in shown)
    assert result.observers == (len(watchers) if result.continues else 0)
    assert seen[len(seen) - len(shown) :] == shown
    assert len({id(args["message"]) for _, args in shown}) == len(shown)
    assert {name for name, _ in shown} <= ({*watchers} if result.continues else set())
