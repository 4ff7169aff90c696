"""The section [llm] becomes values, or mistakes that say where and what to write, and never a key."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.supervisor.config import load_settings, read_config
from rookery.supervisor.llm.config import plugin_client_types
from rookery.supervisor.llm.settings import LlmSettings, ModelSettings
from tests.doubles.deployments import ENVIRON, write_config

ENDPOINT = 'base_url = "https://api.example.com/v1"\n'


def lines_for(directory: Path, text: str) -> list[str]:
    """The mistakes of a configuration, without its path."""
    read = read_config(write_config(directory, text), environ=ENVIRON)
    return [mistake.explain() for mistake in read.mistakes]


def test_models_and_tasks_arrive(tmp_path: Path) -> None:
    """What the file says is there, and the rest has its defaults."""
    text = f"""
    [llm]
    max_concurrent = 4
    [llm.models.small]
    {ENDPOINT}
    model = "small-2"
    api_key_env = "KEY"
    temperature = 0.5
    max_tokens = 100
    timeout = 20
    retries = 0
    price_in = 1.5
    extra = {{ top_p = 0.9 }}
    [llm.models.local]
    provider = "ollama"
    [llm.tasks]
    reply = ["small", "local"]
    default = "local"
    """

    llm = load_settings(write_config(tmp_path, text), environ=ENVIRON).llm

    assert llm.max_concurrent == 4
    assert llm.tasks == {"reply": ("small", "local"), "default": ("local",)}
    assert llm.default_task == "default"
    assert llm.models["small"] == ModelSettings(
        base_url="https://api.example.com/v1",
        model="small-2",
        api_key_env="KEY",
        temperature=0.5,
        max_tokens=100,
        timeout=20.0,
        retries=0,
        price_in=1.5,
        extra={"top_p": 0.9},
    )
    assert plugin_client_types(llm) == {"ollama": ("local",)}


def test_a_file_without_it_has_no_models(tmp_path: Path) -> None:
    """And nothing is wrong with that."""
    assert load_settings(write_config(tmp_path, ""), environ=ENVIRON).llm == LlmSettings()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("llm = 3", "llm: got 3, expected a section [llm], with [llm.models.NAME] and [llm.tasks]"),
        ("[llm]\nmodel = 1", "llm.model: got an unknown key"),
        ("[llm]\nmax_concurrent = 0", "llm.max_concurrent: got 0"),
        ("[llm]\nmodels = 3", "llm.models: got 3"),
        (f'[llm.models."a b"]\n{ENDPOINT}[llm.tasks]\nt="a b"', 'llm.models."a b": got a model called'),
        ("[llm.models.x]\n[llm.tasks]\nt='x'", "llm.models.x.base_url: got nothing"),
        ("[llm.models.x]\nbase_url='ftp://h'\n[llm.tasks]\nt='x'", "llm.models.x.base_url: got 'ftp://h'"),
        (f"[llm.models.x]\n{ENDPOINT}temperature=3\n[llm.tasks]\nt='x'", "llm.models.x.temperature: got 3"),
        (f"[llm.models.x]\n{ENDPOINT}timeout=0\n[llm.tasks]\nt='x'", "llm.models.x.timeout: got 0"),
        (
            f"[llm.models.x]\n{ENDPOINT}api_key_env='a b'\n[llm.tasks]\nt='x'",
            "llm.models.x.api_key_env: got 'a b'",
        ),
        (
            f"[llm.models.x]\n{ENDPOINT}api_key_env='A'\napi_key_file='b'\n[llm.tasks]\nt='x'",
            "llm.models.x.api_key_env: got given, and api_key_file too, expected one of the two",
        ),
        (
            "[llm.models.x]\nprovider='p'\napi_key_env='A'\n[llm.tasks]\nt='x'",
            "no key of the host's is told to a plugin",
        ),
        (f"[llm.models.x]\n{ENDPOINT}", "llm.tasks: nothing, and there are models"),
        (f"[llm.models.small]\n{ENDPOINT}[llm.tasks]\nt='smal'", "did you mean 'small'?"),
        ("[llm.tasks]\nt='x'", "add a section [llm.models.x]"),
        (f"[llm.models.x]\n{ENDPOINT}[llm.tasks]\nt=[]", "llm.tasks.t: got []"),
        (f"[llm.models.x]\n{ENDPOINT}[llm.tasks]\nt=3", "llm.tasks.t: got 3"),
        ("[llm]\ntasks = 3", "llm.tasks: got 3"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, expected: str) -> None:
    """One line, with what was given and what to write."""
    (line,) = lines_for(tmp_path, text)

    assert expected in line


def test_a_key_in_the_file_is_not_repeated(tmp_path: Path) -> None:
    """Neither where it is not to be, nor in an address."""
    text = """
    [llm.models.x]
    base_url = "https://user:sk-secret@api.example.com/v1"
    api_key = "sk-secret"
    [llm.models.y]
    base_url = "https://api.example.com/v1?key=sk-secret"
    [llm.tasks]
    t = ["x", "y"]
    """

    lines = lines_for(tmp_path, text)

    assert len(lines) == 3
    assert not any("sk-secret" in line for line in lines)
    assert any("did you mean 'api_key_" in line for line in lines)
