"""Which API does a name mean, over all shards, and what of that outlives a plugin's next registration?"""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from rookery.protocol import BadPayload, ComponentDeclaration, ErrorCode, RegisterComponents
from rookery.supervisor.api_table import MAX_DYNAMIC, MAX_OFFLINE, NOT_AGAIN, ApiRefused, ApiTable, OfferedApi
from rookery.supervisor.component import Api
from rookery.supervisor.declaration import make_component
from rookery.supervisor.registry import Registration, Registry


class Tree:
    """A registry and its table of APIs."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.table = ApiTable(self.registry)

    def offer(
        self,
        plugin_id: str,
        *declared: ComponentDeclaration,
        shard: str = "one",
        trusted: bool = True,
        live: bool = True,
    ) -> Registration:
        """A plugin registers."""
        return self.registry.register(
            RegisterComponents(plugin_id=plugin_id, components=list(declared)),
            shard=shard,
            is_trusted=trusted,
            live=live,
        )

    def replace(self, plugin_id: str, *names: str, reason: str = "", version: str = "1") -> tuple[int, int]:
        """A plugin says which dynamic APIs it has."""
        registration = self.registry.loading(plugin_id) or self.registry.registration(plugin_id)
        assert registration is not None
        apis = [_make(plugin_id, name, version) for name in names]
        return self.table.replace_dynamic(plugin_id, apis, reason, registration)

    def states(self, plugin_id: str) -> dict[str, tuple[bool, str]]:
        """Whether each API of a plugin may be called, and why not."""
        return {
            each.api.name: (each.enabled, each.offline_reason) for each in self.table.of_plugin(plugin_id)
        }

    def find(self, name: str, version: str = "", caller: str | None = "p.caller") -> OfferedApi:
        return self.table.find(name, version, caller)

    def refusal(self, name: str, version: str = "", caller: str | None = "p.caller") -> ApiRefused:
        with pytest.raises(ApiRefused) as caught:
            self.find(name, version, caller)
        return caught.value


def _api(name: str, **metadata: Any) -> ComponentDeclaration:
    return ComponentDeclaration(
        name=name, component_type="API", metadata={"public": True, "version": "1", **metadata}
    )


def _make(plugin_id: str, name: str, version: str) -> Api:
    declared = _api(name, version=version, dynamic=True)
    made = make_component(declared, plugin_id=plugin_id, shard="one", is_trusted=True, path="apis[0]")
    assert isinstance(made, Api)
    return made


# --- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "version", "expected"),
    [
        pytest.param("p.b.lookup", "", "p.b.lookup@1", id="a full name"),
        pytest.param(" lookup ", "", "p.b.lookup@1", id="a short name, with blanks around"),
        pytest.param("lookup", "2", "p.c.lookup@2", id="a version beside it"),
        pytest.param("lookup@2", "", "p.c.lookup@2", id="a version in it"),
        pytest.param("p.c.lookup@3", "", "p.c.lookup@3", id="a version behind a full name"),
        pytest.param("odd@", "", "p.d.odd@@1", id="an @ that is part of the name"),
    ],
)
def test_a_name_is_found_over_all_shards(name: str, version: str, expected: str) -> None:
    """Short or full, with a version or without; for a short name the first in the total order stands."""
    tree = Tree()
    tree.offer("p.c", _api("lookup", version="2"), _api("lookup", version="3"), shard="two")
    tree.offer("p.b", _api("lookup"))
    tree.offer("p.d", _api("odd@"), shard="three")

    api = tree.find(name, version).api

    assert f"{api.full_name}@{api.version}" == expected


def test_a_trusted_plugins_short_name_goes_before_a_strangers() -> None:
    """Whatever the stranger is called: it cannot take calls that were meant for another."""
    tree = Tree()
    tree.offer("aaa.stranger", _api("lookup"), trusted=False)
    tree.offer("p.b", _api("lookup"))

    assert tree.find("lookup").plugin_id == "p.b"


def test_a_full_name_is_nobody_elses_short_name() -> None:
    """A plugin cannot catch calls of another by naming an API as that one's are called in full."""
    tree = Tree()
    tree.offer("a.b", _api("p.b.lookup"))
    tree.offer("p.b", _api("lookup"))

    assert tree.find("p.b.lookup").plugin_id == "p.b"


def test_of_two_apis_that_read_alike_one_is_meant() -> None:
    """Ids and names may have dots. A stranger's does not stand before a trusted one, nor does it make a version more of it."""
    tree = Tree()
    tree.offer("p.a.b", _api("get"))
    tree.offer("p.a", _api("b.get", version="2"))
    tree.offer("p.a.b.c", _api("get"), trusted=False)
    tree.offer("p.a.b", _api("get"), _api("c.get"))

    assert tree.find("p.a.b.get").plugin_id == "p.a.b"
    assert tree.find("p.a.b.c.get").plugin_id == "p.a.b"


def test_a_shadowed_name_takes_over() -> None:
    """When the plugin that had it goes, and when it is switched off."""
    tree = Tree()
    tree.offer("p.b", _api("lookup"))
    tree.offer("p.c", _api("lookup"))

    tree.table.switch(tree.find("lookup"), enabled=False)
    off = tree.find("lookup").plugin_id
    tree.registry.unregister("p.b")
    gone = tree.find("lookup").plugin_id

    assert (off, gone) == ("p.c", "p.c")


@pytest.mark.parametrize(
    ("name", "version", "code", "kind", "text"),
    [
        ("lok", "", ErrorCode.E_METHOD_NOT_ALLOWED, "refused", "no plugin offers an API 'lok'; did you mean"),
        ("many", "", ErrorCode.E_METHOD_NOT_ALLOWED, "refused", "p.b.many has several versions, 1, 2"),
        ("many", "7", ErrorCode.E_METHOD_NOT_ALLOWED, "refused", "no version '7' of many: it has 1, 2"),
        ("secret", "", ErrorCode.E_CAPABILITY_DENIED, "refused", "p.b.secret is not public"),
        ("off", "", ErrorCode.E_METHOD_NOT_ALLOWED, "unavailable", "p.b.off is not available"),
        ("p.b", "", ErrorCode.E_METHOD_NOT_ALLOWED, "refused", "no plugin offers an API 'p.b'"),
        ("", "", ErrorCode.E_METHOD_NOT_ALLOWED, "refused", "no plugin offers an API ''"),
    ],
)
def test_a_name_that_means_nothing_is_told_why(
    name: str, version: str, code: ErrorCode, kind: str, text: str
) -> None:
    """Not there, not in that version, not for this caller, or off now: each is another thing to do about it."""
    tree = Tree()
    tree.offer(
        "p.b",
        _api("look"),
        _api("many"),
        _api("many", version="2"),
        _api("secret", public=False),
        _api("off", enabled=False),
    )

    refused = tree.refusal(name, version)

    assert (refused.code, refused.kind) == (code, kind)
    assert text in str(refused)


def test_no_name_of_a_private_api_is_given_away() -> None:
    """A suggestion names only what the caller may call; its own plugin may, and so may the host."""
    tree = Tree()
    tree.offer("p.b", _api("secret", public=False))

    stranger = tree.refusal("secre")
    own, host = tree.find("secret", caller="p.b"), tree.find("secret", caller=None)

    assert "did you mean" not in str(stranger)
    assert own is host
    assert [each.api.name for each in tree.table.visible_to("p.caller")] == []


# --- dynamic APIs ------------------------------------------------------------------------------------------------------


def test_dynamic_apis_are_replaced_as_a_set() -> None:
    """What is not in the new set is offline and keeps its reason; what comes back is there again."""
    tree = Tree()
    tree.offer("p.b", _api("static"))

    first = tree.replace("p.b", "a", "b")
    second = tree.replace("p.b", "b", "c", reason="the camera was unplugged")
    states = tree.states("p.b")
    third = tree.replace("p.b", "a")

    assert (first, second, third) == ((2, 0), (2, 1), (1, 2))
    assert states == {
        "static": (True, ""),
        "a": (False, "the camera was unplugged"),
        "b": (True, ""),
        "c": (True, ""),
    }
    assert tree.states("p.b")["a"] == (True, "")
    assert "p.b.c is not available: this dynamic API is offline" in str(tree.refusal("c"))


@pytest.mark.parametrize(
    ("names", "path"),
    [
        pytest.param(["new", "static"], r"apis\[1\].name.*for good", id="one that is declared for good"),
        pytest.param(["new", "new"], r"apis\[1\].name.*twice", id="one that is there twice"),
        pytest.param([f"n{number}" for number in range(MAX_DYNAMIC + 1)], "at most 500", id="too many"),
    ],
)
def test_a_set_with_a_mistake_changes_nothing(names: list[str], path: str) -> None:
    """All of it or nothing: what was there before is there still."""
    tree = Tree()
    tree.offer("p.b", _api("static"))
    tree.replace("p.b", "old")
    before = tree.states("p.b")

    with pytest.raises(BadPayload, match=path):
        tree.replace("p.b", *names)

    assert tree.states("p.b") == before


def test_one_name_in_two_versions_is_no_collision() -> None:
    """The version is part of what an API is known by."""
    tree = Tree()
    tree.offer("p.b", _api("lookup", version="1"))

    tree.replace("p.b", "lookup", version="2")

    assert tree.find("lookup", "2").is_dynamic
    assert not tree.find("lookup", "1").is_dynamic


def test_a_plugin_that_loads_has_its_dynamic_apis_as_soon_as_it_is_there() -> None:
    """Its ``on_load`` offers them before anybody may call it; a runner that dies meanwhile leaves nothing behind."""
    tree = Tree()
    tree.offer("p.b", _api("static"), live=False)
    tree.replace("p.b", "lost")
    tree.registry.forget_staged(["p.b"])
    tree.offer("p.b", _api("static"), live=False)

    answer = tree.replace("p.b", "early")
    before = tree.states("p.b")
    tree.registry.publish(["p.b"], ["p.b"])

    assert (answer, before) == ((1, 0), {})
    assert tree.states("p.b") == {"static": (True, ""), "early": (True, "")}


# --- what outlives a registration --------------------------------------------------------------------------------------


def test_a_new_registration_drops_neither_switches_nor_reasons() -> None:
    """An API that was switched off stays off, one that was taken offline keeps its reason."""
    tree = Tree()
    tree.offer("p.b", _api("static"), _api("other"))
    tree.replace("p.b", "gone")
    tree.replace("p.b", reason="no camera")
    tree.table.switch(tree.find("other"), enabled=False)

    tree.offer("p.b", _api("static"), _api("other"))

    assert tree.states("p.b") == {"static": (True, ""), "other": (False, ""), "gone": (False, "no camera")}


def test_a_dynamic_api_of_code_that_was_replaced_is_not_called() -> None:
    """The new code has to offer it itself: until then a caller hears that, and no error from inside of the plugin."""
    tree = Tree()
    tree.offer("p.b", _api("static"))
    tree.replace("p.b", "live")

    tree.offer("p.b", _api("static"))
    between = tree.states("p.b")["live"]
    tree.replace("p.b", "live")

    assert between == (False, NOT_AGAIN)
    assert tree.states("p.b")["live"] == (True, "")


def test_switching_another_component_leaves_dynamic_apis_alone() -> None:
    """It is no new registration, although the registry makes its components anew; neither is a move to another shard."""
    tree = Tree()
    tree.offer("p.b", _api("static"))
    tree.replace("p.b", "live")

    tree.registry.set_enabled("p.b.static", False)
    tree.registry.move_plugin("p.b", "two")

    assert tree.states("p.b") == {"static": (False, ""), "live": (True, "")}
    assert {each.api.shard for each in tree.table.of_plugin("p.b")} == {"two"}


def test_switching_on_takes_the_reason_away() -> None:
    """An operator who says so is believed."""
    tree = Tree()
    tree.offer("p.b")
    tree.replace("p.b", "a")
    tree.replace("p.b", reason="no camera")
    (offline,) = tree.table.of_plugin("p.b")

    tree.table.switch(offline, enabled=True)

    assert tree.states("p.b") == {"a": (True, "")}


def test_a_plugin_that_is_gone_has_no_apis() -> None:
    """Neither dynamic nor static."""
    tree = Tree()
    tree.offer("p.b", _api("static"))
    tree.replace("p.b", "a")

    tree.registry.unregister("p.b")

    assert tree.table.all() == ()


def test_what_is_remembered_of_one_plugin_is_bounded() -> None:
    """A plugin that offers ever new names fills no memory: the oldest offline ones are forgotten."""
    tree = Tree()
    tree.offer("p.b")

    for number in range(MAX_OFFLINE + 50):
        tree.replace("p.b", f"n{number}")

    known = tree.states("p.b")
    assert len(known) == MAX_OFFLINE + 1
    assert "n0" not in known
    assert known[f"n{MAX_OFFLINE + 49}"] == (True, "")


def test_an_api_is_shown_in_the_form_of_the_protocol() -> None:
    """What an older SDK puts into a map inside of the metadata counts too; a plugin may run it under another name."""
    tree = Tree()
    metadata = {"description": "finds", "version": "2", "handler_name": "run_lookup", "public": True}
    tree.offer("p.b", ComponentDeclaration(name="lookup", component_type="API", metadata=metadata))

    offered = tree.find("lookup")

    assert offered.shown() == {
        "name": "lookup",
        "full_name": "p.b.lookup",
        "plugin_id": "p.b",
        "description": "finds",
        "version": "2",
        "public": True,
        "enabled": True,
        "dynamic": False,
        "offline_reason": "",
        "metadata": metadata,
    }
    assert offered.component.name == "run_lookup"
    assert attrs.evolve(offered, enabled=False).component.plugin_id == "p.b"
