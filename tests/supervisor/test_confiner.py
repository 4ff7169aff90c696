"""When is a shard refused the isolation that it must have, and what becomes of its directories?"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from rookery.protocol import AssignedPlugin
from rookery.supervisor.confiner import Confiner, NotIsolated
from rookery.supervisor.process import Launch
from rookery.supervisor.profiles import Isolation, Means, Reached
from rookery.supervisor.settings import ShardSettings

NOTHING = Means(no_landlock="no kernel", no_seccomp="no library", no_bubblewrap="install bubblewrap")
STRANGE = ShardSettings(name="guests", trust="untrusted")


@pytest.fixture(autouse=True)
def own_umask() -> Iterator[None]:
    """A host that lets others pass makes new files its own, for as long as it runs."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def launch_of(shard: str) -> Launch:
    return Launch(command=("python",), environment={}, stdout=1, stderr=2, inherited=(), run=f"{shard}.1")


def test_what_the_machine_does_not_have_is_refused_with_the_way_to_have_it(tmp_path: Path) -> None:
    """Nothing is made for a shard that does not start, and nothing is said to be reached."""
    confiner = Confiner(tmp_path, NOTHING, is_root=False)
    settings = ShardSettings(name="guests", isolation=Isolation.SANDBOX)

    with pytest.raises(NotIsolated) as caught:
        confiner.confine(launch_of("guests"), settings, ())

    assert str(caught.value.strerror) == (
        'isolation = "sandbox" is not available here, so the shard was not started. bubblewrap: install bubblewrap.'
        " landlock: no kernel"
    )
    assert confiner.reached == {}
    assert list(tmp_path.iterdir()) == []


def test_strangers_are_not_root(tmp_path: Path) -> None:
    """A host that runs as root has to name users for them, or to say that they may be root."""
    confiner = Confiner(tmp_path, Means(), is_root=True)

    refused = confiner.reach(STRANGE)

    assert isinstance(refused, str)
    assert 'uid_range = "FIRST-LAST"' in refused
    assert confiner.reach(ShardSettings(name="guests")) == Reached(profile=Isolation.PROCESS, mechanisms=())
    allowed = confiner.reach(ShardSettings(name="guests", trust="untrusted", own_user=False))
    assert allowed == Reached(profile=Isolation.PROCESS, mechanisms=(), is_weaker=True)


def test_each_shard_is_a_user_of_its_own(tmp_path: Path) -> None:
    """The same one each time, and no more shards than users."""
    confiner = Confiner(tmp_path, Means(), range(200_000, 200_002), is_root=True)
    shards = [ShardSettings(name=name, trust="untrusted") for name in ("a", "b", "c")]

    uids = [confiner.uid_of(each) for each in (*shards[:2], *shards[:2])]

    assert uids == [200_000, 200_001] * 2
    refused = confiner.reach(shards[2])
    assert isinstance(refused, str)
    assert "has 2 users" in refused
    assert confiner.uid_of(ShardSettings(name="own")) is None


def test_an_ordinary_user_needs_no_others(tmp_path: Path) -> None:
    """It cannot become them either."""
    confiner = Confiner(tmp_path, Means(), range(200_000, 200_002), is_root=False)

    assert confiner.uid_of(STRANGE) is None
    assert isinstance(confiner.reach(STRANGE), Reached)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_data_of_a_plugin_follow_it_to_another_user(tmp_path: Path) -> None:
    """What another shard's user had is this one's, links lead nowhere, and nothing of others is given away."""
    state, foreign = tmp_path / "state", tmp_path / "foreign"
    foreign.write_text("not a plugin's")
    data = state / "plugins" / "a.b"
    (data / "deep").mkdir(parents=True)
    for path in (data / "own", data / "deep" / "own"):
        path.write_text("mine")
        os.chown(path, 200_009, 200_009)
    (data / "link").symlink_to(foreign)
    os.link(foreign, data / "hard")
    (state / "store").write_text("the host's")
    tmp_path.chmod(0o755)
    confiner = Confiner(state, Means(), range(200_000, 200_010), is_root=True)

    confiner._let_pass()
    confiner._own_directory(data, 200_001)

    assert {path.lstat().st_uid for path in (data, data / "own", data / "deep", data / "deep" / "own")} == {
        200_001
    }
    assert foreign.stat().st_uid == 0
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE((state / "store").stat().st_mode) & 0o077 == 0
    assert stat.S_IMODE(state.stat().st_mode) == 0o711


def test_a_link_in_the_place_of_a_directory_is_not_followed(tmp_path: Path) -> None:
    """Whoever could write there before may have left one."""
    target = tmp_path / "target"
    target.mkdir(mode=0o755)
    (tmp_path / "homes").mkdir()
    (tmp_path / "homes" / "guests").symlink_to(target)
    confiner = Confiner(tmp_path, Means(), is_root=False)

    with pytest.raises(OSError, match=r"Not a directory|symbolic"):
        confiner._own_directory(tmp_path / "homes" / "guests", None)

    assert stat.S_IMODE(target.stat().st_mode) == 0o755
    assert AssignedPlugin(plugin_id="a.b").data_dir == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_plain_process_of_a_stranger_is_another_user_and_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Landlock and seccomp, which it did not ask for and the machine may not have."""
    monkeypatch.setattr("rookery.supervisor.confiner._hidden_from", lambda uid, paths: "")
    confiner = Confiner(tmp_path, NOTHING, range(200_000, 200_002), is_root=True)

    launch = confiner.confine(launch_of("guests"), STRANGE, ())

    plan = json.loads(launch.plan)
    assert (plan["uid"], plan["is_confined"], plan["filter"], plan["bubblewrap"]) == (200_000, False, "", [])
    assert not launch.is_boxed
    assert not launch.may_be_forked


def test_a_plugin_that_its_user_cannot_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the directory that is in the way."""
    hidden = tmp_path / "private" / "plugin"
    hidden.mkdir(parents=True)
    hidden.parent.chmod(0o700)
    tmp_path.chmod(0o755)
    monkeypatch.setattr("rookery.supervisor.confiner.python_paths", lambda command: [])
    confiner = Confiner(tmp_path / "state", Means(), range(200_000, 200_002), is_root=True)
    plugin = AssignedPlugin(plugin_id="a.b", path=str(hidden))

    with pytest.raises(NotIsolated) as caught:
        confiner.confine(launch_of("guests"), STRANGE, [plugin])

    assert "its user 200000 cannot read" in str(caught.value.strerror)
    assert "put its plugins where everybody can" in str(caught.value.strerror)


def test_a_shard_keeps_its_user_over_the_next_start_of_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else another could open what the first has left, until that starts as well."""
    monkeypatch.setattr("rookery.supervisor.confiner.python_paths", lambda _: [])
    monkeypatch.setattr(os, "chown", lambda *_, **__: None)
    monkeypatch.setattr(os, "fchown", lambda *_: None)
    users = range(200_000, 200_003)
    first = Confiner(tmp_path, Means(), users, is_root=True)
    for name in ("b", "a"):
        first.confine(launch_of(name), ShardSettings(name=name, trust="untrusted"), ())
    known = {name: first.uid_of(ShardSettings(name=name, trust="untrusted")) for name in ("a", "b")}

    again = Confiner(tmp_path, Means(), users, is_root=True)

    assert {name: again.uid_of(ShardSettings(name=name, trust="untrusted")) for name in ("a", "b")} == known
    assert again.uid_of(ShardSettings(name="new", trust="untrusted")) not in known.values()
    refused = again.reach(ShardSettings(name="more", trust="untrusted"))
    assert isinstance(refused, str)
    assert "has 3 users, and more shards need one" in refused


@pytest.mark.parametrize("text", ["[]", "{", '{"a": "x"}'])
def test_a_record_of_users_that_makes_no_sense_starts_nobody(tmp_path: Path, text: str) -> None:
    """A guess could give one shard the files of another."""
    (tmp_path / "uids.json").write_text(text)
    confiner = Confiner(tmp_path, Means(), range(200_000, 200_002), is_root=True)

    refused = confiner.reach(STRANGE)

    assert isinstance(refused, str)
    assert "which shard is which user" in refused


@pytest.mark.parametrize("inside", ["state", "rookery.toml"])
def test_a_plugin_whose_directory_holds_a_secret_is_not_started(tmp_path: Path, inside: str) -> None:
    """Its directory is its own to read, with the configuration or the state of the host in it."""
    whole = Means(landlock=7, bubblewrap="/usr/bin/bwrap")
    bot = tmp_path / "bot"
    elsewhere = tmp_path / "elsewhere"
    state = bot / "state" if inside == "state" else elsewhere / "state"
    config = bot / "rookery.toml" if inside == "rookery.toml" else elsewhere / "rookery.toml"
    confiner = Confiner(state, whole, is_root=False, config=config)
    plugin = AssignedPlugin(plugin_id="test.one", path=str(bot), data_dir="")

    with pytest.raises(NotIsolated, match="put the plugin into a directory of its own"):
        confiner.confine(
            launch_of("guests"), ShardSettings(name="guests", isolation=Isolation.CONFINED), [plugin]
        )

    assert confiner.reached == {}
