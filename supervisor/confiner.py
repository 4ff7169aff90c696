"""How does a launch become one of a confined runner, and when is it refused?"""

from __future__ import annotations

import errno
import os
import stat
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import trio

from .assignment import PLUGIN_DIRECTORY
from .environment import DIRECTORY as ENVIRONMENTS
from .means import find_means
from .profiles import Isolation, Means, Reached, Wish, decide_isolation
from .python_paths import is_below, outermost, python_paths
from .seccomp import build_filter
from .stage_plan import Confinement, Surroundings, write_plan
from .start_mode import TRUSTED
from .uids import NoUid, Uids

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from rookery.protocol import AssignedPlugin

    from .birth import Start
    from .process import Child, Launch
    from .settings import Settings, ShardSettings

    OwnOf = Callable[[str], tuple[ShardSettings, Sequence[AssignedPlugin]]]

HOMES = "homes"
"""Below the state directory: the working directory of each confined shard."""


class NotIsolated(OSError):
    """A shard cannot have the isolation that it must have. Another attempt would end the same way."""

    def __init__(self, text: str) -> None:
        super().__init__(errno.ENOTSUP, text)


class Confiner:
    """Confines the runners of one deployment.

    Args:
        means: What the machine has.
        uids: Users that shards may become, each its own; nobody else has them. Used by a host that runs as root.
        is_root: Whether the host runs as root.
        config: Its configuration, which no confined shard may read.
    """

    def __init__(
        self,
        state_dir: Path,
        means: Means,
        uids: Sequence[int] = (),
        *,
        is_root: bool | None = None,
        config: Path | None = None,
    ) -> None:
        self._state_dir = state_dir
        self._secrets = tuple(os.path.realpath(each) for each in (state_dir, config) if each is not None)
        self._means = means
        self._is_root = os.geteuid() == 0 if is_root is None else is_root
        self._uids = uids if self._is_root else ()
        self._users = Uids(state_dir, self._uids)
        self._filters: dict[tuple[bool, ...], bytes] = {}
        self._lets_pass = False
        self.reached: dict[str, Reached] = {}
        """By shard: what its latest runner has; nothing of one that was refused."""

    def reach(self, settings: ShardSettings) -> Reached | str:
        """What a shard gets, or why it does not start."""
        try:
            uid = self.uid_of(settings)
        except NoUid as error:
            return str(error)
        is_root_of_strangers = settings.trust != TRUSTED and self._is_root and uid is None
        if is_root_of_strangers and settings.own_user:
            return (
                f"the host runs as root, and a shard with trust {settings.trust!r} must not: name users for such shards"
                ' by uid_range = "FIRST-LAST" in [rookery], numbers that nobody else has, or run the host as an ordinary'
                " user; own_user = false in the shard leaves it root"
            )
        if settings.runner and uid is not None:
            return "a runner of the original kind cannot become another user; own_user = false leaves it root"
        found = decide_isolation(wish_of(settings), self._means)
        if isinstance(found, str):
            return found
        if hidden := _hidden_from(uid, python_paths(sys.executable)):
            return f"its user {uid} cannot read {hidden}: install Python and rookery where everybody can"
        return attrs.evolve(found, is_weaker=found.is_weaker or is_root_of_strangers)

    def uid_of(self, settings: ShardSettings) -> int | None:
        """The user that a shard's runners become; None where they stay the host's.

        Raises:
            NoUid: It has to become one, and there is none for it.
        """
        needs_one = settings.trust != TRUSTED or settings.isolation is not Isolation.PROCESS
        if not needs_one or not self._uids or not settings.own_user:
            return None
        return self._users.uid_of(settings.name)

    def before(self, start: Start, own_of: OwnOf) -> Start:
        """What starts runners, each as the profile of its shard wants it.

        Args:
            own_of: The settings of a shard, and its plugins.
        """

        def start_confined(launch: Launch) -> Child | Awaitable[Child]:
            shard, _, _ = launch.run.rpartition(".")
            return start(self.confine(launch, *own_of(shard)))

        return start_confined

    def confine(self, launch: Launch, settings: ShardSettings, plugins: Sequence[AssignedPlugin]) -> Launch:
        """The launch as the shard's profile wants it.

        Raises:
            NotIsolated: The machine cannot give what the shard must have.
            OSError: The directories of its plugins cannot be made.
        """
        reached = self.reach(settings)
        if isinstance(reached, str):
            self.reached.pop(settings.name, None)
            raise NotIsolated(refusal(settings, reached))
        uid = self.uid_of(settings)
        if reached.profile is Isolation.PROCESS and uid is None:
            self.reached[settings.name] = reached
            return launch
        self.reached.pop(settings.name, None)
        if reached.profile is not Isolation.PROCESS:
            self._keep_secrets_out(plugins)
        if uid is not None:
            if hidden := _hidden_from(uid, [each.path for each in plugins if each.path]):
                raise NotIsolated(f"its user {uid} cannot read {hidden}: put its plugins where everybody can")
            self._users.save()
            self._let_pass()
        home = self._own_directory(self._state_dir / HOMES / settings.name, uid)
        data = [self._own_directory(Path(each.data_dir), uid) for each in plugins if each.data_dir]
        paths = [*python_paths(launch.command[0]), *(each.path for each in plugins if each.path)]
        own = Surroundings(read=tuple(outermost(paths)), write=tuple(data), home=home, uid=uid)
        wish = wish_of(settings)
        how = Confinement(
            profile=reached.profile,
            network=wish.network,
            subprocesses=wish.subprocesses,
            program=self._filter(wish, reached.profile, own_user=uid is not None),
            bubblewrap=self._means.bubblewrap,
        )
        kept = [name for name in launch.environment if _is_named(name, settings.environment)]
        self.reached[settings.name] = reached
        return attrs.evolve(
            launch,
            plan=write_plan(launch, own, how, kept=kept),
            may_be_forked=False,
            is_boxed=reached.profile is Isolation.SANDBOX,
        )

    def _keep_secrets_out(self, plugins: Sequence[AssignedPlugin]) -> None:
        """A plugin's directory may be read by its shard, with all that is in it.

        Raises:
            NotIsolated: There is something in it that may not.
        """
        for plugin in plugins:
            path = os.path.realpath(plugin.path)
            inside = [secret for secret in self._secrets if plugin.path and is_below(secret, path)]
            if inside:
                raise NotIsolated(
                    f"the directory of {plugin.plugin_id}, {path}, may be read by its shard, and {inside[0]} is in it: put"
                    " the plugin into a directory of its own"
                )

    def _filter(self, wish: Wish, profile: Isolation, *, own_user: bool) -> bytes:
        """Made once for each kind: that takes some milliseconds."""
        if profile is Isolation.PROCESS:
            return b""
        own_mounts = profile is Isolation.SANDBOX
        kind = wish.network, wish.subprocesses, own_user, own_mounts
        if kind not in self._filters:
            self._filters[kind] = build_filter(
                network=wish.network,
                subprocesses=wish.subprocesses,
                own_user=own_user,
                own_mounts=own_mounts,
            )
        return self._filters[kind]

    def _own_directory(self, path: Path, uid: int | None) -> str:
        """A directory that the shard's user has, and nobody else."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if uid is not None:
            path.parent.chmod(0o711)
        # Whoever had it before may have put a link in its place: what is changed is what was opened.
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if uid is not None and os.fstat(descriptor).st_uid != uid:
                self._hand_over(descriptor, uid)
            os.fchmod(descriptor, 0o700)
        finally:
            os.close(descriptor)
        return str(path)

    def _hand_over(self, directory: int, uid: int) -> None:
        """What was another shard's user's, or the host's, is this one's. Links are not followed, and what has another name
        elsewhere is left alone unless a shard has made it."""
        for _, directories, files, at in os.fwalk(".", dir_fd=directory, follow_symlinks=False):
            for name in (*directories, *files):
                seen = os.stat(name, dir_fd=at, follow_symlinks=False)
                if stat.S_ISDIR(seen.st_mode) or seen.st_nlink == 1 or seen.st_uid in self._uids:
                    os.chown(name, uid, uid, dir_fd=at, follow_symlinks=False)
        os.fchown(directory, uid, uid)

    def _let_pass(self) -> None:
        """Other users may go through the state directory to what is theirs in it, and read nothing else of it."""
        if self._lets_pass:
            return
        os.umask(0o077)  # what the host writes from now on is nobody else's to read
        for path in self._state_dir.iterdir():
            if not path.is_symlink():
                is_open = path.name in (HOMES, PLUGIN_DIRECTORY, ENVIRONMENTS)
                path.chmod(0o711 if is_open else stat.S_IMODE(path.stat().st_mode) & 0o700)
        self._state_dir.chmod(0o711)
        self._lets_pass = True


async def open_confiner(settings: Settings) -> Confiner:
    """The confiner of a deployment. What the machine has is looked for only where a shard wants it."""
    wanted = [shard for shard in settings.shards if shard.isolation is not Isolation.PROCESS]
    uids = settings.uids
    own = uids[0] if uids and os.geteuid() == 0 else None
    means = await trio.to_thread.run_sync(find_means, own) if wanted else Means()
    return Confiner(settings.state_dir, means, uids, config=settings.path)


def wish_of(settings: ShardSettings) -> Wish:
    return Wish(
        isolation=settings.isolation,
        fallback=settings.isolation_fallback,
        network=bool(settings.network),
        subprocesses=settings.allow_subprocess,
    )


def refusal(settings: ShardSettings, reason: str) -> str:
    """Why a shard was not started, for whoever has to change that."""
    return f'isolation = "{settings.isolation}" is not available here, so the shard was not started. {reason}'


def _hidden_from(uid: int | None, paths: Iterable[str]) -> str:
    """The first directory on the way to these that a user cannot pass; "" when there is none."""
    if uid is None:
        return ""
    for path in paths:
        for step in (*reversed(Path(path).parents), Path(path)):
            try:
                seen = step.stat()
            except OSError:
                return str(step)
            bits = seen.st_mode >> (6 if seen.st_uid == uid else 3 if seen.st_gid == uid else 0)
            wanted = (
                5
                if stat.S_ISDIR(seen.st_mode) and step == Path(path)
                else 1
                if stat.S_ISDIR(seen.st_mode)
                else 4
            )
            if bits & wanted != wanted:
                return str(step)
    return ""


def _is_named(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
