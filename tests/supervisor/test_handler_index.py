"""An event finds those who want it, in the total order, however few of however many they are."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol import ComponentDeclaration, EventFilter, MessageMap, build_message
from rookery.supervisor.component import EventHandler
from rookery.supervisor.declaration import make_component
from rookery.supervisor.handler_index import MAX_REMEMBERED, Audience, EventIndex
from rookery.supervisor.ordering import event_order


def make(
    place: str, *, chat_scope: str = "all", sessions: tuple[str, ...] = (), weight: int = 0, **wanted: Any
) -> EventHandler:
    """An event handler that wants this."""
    plugin_id, _, name = place.rpartition(".")
    made = make_component(
        ComponentDeclaration(
            name=name,
            component_type="EVENT_HANDLER",
            chat_scope=chat_scope,
            allowed_session=list(sessions),
            metadata={"event_type": "e", "weight": weight, "event_filter": wanted},
        ),
        plugin_id=plugin_id,
        shard="one",
        is_trusted=True,
        path="",
    )
    assert isinstance(made, EventHandler)
    return made


def said(
    text: str = "hello", *, platform: str = "irc", user: str = "ann", group: str | None = "lobby"
) -> MessageMap:
    return build_message(
        message_id="m",
        platform=platform,
        user_id=user,
        user_name=user,
        group_id=group,
        text=text,
        timestamp=0.0,
    )


def index_of(*handlers: EventHandler) -> EventIndex:
    index = EventIndex()
    for handler in handlers:
        index.add(handler)
    return index


def _names(audience: Audience) -> list[str]:
    return [handler.full_name for handler in audience.interceptors + audience.observers]


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        pytest.param({}, (True, True, True), id="everything"),
        pytest.param({"platforms": ["irc"]}, (True, True, False), id="a platform"),
        pytest.param({"platforms": ["IRC", "qq"]}, (True, True, True), id="platforms in any letters"),
        pytest.param({"chat_scope": "group"}, (True, False, True), id="groups"),
        pytest.param({"chat_scope": "private"}, (False, True, False), id="private chats"),
        pytest.param({"sessions": ("irc:group:lobby",)}, (True, False, False), id="a session"),
        pytest.param({"sessions": ("lobby", "irc:lobby")}, (True, False, True), id="a group by its names"),
        pytest.param({"users": ["bob"]}, (False, True, False), id="a user"),
        pytest.param({"users": ["bob", "ann"], "platforms": ["irc"]}, (True, True, False), id="users there"),
        pytest.param(
            {"users": ["ann"], "sessions": ("lobby",), "platforms": ["qq"], "chat_scope": "group"},
            (False, False, True),
            id="all of it",
        ),
        pytest.param({"users": ["bob"], "chat_scope": "group"}, (False, False, False), id="what never meets"),
    ],
)
def test_a_handler_gets_what_its_filter_fits(wanted: dict[str, Any], fits: tuple[bool, ...]) -> None:
    """Every part that is named has to fit; and the filter by itself says the same as the index."""
    events = (said(), said(user="bob", group=None), said(platform="qq"))
    handler = make("p.a.x", **wanted)
    index = index_of(handler, make("p.b.other", platforms=["nowhere"]))

    assert tuple(_names(index.find(event)) == ["p.a.x"] for event in events) == fits
    assert tuple(handler.filter.fits(event) for event in events) == fits


def test_an_event_without_a_message_goes_to_those_who_want_everything() -> None:
    """It is from nowhere and by nobody."""
    index = index_of(make("p.a.all"), make("p.b.irc", platforms=["irc"]), make("p.c.g", chat_scope="group"))

    assert _names(index.find(None)) == ["p.a.all"]


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({}, id="empty"),
        pytest.param({"message_info": None, "platform": 3, "session_id": ["s"]}, id="nothing is a text"),
        pytest.param({"message_info": {"user_info": {"user_id": []}, "group_info": {"x": 1}}}, id="no ids"),
        pytest.param({"message_info": {"user_info": "u", "group_info": "g"}}, id="no maps"),
        pytest.param({"raw_message": None}, id="no text"),
        pytest.param({"raw_message": [None]}, id="no segments"),
    ],
)
def test_what_is_hardly_a_message_fits_no_name(message: Any) -> None:
    """A host application may dispatch anything."""
    index = index_of(
        make("p.a.all"),
        make("p.b.x", sessions=("lobby",)),
        make("p.b.y", users=["u"]),
        make("p.b.z", platforms=["irc"]),
        make("p.b.p", pattern="a"),
    )

    assert _names(index.find(message)) == ["p.a.all"]


def test_the_total_order_goes_through_all_filters() -> None:
    """Weight, plugin id, name; each half by itself, however the handlers came."""
    handlers = [
        make("p.c.light", weight=-1),
        make("p.b.user", users=["ann"]),
        make("p.b.both", sessions=("lobby", "irc:group:lobby")),
        make("p.a.platform", platforms=["irc"], weight=5),
        make("p.b.all"),
        make("p.a.elsewhere", platforms=["qq"], weight=9),
    ]

    for ordered in (handlers, handlers[::-1]):
        assert _names(index_of(*ordered).find(said())) == [
            "p.a.platform",
            "p.b.all",
            "p.b.both",
            "p.b.user",
            "p.c.light",
        ]


def test_a_handler_that_goes_is_gone_and_the_rest_stays() -> None:
    """And what had been found before stays as it was."""
    first, second, third = make("p.a.x", platforms=["irc"]), make("p.b.x", platforms=["irc"]), make("p.c.x")
    index = index_of(first, second, third)
    before = index.find(said())

    index.remove(first)
    after_one = index.find(said())
    index.remove(second)
    index.remove(third)

    assert _names(before) == ["p.a.x", "p.b.x", "p.c.x"]
    assert _names(after_one) == ["p.b.x", "p.c.x"]
    assert _names(index.find(said())) == []


def test_the_same_handlers_are_the_same_object() -> None:
    """So that what follows from them can be kept beside them; until one comes or goes."""
    index = index_of(make("p.a.x", users=["ann"]), make("p.b.x"))
    found = index.find(said("one"))
    again = index.find(said("two", group="another"))

    index.add(make("p.c.x", users=["nobody"]))

    assert again is found
    assert index.find(said()) is not found


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many sets of handlers as there are chats would be too many."""
    monkeypatch.setattr("rookery.supervisor.handler_index.MAX_REMEMBERED", 10)
    index = index_of(*[make(f"p.a.u{number}", users=[f"u{number}"]) for number in range(50)])

    found = [_names(index.find(said(user=f"u{number}"))) for number in range(50)]

    assert found == [[f"p.a.u{number}"] for number in range(50)]
    assert len(index._audiences) <= 10 < MAX_REMEMBERED


def test_an_event_meets_only_the_filters_that_its_names_lead_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of hundreds that name conversations, users, platforms and words: the rest is not asked."""
    judged: list[EventFilter] = []
    admits = EventFilter.admits
    monkeypatch.setattr(
        EventFilter, "admits", lambda wanted, occasion: judged.append(wanted) or admits(wanted, occasion)
    )
    index = EventIndex()
    for number in range(60):
        index.add(make(f"p.s.{number}", sessions=(f"irc:group:g{number}",), users=["ann"]))
        index.add(make(f"p.u.{number}", users=[f"u{number}"], platforms=["irc"]))
        index.add(make(f"p.p.{number}", platforms=[f"p{number}"], chat_scope="group"))
        index.add(make(f"p.w.{number}", pattern=rf"\bword {number}{chr(0x4E00 + number)}"))

    found = index.find(said("what is word 8丈?", user="u9", group="g7", platform="p6"))

    # Not the user's, who is on another platform, nor that of the conversation, which wants somebody else.
    assert _names(found) == ["p.p.6", "p.w.8"]
    assert len(judged) < 10


def test_adding_a_handler_asks_for_the_place_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search by halves: ten thousand are registered in about ten times the time of a thousand."""
    asked: list[EventHandler] = []
    monkeypatch.setattr(
        "rookery.supervisor.handler_index.event_order",
        lambda handler: asked.append(handler) or event_order(handler),
    )
    handlers = [make(f"p.h{number}.x", weight=number % 7) for number in range(256)]
    index = index_of(*handlers)
    asked.clear()

    index.add(make("p.last.x"))
    adding = len(asked)
    index.remove(handlers[100])

    assert adding <= 10
    assert len(asked) - adding <= 10


def test_what_a_filter_keeps_from_a_handler_is_counted() -> None:
    """From the moment at which it came, each handler by itself; for one that wants everything it is nothing."""
    early, everything = make("p.a.early", users=["ann"]), make("p.a.all")
    index = index_of(early, everything)
    for user in ("ann", "bob", "bob"):
        index.find(said(user=user))
    late = make("p.b.late", users=["ann"])
    index.add(late)

    index.find(said(user="bob"))
    index.find(None)

    assert [index.filtered(each) for each in (early, late, everything)] == [4, 2, 0]
