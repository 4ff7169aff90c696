"""A message from outside is checked, and the host says where it came from and which conversation it is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.protocol import BadPayload, RouteMessage, validate_message
from rookery.supervisor.platform.inbound import MAX_ID_CHARS, Inbound, read_inbound
from rookery.supervisor.platform.routes import ANY_PLATFORM, Driver, route_key
from tests.doubles.stage import chat


def _driver(platform: str = "test", account: str | None = None) -> Driver:
    return Driver(plugin_id="p.a", gateway="gw", key=route_key(platform, account), sends=True, receives=True)


def _read(message: dict[str, Any], driver: Driver | None = None, **more: Any) -> Inbound:
    routed = RouteMessage(gateway_name="gw", message=message, **more)
    return read_inbound(routed, driver or _driver(), 12.5)


def test_a_message_is_taken_as_it_is() -> None:
    """With the time and the key that tells it from others of the same driver."""
    inbound = _read(chat("hi"))

    assert (inbound.message_id, inbound.session_id) == ("m1", "test:private:u1")
    assert (inbound.driver_id, inbound.dedupe_key) == ("gateway:p.a:gw", "gateway:p.a:gw:m1")
    assert (inbound.key, inbound.arrived_at) == (route_key("test"), 12.5)


@pytest.mark.parametrize(
    ("more", "key"),
    [
        pytest.param({"dedupe_key": "d", "external_message_id": "e"}, "d", id="the gateway's own key first"),
        pytest.param({"external_message_id": "e"}, "e", id="then the platform's id"),
        pytest.param({}, "m1", id="then the message's"),
    ],
)
def test_what_a_repetition_is_known_by(more: dict[str, str], key: str) -> None:
    """The most exact thing that is there."""
    assert _read(chat(), **more).dedupe_key == f"gateway:p.a:gw:{key}"


def test_the_conversation_is_the_hosts_word() -> None:
    """A gateway cannot put a message into another conversation."""
    message = chat(group="g")
    message["session_id"] = "vip:private:boss"

    assert _read(message).session_id == "test:group:g"


def test_a_platform_is_normalised_and_filled_in() -> None:
    """From the routing, or else from the gateway."""
    shouted, bare, routed = chat(), chat(), chat()
    shouted["platform"], bare["platform"] = " TEST ", ""
    del routed["platform"]

    assert _read(shouted).session_id == "test:private:u1"
    assert _read(bare).message["platform"] == "test"
    anywhere = _driver(ANY_PLATFORM)
    assert _read(routed, anywhere, route_metadata={"platform": "other"}).session_id == "other:private:u1"


def test_another_platform_than_the_gateways_is_refused() -> None:
    """Answers would go astray."""
    message = chat()
    message["platform"] = "other"

    with pytest.raises(BadPayload, match="platform: is 'other', but gateway 'gw' carries 'test'"):
        _read(message)


def test_the_account_is_noted_for_the_way_back() -> None:
    """What the message says, the routing, the gateway: the first that names one."""
    told = _read(chat(), _driver(account="mine"), route_metadata={"self_id": "told", "odd": None})
    silent = _read(chat(), _driver(account="mine"))

    assert (told.key.account_id, silent.key.account_id) == ("told", "mine")
    additional = told.message["message_info"]["additional_config"]
    assert additional == {"self_id": "told", "platform_io_account_id": "told"}


def test_a_message_without_plain_text_gets_it() -> None:
    """From its segments."""
    message = chat("hi")
    del message["processed_plain_text"]

    assert _read(message).message["processed_plain_text"] == "hi"


@pytest.mark.parametrize("field", ["message_id", "dedupe_key", "user_id", "group_id"])
def test_endless_ids_are_refused(field: str) -> None:
    """They are remembered after the message has gone."""
    long = "x" * (MAX_ID_CHARS + 1)
    message = chat(user=long if field == "user_id" else "u", group=long if field == "group_id" else None)
    if field == "message_id":
        message["message_id"] = long

    with pytest.raises(BadPayload, match=rf"{field}: has 513 characters, at most 512"):
        _read(message, dedupe_key=long if field == "dedupe_key" else "k")


junk = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.binary(max_size=4)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
PLACES = [
    ("message_id",),
    ("platform",),
    ("timestamp",),
    ("message_info",),
    ("message_info", "user_info"),
    ("message_info", "user_info", "user_id"),
    ("message_info", "user_info", "user_cardname"),
    ("message_info", "group_info"),
    ("message_info", "group_info", "group_id"),
    ("message_info", "group_info", "group_name"),
    ("message_info", "additional_config"),
    ("message_info", "additional_config", "self_id"),
    ("raw_message",),
    ("processed_plain_text",),
    ("session_id",),
]


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.sampled_from(PLACES), junk), max_size=3), st.dictionaries(st.text(max_size=8), junk)
)
def test_a_gateway_that_routes_rubbish_hears_of_it(
    changes: list[tuple[tuple[str, ...], Any]], metadata: dict[str, Any]
) -> None:
    """Whatever it puts where: a good message comes out, or BadPayload and nothing else."""
    message: dict[str, Any] = chat(group="g")
    for path, value in changes:
        owner: Any = message
        for step in path[:-1]:
            owner = owner.get(step) if isinstance(owner, dict) else None
        if isinstance(owner, dict):
            owner[path[-1]] = value

    try:
        inbound = _read(message, route_metadata=metadata)
    except BadPayload:
        return

    validate_message(inbound.message)
    assert inbound.session_id.startswith("test:")
