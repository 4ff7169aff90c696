"""What is logged and printed waits in bounds and goes out in batches, named and unharmed."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import attrs
import pytest
import trio
import trio.testing

from rookery.protocol import Link
from rookery.runner.border import call_guarded
from rookery.runner.logs import MAX_ENTRIES, RUNNER_LOGGER, URGENT_AT_ONCE, LogShipper, PrintStream


@attrs.define
class FakeLink:
    """Keeps the batches; ``unread`` bytes are said to wait for the peer."""

    batches: list[list[dict[str, Any]]] = attrs.Factory(list)
    is_closed: bool = False
    flushed_at_once: int = 0
    session: SimpleNamespace = attrs.Factory(lambda: SimpleNamespace(bytes_out=0))

    def broadcast(self, _: str, payload: dict[str, Any]) -> None:
        self.batches.append(payload["entries"])

    def flush_nowait(self) -> None:
        self.flushed_at_once += 1

    async def flush(self, _: float) -> bool:
        await trio.lowlevel.checkpoint()
        self.session.bytes_out = 0
        return True

    @property
    def messages(self) -> list[tuple[str, str]]:
        return [(entry["logger_name"], entry["message"]) for batch in self.batches for entry in batch]


@pytest.fixture
def shipper() -> Iterator[LogShipper]:
    """On the root logger, as in a runner; pytest's own handlers come back afterwards."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    shipper = LogShipper()
    root.handlers[:] = [shipper]
    root.setLevel(logging.INFO)
    yield shipper
    root.handlers[:] = before
    root.setLevel(level)


def _attached(shipper: LogShipper) -> FakeLink:
    link = FakeLink()
    shipper.attach(cast("Link", link))
    return link


async def test_entries_go_out_once_a_pass_of_the_loop(shipper: LogShipper) -> None:
    """What is logged before the link is there, and what is logged together, makes one batch."""
    log = logging.getLogger("plugin.a.b")
    log.info("early")

    async with trio.open_nursery() as nursery:
        link = _attached(shipper)
        nursery.start_soon(shipper.run)
        log.info("one")
        log.info("%s", "two")
        await trio.testing.wait_all_tasks_blocked(0.01)
        nursery.cancel_scope.cancel()

    assert [len(batch) for batch in link.batches] == [3]
    assert [message for _, message in link.messages] == ["early", "one", "two"]
    assert link.flushed_at_once == 0


async def test_a_warning_goes_out_at_once_and_a_flood_of_them_does_not(shipper: LogShipper) -> None:
    """The first ones cost a system call each, the rest waits for the loop."""
    link = _attached(shipper)

    for number in range(100):
        logging.getLogger("plugin.a.b").warning("%d", number)

    assert link.flushed_at_once == URGENT_AT_ONCE
    assert len(link.messages) == URGENT_AT_ONCE
    await shipper.send_all(1.0)
    assert [message for _, message in link.messages] == [str(number) for number in range(100)]


async def test_a_flood_is_bounded_and_counted_by_name(shipper: LogShipper) -> None:
    """The beginning is kept; the number of the rest follows under the same names."""
    link = _attached(shipper)
    for number in range(MAX_ENTRIES + 10):
        logging.getLogger("plugin.a.b").info("%d", number)
    logging.getLogger("plugin.c.d").info("too late")

    await shipper.send_all(1.0)

    assert len(link.messages) == MAX_ENTRIES + 2
    assert link.messages[-2:] == [
        ("plugin.a.b", "10 log entries were dropped here: too many at once"),
        ("plugin.c.d", "1 log entries were dropped here: too many at once"),
    ]


async def test_large_entries_count_by_their_size(shipper: LogShipper) -> None:
    """A few of them fill the buffer as well; each is cut to what an entry may be."""
    link = _attached(shipper)
    for _ in range(100):
        logging.getLogger("plugin.a.b").info("x" * 100_000)

    await shipper.send_all(1.0)

    texts = [message for _, message in link.messages if message.startswith("x")]
    assert 30 < len(texts) < 100
    assert max(map(len, texts)) <= 16 * 1024


async def test_a_host_that_does_not_read_is_waited_for(shipper: LogShipper) -> None:
    """Log entries do not pile up in front of the answers."""
    link = _attached(shipper)
    link.session.bytes_out = 10**9
    logging.getLogger("plugin.a.b").info("later")

    shipper.send_nowait()
    at_first = list(link.messages)
    await shipper.send_all(1.0)

    assert at_first == []
    assert link.messages == [("plugin.a.b", "later")]


async def test_text_that_has_no_form_on_the_wire_is_escaped(shipper: LogShipper) -> None:
    """A lone surrogate would spoil the whole batch."""
    link = _attached(shipper)
    # Not through the root logger: what listens there while tests run writes its lines into a report.
    record = logging.LogRecord("plugin.a.b", logging.INFO, __file__, 1, "\udc80", None, None)
    shipper.handle(record)

    await shipper.send_all(1.0)

    assert link.messages == [("plugin.a.b", "\\udc80")]


async def test_whatever_an_object_does_when_it_is_formatted(shipper: LogShipper) -> None:
    """It is a plugin's code and may even try to end the process."""

    class Rude:
        def __str__(self) -> str:
            raise SystemExit("no")

    link = _attached(shipper)
    # Past pytest's own handler, which formats as well and is less careful.
    shipper.handle(logging.makeLogRecord({"name": "plugin.a.b", "msg": "%s", "args": (Rude(),)}))

    await shipper.send_all(1.0)

    ((name, message),) = link.messages
    assert name == "plugin.a.b"
    assert message.startswith("'%s' (cannot be formatted: SystemExit: no")


async def test_an_object_that_blocks_while_it_is_formatted(shipper: LogShipper) -> None:
    """Whoever else logs meanwhile is heard; the blocked one is as soon as it goes on."""
    begun, go_on = threading.Event(), threading.Event()

    class Slow:
        def __str__(self) -> str:
            begun.set()
            assert go_on.wait(10)
            return "at last"

    link = _attached(shipper)
    record = logging.makeLogRecord({"name": "plugin.a.b", "msg": "%s", "args": (Slow(),)})
    blocked = threading.Thread(target=shipper.handle, args=(record,))
    blocked.start()
    try:
        assert begun.wait(10)
        other = logging.makeLogRecord({"name": "plugin.c.d", "msg": "meanwhile"})
        meanwhile = threading.Thread(target=shipper.handle, args=(other,))
        meanwhile.start()
        meanwhile.join(10)
        await shipper.send_all(1.0)
        heard = link.messages
    finally:
        go_on.set()
        blocked.join(10)
    await shipper.send_all(1.0)

    assert heard == [("plugin.c.d", "meanwhile")]
    assert link.messages[1:] == [("plugin.a.b", "at last")]


async def test_filters_are_asked(shipper: LogShipper) -> None:
    """A handler of the standard library has filters; a record that one turns away is not sent."""
    link = _attached(shipper)
    shipper.addFilter(lambda record: record.name != "plugin.a.b")

    taken = [shipper.handle(logging.makeLogRecord({"name": name})) for name in ("plugin.a.b", "plugin.c.d")]
    await shipper.send_all(1.0)

    assert taken == [False, True]
    assert [name for name, _ in link.messages] == ["plugin.c.d"]


async def test_a_plugin_that_takes_all_handlers_away(shipper: LogShipper) -> None:
    """After it was loaded the handler is back, or its neighbours would be mute."""
    link = _attached(shipper)
    logging.basicConfig(force=True, stream=io.StringIO())

    shipper.note_loading(False)
    logging.getLogger("plugin.c.d").info("still heard")
    await shipper.send_all(1.0)

    assert link.messages == [("plugin.c.d", "still heard")]


async def test_prints_of_several_plugins_do_not_mix(shipper: LogShipper) -> None:
    """Each has its own open line; nobody's goes to the runner's name; an empty line is none."""
    link = _attached(shipper)
    stream = PrintStream(1, logging.INFO)

    for plugin_id, text in (("a.b", "one"), ("c.d", "two\n\n"), ("a.b", " more\n"), ("c.d", "open")):
        call_guarded(plugin_id, stream.write, text)
    stream.write("nobody's\n")
    stream.end_line("c.d")
    stream.end_line("x.y")
    await shipper.send_all(1.0)

    assert link.messages == [
        ("plugin.c.d", "two"),
        ("plugin.a.b", "one more"),
        (RUNNER_LOGGER, "nobody's"),
        ("plugin.c.d", "open"),
    ]
    assert (stream.fileno(), stream.writable(), stream.encoding) == (1, True, "utf-8")
