"""A chat policy is read when it changes and not with each message; a broken file opens nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rookery.supervisor.platform import policy_file
from rookery.supervisor.platform.policy_file import LOOK_PERIOD, PolicyFile, read_policy
from rookery.supervisor.platform.routes import Driver, route_key

KEY = route_key("qq", "10000")
DRIVER = Driver(plugin_id="p.a", gateway="chat", key=KEY, sends=True, receives=True)
POLICY = """
[defaults.group]
default_action = "block"

[[adapters]]
platform = "QQ"
account_id = 10000
[adapters.group]
allow_ids = [777, "888"]
[adapters.private]
list_type = "blacklist"
ids = [42]
"""


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _lets_in(file: PolicyFile, group: str) -> bool:
    return file.current().evaluate(DRIVER, KEY, group_id=group, user_id="u").allowed


def _write(path: Path, text: str, stamp: int) -> None:
    path.write_text(text)
    os.utime(path, (stamp, stamp))


def test_a_policy_is_read_from_its_file(tmp_path: Path) -> None:
    """Ids may be numbers; the case of a platform does not matter."""
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    file = PolicyFile(path, Clock())

    assert [_lets_in(file, group) for group in ("777", "888", "999")] == [True, True, False]
    assert file.mistakes == ()


def test_a_message_costs_no_look_at_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One look a second, and a reading only where something has changed."""
    path = tmp_path / "policy.toml"
    _write(path, POLICY, 1)
    clock = Clock()
    file = PolicyFile(path, clock)
    looks: list[object] = []
    real = os.stat
    monkeypatch.setattr(policy_file.os, "stat", lambda place: looks.append(place) or real(place))

    for step in range(3000):
        clock.now = step * LOOK_PERIOD / 1000
        _lets_in(file, "777")

    assert len(looks) == 3
    assert file.loads == 1


def test_a_change_holds_from_the_next_look_on(tmp_path: Path) -> None:
    """Without a restart."""
    path = tmp_path / "policy.toml"
    _write(path, POLICY, 1)
    clock = Clock()
    file = PolicyFile(path, clock)
    before = _lets_in(file, "999")

    _write(path, '[defaults.group]\ndefault_action = "allow"\n', 2)
    at_once = _lets_in(file, "999")
    clock.now += LOOK_PERIOD

    assert (before, at_once, _lets_in(file, "999")) == (False, False, True)


@pytest.mark.parametrize("broken", ["[defaults.group", 'defaults = "x"', "[defaults.group]\nids = 5\n", None])
def test_a_file_that_cannot_be_used_changes_nothing(
    tmp_path: Path, broken: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A half-written file must not open the bot to everybody; the log says what is wrong, once."""
    path = tmp_path / "policy.toml"
    _write(path, POLICY, 1)
    clock = Clock()
    file = PolicyFile(path, clock)
    _lets_in(file, "999")

    if broken is None:
        path.unlink()
    else:
        _write(path, broken, 2)
    clock.now += LOOK_PERIOD

    assert not _lets_in(file, "999")
    clock.now += LOOK_PERIOD
    assert _lets_in(file, "777")
    assert [record.message.count("stays as it was") for record in caplog.records] == [1]
    assert file.mistakes


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("[default.group]", "default", "an unknown key"),
        ("[defaults.groups]", "defaults.groups", "an unknown key"),
        ('[defaults.group]\ndefault_action = "deny"', "defaults.group.default_action", "'allow'"),
        ('[defaults.group]\nlist_type = "white"', "defaults.group.list_type", "'whitelist'"),
        ("[defaults.group]\ndeny_ids = [1.5]", "defaults.group.deny_ids[0]", "a text in quotes"),
        ("[adapters]\nplatform = 'qq'", "adapters", "two brackets"),
        ("[[adapters]]\ndisabled = true", "adapters[0]", "names no gateway"),
        ("[[adapters]]\nplatform = 5", "adapters[0].platform", "a text in quotes"),
        ("a = 1\nb = =", "", "line 2"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, key: str, words: str) -> None:
    """As in every file of a deployment."""
    path = tmp_path / "policy.toml"
    path.write_text(text)

    _, mistakes = read_policy(path)

    assert [mistake.key for mistake in mistakes] == [key]
    assert words in str(mistakes[0])
    assert str(mistakes[0]).startswith(f"{path}: ")
