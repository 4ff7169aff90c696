"""A part of a message has its form after reading, whatever a gateway wrote; only what is no segment is refused."""

from __future__ import annotations

import base64
import copy
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.protocol import BadPayload, build_message, read_message, validate_message

WORDS = b"some bytes"
ENCODED = base64.b64encode(WORDS).decode()
HASH = hashlib.sha256(WORDS).hexdigest()
NOBODY = {"target_user_id": "", "target_user_nickname": None, "target_user_cardname": None}
NOTHING = {
    "target_message_id": "",
    "target_message_content": None,
    "target_message_sender_id": None,
    "target_message_sender_nickname": None,
    "target_message_sender_cardname": None,
}


def _message(*segments: Any, **changes: Any) -> Any:
    made = build_message(
        message_id="m", platform="qq", user_id="u", user_name="n", text="", timestamp=1.0, segments=segments
    )
    return {**made, **changes}


def _read(segment: Any) -> Any:
    (read,) = read_message(_message(segment), 5.0)["raw_message"]
    return read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        pytest.param({"type": "text"}, {"type": "text", "data": ""}, id="a text that says nothing"),
        pytest.param({"type": "text", "data": 7}, {"type": "text", "data": "7"}, id="a number for a text"),
        pytest.param({"type": "image"}, {"type": "image", "data": "", "hash": ""}, id="a picture of nothing"),
        pytest.param(
            {"type": "voice", "data": "[voice]", "binary_data_base64": ENCODED, "hash": "lie"},
            {"type": "voice", "data": "[voice]", "binary_data_base64": ENCODED, "hash": HASH},
            id="a voice with bytes has their hash, not the one that was claimed",
        ),
        pytest.param(
            {"type": "emoji", "data": "", "binary_data_base64": "a", "hash": "h"},
            {"type": "emoji", "data": "", "hash": "h"},
            id="bytes that cannot be read are dropped",
        ),
        pytest.param(
            {"type": "file", "data": {"fileName": "x", "file_name": "a.txt", "file_size": 3, "mimeType": "text"}},
            {"type": "file", "data": {"name": "a.txt", "size": "3", "mime_type": "text"}},
            id="a file by its other names",
        ),
        pytest.param({"type": "file", "data": "a"}, {"type": "file", "data": {"name": "a"}}, id="a file's name"),
        pytest.param({"type": "at", "data": {}}, {"type": "at", "data": NOBODY}, id="at nobody"),
        pytest.param(
            {"type": "at", "data": {"target_user_id": 17}},
            {"type": "at", "data": {**NOBODY, "target_user_id": "17"}},
            id="at a number",
        ),
        pytest.param(
            {"type": "reply", "data": "m0"},
            {"type": "reply", "data": {**NOTHING, "target_message_id": "m0"}},
            id="a reply to an id",
        ),
        pytest.param(
            {"type": "forward", "data": [{"content": []}, "no node"]},
            {
                "type": "forward",
                "data": [
                    {
                        "user_id": "",
                        "user_nickname": "unknown user",
                        "user_cardname": None,
                        "message_id": "",
                        "content": [{"type": "text", "data": ""}],
                    }
                ],
            },
            id="a forwarded message of nobody",
        ),
        pytest.param(
            {"type": "forward", "data": "id"},
            {"type": "dict", "data": {"type": "forward", "data": "id"}},
            id="a forward without a valid node",
        ),
        pytest.param(
            {"type": "dict", "data": {"type": "file", "data": {"name": "a"}}},
            {"type": "file", "data": {"name": "a"}},
            id="a file in a dict",
        ),
        pytest.param({"type": "face", "data": {"id": 1}}, {"type": "dict", "data": {"id": 1}}, id="an unknown map"),
        pytest.param(
            {"type": "face", "data": 1}, {"type": "dict", "data": {"type": "face", "data": 1}}, id="an unknown one"
        ),
    ],
)  # fmt: skip
def test_a_segment_gets_its_form(written: Any, read: Any) -> None:
    """What is known is read under all its names; what is not is kept in a dict segment."""
    assert _read(written) == read
    assert _read(copy.deepcopy(read)) == read


def test_a_forwarded_message_is_read_to_its_depth() -> None:
    """Its content has segments too, and a path when one of them is none."""
    node = {"user_id": 1, "user_nickname": "a", "content": [{"type": "face", "data": {"id": 2}}]}

    read = _read({"type": "forward", "data": [node]})

    assert read["data"][0]["content"] == [{"type": "dict", "data": {"id": 2}}]
    with pytest.raises(BadPayload) as caught:
        _read({"type": "forward", "data": [{"content": ["no segment"]}]})
    assert caught.value.path == "raw_message[0].data[0].content[0]"


@pytest.mark.parametrize("item", [None, "text", [], {}, {"type": None}, {"type": 5, "data": "x"}])
def test_what_is_no_segment_is_refused(item: Any) -> None:
    """With its place."""
    with pytest.raises(BadPayload) as caught:
        read_message(_message({"type": "text", "data": "x"}, item), 5.0)

    assert caught.value.path == "raw_message[1]"


@pytest.mark.parametrize(
    ("field", "written", "read"),
    [
        ("is_at", 1, False),
        ("is_notify", "true", False),
        ("is_mentioned", True, True),
        ("session_id", 5, None),
        ("reply_to", 5, None),
        ("processed_plain_text", [], None),
        ("timestamp", None, "5.0"),
        ("timestamp", "soon", "5.0"),
        ("timestamp", "nan", "5.0"),
        ("timestamp", 10**400, "5.0"),
        ("timestamp", 3, "3.0"),
        ("timestamp", "2.5", "2.5"),
    ],
)
def test_a_field_that_can_be_done_without_is_given_its_form(field: str, written: Any, read: Any) -> None:
    """A flag that is none is false, a time that is none is now, a text that is none is not there."""
    assert read_message(_message(**{field: written}), 5.0).get(field) == read


@pytest.mark.parametrize("written", [None, [], "", "x", 5])
def test_free_form_data_is_a_map_afterwards(written: Any) -> None:
    """Where it says something else than nothing it is refused: the route would be read out of it."""
    message = _message()
    message["message_info"]["additional_config"] = written

    if written:
        with pytest.raises(BadPayload, match="additional_config: must be a map"):
            read_message(message, 5.0)
    else:
        assert read_message(message, 5.0)["message_info"]["additional_config"] == {}


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "data", "content", "hash", "binary_data_base64", "name", "target_user_id"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
_SEGMENT = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image", "file", "at", "reply", "forward", "dict", "face"])},
    optional={"data": _ANYTHING, "hash": _ANYTHING, "binary_data_base64": _ANYTHING},
)


@pytest.mark.slow
@given(
    st.lists(_SEGMENT | _ANYTHING, max_size=4),
    st.dictionaries(st.sampled_from(sorted(_message())), _ANYTHING),
)
def test_whatever_comes_is_refused_with_a_path_or_valid(segments: list[Any], changes: dict[str, Any]) -> None:
    """Nothing else is raised; and a message that was read once is read again without a change."""
    message = {**_message(*segments), **changes}

    refusal = _complaint_about(message)

    assert refusal is None or refusal.path
    if refusal is None:
        validate_message(message)
        assert read_message(copy.deepcopy(message), 9.0) == message


def _complaint_about(message: Any) -> BadPayload | None:
    """Read it in place."""
    try:
        read_message(message, 5.0)
    except BadPayload as error:
        return error
    return None
