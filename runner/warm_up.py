"""What is done once in a zygote, so that no runner has to do it?

Importing this file imports all that a runner needs. What a library makes when it is first used, and what the interpreter
makes of code that has run some times, is made here: a runner that is forked would make it for itself alone, in memory that
it then shares with nobody.
"""

from __future__ import annotations

import codecs
import os
import socket

import trio

from rookery.protocol import (
    METHODS,
    RUNNER_READY,
    AssignedPlugin,
    Assignment,
    BadPayload,
    BootstrapAnswer,
    Hello,
    HelloAnswer,
    Invocation,
    Link,
    Request,
    RookeryError,
    RunnerReady,
    Session,
    Side,
    offer_hello,
    parse_manifest,
    prepare_structuring,
    structure,
    unstructure,
)

from . import boot  # noqa: F401  # for its imports
from .start import BadStart, read_start

MANIFEST = b"""\
[plugin]
id = "warm.up"
version = "1.0.0"
name = "Warm-up"
description = "Is read and forgotten."
license = "Apache-2.0"
capabilities = ["send.text"]
"""

ROUNDS = 10
"""The interpreter adapts code to what it does when it has run eight times."""


def warm_up() -> None:
    """Do what a runner does before it has a plugin. Nothing is left of it: no thread, no descriptor, no task."""
    for method in METHODS.values():
        for cls in (method.request, method.answer):
            if cls is not None:
                prepare_structuring(cls)
    codecs.lookup("utf-8-sig")
    for _ in range(ROUNDS):
        _read_arguments()
        parse_manifest("plugin.toml", MANIFEST)
        trio.run(_greet)


def _read_arguments() -> None:
    descriptors = ["--link-fd", "0", "--lifeline-fd", "0", "--output-fds", "0,0", "--page-fd", "0"]
    try:
        read_start([*descriptors, "--ping-fd", "0"], {})
    except BadStart:
        pass


async def _greet() -> None:
    """A runner's side and a host's, in one loop."""
    ours, theirs = socket.socketpair()
    host = Link(theirs, Session(Side.HOST), on_request=_answer)
    runner = Link(ours, Session(Side.RUNNER), on_request=_answer)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(host.run)
        nursery.start_soon(runner.run)
        try:
            await offer_hello(
                runner, Hello(runner_id="warm", sdk_version="2.0.0", session_token="", features=["beats"])
            )
            await runner.call(RUNNER_READY, unstructure(RunnerReady(loaded_plugins=["warm.up"])))
        except RookeryError:
            pass
        runner.close()
        host.close()
        nursery.cancel_scope.cancel()
    for cls in (BootstrapAnswer, Invocation):
        try:
            structure({}, cls)
        except BadPayload:
            pass


def _answer(request: Request) -> None:
    plugin = AssignedPlugin(plugin_id="warm.up", path=os.sep)
    answer = HelloAnswer(accepted=True, assignment=Assignment(shard="warm", incarnation=1, plugins=[plugin]))
    request.answer(unstructure(answer))
