"""Plugins whose handlers do what each event or hook tells them to do, so that one deployment plays many sets of handlers.

What a handler sees and does goes into a list of its plugin, which a tool gives out.
"""

from __future__ import annotations

import random

import attrs

INSTANT = (
    "nothing",
    "nothing",
    "nothing",
    "change",
    "stop",
    "raise",
    "exit",
    "wrong",
    "reply",
    "result",
    "touchy",
    "keep",
    "spoil what was kept",
    "spoil",
    "spoil and change",
    "spoil and reply",
    "spoil and rename",
    "rename",
    "set",
    "unsendable",
    "proxy",
    "fork",
)
LATE = (
    "pause nothing",
    "sleep nothing",
    "pause change",
    "sleep change",
    "sleep stop",
    "sleep raise",
    "sleep result",
    "pause spoil",
    "sleep spoil and rename",
    "sleep set",
    "ask",
    "limit",
    "children",
)
"""Only coroutines can do these."""
LONG = "overrun"
"""Only handlers do it whose time is short, and they do nothing else: no other outcome hangs on the machine's speed."""

HEAD = '''
"""Does what it is told."""

import contextvars
import os

import trio

from rookery.runner import *

SEEN = contextvars.ContextVar("seen", default="")


class Touchy:
    __hash__ = None

    def __eq__(self, other):
        raise ZeroDivisionError("it was compared")


class Proxy:
    @property
    def __class__(self):
        raise RuntimeError("nothing is bound")


class It(Plugin):
    async def on_load(self):
        self.log, self.kept = [], []

    @tool(description="Gives out what was done, and forgets it.")
    async def done(self) -> list:
        found, self.log, self.kept = self.log, [], []
        return found

    @tool(description="Notes that it was called.")
    async def mark(self, number: int) -> None:
        await trio.lowlevel.checkpoint()
        self.log.append([number, "mark", "ended"])

    @api(public=True)
    async def echo(self, word: str) -> str:
        return word + word

    def see(self, name, message, box, number):
        self.log.append([number, name, message.text, list(box["list"]), self.seen(name)])

    def seen(self, name):
        # Calls that wait for each other in a conversation may share a task, and with it what they have set.
        return SEEN.get() if name.startswith("h") else ""

    def act(self, name, conduct, message, box, answer):
        if conduct == "spoil what was kept":
            self.kept.append(object())
            return None
        if conduct.startswith("spoil"):
            message.raw["processed_plain_text"] = "spoilt"
            message.raw["raw_message"].clear()
            box["list"].append(name)
            conduct = conduct.removeprefix("spoil and ")
        if conduct == "change":
            return answer.changed(message, name)
        if conduct == "rename":
            return answer.renamed(name)
        if conduct == "stop":
            return answer.stopped(message, name)
        if conduct == "raise":
            raise ValueError(name)
        if conduct == "exit":
            raise SystemExit(3)
        if conduct == "wrong":
            return 7
        if conduct == "reply":
            return f"I am {name}"
        if conduct == "result":
            return answer.result({"by": name})
        if conduct == "touchy":
            return answer.result(Touchy())
        if conduct == "keep":
            self.kept.append(name)
            return answer.result(self.kept)
        if conduct == "set":
            SEEN.set(name)
        if conduct == "proxy":
            return Proxy()
        if conduct == "fork":
            child = os.fork()
            if child:
                os.waitpid(child, 0)
        if conduct == "unsendable":
            return answer.result(object())
        return None

    async def act_late(self, name, conduct, message, box, answer):
        first, _, rest = conduct.partition(" ")
        if first == "pause":
            await trio.lowlevel.checkpoint()
        elif first == "sleep":
            await trio.sleep(0.004)
        elif first == "overrun":
            await trio.sleep(60)
        elif first == "ask":
            return answer.result(await self.ctx.api.call("test.a.echo", word=name))
        elif first == "limit":
            with trio.move_on_after(0.003):
                await trio.sleep_forever()
            return answer.result("given up")
        elif first == "children":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep, 0.002)
                nursery.start_soon(self.set_it, name)
            return answer.result(self.seen(name))
        else:
            rest = conduct
        return self.act(name, rest, message, box, answer)

    async def set_it(self, name):
        SEEN.set(name)


class EventAnswer:
    @staticmethod
    def changed(message, name):
        return EventOutcome.change(message.with_text(f"{message.text} {name}"))

    @staticmethod
    def renamed(name):
        return None

    @staticmethod
    def stopped(message, name):
        return EventOutcome(message=message.with_text(f"{message.text} {name}!"), continues=False)

    @staticmethod
    def result(value):
        return EventOutcome(result=value)


class HookAnswer:
    @staticmethod
    def changed(message, name):
        return HookOutcome.change(message=message.with_text(f"{message.text} {name}"), by=name)

    @staticmethod
    def renamed(name):
        return HookOutcome.change(by=name)

    @staticmethod
    def stopped(message, name):
        return HookOutcome.abort(name)

    @staticmethod
    def result(value):
        return HookOutcome(result=value)

'''

ASYNC = """
    @{decorator}
    async def {name}(self, message: Message, conducts, box, number):
        conduct = conducts["{full}"]
        self.see("{name}", message, box, number)
        try:
            return await self.act_late("{name}", conduct, message, box, {answer})
        finally:
            if not conduct.startswith("overrun"):
                self.log.append([number, "{name}", "ended"])
"""

PLAIN = """
    @{decorator}
    def {name}(self, message: Message, conducts, box, number):
        self.see("{name}", message, box, number)
        return self.act("{name}", conducts["{full}"], message, box, {answer})
"""


@attrs.frozen
class Actor:
    """One handler."""

    plugin: str
    name: str
    kind: str
    """event or hook"""
    way: str
    """async, quick or plain"""
    is_short: bool
    decorator: str

    @property
    def full_name(self) -> str:
        return f"test.{self.plugin}.{self.name}"

    @property
    def source(self) -> str:
        return (ASYNC if self.way == "async" else PLAIN).format(
            decorator=self.decorator,
            name=self.name,
            full=self.full_name,
            answer="EventAnswer" if self.kind == "event" else "HookAnswer",
        )


def cast(chance: random.Random, plugin: str, count: int) -> list[Actor]:
    """Some handlers of both kinds for one plugin."""
    actors = []
    for number in range(count):
        way = chance.choice(["async"] * 6 + ["quick", "plain"])
        is_short = way == "async" and number % 6 == 5
        extra = ", timeout=0.4" if is_short else ""
        extra += ", quick=True" if way == "quick" else ""
        weight, takes = chance.randint(-1, 1), chance.random() < 0.6
        order, mode = chance.choice(["early", "normal", "late"]), chance.choice(["blocking", "observe"])
        policy = chance.choice(["abort", "skip", "log"])
        event = f'event_handler("on_message", weight={weight}, intercept={takes}{extra})'
        hook = f'hook("chat.receive.before_process", order="{order}", mode="{mode}", error_policy="{policy}"{extra})'
        actors.append(Actor(plugin, f"e{number}", "event", way, is_short, event))
        actors.append(Actor(plugin, f"h{number}", "hook", way, is_short, hook))
    return actors


def source_of(actors: list[Actor]) -> str:
    """The module of a plugin with these handlers."""
    head, middle, tail = HEAD.partition("class EventAnswer:")
    return head + "".join(actor.source for actor in actors) + "\n\n" + middle + tail


def direct(chance: random.Random, actors: list[Actor], share: float) -> dict[str, str]:
    """What some of these do this time, by full name; the others are not asked."""
    conducts = {}
    for actor in actors:
        if chance.random() < share:
            known = INSTANT + LATE if actor.way == "async" else INSTANT
            conducts[actor.full_name] = LONG if actor.is_short else chance.choice(known)
    return conducts
