"""chat.*, person.* and statistics.local.*: what the host knows from what was said and used."""

from __future__ import annotations

import time
from typing import Any

import pytest
import trio

from rookery.protocol import build_message
from rookery.supervisor import digest as digest_module
from rookery.supervisor.capabilities import CapabilityTable, make_table
from rookery.supervisor.grants import Grants
from rookery.supervisor.opened_chats import restore_opened_chats
from rookery.supervisor.platform.sessions import Sessions
from rookery.supervisor.statistics import TOOL, Statistics
from rookery.supervisor.store import Store
from tests.doubles.capability_calls import Caller, FakePictures


@pytest.fixture
def sessions() -> Sessions:
    return Sessions()


@pytest.fixture
def statistics(store: Store) -> Statistics:
    return Statistics(store)


@pytest.fixture
async def table(
    store: Store,
    grants: Grants,
    powers: FakePictures,
    sessions: Sessions,
    statistics: Statistics,
    nursery: trio.Nursery,
) -> CapabilityTable:
    table = make_table(store, grants, powers, sessions=sessions, statistics=statistics)
    await nursery.start(table.run)
    return table


def say(
    store: Store,
    user: str,
    *,
    name: str = "",
    card: str | None = None,
    group: str | None = "g",
    at: float | None = None,
    own: bool = False,
) -> None:
    message = build_message(
        message_id=f"m{store.waiting}-{time.monotonic_ns()}",
        platform="qq",
        user_id=user,
        user_name=name or user,
        group_id=group,
        group_name="Group" if group else None,
        text="hi",
        timestamp=time.time() if at is None else at,
    )
    message["message_info"]["user_info"]["user_cardname"] = card
    kind = f"qq:group:{group}" if group else f"qq:private:{user}"
    store.save_message_nowait(message, kind, direction="out" if own else "in")


# --- chats -------------------------------------------------------------------------------------------------------------


async def test_a_chat_is_found_by_its_group_or_its_other_side(caller: Caller, store: Store) -> None:
    """On the protocol's default platform, on a named one, on any; null when there is none."""
    say(store, "1")
    say(store, "2", group=None)

    group = (await caller.ask("chat.get_stream_by_group_id", {"group_id": "g"}))["stream"]
    private = (await caller.ask("chat.get_stream_by_user_id", {"user_id": 2, "platform": "QQ"}))["stream"]
    anywhere = await caller.ask("chat.get_stream_by_user_id", {"user_id": "2", "platform": "all_platforms"})
    nobody = await caller.ask("chat.get_stream_by_group_id", {"group_id": "g", "platform": "irc"})
    speaker = await caller.ask("chat.get_stream_by_user_id", {"user_id": "1", "platform": "all_platforms"})

    assert (group["session_id"], group["group_name"], group["chat_type"]) == ("qq:group:g", "Group", "group")
    assert (private["stream_id"], private["is_group_session"]) == ("qq:private:2", False)
    assert anywhere["stream"] == private
    assert nobody == {"success": True, "stream": None}
    assert speaker["stream"] is None  # has only spoken in a group


async def test_a_chat_is_opened_before_anybody_speaks(caller: Caller, sessions: Sessions) -> None:
    """It has an id to send to, is in the lists, and is opened once."""
    wanted = {"platform": "irc", "user_id": "ann", "account_id": "rook", "scope": "net"}

    first = await caller.ask("chat.open_session", wanted)
    again = await caller.ask("chat.open_session", wanted)
    group = await caller.ask("chat.open_session", {"group_id": 7, "type": None})
    listed = await caller.ask("chat.get_all_streams", {"platform": "all_platforms"})
    private = await caller.ask("chat.get_private_streams", {"platform": "irc"})

    assert (first["created"], again["created"], group["created"]) == (True, False, True)
    assert first["session_id"] == first["stream"]["session_id"] == "irc:private:ann"
    assert group["session_id"] == "qq:group:7"
    assert [chat["session_id"] for chat in listed["streams"]] == ["irc:private:ann", "qq:group:7"]
    assert private["streams"] == [first["stream"]]
    session = sessions.find("irc:private:ann")
    assert session is not None
    assert (session.key.account_id, session.key.scope, session.user_id) == ("rook", "net", "ann")


async def test_a_chat_in_which_somebody_spoke_is_not_new(caller: Caller, store: Store) -> None:
    """What was said tells more of it than whoever opens it."""
    say(store, "1")

    answer = await caller.ask("chat.open_session", {"group_id": "g", "account_id": "other"})

    assert answer["created"] is False
    assert (answer["group_name"], answer["account_id"]) == ("Group", None)


async def test_an_opened_chat_outlives_the_host(caller: Caller, store: Store) -> None:
    """With the account that it was opened for: the id alone does not say it."""
    await caller.ask("chat.open_session", {"platform": "irc", "user_id": "ann", "account_id": "rook"})
    later = Sessions()

    await restore_opened_chats(store, later)

    session = later.find("irc:private:ann")
    assert session is not None
    assert session.key.account_id == "rook"


@pytest.mark.parametrize(
    ("args", "argument"),
    [
        pytest.param({}, "user_id", id="nobody"),
        pytest.param({"chat_type": "group", "user_id": "1"}, "group_id", id="a group without one"),
        pytest.param({"chat_type": "channel", "user_id": "1"}, "chat_type", id="a kind that is none"),
        pytest.param({"user_id": "1", "platform": "all_platforms"}, "platform", id="every platform"),
        pytest.param({"user_id": "1", "platform": "a:b"}, "platform", id="a platform with a colon"),
        pytest.param({"user_id": "x" * 1000}, "user_id", id="a long id"),
    ],
)
async def test_a_chat_that_cannot_be_is_not_opened(caller: Caller, args: Any, argument: str) -> None:
    """The result names the argument."""
    answer = await caller.ask("chat.open_session", args)

    assert answer["success"] is False
    assert answer["error"].startswith(argument)


# --- persons -----------------------------------------------------------------------------------------------------------


async def test_a_person_is_known_from_what_was_said(caller: Caller, store: Store) -> None:
    """Names as they were last, and when and how often."""
    say(store, "1", name="Ann", at=1000.0)
    say(store, "1", name="Anna", card="Boss", at=2000.0, group=None)
    say(store, "rook", own=True)

    person_id = (await caller.ask("person.get_id", {"platform": "qq", "user_id": 1}))["person_id"]

    async def value(field: str) -> Any:
        return (await caller.ask("person.get_value", {"person_id": person_id, "field_name": field}))["value"]

    assert [await value(field) for field in ("person_name", "nickname", "user_cardname")] == [
        "Boss",
        "Anna",
        "Boss",
    ]
    assert [await value(field) for field in ("know_since", "last_know", "know_times")] == [1000.0, 2000.0, 2]
    assert [await value(field) for field in ("platform", "user_id", "is_known")] == ["qq", "1", True]
    assert (await caller.ask("person.get_id_by_name", {"person_name": "Boss"}))["person_id"] == person_id
    assert (await caller.ask("person.get_id_by_name", {"person_name": "Anna"}))["person_id"] == person_id
    assert (await caller.ask("person.get_id_by_name", {"person_name": "rook"}))["person_id"] == ""


@pytest.mark.parametrize("field", ["__class__", "__dict__", "password", "points"])
async def test_no_attribute_of_an_object_is_read_by_its_name(
    caller: Caller, store: Store, field: str
) -> None:
    """W13: what is not known of a person is the default; so is everything of a person who is not known."""
    say(store, "1")
    args = {"field_name": field, "default": None}

    known = await caller.ask("person.get_value", {**args, "person_id": "qq:1"})
    unknown = await caller.ask(
        "person.get_value", {"person_id": "qq:9", "field_name": "nickname", "default": "?"}
    )

    assert known == {"success": True, "value": None}
    assert unknown == {"success": True, "value": "?"}


async def test_messages_are_counted_once_however_often_somebody_asks(
    caller: Caller, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in small pieces, which take more than one question."""
    monkeypatch.setattr(digest_module, "PIECE", 3)
    monkeypatch.setattr(digest_module, "MOST_PIECES", 2)
    for _ in range(14):
        say(store, "1")
    args = {"person_id": "qq:1", "field_name": "messages"}

    counts = [(await caller.ask("person.get_value", args))["value"] for _ in range(4)]

    assert counts == [6, 12, 14, 14]


# --- statistics --------------------------------------------------------------------------------------------------------


async def test_messages_are_shown_by_chat(caller: Caller, store: Store) -> None:
    """With the names that people know; a message's own time counts, and nonsense of a time does not."""
    now = time.time()
    for at in (now, now, now - 86_400, now - 40 * 86_400, 1e18, -5.0):
        say(store, "1", at=at)
    say(store, "2", name="Bob", group=None)

    series = (await caller.ask("statistics.local.message_trend", {"days": 7}))["series"]

    assert {key: sum(values) for key, values in series["values_by_key"].items()} == {
        "qq:group:g": 3,
        "qq:private:2": 1,
    }
    assert series["labels_by_key"] == {"qq:group:g": "Group", "qq:private:2": "Bob"}
    assert (len(series["timestamps"]), series["total"], series["source_count"]) == (7, 4, 2)


async def test_what_was_counted_a_moment_ago_is_shown(caller: Caller, statistics: Statistics) -> None:
    """Nobody waits for the minute to be over."""
    statistics._add(TOOL, "a.b.roll", 1)
    statistics.note_llm_use(
        model="big",
        provider="p",
        module="plugin.a.b",
        prompt_tokens=90,
        completion_tokens=10,
        cost=0.5,
        seconds=2.0,
    )
    statistics.note_llm_use(model="small", kind="embedding", prompt_tokens=50, seconds=1.0, failed=True)

    async def ask(name: str, key: str, **args: Any) -> Any:
        return (await caller.ask(f"statistics.local.{name}", args))[key]

    def totals(series: Any) -> Any:
        return {name: sum(values) for name, values in series["values_by_key"].items()}

    models = await ask("models", "models", days=7, limit=10)
    assert [(each["model_name"], each["total_tokens"], each["failure_count"]) for each in models] == [
        ("big", 100, 0),
        ("small", 50, 1),
    ]
    assert totals(await ask("tool_trend", "series", bucket="hour")) == {"a.b.roll": 1}
    assert totals(await ask("model_trend", "series")) == {"big": 100, "small": 50}
    assert totals(await ask("model_trend", "series", metric="request")) == {"big": 1, "small": 1}
    assert totals(await ask("model_trend", "series", metric="cost", top_models=1)) == {"big": 0.5}
    assert totals(await ask("model_trend", "series", metric="latency")) == {"big": 2, "small": 1}
    assert totals(await ask("model_trend", "series", module_name="plugin.a.b")) == {"big": 100}
    assert totals(await ask("token_trend", "series", group_by="")) == {
        "prompt_tokens": 140,
        "completion_tokens": 10,
    }
    assert totals(await ask("token_trend", "series", group_by="type")) == {"response": 100, "embedding": 50}
    pies = (await ask("token_distribution", "distribution", group_by="provider"))["pies"]
    assert [(pie["key"], pie["value"]) for pie in pies] == [("p", 100), ("", 50)]
    assert (await ask("online_time_trend", "series"))["source_count"] == 0


@pytest.mark.parametrize(
    ("name", "args", "argument"),
    [
        ("models", {"days": 0}, "days"),
        ("models", {"days": 366}, "days"),
        ("models", {"limit": 0}, "limit"),
        ("model_trend", {"bucket": "week"}, "bucket"),
        ("model_trend", {"metric": "joy"}, "metric"),
        ("token_trend", {"group_by": "user"}, "group_by"),
        ("tool_trend", {"top_tools": "ten"}, "top_tools"),
    ],
)
async def test_a_question_that_is_none_is_said_by_its_argument(
    caller: Caller, name: str, args: Any, argument: str
) -> None:
    """In the result, as plugins of protocol 1.0.0 expect it."""
    answer = await caller.ask(f"statistics.local.{name}", args)

    assert answer["success"] is False
    assert answer["error"].startswith(argument)
