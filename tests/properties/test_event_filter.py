"""Whatever handlers want and however they come and go, the index finds what asking every one of them finds."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rookery.protocol import ComponentDeclaration, MessageMap, build_message
from rookery.supervisor.component import EventHandler
from rookery.supervisor.declaration import make_component
from rookery.supervisor.handler_index import Audience, EventIndex

PLATFORMS, USERS, GROUPS = ("irc", "qq"), ("u1", "u2", "u3"), ("g1", "g2")
SESSIONS = (*GROUPS, "irc:group:g1", "qq:private:u1", "irc:g2", "nowhere")
PATTERNS = ("", "roll", "(?i)roll", "^a", "a$", "", "o", "ll|b")


@st.composite
def handlers(draw: st.DrawFn) -> list[EventHandler]:
    """Each of another name; some with equal filters."""
    made = []
    for place in range(draw(st.integers(0, 8))):
        wanted: dict[str, Any] = {
            "platforms": draw(st.lists(st.sampled_from(PLATFORMS), max_size=1)),
            "users": draw(st.lists(st.sampled_from(USERS), max_size=2)),
            "pattern": draw(st.sampled_from(PATTERNS)),
        }
        kept = draw(st.sets(st.sampled_from(sorted(wanted))))
        metadata = {
            "event_type": "e",
            "weight": draw(st.integers(-1, 1)),
            "intercept_message": draw(st.booleans()),
            "event_filter": {key: wanted[key] for key in kept},
        }
        declared = ComponentDeclaration(
            name=f"h{place}",
            component_type="EVENT_HANDLER",
            chat_scope=draw(st.sampled_from(("all", "all", "group", "private"))),
            allowed_session=draw(st.one_of(st.just([]), st.lists(st.sampled_from(SESSIONS), max_size=3))),
            metadata=metadata,
        )
        plugin_id = draw(st.sampled_from(("p.a", "p.b")))
        handler = make_component(declared, plugin_id=plugin_id, shard="one", is_trusted=True, path="")
        assert isinstance(handler, EventHandler)
        made.append(handler)
    return made


@st.composite
def messages(draw: st.DrawFn) -> MessageMap | None:
    if draw(st.integers(0, 9)) == 0:
        return None
    return build_message(
        message_id="m",
        platform=draw(st.sampled_from(PLATFORMS)),
        user_id=draw(st.sampled_from(USERS)),
        user_name="n",
        group_id=draw(st.sampled_from((None, *GROUPS))),
        text=draw(st.sampled_from(("", "a", "roll", "ROLL a", "b roll a", "o"))),
        timestamp=0.0,
    )


def _asking_all(live: list[EventHandler], message: MessageMap | None) -> Audience:
    """The words of the design, without an index."""
    fit = sorted(
        (each for each in live if each.filter.fits(message)),
        key=lambda each: (-each.weight, each.plugin_id, each.name),
    )
    return Audience(
        tuple(each for each in fit if each.intercepts), tuple(each for each in fit if not each.intercepts)
    )


@pytest.mark.slow
@settings(max_examples=120)
@given(handlers(), st.data())
def test_the_index_finds_what_asking_every_handler_finds(
    coming: list[EventHandler], data: st.DataObject
) -> None:
    """In the total order, each half by itself; and it knows how often each one's filter said no."""
    index, live = EventIndex(), list[EventHandler]()
    kept_away: dict[EventHandler, int] = {}
    for _ in range(data.draw(st.integers(1, 12))):
        if coming and data.draw(st.booleans()):
            live.append(coming.pop())
            index.add(live[-1])
        elif live and data.draw(st.integers(0, 3)) == 0:
            index.remove(live.pop(data.draw(st.integers(0, len(live) - 1))))
        message = data.draw(messages())

        found = index.find(message)

        expected = _asking_all(live, message)
        assert attrs.astuple(found, recurse=False) == attrs.astuple(expected, recurse=False)
        asked = {*expected.interceptors, *expected.observers}
        kept_away = {each: kept_away.get(each, 0) + (each not in asked) for each in live}
        assert {each: index.filtered(each) for each in live} == kept_away
