"""Authors have addresses fetched in a line, and test that without a network."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.protocol import ErrorCode, RemoteError
from rookery.runner import CapabilityFailed, Fetched, Plugin, tool
from rookery.runner.testing import run_plugin


class Weather(Plugin):
    @tool("ask")
    async def ask(self, url: str) -> str:
        answer = await self.ctx.http.fetch(url, headers={"Accept": "text/plain"})
        return f"{answer.status} {answer.ok} {answer.text}"

    @tool("post")
    async def post(self) -> Any:
        answer = await self.ctx.http.fetch("https://a.test/x", method="POST", json_body={"a": 1})
        return answer.json()


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ("sunny", "200 True sunny"),
        (b"sunny", "200 True sunny"),
        (Fetched(status=404, url="u", body=b"no"), "404 False no"),
        (
            Fetched(
                status=200,
                url="u",
                body="grün".encode("latin-1"),
                headers={"content-type": 'text/plain; Charset="ISO-8859-1"; x=y'},
            ),
            "200 True grün",
        ),
        (
            Fetched(status=200, url="u", body=b"\xffx", headers={"content-type": "a; charset=no-such"}),
            "200 True \ufffdx",
        ),
    ],
)
async def test_the_fake_host_has_the_pages_that_a_test_gives_it(
    found: Fetched | bytes | str, said: str
) -> None:
    """A whole answer, or the body of a good one."""
    async with run_plugin(Weather) as plugin:
        plugin.host.web["https://a.test/"] = found

        assert await plugin.tool("ask", url="https://a.test/") == said


async def test_an_address_that_a_test_does_not_name_is_denied() -> None:
    """As a real host denies what its operator has not named; the message says how to name it."""
    async with run_plugin(Weather) as plugin:
        with pytest.raises(RemoteError, match=r"host\.web\['https://b\.test/'\]") as caught:
            await plugin.instance.ctx.http.fetch("https://b.test/")

    assert caught.value.code is ErrorCode.E_CAPABILITY_DENIED


async def test_json_goes_and_comes_as_such() -> None:
    """With its content type, unless the author names another."""
    asked: list[dict[str, Any]] = []

    async def fetch(**args: Any) -> dict[str, Any]:
        asked.append(args)
        return {"success": True, "answer": {"status": 200, "url": args["url"], "headers": {}, "body": b"[1]"}}

    async with run_plugin(Weather, capabilities={"http.fetch": fetch}) as plugin:
        assert await plugin.tool("post") == [1]

    assert asked == [
        {
            "url": "https://a.test/x",
            "method": "POST",
            "headers": {"Content-Type": "application/json"},
            "body": '{"a": 1}',
        }
    ]


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (
            {"success": False, "error": "too often", "kind": "rate limited", "retry_after": 2},
            "rate limited",
            "too often",
        ),
        ({"success": True, "answer": {"status": "200", "body": b""}}, "", "no status or no body"),
        ({"success": True, "answer": 5}, "", "should be a dict"),
    ],
)
async def test_a_failure_is_raised_with_its_kind(answer: dict[str, Any], kind: str, words: str) -> None:
    """Also of a host that answers as none should."""
    async with run_plugin(Weather, capabilities={"http.fetch": lambda **_: answer}) as plugin:
        with pytest.raises(CapabilityFailed, match=words) as caught:
            await plugin.instance.ctx.http.fetch("https://a.test/")

    assert caught.value.kind == kind
    assert caught.value.retry_after == (2.0 if kind else None)
