"""How does one wish of a plugin become one answer: is it allowed, is it its turn, and where does it lead?"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import attrs
import trio

from rookery.protocol import BadPayload, Bucket

from .allow_list import AllowList, read_target
from .exchange import Exchange
from .failure import FetchFailed, FetchKind, NotAllowed
from .settings import FetchSettings
from .wish import read_wish, shown_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .allow_list import Target
    from .exchange import FetchAnswer
    from .wish import FetchWish

MARGIN = 0.25
"""Seconds that the caller keeps to hear what went wrong."""

MOST_AT_ONCE = 64
"""Questions of all plugins that are out; each is a connection."""

_allow_list = lru_cache(maxsize=256)(AllowList.of)


@attrs.frozen(kw_only=True)
class Fetched:
    """What a plugin is told."""

    status: int
    url: str
    """Of the answer, behind all redirects."""
    headers: dict[str, str]
    body: bytes


@attrs.frozen
class _Turn:
    """What one plugin may still do now."""

    settings: FetchSettings
    bucket: Bucket
    places: trio.Semaphore


class Fetcher:
    """Fetches addresses for plugins.

    Args:
        settings_of: What the operator has chosen for a plugin.
        where: The section of the file in which that stands.
        is_wanted: Whether any plugin may have anybody asked.
    """

    def __init__(
        self,
        settings_of: Callable[[str], FetchSettings],
        where: Callable[[str], str] = lambda _: "[fetch]",
        *,
        is_wanted: bool = True,
        exchange: Exchange | None = None,
    ) -> None:
        self._settings_of = settings_of
        self._where = where
        self._is_wanted = is_wanted
        self._exchange = exchange or Exchange()
        self._turns: dict[str, _Turn] = {}
        self._places = trio.Semaphore(MOST_AT_ONCE)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Be able to fetch, until cancelled; a deployment that names no host loads nothing for it."""
        if not self._is_wanted:
            task_status.started()
            return
        async with self._exchange.open():
            task_status.started()
            await trio.sleep_forever()

    async def fetch(self, plugin_id: str, args: Mapping[str, Any], *, deadline: float) -> Fetched:
        """Fetch what a plugin wants.

        Args:
            deadline: Of the caller, on trio's clock.

        Raises:
            BadPayload: It is not as it has to be.
            NotAllowed: The operator does not let it.
            FetchFailed: There is no answer.
        """
        turn = self._turn_of(plugin_id)
        settings = turn.settings
        wish = read_wish(args, methods=settings.methods, max_body=settings.max_request)
        allowed = _allow_list(settings.hosts, settings.private_hosts)
        self._check(plugin_id, wish.target, allowed)
        now = trio.current_time()
        if wait := turn.bucket.take(now):
            text = f"{plugin_id} asks more than {settings.rate:g} times a second, which is what the operator allows"
            raise FetchFailed(FetchKind.RATE_LIMITED, text, retry_after=round(wait, 3))
        seconds = max(0.0, min(settings.timeout, deadline - now - MARGIN))
        with trio.move_on_after(seconds):
            async with turn.places, self._places:
                return await self._follow(plugin_id, wish, allowed, settings)
        text = f"{wish.target.host} did not answer within {seconds:.3g} s"
        raise FetchFailed(FetchKind.TIMEOUT, text, was_sent=True)

    async def _follow(
        self, plugin_id: str, wish: FetchWish, allowed: AllowList, settings: FetchSettings
    ) -> Fetched:
        for left in range(settings.redirects, -1, -1):
            private = allowed.may_be_private(wish.target)
            try:
                answer = await self._exchange.ask(wish, may_be_private=private, limit=settings.max_answer)
            except NotAllowed as refused:
                where = self._where(plugin_id)
                raise NotAllowed(
                    f"plugin {plugin_id!r} may not have it asked: {refused} in {where}"
                ) from None
            if not answer.leads_to or settings.redirects == 0:
                return _told(wish, answer)
            if left:
                wish = self._next(plugin_id, wish, answer, allowed, settings)
        text = f"{wish.target.host} leads on, more than {settings.redirects} times"
        raise FetchFailed(FetchKind.REDIRECTS, text, was_sent=True)

    def _next(
        self,
        plugin_id: str,
        wish: FetchWish,
        answer: FetchAnswer,
        allowed: AllowList,
        settings: FetchSettings,
    ) -> FetchWish:
        try:
            target = read_target(urljoin(str(wish.target), answer.leads_to))
        except (BadPayload, ValueError):
            text = f"{wish.target.host} leads to {answer.leads_to!r:.200}, which is no address"
            raise FetchFailed(FetchKind.REDIRECTS, text, was_sent=True) from None
        self._check(plugin_id, target, allowed, f", to which {wish.target.host} leads")
        following = wish.redirected(answer.status, target)
        if following.method not in settings.methods:
            text = f"{wish.target.host} leads on by {following.method}, which the operator does not allow"
            raise FetchFailed(FetchKind.REDIRECTS, text, was_sent=True)
        return following

    def _check(self, plugin_id: str, target: Target, allowed: AllowList, how: str = "") -> None:
        if not allowed.allows(target):
            raise NotAllowed(
                f'plugin {plugin_id!r} may not have "{target.entry}" asked{how}: the operator would have to add it to'
                f" hosts in {self._where(plugin_id)}"
            )

    def _turn_of(self, plugin_id: str) -> _Turn:
        known = self._turns.get(plugin_id)
        if known is None:
            settings = self._settings_of(plugin_id)
            bucket = Bucket.full(settings.rate, settings.burst, trio.current_time())
            known = self._turns[plugin_id] = _Turn(settings, bucket, trio.Semaphore(settings.concurrency))
        return known


def _told(wish: FetchWish, answer: FetchAnswer) -> Fetched:
    return Fetched(
        status=answer.status,
        url=str(wish.target),
        headers=shown_headers(answer.headers),
        body=answer.body,
    )
