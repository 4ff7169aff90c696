"""How does a simulated runner come up and speak: hello, loading, ready, by a session of its own without any IO?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rookery.protocol import (
    PLUGIN_REGISTER_COMPONENTS,
    RUNNER_EXTEND,
    RUNNER_HELLO,
    RUNNER_LOADING,
    RUNNER_READY,
    ErrorCode,
    Session,
    Side,
)
from rookery.protocol import page as layout
from tests.simulator.process import SimProcess

if TYPE_CHECKING:
    from rookery.supervisor.process import Launch
    from tests.simulator.faults import Faults
    from tests.simulator.wire import Wire
    from tests.simulator.world import World

FULL = ("assignment", "loading", "logs", "ordered", "beats", "started", "cancel", "recall", "extend")
COMPACT = (*FULL, "compact")
KINDS = (
    FULL,
    COMPACT,
    COMPACT,
    COMPACT,
    tuple(each for each in FULL if each != "ordered"),
    ("assignment", "loading", "logs"),
)
"""Features of runners of ours, of older ones, and of others. A host starts runners of one kind."""

COMPONENTS = [
    {"name": "once", "component_type": "TOOL"},
    {"name": "again", "component_type": "TOOL", "metadata": {"idempotent": True}},
    {"name": "seen", "component_type": "EVENT_HANDLER", "metadata": {"event_type": "tick"}},
    {"name": "inner", "component_type": "API"},
    {"name": "inner_again", "component_type": "API", "metadata": {"idempotent": True}},
]
"""What every simulated plugin has; an API passes by what fills a shard."""

DEADLY = (-11, -11, -6, -9, 0, 1, 3, 69, 70)
"""How runners end by themselves."""

HANGS = (("S", True), ("R", True), ("R", False), ("D", False))
"""A blocked loop, a busy one, a held interpreter, a wait in the kernel: the state, and whether the thread beats."""


class StartingRunner(SimProcess):
    """A runner up to the moment at which it is ready.

    Args:
        features: What it can do.
    """

    def __init__(
        self, world: World, faults: Faults, wire: Wire, launch: Launch, pid: int, *, features: tuple[str, ...]
    ) -> None:
        super().__init__(world, faults, wire, launch, pid)
        self.features = features
        self.session = Session(Side.RUNNER)
        self.plugins: list[str] = []
        self.loaded: list[str] = []
        self.loading = ""
        """The plugin that it loads now."""
        self.is_ready = False
        self._is_mute = False
        """It is stuck in the middle of a write."""
        self._plan_start()

    # --- coming up ---------------------------------------------------------------------------------------------

    def _plan_start(self) -> None:
        delay = self.world.between(0.02, 0.4)
        if self._fires("no hello"):
            return self.blame("no hello")
        if self._fires("late hello"):
            delay = self.world.between(1.0, 8.0)
            self.blame(f"late hello, after {delay:.1f} s")
        if self._fires("death before hello"):
            return self.later(delay, self.die, self._status_of_death(), "death before hello")
        return self.later(delay, self._say_hello)

    def _say_hello(self) -> None:
        if self._fires("strange first frame"):
            self.blame("strange first frame")
            self._write(
                self.world.random.choice((b"\x00\x00\x00\x05hello", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 64))
            )
            self.wire.is_broken = True
            return
        hello = {
            "runner_id": "sim", "sdk_version": "2.0.0", "session_token": "", "pid": self.pid,
            "features": list(self.features),
        }  # fmt: skip
        self._ask(RUNNER_HELLO, hello, self._take_hello)

    def _take_hello(self, answer: Any) -> None:
        if not isinstance(answer, dict) or not answer.get("accepted"):
            return self.die(76, "its hello was refused")
        assignment = answer["assignment"]
        blocked = assignment["blocked"]
        self.plugins = [
            each["plugin_id"] for each in assignment["plugins"] if each["plugin_id"] not in blocked
        ]
        return self.later(self.world.between(0.0, 0.1), self._load, 0)

    def _load(self, index: int) -> None:
        if index == len(self.plugins):
            return self._say_ready()
        plugin_id = self.loading = self.plugins[index]
        self._tell(RUNNER_LOADING, {"plugin_id": plugin_id, "phase": "import"})
        self._crumb(layout.Phase.IMPORT, plugin_id, 0)
        if self._fires("death while loading"):
            return self.later(self.world.between(0.0, 0.2), self._die_of, plugin_id, "death while loading")
        if self._fires("hang while loading"):
            return self.freeze("hang while loading", self._hang(), float("inf"))
        takes = self.world.between(0.01, 0.3)
        if self._fires("slow loading"):
            takes = self.world.between(2.0, 25.0)
            self.blame(f"slow loading, {takes:.1f} s")
            if "extend" in self.features and self.world.happens(0.7):
                self._tell(RUNNER_EXTEND, {"seconds": takes + 1.0})
        return self.later(takes, self._register, index)

    def _register(self, index: int) -> None:
        plugin_id = self.plugins[index]
        told = {"plugin_id": plugin_id, "plugin_version": "1.0.0", "components": COMPONENTS}
        self._ask(PLUGIN_REGISTER_COMPONENTS, told, lambda _: None, plugin_id=plugin_id)
        self._load(index + 1)

    def _say_ready(self) -> None:
        self._crumb(layout.Phase.IDLE, "", 0)
        self.loading = ""
        failed = [each for each in self.plugins if self._fires("load failure")]
        if failed:
            self.blame(f"load failure of {', '.join(failed)}")
        self.loaded = [each for each in self.plugins if each not in failed]
        ready = {
            "loaded_plugins": self.loaded,
            "failed_plugins": failed,
            "failed_plugin_reasons": dict.fromkeys(failed, "ImportError: no module"),
        }
        self._ask(RUNNER_READY, ready, self._begin_work)

    def _begin_work(self, answer: Any) -> None:
        """It is ready."""

    # --- small things ------------------------------------------------------------------------------------------

    def _fires(self, kind: str) -> bool:
        return self.faults.fires(kind, self.shard)

    def _status_of_death(self) -> int:
        return self.world.random.choice(DEADLY)

    def _hang(self) -> tuple[str, bool]:
        return self.world.random.choice(HANGS)

    def _crumb(self, phase: layout.Phase, plugin_id: str, request_id: int) -> None:
        if self.page is not None and "beats" in self.features:
            number = 1 + self.plugins.index(plugin_id) if plugin_id else 0
            self.page.note_crumb(layout.pack_crumb(phase, number, request_id))

    def _ask(self, method: str, payload: dict[str, Any], on_done: Any, *, plugin_id: str = "") -> None:
        self.session.request(method, payload, plugin_id=plugin_id, on_done=on_done)
        self._flush()

    def _tell(self, method: str, payload: dict[str, Any]) -> None:
        self.session.broadcast(method, payload)
        self._flush()

    def _refuse(
        self, request_id: int, text: str, details: dict[str, Any], code: ErrorCode = ErrorCode.E_SHUTTING_DOWN
    ) -> None:
        if request_id in self.session.owed:
            self.session.refuse(request_id, code, text, details)
            self._flush()

    def _flush(self) -> None:
        if self.session.bytes_out:
            self._write(self.session.data_to_send())

    def _write(self, data: bytes) -> None:
        if not self._is_mute and not self.is_gone:
            self.wire.write(data)
