"""A plugin asks language models of a real endpoint and of another plugin's, and no key is anywhere but on the wire to it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from rookery.supervisor.errors import ConfigError
from tests.doubles.llm_server import http, open_llm_server
from tests.whole.host import Deployment

pytestmark = pytest.mark.slow

KEY = "sk-very-secret-0123456789"

ASKS = """
@tool(description="")
async def ask(self, task: str = "") -> object:
    try:
        answer = await self.ctx.llm.ask("hi", task=task)
    except CapabilityFailed as failed:
        return [failed.kind, str(failed)]
    return [answer.text, answer.model, answer.prompt_tokens]

@tool(description="")
async def more(self) -> object:
    tools = [{"name": "roll", "parameters": {"type": "object"}}]
    answer = await self.ctx.llm.ask([{"role": "user", "content": "x"}], tools=tools)
    return [
        await self.ctx.llm.tasks(),
        await self.ctx.llm.embed("abc"),
        await self.ctx.llm.transcribe(b"OggS"),
        answer.text,
    ]

@tool(description="")
async def peek(self) -> object:
    import os
    everything = [await self.ctx.config.get_all(), await self.ctx.config.get("llm"), dict(os.environ)]
    return repr(everything)
"""

SERVES = """
@llm_provider("mine")
async def serve(self, operation: str, request: dict) -> dict:
    self.ctx.logger.info("asked with %r", request)
    return {"content": f"{operation} of {request['model_info']['model_identifier']}"}

@tool(description="")
async def both(self) -> object:
    return (await self.ctx.llm.ask("hi", task="own")).text
"""


@pytest.fixture
def deployment(tmp_path: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    monkeypatch.setenv("TEST_LLM_KEY", KEY)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    deployment = Deployment(tmp_path, state_dir)
    deployment.plugin("one", "asks", ASKS, capabilities=["llm.*", "config.*"])
    return deployment


def _configure(deployment: Deployment, url: str) -> None:
    deployment.plugin("two", "serves", SERVES, capabilities=["llm.*"], llm_providers=["mine"])
    deployment.more = f"""
[llm.models.small]
base_url = "{url}"
api_key_env = "TEST_LLM_KEY"
[llm.models.own]
provider = "mine"
model = "m-1"
[llm.tasks]
default = "small"
embedding = "small"
voice = "small"
own = "own"
"""


async def test_an_endpoint_answers_a_plugin(deployment: Deployment, caplog: pytest.LogCaptureFixture) -> None:
    """Questions, vectors and speech; each is counted, and the key is in no record, log or status."""
    caplog.set_level(logging.DEBUG)
    async with open_llm_server() as server:
        _configure(deployment, server.url)
        server.replies.append(http(401, {"error": {"message": f"bad key {KEY}"}}))
        async with deployment.run() as supervisor:
            refused = await supervisor.invoke("test.asks", "ask")
            answer = await supervisor.invoke("test.asks", "ask")
            more = await supervisor.invoke("test.asks", "more")
            peeked = await supervisor.invoke("test.asks", "peek")
            supervisor.stop_shard("two")
            missing = await supervisor.invoke("test.asks", "ask", {"task": "own"})
            status = repr(supervisor.status())
            uses = repr(supervisor.parts.statistics._llm)

        assert {asked.headers["authorization"] for asked in server.asked} == {f"Bearer {KEY}"}

    assert refused == ["not configured", f"llm.generate: 127.0.0.1:{server.port} answers 401: bad key ***"]
    assert answer == ["said hi", "small-2-0613", 10]
    assert more == [["default", "embedding", "voice", "own"], [3.0, 0.5], "hello", "said x"]
    assert missing[0] == "unavailable"
    assert "test.serves, which serves 'mine'" in missing[1]
    assert "plugin.test.asks.asr" in uses
    for text in (peeked, status, caplog.text, repr(deployment.records)):
        assert KEY not in text


async def test_another_plugin_answers_a_plugin(deployment: Deployment) -> None:
    """Across runners, and also when both sit in one runner that lets one call run at a time."""
    deployment.tables["two"] = "max_inflight = 1"
    _configure(deployment, "http://127.0.0.1:1")
    async with deployment.run() as supervisor:
        across = await supervisor.invoke("test.asks", "ask", {"task": "own"})
        within = await supervisor.invoke("test.serves", "both")
        supervisor.stop_shard("two")
        gone = await supervisor.invoke("test.asks", "ask", {"task": "own"})

    assert across == ["response of m-1", "m-1", 0]
    assert within == "response of m-1"
    assert gone[0] == "unavailable"
    assert KEY not in repr(deployment.records)


async def test_one_client_type_has_one_owner(deployment: Deployment) -> None:
    """Two plugins that claim it are told before anything is started."""
    for shard, name in (("two", "serves"), ("three", "steals")):
        deployment.plugin(shard, name, SERVES, capabilities=["llm.*"], llm_providers=["mine"])

    with pytest.raises(ConfigError, match=r"'mine', which plugin 'test\.serves' serves too"):
        async with deployment.run():
            pass


async def test_a_client_type_that_its_manifest_does_not_say_is_not_served(deployment: Deployment) -> None:
    """A plugin whose code and manifest differ is not loaded, and that is told."""
    deployment.plugin("two", "serves", SERVES, capabilities=["llm.*"])
    async with deployment.run() as supervisor:
        failed = supervisor.shards["two"].failed
        served = supervisor.parts.providers.find("mine")

    assert served is None
    assert "a client type stands in both" in failed["test.serves"]
