"""Which hooks are known now, and may a handler register for one?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .component import ErrorPolicy, HookMode
from .hook_catalogue import APPLICATION_HOOKS, CATALOGUE
from .hook_spec import HookSpec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .component import HookHandler


class HookSpecs:
    """The hooks that are known. An unknown hook cannot be registered for, but may be invoked.

    Attributes:
        generation: Counts the changes.
    """

    def __init__(self, specs: Iterable[HookSpec] = (*CATALOGUE, *APPLICATION_HOOKS)) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self.generation = 0

    def add(self, spec: HookSpec) -> None:
        """Make a hook of the host application known, or replace one. Plugins that load later may register for it."""
        self._specs[spec.name] = spec
        self.generation += 1

    def remove(self, name: str) -> bool:
        """Forget a hook; those who have registered for it stay. False when it was not known."""
        self.generation += 1
        return self._specs.pop(name, None) is not None

    def get(self, name: str) -> HookSpec:
        """The spec of a hook; everything is allowed at one that nobody has described."""
        return self._specs.get(name) or HookSpec(name=name)

    @property
    def all(self) -> tuple[HookSpec, ...]:
        """By name."""
        return tuple(self._specs[name] for name in self.names)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._specs))

    def complaint_about(self, handler: HookHandler) -> str | None:
        """Why a handler may not register, or ``None``."""
        spec = self._specs.get(handler.hook)
        if spec is None:
            return f"there is no hook {handler.hook!r}; there are {', '.join(self.names)}"
        if handler.mode is HookMode.BLOCKING and not spec.allow_blocking:
            return f"{handler.hook} may only be observed: declare mode 'observe'"
        if handler.mode is HookMode.OBSERVE and not spec.allow_observe:
            return f"{handler.hook} has no observers: declare mode 'blocking'"
        if handler.error_policy is ErrorPolicy.ABORT and not spec.allow_abort:
            return f"{handler.hook} cannot be aborted: declare error_policy 'skip' or 'log'"
        return None
