"""Is an endpoint asked as it wants to be, again when it is busy, and does nothing of a key get out?

A real HTTP server on the real clock.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import trio

from rookery.supervisor.llm import http as llm_http
from rookery.supervisor.llm.conversation import Audio, Question
from rookery.supervisor.llm.failure import LlmFailed, LlmKind
from rookery.supervisor.llm.http import HttpProvider
from rookery.supervisor.llm.settings import ModelSettings
from tests.doubles.llm_server import LlmServer, chat_answer, http, open_llm_server

KEY = "sk-very-secret-0123456789"
HELLO = Question(messages=({"role": "user", "content": "hi"},))
ENVIRON = {"LLM_KEY": KEY}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is on this machine, whatever the environment says of others."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr(llm_http, "FIRST_PAUSE", 0.01)


@pytest.fixture
async def server() -> AsyncIterator[LlmServer]:
    async with open_llm_server() as server:
        yield server


@pytest.fixture
async def provider(tmp_path: Path, nursery: trio.Nursery) -> HttpProvider:
    provider = HttpProvider(tmp_path, ENVIRON)
    await nursery.start(provider.run)
    return provider


def _model(server: LlmServer, **settings: Any) -> ModelSettings:
    return ModelSettings(**{"base_url": server.url, "model": "small-2", "api_key_env": "LLM_KEY", **settings})


async def _failure(provider: HttpProvider, model: ModelSettings, question: Question = HELLO) -> LlmFailed:
    with trio.fail_after(20), pytest.raises(LlmFailed) as caught:
        await provider.generate("small", model, question)
    return caught.value


@pytest.mark.slow  # httpx is imported
async def test_a_question_is_asked_and_answered(provider: HttpProvider, server: LlmServer) -> None:
    """With the key, what the operator adds, and what the question says over what is configured."""
    model = _model(server, temperature=0.2, max_tokens=100, extra={"top_p": 0.9, "model": "other"})
    question = Question(messages=HELLO.messages, temperature=0.7)

    answer = await provider.generate("small", model, question)

    (asked,) = server.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.json == {
        "model": "small-2",
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0.7,
        "max_tokens": 100,
        "top_p": 0.9,
        "stream": False,
    }
    assert (answer.text, answer.model) == ("said hi", "small-2-0613")
    assert (answer.usage.prompt, answer.usage.total) == (10, 15)
    assert (answer.usage.cache_hit, answer.usage.cache_miss) == (4, 6)


async def test_tools_are_told_and_their_calls_read(provider: HttpProvider, server: LlmServer) -> None:
    """Also without a text; what the model thought is kept apart."""
    call = {"id": "c1", "type": "function", "function": {"name": "roll", "arguments": '{"sides": 6}'}}
    said = chat_answer(None, tool_calls=[call], reasoning_content="dice")
    server.replies.append(http(200, said))
    tool = {"type": "function", "function": {"name": "roll", "parameters": {}}}
    question = Question(messages=HELLO.messages, tools=(tool,))

    answer = await provider.generate("small", _model(server), question)

    assert server.asked[0].json["tools"] == [tool]
    assert (answer.text, answer.reasoning, answer.tool_calls) == ("", "dice", (call,))


async def test_texts_become_vectors_in_their_order(provider: HttpProvider, server: LlmServer) -> None:
    """Whatever the order of the answer."""
    found = await provider.embed("vectors", _model(server), ["a", "bcd"])

    assert found.vectors == ([1.0, 0.5], [3.0, 0.5])
    assert server.asked[0].json == {"model": "small-2", "input": ["a", "bcd"]}


async def test_speech_becomes_text(provider: HttpProvider, server: LlmServer) -> None:
    """The file is sent with a name that tells of what kind it is."""
    text = await provider.transcribe("voice", _model(server), Audio(data=b"OggS\0speech"))

    (asked,) = server.asked
    assert text == " hello "
    assert asked.path == "/v1/audio/transcriptions"
    assert b'name="model"\r\n\r\nsmall-2' in asked.body
    assert b'filename="audio.ogg"' in asked.body


# --- busy and broken ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 503, 529])
async def test_a_busy_endpoint_is_asked_again(provider: HttpProvider, server: LlmServer, status: int) -> None:
    """When it has said when, then; and then answered, nobody hears of it."""
    server.replies += [http(status, b"busy", Retry_After="0"), http(status, b"busy")]

    answer = await provider.generate("small", _model(server), HELLO)

    assert answer.text == "said hi"
    assert len(server.asked) == 3


async def test_an_endpoint_that_stays_busy_is_told_as_it_is(
    provider: HttpProvider, server: LlmServer
) -> None:
    """After so many tries as are configured, with what it says."""
    server.usual = lambda _: http(429, {"error": {"message": "too many"}}, Retry_After="0")

    failure = await _failure(provider, _model(server, retries=1))

    assert (failure.kind, failure.retry_after) == (LlmKind.RATE_LIMITED, 0.0)
    assert str(failure).endswith("answers 429: too many")
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "when",
    [
        pytest.param("3600", id="seconds"),
        pytest.param(formatdate(4_000_000_000, usegmt=True), id="a date"),
    ],
)
async def test_nobody_waits_for_an_hour(provider: HttpProvider, server: LlmServer, when: str) -> None:
    """The caller hears when, and may come back."""
    server.replies.append(http(429, b"later", Retry_After=when))

    failure = await _failure(provider, _model(server))

    assert failure.retry_after is not None
    assert failure.retry_after > 3000
    assert len(server.asked) == 1


async def test_nobody_waits_beyond_the_callers_time(provider: HttpProvider, server: LlmServer) -> None:
    """A pause that is longer than what is left helps nobody: the reason comes now."""
    server.replies.append(http(429, b"later", Retry_After="9"))

    with trio.fail_after(5):
        failure = await _failure(provider, _model(server))

    assert (failure.kind, failure.retry_after) == (LlmKind.RATE_LIMITED, 9.0)


@pytest.mark.parametrize("odd", ["", "soon", "-1", "nan", "infinity", "Mon, 99 Foo"])
async def test_an_odd_time_to_wait_is_none(provider: HttpProvider, server: LlmServer, odd: str) -> None:
    """The usual pause stands in its place."""
    server.replies.append(http(503, b"", Retry_After=odd))

    answer = await provider.generate("small", _model(server), HELLO)

    assert answer.text == "said hi"


@pytest.mark.slow
async def test_an_endpoint_that_hangs_has_so_long(provider: HttpProvider, server: LlmServer) -> None:
    """As is configured for one try; it is not asked again, because it may still answer, for money."""
    server.replies.append(None)

    failure = await _failure(provider, _model(server, timeout=0.3))

    assert failure.kind is LlmKind.TIMEOUT
    assert "did not answer within 0.3 s" in str(failure)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("reply", "kind", "text"),
    [
        pytest.param(http(200, b"<html>"), LlmKind.BAD_ANSWER, "no JSON: b'<html>'", id="no JSON"),
        pytest.param(http(200, b"[" * 100_000), LlmKind.BAD_ANSWER, "no JSON", id="JSON without end"),
        pytest.param(http(200, b"\xff\xfe\x00"), LlmKind.BAD_ANSWER, "no JSON", id="no text"),
        pytest.param(http(200, b"[1]"), LlmKind.BAD_ANSWER, "no map", id="a list"),
        pytest.param(http(200, {"choices": []}), LlmKind.BAD_ANSWER, "choices has no", id="no choice"),
        pytest.param(
            http(200, {"choices": [{"message": 3}]}), LlmKind.BAD_ANSWER, "message is no map", id="no message"
        ),
        pytest.param(
            http(200, chat_answer("x", tool_calls=[{}])), LlmKind.BAD_ANSWER, "no function", id="no tool"
        ),
        pytest.param(
            http(200, chat_answer(None, refusal="no")), LlmKind.REFUSED, "refuses: no", id="a refusal"
        ),
        pytest.param(http(400, {"error": "too long"}), LlmKind.REFUSED, "400: too long", id="a bad question"),
        pytest.param(http(401, b"who"), LlmKind.NOT_CONFIGURED, "answers 401: who", id="a wrong key"),
        pytest.param(http(404, b""), LlmKind.NOT_CONFIGURED, "answers 404", id="a wrong address"),
        pytest.param(
            http(302, b"", Location="http://elsewhere/"),
            LlmKind.NOT_CONFIGURED,
            "leads elsewhere",
            id="a way on",
        ),
        pytest.param(b"garbage\r\n\r\n", LlmKind.UNAVAILABLE, "broke off", id="no HTTP"),
        pytest.param(b"", LlmKind.UNAVAILABLE, "broke off", id="nothing"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nConnection: close\r\n\r\n{",
            LlmKind.UNAVAILABLE,
            "broke off",
            id="half of it",
        ),
    ],
)
async def test_what_is_no_answer_is_told_as_what_it_is(
    provider: HttpProvider, server: LlmServer, reply: bytes, kind: LlmKind, text: str
) -> None:
    """And never passed on as an answer."""
    server.usual = lambda _: reply or http(200, b"")[:0] + b"HTTP/1.1 200 OK\r\nConnection: close\r\n"

    failure = await _failure(provider, _model(server, retries=0))

    assert failure.kind is kind
    assert text in str(failure)


@pytest.mark.slow
async def test_an_answer_without_end_fills_no_memory(
    provider: HttpProvider, server: LlmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read up to the limit and no further."""
    monkeypatch.setattr(llm_http, "MAX_ANSWER_BYTES", 100_000)
    server.usual = lambda _: http(200, b" " * 5_000_000)

    failure = await _failure(provider, _model(server))

    assert failure.kind is LlmKind.BAD_ANSWER
    assert "larger than 100000 bytes" in str(failure)
    assert len(server.asked) == 1


async def test_an_endpoint_that_is_not_there_is_told(provider: HttpProvider, server: LlmServer) -> None:
    """With its address, so that a person sees what is wrong with it."""
    failure = await _failure(provider, _model(server, base_url="http://127.0.0.1:1/v1", retries=1))

    assert failure.kind is LlmKind.UNAVAILABLE
    assert "127.0.0.1:1 cannot be reached" in str(failure)


async def test_an_endpoint_that_speaks_no_tls_is_told(provider: HttpProvider, server: LlmServer) -> None:
    """In the words of TLS."""
    address = server.url.replace("http:", "https:")

    failure = await _failure(provider, _model(server, base_url=address, retries=0))

    assert failure.kind is LlmKind.UNAVAILABLE
    assert "SSL" in str(failure)


async def test_a_caller_that_goes_lets_go(provider: HttpProvider, server: LlmServer) -> None:
    """The connection is closed, and the next question is answered."""
    server.replies.append(None)

    with trio.move_on_after(0.1):
        await provider.generate("small", _model(server), HELLO)
    answer = await provider.generate("small", _model(server), HELLO)

    assert answer.text == "said hi"


# --- keys --------------------------------------------------------------------------------------------------------------


async def test_a_key_is_in_no_error(provider: HttpProvider, server: LlmServer) -> None:
    """Although the endpoint repeats it."""
    server.replies.append(http(401, {"error": {"message": f"Incorrect API key provided: {KEY}."}}))

    failure = await _failure(provider, _model(server))

    assert KEY not in str(failure)
    assert "Incorrect API key provided: ***." in str(failure)
    assert failure.__cause__ is None


async def test_half_a_key_is_in_no_error(provider: HttpProvider, server: LlmServer) -> None:
    """What a provider says is cut, and may be cut within the key."""
    for reply in ({"error": {"message": f"{'x' * 297}{KEY}"}}, f"{'x' * 297}{KEY}".encode()):
        server.replies.append(http(401, reply))

        failure = await _failure(provider, _model(server))

        assert str(failure).endswith("xx***")


async def test_a_key_may_stand_in_a_file(provider: HttpProvider, server: LlmServer, tmp_path: Path) -> None:
    """Beside the configuration, read at each question: it may change while the host runs."""
    model = _model(server, api_key_env=None, api_key_file="key.txt")
    for key in ("first", "second"):
        (tmp_path / "key.txt").write_text(f"{key}\n")
        await provider.generate("small", model, HELLO)

    assert [asked.headers["authorization"] for asked in server.asked] == ["Bearer first", "Bearer second"]


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ({"api_key_env": "NO_SUCH_KEY"}, "the environment variable NO_SUCH_KEY has no key"),
        ({"api_key_env": None, "api_key_file": "missing"}, "missing cannot be read"),
    ],
)
async def test_a_key_that_is_not_there_is_told(
    provider: HttpProvider, server: LlmServer, where: dict[str, Any], text: str
) -> None:
    """Nothing is asked without it."""
    failure = await _failure(provider, _model(server, **where))

    assert failure.kind is LlmKind.NOT_CONFIGURED
    assert text in str(failure)
    assert server.asked == []


async def test_no_key_needs_none(provider: HttpProvider, server: LlmServer) -> None:
    """An endpoint of one's own may want nothing."""
    await provider.generate("small", _model(server, api_key_env=None), HELLO)

    assert "authorization" not in server.asked[0].headers


async def test_a_question_that_json_cannot_hold_is_refused(provider: HttpProvider, server: LlmServer) -> None:
    """Plugins send bytes to the host that no endpoint could read."""
    question = Question(messages=({"role": "user", "content": b"\xff"},))

    failure = await _failure(provider, _model(server), question)

    assert failure.kind is LlmKind.REFUSED
    assert json.dumps("JSON")[1:-1] in str(failure)
    assert server.asked == []
