"""What does a call cost without a second process? pluggy's hook call: no border, no codec, and nothing is in flight."""

from __future__ import annotations

from typing import Any

import pluggy
from course import MESSAGE, answer, drive, one_after_the_other, warm_up

specification, implementation = pluggy.HookspecMarker("peers"), pluggy.HookimplMarker("peers")


class Points:
    """The one hook."""

    @specification(firstresult=True)
    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """What the plugin makes of a message."""
        raise NotImplementedError


class Peer:
    """The one plugin."""

    @implementation
    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        return answer(message)


def main() -> None:
    manager = pluggy.PluginManager("peers")
    manager.add_hookspecs(Points)
    manager.register(Peer())

    def call() -> object:
        return manager.hook.answer(message=MESSAGE)

    warm_up(call)
    drive(
        pluggy.__version__,
        lambda seconds: one_after_the_other(call, seconds),
        lambda seconds: len(one_after_the_other(call, seconds)),
    )


if __name__ == "__main__":
    main()
