"""What is said on the platform and what is said by rookery mean the same, segment by segment."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rookery.protocol import MessageMap, build_message, read_message
from rookery.runner.bundled.onebot.errors import CannotSend
from rookery.runner.bundled.onebot.frame import (
    AccountSeen,
    ActionAnswered,
    MessageHeard,
    NoticeHeard,
    read_frame,
)
from rookery.runner.bundled.onebot.incoming import message_of
from rookery.runner.bundled.onebot.notice import notice_of
from rookery.runner.bundled.onebot.outgoing import action_of

PNG = "aGVsbG8="


def _event(message: Any, **more: Any) -> dict[str, Any]:
    return {
        "post_type": "message",
        "message_type": "group",
        "sub_type": "normal",
        "time": 1_700_000_000,
        "self_id": 10000,
        "message_id": 500,
        "group_id": 777,
        "user_id": 42,
        "sender": {"user_id": 42, "nickname": "Ann", "card": "Boss", "role": "owner"},
        "message": message,
        **more,
    }


def _read(message: Any, **more: Any) -> MessageMap:
    heard = read_frame(json.dumps(_event(message, **more)))
    assert isinstance(heard, MessageHeard)
    return message_of(heard, platform="qq", now=5.0)


def _segment(kind: str, **data: Any) -> MessageMap:
    """The one segment, as the host keeps it."""
    message = read_message(_read([{"type": kind, "data": data}]), 5.0)
    (segment,) = message["raw_message"]
    return segment  # type: ignore[no-any-return]


def test_a_group_message_is_read_whole() -> None:
    """Who, where, when, and by which account."""
    message = _read([{"type": "text", "data": {"text": "hi"}}], group_name="Rooks")

    assert message == {
        **build_message(
            message_id="500",
            platform="qq",
            user_id="42",
            user_name="Ann",
            text="hi",
            timestamp=1_700_000_000,
            group_id="777",
            group_name="Rooks",
            additional={
                "self_id": "10000",
                "onebot_message_type": "group",
                "onebot_sub_type": "normal",
                "onebot_role": "owner",
            },
        ),
        "message_info": {
            **message["message_info"],
            "user_info": {"user_id": "42", "user_nickname": "Ann", "user_cardname": "Boss"},
        },
    }


def test_a_private_message_has_no_group() -> None:
    """Its session is the person."""
    message = _read("hi", message_type="private", group_id=None, sender=None)

    assert message["session_id"] == "qq:private:42"
    assert message["message_info"]["user_info"]["user_nickname"] == "42"


def test_a_text_with_codes_is_the_same_message_as_a_list() -> None:
    """Implementations send one or the other."""
    listed = _read(
        [{"type": "at", "data": {"qq": "all"}}, {"type": "text", "data": {"text": " Test, & [x]"}}]
    )
    written = _read("[CQ:at,qq=all] Test, &amp; &#91;x&#93;")

    assert written == listed
    assert written["processed_plain_text"] == "@all Test, & [x]"


def test_a_mention_of_us_is_noticed() -> None:
    """Not one of somebody else, or of everybody."""
    assert _read([{"type": "at", "data": {"qq": 10000}}])["is_at"] is True
    assert _read([{"type": "at", "data": {"qq": "10001"}}])["is_mentioned"] is False
    assert _read("[CQ:at,qq=all]")["is_at"] is False


def test_an_answer_names_what_it_answers() -> None:
    """As a segment and as a field."""
    message = _read("[CQ:reply,id=-499]yes")

    assert message["reply_to"] == "-499"
    assert message["raw_message"][0]["data"]["target_message_id"] == "-499"
    assert message["processed_plain_text"] == "yes"


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("image", {"file": f"base64://{PNG}"}, {"type": "image", "data": "[image]", "binary_data_base64": PNG}),
        ("image", {"file": "a.jpg", "url": "http://x/a"}, {"type": "image", "file": "a.jpg", "url": "http://x/a"}),
        ("image", {"file": "a", "sub_type": 1, "summary": "[cat]"}, {"type": "emoji", "data": "[cat]"}),
        ("record", {"file": "a.amr"}, {"type": "voice", "data": "[voice]", "file": "a.amr"}),
        ("file", {"file": "a.txt", "file_size": "3", "file_id": "/f"},
         {"type": "file", "data": {"name": "a.txt", "size": "3", "file_id": "/f"}}),
        ("face", {"id": "178"}, {"type": "dict", "data": {"type": "face", "data": {"id": "178"}}}),
        ("json", {"data": '{"a": 1}'}, {"type": "dict", "data": {"type": "json", "data": {"data": '{"a": 1}'}}}),
        ("brand_new", {"x": [1]}, {"type": "dict", "data": {"type": "brand_new", "data": {"x": [1]}}}),
        ("forward", {"id": "f1"}, {"type": "dict", "data": {"type": "forward", "data": {"id": "f1"}}}),
    ],
)  # fmt: skip
def test_a_segment_comes_in(kind: str, data: dict[str, Any], expected: dict[str, Any]) -> None:
    """What rookery has a word for is translated, everything else is kept whole; the host accepts it all."""
    segment = _segment(kind, **data)

    assert {name: segment.get(name) for name in expected} == expected


def test_a_forwarded_conversation_is_read_where_it_is_in_the_message() -> None:
    """With who said what."""
    node = {"message_id": 7, "sender": {"user_id": 9, "nickname": "Bo"}, "message": "[CQ:face,id=1]hm"}

    segment = _segment("forward", content=[node])

    assert segment["data"] == [
        {
            "user_id": "9",
            "user_nickname": "Bo",
            "user_cardname": None,
            "message_id": "7",
            "content": [
                {"type": "dict", "data": {"type": "face", "data": {"id": "1"}}},
                {"type": "text", "data": "hm"},
            ],
        }
    ]


@pytest.mark.parametrize("field", ["time", "sender"])
def test_what_is_missing_is_done_without(field: str) -> None:
    """A platform that does not say when or by whom."""
    assert read_message(_read("hi", **{field: None}), 5.0)["message_id"] == "500"


def test_a_notice_is_a_message_that_nobody_has_written() -> None:
    """It says so, and has the event in it; a repetition has the same id."""
    event = {
        "post_type": "notice", "notice_type": "notify", "sub_type": "poke",
        "time": 3, "self_id": 10000, "group_id": 777, "user_id": 42, "target_id": 10000,
    }  # fmt: skip
    heard, again = read_frame(json.dumps(event)), read_frame(json.dumps(event))
    assert isinstance(heard, NoticeHeard)
    assert isinstance(again, NoticeHeard)

    message = read_message(notice_of(heard, platform="qq", now=5.0), 5.0)

    assert (message["is_notify"], message["processed_plain_text"]) == (True, "[notice notify poke]")
    assert message["session_id"] == "qq:group:777"
    assert message["raw_message"] == [{"type": "dict", "data": {"type": "notice", "data": event}}]
    assert notice_of(again, platform="qq", now=9.0)["message_id"] == message["message_id"]


def test_a_request_of_nobody_is_ours() -> None:
    """Somebody has to be its user."""
    heard = read_frame('{"post_type": "request", "request_type": "friend", "self_id": 1, "comment": "hi"}')
    assert isinstance(heard, NoticeHeard)

    message = read_message(notice_of(heard, platform="qq", now=5.0), 5.0)

    assert (message["timestamp"], message["session_id"]) == ("5.0", "qq:private:1")


@pytest.mark.parametrize(
    ("frame", "read"),
    [
        (
            {"post_type": "meta_event", "meta_event_type": "lifecycle", "sub_type": "connect", "self_id": 1},
            AccountSeen(self_id="1", online=True),
        ),
        (
            {"post_type": "meta_event", "meta_event_type": "lifecycle", "sub_type": "disable", "self_id": 1},
            AccountSeen(self_id="1", online=False),
        ),
        (
            {"post_type": "meta_event", "meta_event_type": "heartbeat", "interval": 3000, "self_id": 1},
            AccountSeen(self_id="1", online=True, interval=3.0),
        ),
        (
            {"status": "failed", "retcode": 1404, "echo": "e", "message": "no such action"},
            ActionAnswered(echo="e", ok=False, retcode=1404, data=None, wording="no such action"),
        ),
    ],
)
def test_what_is_no_message_is_read(frame: dict[str, Any], read: object) -> None:
    """Heart-beats, words of connections, answers."""
    assert read_frame(json.dumps(frame)) == read


# --- outgoing ----------------------------------------------------------------------------------------------------------


def _out(*segments: dict[str, Any], text: str = "", **more: Any) -> MessageMap:
    known: dict[str, Any] = {"group_id": "777", "reply_to": None, "additional": None, **more}
    return build_message(
        message_id="out", platform="qq", user_id="42", user_name="n", text=text, timestamp=0.0, segments=segments, **known
    )  # fmt: skip


@pytest.mark.parametrize(
    ("more", "name", "target"),
    [
        ({}, "send_group_msg", {"group_id": 777}),
        ({"group_id": None}, "send_private_msg", {"user_id": 42}),
        ({"additional": {"platform_io_target_user_id": "9"}}, "send_private_msg", {"user_id": 9}),
        ({"additional": {"platform_io_target_group_id": "#x"}}, "send_group_msg", {"group_id": "#x"}),
        ({"group_id": "007"}, "send_group_msg", {"group_id": "007"}),
    ],
)
def test_a_message_goes_where_the_host_says(more: dict[str, Any], name: str, target: dict[str, Any]) -> None:
    """Ids are numbers where they look like some."""
    action = action_of(_out({"type": "text", "data": "x"}, **more))

    assert (action.name, {key: action.params[key] for key in target}) == (name, target)


@pytest.mark.parametrize(
    ("segment", "made"),
    [
        ({"type": "text", "data": "hi"}, {"type": "text", "data": {"text": "hi"}}),
        ({"type": "at", "data": {"target_user_id": "9"}}, {"type": "at", "data": {"qq": "9"}}),
        ({"type": "reply", "data": {"target_message_id": "5"}}, {"type": "reply", "data": {"id": "5"}}),
        ({"type": "reply", "data": "5"}, {"type": "reply", "data": {"id": "5"}}),
        (
            {"type": "image", "data": "[image]", "binary_data_base64": PNG},
            {"type": "image", "data": {"file": f"base64://{PNG}"}},
        ),
        (
            {"type": "image", "data": "[image]", "url": "http://x"},
            {"type": "image", "data": {"file": "http://x"}},
        ),
        ({"type": "image", "data": "a cat"}, {"type": "text", "data": {"text": "a cat"}}),
        (
            {"type": "emoji", "data": "", "binary_data_base64": PNG},
            {"type": "image", "data": {"file": f"base64://{PNG}", "sub_type": 1}},
        ),
        (
            {"type": "voice", "data": "", "binary_data_base64": PNG},
            {"type": "record", "data": {"file": f"base64://{PNG}"}},
        ),
        (
            {"type": "file", "data": {"url": "http://x", "name": "a"}},
            {"type": "file", "data": {"file": "http://x", "name": "a"}},
        ),
        (
            {"type": "dict", "data": {"type": "face", "data": {"id": "1"}}},
            {"type": "face", "data": {"id": "1"}},
        ),
    ],
)
def test_a_segment_goes_out(segment: dict[str, Any], made: dict[str, Any]) -> None:
    """In the platform's form."""
    assert action_of(_out(segment)).params["message"] == [made]


@pytest.mark.parametrize(
    "segment",
    [
        {"type": "dict", "data": {"type": "command", "data": {}}},
        {"type": "dict", "data": {}},
        {"type": "file", "data": {"name": "a"}},
        {"type": "never_heard_of", "data": {}},
        {"type": "text", "data": ""},
    ],
)
def test_what_the_platform_has_no_form_for_is_refused(segment: dict[str, Any]) -> None:
    """Whoever sends it is told, instead of half a message going out."""
    with pytest.raises(CannotSend):
        action_of(_out(segment))


def test_a_message_without_segments_has_its_text() -> None:
    """As an application may write it."""
    assert action_of(_out(text="hi")).params["message"] == [{"type": "text", "data": {"text": "hi"}}]


def test_an_answer_may_quote() -> None:
    """Where the operator wants it, and once."""
    quoted = action_of(_out({"type": "text", "data": "x"}, reply_to="5"), quote=True).params["message"]
    twice = action_of(_out({"type": "reply", "data": "4"}, reply_to="5"), quote=True).params["message"]

    assert quoted[0] == {"type": "reply", "data": {"id": "5"}}
    assert twice == [{"type": "reply", "data": {"id": "4"}}]


def test_a_message_may_go_out_as_a_text() -> None:
    """For implementations that read no lists."""
    message = _out({"type": "at", "data": {"target_user_id": "9"}}, {"type": "text", "data": " [a], b & c"})

    assert action_of(message, as_text=True).params["message"] == "[CQ:at,qq=9] &#91;a&#93;, b &amp; c"


def test_a_forwarded_conversation_is_sent_by_its_own_action() -> None:
    """Alone; as a part of another message it is refused."""
    forward = {
        "type": "forward",
        "data": [{"user_id": "9", "user_nickname": "Bo", "content": [{"type": "text", "data": "hm"}]}],
    }

    action = action_of(_out(forward))

    assert (action.name, action.params["group_id"]) == ("send_group_forward_msg", 777)
    assert action.params["messages"] == [
        {
            "type": "node",
            "data": {"user_id": "9", "nickname": "Bo", "content": [{"type": "text", "data": {"text": "hm"}}]},
        }
    ]
    with pytest.raises(CannotSend, match="sent alone"):
        action_of(_out(forward, {"type": "text", "data": "x"}))
