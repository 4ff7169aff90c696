"""One chat is let in or kept out by one order; what the owner of the file wrote around it stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.supervisor.errors import UsageError
from rookery.supervisor.platform.chat_policy import ChatType, DefaultAction
from rookery.supervisor.platform.policy_edit import Override, forget_chat, set_chat, set_default
from rookery.supervisor.platform.policy_file import PolicyFile
from rookery.supervisor.platform.routes import Driver, route_key

KEY = route_key("qq", "10000")
DRIVER = Driver(plugin_id="p.a", gateway="chat", key=KEY, sends=True, receives=True)
WRITTEN = """# our groups
[defaults.group]
deny_ids = [
    "1",  # spam
    2,
]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "chats.toml"
    path.write_text(WRITTEN)
    return path


def _lets_in(path: Path, group: str) -> bool:
    policy = PolicyFile(path, lambda: 0.0).current()
    return policy.evaluate(DRIVER, KEY, group_id=group, user_id="u").allowed


@pytest.mark.parametrize("number", ["1", "2"])
def test_a_chat_that_was_kept_out_is_let_in(path: Path, number: str) -> None:
    """It leaves the one list and enters the other; comments stay; doing it twice changes nothing."""
    assert set_chat(path, ChatType.GROUP, number, Override.ALLOW)
    assert not set_chat(path, ChatType.GROUP, number, Override.ALLOW)

    assert _lets_in(path, number)
    assert path.read_text().startswith("# our groups\n")
    assert _lets_in(path, "1") is (number == "1")


def test_a_chat_is_kept_out_by_one_gateway(path: Path) -> None:
    """An entry is made where there is none, and used again."""
    gateway = {"platform": "qq", "account_id": "10000"}
    for number in ("7", "8"):
        set_chat(path, ChatType.GROUP, number, Override.BLOCK, gateway=gateway)

    assert path.read_text().count("[[adapters]]") == 1
    assert [_lets_in(path, number) for number in ("6", "7", "8")] == [True, False, False]


def test_a_chat_is_forgotten_everywhere(path: Path) -> None:
    """Then what is said of all of them holds."""
    set_chat(path, ChatType.GROUP, "1", Override.ALLOW, gateway={"platform": "qq"})
    set_default(path, ChatType.GROUP, DefaultAction.BLOCK)

    assert forget_chat(path, ChatType.GROUP, "1")
    assert not forget_chat(path, ChatType.GROUP, "1")

    assert not _lets_in(path, "1")
    set_default(path, ChatType.GROUP, None)
    assert _lets_in(path, "1")


def test_a_file_that_is_not_there_is_made(tmp_path: Path) -> None:
    """With what was ordered and nothing else."""
    path = tmp_path / "new.toml"

    set_chat(path, ChatType.PRIVATE, "42", Override.BLOCK)

    assert path.read_text() == '[defaults.private]\ndeny_ids = ["42"]\n'


@pytest.mark.parametrize(
    "broken", ["[defaults", "defaults = 1", "[defaults.group]\nids = 5\n", "[defaults]\ngroup = [1]\n"]
)
def test_a_broken_file_stays_as_it_is(path: Path, broken: str) -> None:
    """Whoever gave the order is told to correct it first."""
    path.write_text(broken)

    with pytest.raises(UsageError, match="correct it first"):
        set_chat(path, ChatType.GROUP, "1", Override.ALLOW)

    assert path.read_text() == broken


@pytest.mark.parametrize("gateway", [{}, {"plugin": "p.a"}])
def test_an_entry_has_to_name_its_gateway(path: Path, gateway: dict[str, str]) -> None:
    """By what an entry may name."""
    with pytest.raises(UsageError, match="a gateway is named by"):
        set_chat(path, ChatType.GROUP, "1", Override.ALLOW, gateway=gateway)
    with pytest.raises(UsageError, match="not empty"):
        set_chat(path, ChatType.GROUP, " ", Override.ALLOW)


def test_an_order_holds_at_once(path: Path) -> None:
    """The host that gave it does not wait for its next look."""
    file = PolicyFile(path, lambda: 0.0)
    before = file.current()

    set_chat(path, ChatType.GROUP, "9", Override.BLOCK)

    assert file.current() is before
    assert not file.look_now().evaluate(DRIVER, KEY, group_id="9", user_id="u").allowed
