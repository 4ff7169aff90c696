"""One list says for each thing that a plugin asks for whether it gets it, and what to do if it is to."""

from __future__ import annotations

from pathlib import Path

from rookery.supervisor.approvals import Approvals
from rookery.supervisor.entitlement import Entitlements
from rookery.supervisor.grant_table import list_grants
from rookery.supervisor.settings import ShardSettings

SHARDS = (
    ShardSettings(name="guests", trust="untrusted", plugins=("a.old", "a.new")),
    ShardSettings(name="ours", plugins=("b.ours",)),
)
ENTITLEMENTS = Entitlements(levels={"untrusted": ("send.text", "send.image", "config.get", "listen.*")})


def test_each_verdict_is_told_with_what_to_do(tmp_path: Path) -> None:
    """Granted, granted in part, held back since an update, and withheld."""
    approvals = Approvals(tmp_path / "approvals.json")
    approvals.admit({"a.old": ("send.*", "llm.embed")})
    approvals.offer("a.old", {"listen.events"})
    approvals.offer("a.old", {"listen.events", "listen.hooks"})
    declared = {
        "a.old": ("send.*", "config.get", "llm.embed", "chat.*"),
        "a.new": ("config.get",),
        "b.ours": ("*",),
    }

    rows = {row.plugin_id: row for row in list_grants(SHARDS, declared, ENTITLEMENTS, approvals)}

    assert list(rows) == ["a.new", "a.old", "b.ours"]
    assert [(each.name, each.verdict) for each in rows["a.old"].asks] == [
        ("send.*", "in part"),
        ("config.get", "held back"),
        ("llm.embed", "withheld"),
        ("chat.*", "withheld"),
        ("listen.events", "granted"),
        ("listen.hooks", "held back"),
    ]
    told = {each.name: each.remark for each in rows["a.old"].asks}
    assert told["send.*"] == "send.image, send.text"
    assert told["config.get"] == "rookery grants approve a.old config.get"
    assert 'add "llm.embed" to allow in [grants.untrusted]' in told["llm.embed"]
    assert [each.verdict for each in rows["a.new"].asks] == ["granted"], "it is let in when it comes"
    assert [each.verdict for each in rows["b.ours"].asks] == ["granted"]
