"""A model whose provider no plugin serves, or two do, is told before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.supervisor.checking import check_deployment
from tests.doubles.deployments import ENVIRON, write_config, write_plugin

MODELS = """
rookery.plugin_dirs = ["plugins"]
[placement]
policy = "pack"
shards = 1
[llm.models.own]
provider = "mine"
[llm.tasks]
default = "own"
"""


def lines_for(directory: Path, text: str = "") -> list[str]:
    """What `rookery check` says, without paths."""
    (directory / "plugins").mkdir(exist_ok=True)
    checked = check_deployment(write_config(directory, MODELS + text), environ=ENVIRON)
    return [mistake.explain() for mistake in checked.mistakes]


def test_a_model_whose_provider_is_there_is_in_order(tmp_path: Path) -> None:
    """Its plugin's manifest names the client type."""
    write_plugin(tmp_path, "a.serves", llm_providers=["mine"])

    assert lines_for(tmp_path) == []


@pytest.mark.parametrize("text", ["", '[plugins."a.serves"]\nenabled = false'])
def test_a_model_without_provider_is_told(tmp_path: Path, text: str) -> None:
    """With what there is; a plugin that is switched off serves nothing."""
    write_plugin(tmp_path, "a.serves", llm_providers=["mine"] if text else ["min"])

    (line,) = lines_for(tmp_path, text)

    assert "llm.models.own.provider: got 'mine', and no plugin serves that client type" in line
    assert ("add the plugin that serves it" if text else "did you mean 'min'?") in line


def test_two_plugins_of_one_client_type_are_told(tmp_path: Path) -> None:
    """With what to do; switching one off is enough."""
    for name in ("a.serves", "b.serves"):
        write_plugin(tmp_path, name, llm_providers=["mine"])

    (line,) = lines_for(tmp_path)
    after = lines_for(tmp_path, '[plugins."b.serves"]\nenabled = false')

    assert "llm_providers: got 'mine', which plugin 'a.serves' serves too" in line
    assert '[plugins."b.serves"] enabled = false' in line
    assert after == []


def test_the_hosts_own_client_type_is_no_plugins(tmp_path: Path) -> None:
    """A plugin would get questions that were meant for an endpoint."""
    write_plugin(tmp_path, "a.serves", llm_providers=["mine", "openai"])

    (line,) = lines_for(tmp_path)

    assert "'openai', which the host serves itself" in line
