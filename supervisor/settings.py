"""What has an operator chosen for a deployment: frozen values, valid from birth, seconds where nothing else is said.

A field's name is its key in the file, its type and its validator are what `config.py` holds the file against. So a new
setting is one field here.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs

from rookery.protocol import PLUGIN_ID, SHARD_NAME, Shortcut
from rookery.sharding import Policy

from .entitlement import Entitlements
from .fetch.settings import FetchSettings
from .grant_settings import PLUGINS_FORM, LevelGrants
from .health import HealthPolicy
from .isolation_settings import check_isolation
from .limits import ShardLimits
from .llm.settings import LlmSettings
from .original_settings import check_original
from .platform.routes import Route
from .profiles import Isolation
from .quarantine import QuarantinePolicy
from .ranges import CAPABILITY, TABLE_NAME, Clash, Each, Form, Range
from .render.settings import RenderSettings
from .restart import RestartMode, RestartPolicy
from .runtime import Runtime
from .sdk_windows import EMULATED_HOST
from .start_mode import TRUSTED, StartMode
from .strategy import DEFAULT_GROUP, GROUP_FORM, GroupSettings, Significance

MAX_STOP = 30.0
"""Seconds from the wish to stop a shard to its last means. Service managers and Kubernetes kill the whole host soon
after that time."""

EVERY = "*"
"""Every plugin, where plugins are named."""

SHARD_FORM = Form(SHARD_NAME.fullmatch, "at most 32 of a-z, 0-9, '_' and '-', a letter or digit first")
PLUGIN_FORM = Form(
    PLUGIN_ID.fullmatch, "a plugin's id, two or more words joined by '.' or '-', such as 'author.plugin'"
)
TABLE_FORM = Form(
    TABLE_NAME.fullmatch, "a table's name: a letter or '_', then at most 63 of letters, digits and '_'"
)
TRUST_FORM = Form(
    re.compile(r"[a-z][a-z0-9_-]{0,31}").fullmatch, "a word of a-z, 0-9, '_' and '-', such as 'trusted'"
)
NAME_FORM = Form(
    re.compile(r"[^/\x00-\x1f\x7f]{1,64}(?<!^\.)(?<!^\.\.)").fullmatch, "a file name of at most 64 characters"
)
PREFIX_FORM = Form(
    lambda text: 0 < len(text) <= 16 and text == text.strip(), "1 to 16 characters without blanks around"
)


def _with_default(groups: Iterable[GroupSettings]) -> tuple[GroupSettings, ...]:
    groups = tuple(groups)
    is_there = any(group.name == DEFAULT_GROUP for group in groups)
    return groups if is_there else (*groups, GroupSettings())


def _frozen(plugins: Mapping[str, PluginSettings]) -> Mapping[str, PluginSettings]:
    return MappingProxyType(dict(plugins))


def _frozen_levels(levels: Mapping[str, LevelGrants]) -> Mapping[str, LevelGrants]:
    return MappingProxyType(dict(levels))


class OnUnavailable(StrEnum):
    """What a message does whose handler's shard is away."""

    WAIT = "wait"
    """It waits until the shard is back, up to `dispatch_timeout`; then the call is lost and counted."""
    SKIP = "skip"
    """It goes on at once; the call is lost and counted."""


@attrs.frozen(kw_only=True)
class ShardTimeouts:
    """How long each step of a runner's life may take, in seconds.

    Raises:
        Clash: Two or more do not go together.
    """

    hello: float = attrs.field(default=5.0, validator=Range(0, above=True))
    """From the start of the process to its hello."""
    load: float = attrs.field(default=30.0, validator=Range(0, above=True))
    """From the hello until all plugins are loaded."""
    plugin_load: float = attrs.field(default=20.0, validator=Range(0, above=True))
    """For the import of one plugin, and again for its `on_load`."""
    start_max: float = attrs.field(default=120.0, validator=Range(0, above=True))
    """From the hello until all plugins are loaded at most, however much more time the runner asks for."""
    drain: float = attrs.field(default=20.0, validator=Range(0))
    """For the calls in flight, when the shard is to stop."""
    term_grace: float = attrs.field(default=5.0, validator=Range(0))
    """Between SIGTERM and SIGKILL."""
    kill_wait: float = attrs.field(default=2.0, validator=Range(0))
    """For a killed process to be gone; after it the shard is given up as lost."""

    def __attrs_post_init__(self) -> None:
        total = self.drain + self.term_grace + self.kill_wait
        if total > MAX_STOP:
            raise Clash(
                "drain",
                "term_grace",
                "kill_wait",
                given=f"{self.drain:g}, which is {total:g} s with term_grace ({self.term_grace:g}) and kill_wait"
                f" ({self.kill_wait:g})",
                expected=f"at most {MAX_STOP:g} s in all: service managers kill the whole host soon after",
                advice=_advise_drain(MAX_STOP - self.term_grace - self.kill_wait),
            )
        if self.start_max < self.load:
            raise Clash(
                "start_max",
                "load",
                given=f"{self.start_max:g}",
                expected=f"at least load ({self.load:g}): it is the end of every extension",
                advice="raise start_max or lower load",
            )


def _advise_drain(most: float) -> str:
    return f"lower drain to {most:g}" if most >= 0 else "lower term_grace and kill_wait"


VARIABLE_FORM = Form(
    lambda text: re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*\*?|\*", text) is not None,
    "the name of a variable; a * at its end stands for any rest",
)
SHORTCUT_FORM = Form(frozenset(Shortcut).__contains__, f"one of {', '.join(Shortcut)}")
ARGUMENT_FORM = Form(lambda text: bool(text) and "\0" not in text, "a word of a command")
FILE_FORM = Form(lambda text: bool(text.strip()) and "\0" not in text, "the path of a file")


@attrs.frozen(kw_only=True)
class ShardSettings:
    """One shard, and what its runner is allowed.

    Raises:
        Clash: Its significance and its restart mode do not go together, or its trust and its start.
    """

    name: str = attrs.field(validator=SHARD_FORM)
    plugins: tuple[str, ...] = attrs.field(default=(), validator=Each(PLUGIN_FORM))
    """Plugins that are named for it. A shard with some takes no others; without any it is open to the policy."""
    plugin_dirs: tuple[str, ...] = attrs.field(default=(), validator=Each(FILE_FORM))
    """Directories all of whose plugins are for it. As with `plugins`, it takes no others then."""
    trust: str = attrs.field(default="trusted", validator=TRUST_FORM)
    """Plugins of another trust level never come here."""
    capacity: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(Range(0, above=True))
    )
    """The weight of plugins that it carries at most; None is no limit."""
    start: StartMode = StartMode.AUTO
    """How its runners start."""
    runtime: Runtime = Runtime.AUTO
    """Which event loop its plugins find."""
    python: str | None = attrs.field(default=None, validator=attrs.validators.optional(FILE_FORM))
    """The path of the interpreter of its runners; None is the host's own."""
    requirements: str | None = attrs.field(default=None, validator=attrs.validators.optional(FILE_FORM))
    """The path of a file of requirements, as pip reads it, for which its runners get an environment of their own."""
    runner: tuple[str, ...] = attrs.field(default=(), validator=Each(ARGUMENT_FORM))
    """The command of a runner of the original kind (protocol 1.0.0), which holds its plugins; () is rookery's own."""
    runner_directory: str | None = attrs.field(default=None, validator=attrs.validators.optional(FILE_FORM))
    """The directory that it runs in; None is that of the configuration."""
    environment: tuple[str, ...] = attrs.field(default=(), validator=Each(VARIABLE_FORM))
    """Variables of the host's environment that its plugins get besides what any program needs; ``*`` at the end of a name
    stands for any rest."""
    without: tuple[str, ...] = attrs.field(default=(), validator=Each(SHORTCUT_FORM))
    """Ways to be quick that its connection goes without, to see whether one of them is to blame for something."""
    isolation: Isolation = Isolation.PROCESS
    """The least that keeps its runner from what is not its own."""
    isolation_fallback: Isolation | None = None
    """A weaker profile that will do where the machine does not have the other."""
    network: bool | None = None
    """Whether its plugins reach the network: all of it or nothing. None is as the host in `process`, and not at all else."""
    allow_subprocess: bool = False
    """Whether its plugins may start processes, where they are confined."""
    own_user: bool = True
    """Where the host runs as root: whether a shard that is not trusted, or confined, becomes a user of its own. False leaves it
    root, which is a weakness that the operator has to name."""
    terminal: bool = False
    """Whether it gets the host's standard input and output."""
    capabilities: tuple[str, ...] | None = attrs.field(
        default=None, validator=attrs.validators.optional(Each(CAPABILITY))
    )
    """Patterns of what any plugin here may use of that which it declares; None allows all of it."""
    group: str = attrs.field(default=DEFAULT_GROUP, validator=GROUP_FORM)
    """The [[group]] whose rules it follows."""
    significance: Significance = Significance.OPTIONAL
    """What its end means for its group."""
    order: int | None = attrs.field(default=None, validator=attrs.validators.optional(Range(0)))
    """Its place in a group whose strategy has an order, the lowest first. Shards without one come after those with one, as
    they stand in the file, and those that a policy makes come last."""
    autostart: bool = True
    """Whether it starts with the host; else `rookery start` starts it."""
    restart: RestartPolicy = attrs.field(factory=RestartPolicy)
    quarantine: QuarantinePolicy = attrs.field(factory=QuarantinePolicy)
    timeouts: ShardTimeouts = attrs.field(factory=ShardTimeouts)
    health: HealthPolicy = attrs.field(factory=HealthPolicy)
    limits: ShardLimits = attrs.field(factory=ShardLimits)
    max_inflight: int = attrs.field(default=64, validator=Range(1, 65_536))
    """Calls that are sent to the runner and not answered yet; as many again of the kinds that a handler may be waiting
    for (hooks, APIs, gateways)."""
    queue_limit: int = attrs.field(default=10_000, validator=Range(1))
    """Calls that wait until they can be sent."""
    thread_limit: int = attrs.field(default=8, validator=Range(1, 1024))
    """Plain functions of plugins that run in threads at once."""

    def __attrs_post_init__(self) -> None:
        check_original(self)
        if self.start is StartMode.ZYGOTE and self.trust != TRUSTED:
            raise Clash(
                "start",
                "trust",
                given=f"'zygote' with trust {self.trust!r}: forked runners share the layout of their memory and the"
                " seed of their hashes, which helps whoever attacks one of them from another",
                advice="set start to 'spawn', or leave it out",
            )
        check_isolation(self)
        if self.python is not None and self.requirements is not None:
            raise Clash(
                "python",
                "requirements",
                given="both, and an interpreter that somebody has made is not installed into",
                advice="install what is in requirements into that environment, or leave python out",
            )
        if self.significance is Significance.ONE_SHOT and self.restart.mode is RestartMode.PERMANENT:
            raise Clash(
                "significance",
                "restart.mode",
                given="'one_shot' with restart.mode 'permanent': a job that is always started again never ends",
                advice="set restart.mode to 'transient' or 'temporary'",
            )
        if self.significance is Significance.REQUIRED and self.restart.mode is RestartMode.TEMPORARY:
            raise Clash(
                "significance",
                "restart.mode",
                given="'required' with restart.mode 'temporary': what is never started again is never given up either",
                advice="set restart.mode to 'permanent' or 'transient', or significance to 'one_shot'",
            )


@attrs.frozen(kw_only=True)
class PluginSettings:
    """What the operator says about one plugin."""

    enabled: bool = True
    shard: str | None = attrs.field(default=None, validator=attrs.validators.optional(SHARD_FORM))
    """Where it lives; None leaves that to a shard's `plugins` or to the policy."""
    trust: str | None = attrs.field(default=None, validator=attrs.validators.optional(TRUST_FORM))
    """Its trust level; None takes that of the shard that is named for it, else `trusted`."""
    weight: float | None = attrs.field(default=None, validator=attrs.validators.optional(Range(0)))
    """What it costs beside others; None takes what its manifest says."""
    config: Mapping[str, Any] = attrs.field(factory=dict)
    """Laid over the plugin's own config.toml."""
    capabilities: tuple[str, ...] | None = attrs.field(
        default=None, validator=attrs.validators.optional(Each(CAPABILITY))
    )
    """Patterns of what it may use of that which it declares, in place of what its trust level is granted; None leaves it to
    that, see `entitlement.py`."""
    reads_config_of: tuple[str, ...] = attrs.field(default=(), validator=Each(PLUGINS_FORM))
    """Plugins whose configuration it may read beside its own, passwords included."""
    calls_apis_of: tuple[str, ...] = attrs.field(default=(), validator=Each(PLUGINS_FORM))
    """Trusted plugins whose APIs it may call if it is not trusted itself."""
    manages: tuple[str, ...] = attrs.field(default=(), validator=Each(PLUGINS_FORM))
    """Plugins that it may switch, configure and reload beside itself."""
    shares_tables: tuple[str, ...] = attrs.field(default=(), validator=Each(TABLE_FORM))
    """Tables of its database that it has in common with every other plugin that shares the same."""
    fetch: FetchSettings | None = None
    """What it may have fetched; None takes the deployment's."""
    together_with: tuple[str, ...] = attrs.field(default=(), validator=Each(PLUGIN_FORM))
    """Plugins whose shard it shares."""
    separate_from: tuple[str, ...] = attrs.field(default=(), validator=Each(PLUGIN_FORM))
    """Plugins whose shard it avoids."""


@attrs.frozen(kw_only=True)
class PlacementSettings:
    """How plugins that nobody named a shard for find one."""

    policy: Policy = Policy.EXPLICIT
    shards: int = attrs.field(default=0, validator=Range(0, 256))
    """Shards that the policy may use beside those of the file, called shard-1, shard-2 and so on."""
    keep_dependencies_together: bool = True
    """Whether a plugin shares the shard of what it depends on."""


@attrs.frozen(kw_only=True)
class PipelineSettings:
    """How messages pass through the host."""

    max_inflight: int = attrs.field(default=256, validator=Range(1))
    """Messages that are in the pipeline at once; above it gateways wait."""
    dedupe_ttl: float = attrs.field(default=300.0, validator=Range(0))
    """How long the key of a message is remembered, so that a second one is dropped."""
    dedupe_keys: int = attrs.field(default=10_000, validator=Range(1))
    """How many keys are remembered."""
    dispatch_timeout: float = attrs.field(default=30.0, validator=Range(0, above=True))
    """For one call of one handler, its waiting included."""
    on_unavailable: OnUnavailable = OnUnavailable.WAIT
    circuit_failures: int = attrs.field(default=3, validator=Range(0))
    """Calls in a row that a handler of an event or a hook may not come back from in time; then it is passed over for a
    while. 0 never passes one over."""
    circuit_cooldown: float = attrs.field(default=60.0, validator=Range(0, above=True))
    """For how long the first time; twice as long each further time."""


@attrs.frozen(kw_only=True)
class Settings:
    """A deployment. All paths are absolute."""

    path: Path
    """The file it was read from."""
    name: str = attrs.field(validator=NAME_FORM)
    state_dir: Path
    """Where the store, the log, the lock and the control socket lie; need not exist yet."""
    plugin_dirs: tuple[Path, ...] = ()
    """Directories of plugins, or of one plugin, besides those of shards."""
    bundled: tuple[str, ...] = attrs.field(default=(), validator=Each(PLUGIN_FORM))
    """Plugins that come with rookery and are to be used."""
    command_prefix: str = attrs.field(default="!", validator=PREFIX_FORM)
    log_level: int = logging.INFO
    start: StartMode = StartMode.AUTO
    """How the runners of shards start that say nothing about it."""
    sdk_host_version: str = EMULATED_HOST
    """The bot's version that plugins of the SDK are written for."""
    uids: Sequence[int] = ()
    """Users that shards may become, each its own, where the host runs as root."""
    placement: PlacementSettings = attrs.field(factory=PlacementSettings)
    groups: tuple[GroupSettings, ...] = attrs.field(default=(), converter=_with_default)
    """The one that shards without a group belong to is always there."""
    shards: tuple[ShardSettings, ...] = ()
    """In the order of the file."""
    plugins: Mapping[str, PluginSettings] = attrs.field(
        factory=dict, converter=_frozen, validator=Each(PLUGIN_FORM)
    )
    """By plugin id; a plugin that is not there has the defaults, see `plugin`."""
    levels: Mapping[str, LevelGrants] = attrs.field(factory=dict, converter=_frozen_levels)
    """By trust level, those of [grants.LEVEL]. A level that is not there, the trusted one excepted, is granted nothing."""
    pipeline: PipelineSettings = attrs.field(factory=PipelineSettings)
    llm: LlmSettings = attrs.field(factory=LlmSettings)
    render: RenderSettings = attrs.field(factory=RenderSettings)
    fetch: FetchSettings = attrs.field(factory=FetchSettings)
    """What plugins may have fetched that have no section of their own about it."""
    routes: tuple[Route, ...] = ()
    """Which gateways messages leave and come in by, where gateways' own word is not enough."""
    chat_policy: Path | None = None
    """The file that says which chats the bot takes part in; None lets everybody in."""
    bot: Mapping[str, Any] = attrs.field(factory=dict)
    """What every plugin with `config.get` may read of the bot, such as its name."""

    def plugin(self, plugin_id: str) -> PluginSettings:
        """What is chosen for a plugin; the defaults when nothing is."""
        return self.plugins.get(plugin_id, _UNTOLD)

    @property
    def all_plugin_dirs(self) -> tuple[Path, ...]:
        """Those of shards too."""
        own = (Path(text) for shard in self.shards for text in shard.plugin_dirs)
        return tuple(dict.fromkeys((*self.plugin_dirs, *own)))

    @property
    def grants(self) -> dict[str, tuple[str, ...]]:
        """By plugin id, the patterns of capabilities that it may use, where the operator limits them."""
        return {
            plugin_id: chosen.capabilities
            for plugin_id, chosen in self.plugins.items()
            if chosen.capabilities is not None
        }

    @property
    def entitlements(self) -> Entitlements:
        """What the operator allows plugins."""
        return Entitlements(
            plugins=self.grants,
            levels={level: granted.allow for level, granted in self.levels.items()},
            callees={plugin_id: chosen.calls_apis_of for plugin_id, chosen in self.plugins.items()},
            level_callees={level: granted.calls_apis_of for level, granted in self.levels.items()},
        )


_UNTOLD = PluginSettings()
