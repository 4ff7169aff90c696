"""What a plugin needs is there, in the right version, and nobody waits in a circle."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.protocol import Manifest, PackageDependency, PluginDependency
from rookery.supervisor.dependencies import check_dependencies


def manifests(**needs: str) -> dict[str, tuple[Manifest, Path]]:
    """Plugins x.NAME in version 1.2.0, each with what it needs: `x.b >=1, x.c`."""
    return {
        f"x.{name}": (
            Manifest(
                plugin_id=f"x.{name}",
                version="1.2.0",
                name=name,
                dependencies=tuple(
                    PluginDependency(plugin_id=need.split()[0], version_spec="".join(need.split()[1:]))
                    for need in filter(None, text.split(", "))
                ),
            ),
            Path(f"/plugins/{name}/plugin.toml"),
        )
        for name, text in needs.items()
    }


def lines(found: dict[str, tuple[Manifest, Path]], absent: dict[str, str] | None = None) -> list[str]:
    return [str(mistake) for mistake in check_dependencies(found, absent or {})]


def test_satisfied_dependencies_are_no_mistake() -> None:
    """A chain, a diamond, a range."""
    assert lines(manifests(a="x.b >=1.0, x.c", b="x.d", c="x.d <2", d="")) == []


@pytest.mark.parametrize(
    ("needs", "absent", "told"),
    [
        pytest.param("x.bb", {}, "'x.bb', which is not installed; did you mean 'x.b'?", id="a slip"),
        pytest.param("other.one", {}, "'other.one', which is not installed; install it, put it into one of "
                     "rookery.plugin_dirs, or name it in rookery.bundled", id="not there"),
        pytest.param("x.b >=2", {}, "'x.b >=2', but version 1.2.0 is installed; install x.b in a version >=2", id="too old"),
        pytest.param("y.z", {"y.z": "which is disabled"}, "'y.z', which is disabled; enable it", id="disabled"),
        pytest.param("y.z", {"y.z": "which has mistakes of its own"},
                     "'y.z', which has mistakes of its own; correct that one first", id="broken"),
    ],
)  # fmt: skip
def test_a_missing_plugin_says_what_to_do(needs: str, absent: dict[str, str], told: str) -> None:
    """In the manifest that wants it."""
    assert lines(manifests(a=needs, b=""), absent) == [f"/plugins/a/plugin.toml: plugin.dependencies: {told}"]


@pytest.mark.parametrize(
    ("needs", "circles"),
    [
        pytest.param({"a": "x.b", "b": "x.a"}, ["x.a needs x.b needs x.a"], id="two"),
        pytest.param({"c": "x.a", "a": "x.b", "b": "x.c", "z": "x.a"}, ["x.a needs x.b needs x.c needs x.a"], id="three"),
        pytest.param({"a": "x.b", "b": "x.a", "c": "x.d", "d": "x.c"},
                     ["x.a needs x.b needs x.a", "x.c needs x.d needs x.c"], id="two circles"),
        pytest.param({"a": "x.b, x.c", "b": "x.c", "c": ""}, [], id="a diamond is no circle"),
    ],
)  # fmt: skip
def test_a_circle_is_spelt_out(needs: dict[str, str], circles: list[str]) -> None:
    """From its smallest id, once, whoever leads into it."""
    found = lines(manifests(**needs))

    assert [line.split("a circle: ")[1].split(";")[0] for line in found] == circles


def test_a_long_chain_is_no_problem() -> None:
    """The search does not nest."""
    chain = {f"n{number:05}": f"x.n{number + 1:05}" for number in range(2000)}

    assert lines(manifests(**chain, n02000="")) == []


@pytest.mark.parametrize(
    ("name", "spec", "told"),
    [
        ("no-such-package-at-all", ">=1", "'no-such-package-at-all>=1', which is not installed"),
        ("attrs", ">=9999", "'attrs>=9999', but version"),
    ],
)
def test_a_missing_package_says_how_to_install_it(name: str, spec: str, told: str) -> None:
    """With the command to type."""
    wanting = Manifest(
        plugin_id="x.a",
        version="1.0.0",
        name="a",
        packages=(PackageDependency(name=name, version_spec=spec), PackageDependency(name="attrs")),
    )

    [mistake] = check_dependencies({"x.a": (wanting, Path("/a"))}, {})

    assert told in mistake.given
    assert mistake.advice == f"pip install '{name}{spec}'"
