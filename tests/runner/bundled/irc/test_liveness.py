"""The watch for silence decides from the time that it is told."""

from __future__ import annotations

from rookery.runner.bundled.irc.liveness import Liveness


def test_a_silent_server_is_asked_and_then_given_up() -> None:
    """After the interval a PING, after the patience the end; any line in between counts as life."""
    watch = Liveness(interval=60, patience=30)
    watch.heard(1000)

    assert not watch.should_ask(1059)
    assert watch.should_ask(1060)
    watch.asked(1060)
    assert not watch.should_ask(1080)
    assert watch.next_look() == 1090
    assert not watch.is_gone(1089)
    assert watch.is_gone(1090)
    watch.heard(1089.5)
    assert not watch.is_gone(1090)
    assert watch.next_look() == 1149.5
