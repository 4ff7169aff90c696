"""The section [render] becomes values, or mistakes with their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.supervisor.config import load_settings, read_config
from rookery.supervisor.render.settings import RenderSettings
from rookery.supervisor.render.wish import Area
from tests.doubles.deployments import ENVIRON, write_config


def test_what_the_file_says_arrives(tmp_path: Path) -> None:
    """And what it does not say has its default: a browser from PATH, shut in, without network."""
    text = '[render]\nexecutable = "/opt/chromium"\nsandbox = false\nallow_network = true\nmax_concurrent = 4\nidle = 5\n'

    said = load_settings(write_config(tmp_path, text), environ=ENVIRON).render
    unsaid = load_settings(write_config(tmp_path, ""), environ=ENVIRON).render

    assert said == RenderSettings(
        executable="/opt/chromium", sandbox=False, allow_network=True, max_concurrent=4, idle=5.0
    )
    assert (unsaid.executable, unsaid.sandbox, unsaid.allow_network) == (None, True, False)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("executable = ''", "render.executable: got '', expected the path of a browser"),
        ("sandbox = 1", "render.sandbox: got 1, expected true or false"),
        ("max_concurrent = 0", "render.max_concurrent: got 0, expected a whole number from 1 to 64"),
        ("timeout = 0", "render.timeout: got 0"),
        ("sandboxed = true", "did you mean 'sandbox'?"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, line: str, expected: str) -> None:
    """One line, with what was given and what to write."""
    read = read_config(write_config(tmp_path, f"[render]\n{line}\n"), environ=ENVIRON)

    (mistake,) = read.mistakes
    assert expected in mistake.explain()


@pytest.mark.parametrize(
    ("width", "height", "scale", "complaint"),
    [
        (900, 500, 2.0, ""),
        (16_384, 1, 1.0, ""),
        (0, 500, 1.0, "0 x 500 pixels large"),
        (8_193, 1, 2.0, "more than 16384 on a side"),
        (8_000, 8_000, 1.0, "more than 40000000"),
    ],
)
def test_a_picture_has_bounds(width: float, height: float, scale: float, complaint: str) -> None:
    """Whatever a page says of its size: memory is four bytes a pixel, several times over."""
    said = Area(x=0, y=0, width=width, height=height).complaint(scale)

    assert complaint in said
    assert bool(said) is bool(complaint)
