"""Which plugins must share a shard, and which must not?

Plugins that are tied, directly or through others, form a group, and a group is placed as one. A tie has a direction: a
plugin follows what it depends on, or what it was told to be together with. The direction is what keeps a plan still
when a plugin is added. A group's place is derived from its *head*, the smallest id among those that follow nobody; a
newcomer that follows a member is never the head, so the group stays and the newcomer goes there. A group named by its
smallest or heaviest member would move whenever such a newcomer arrives.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

import attrs

from .graph import components, knots
from .request import Candidate
from .weights import weigh

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from fractions import Fraction


MAX_CHAIN_WORDS = 8
"""Ties of a chain that are told one by one."""


@attrs.frozen
class Tie:
    """One plugin follows another into its shard."""

    follower: str
    followed: str
    is_dependency: bool = attrs.field(kw_only=True)
    """True for `depends_on`, False for `together_with`."""

    def other_than(self, plugin_id: str) -> str:
        return self.followed if plugin_id == self.follower else self.follower

    def __str__(self) -> str:
        verb = "depends on" if self.is_dependency else "is to be together with"
        return f"{self.follower} {verb} {self.followed}"


def describe_chain(chain: Iterable[Tie]) -> str:
    """A chain in words. A long one is cut short: nobody reads it, and a group may have thousands."""
    ties = list(islice(chain, MAX_CHAIN_WORDS + 1))
    return " and ".join(
        [*map(str, ties[:MAX_CHAIN_WORDS]), *(["so on"] if len(ties) > MAX_CHAIN_WORDS else [])]
    )


@attrs.frozen(slots=False, kw_only=True)
class Group:
    """Plugins that have to share a shard; a plugin without ties is a group of its own."""

    members: tuple[Candidate, ...]
    """By id."""
    ties: tuple[Tie, ...]
    """Between members."""
    head: str
    """The smallest id among the members that follow nobody. Names the group, and its shard under `isolate`."""
    anchor: str
    """What the shards draw their numbers for: the head, or the absent plugin that the head waits for. So the group is
    already where that plugin will be when it is installed."""

    @cached_property
    def ids(self) -> tuple[str, ...]:
        return tuple(member.plugin_id for member in self.members)

    @cached_property
    def named(self) -> tuple[Candidate, ...]:
        """The members for which the configuration names a shard."""
        return tuple(member for member in self.members if member.shard is not None)

    @property
    def trust(self) -> str:
        """The members' trust level; they have the same in every group that can be placed."""
        return self.members[0].trust

    @cached_property
    def weight(self) -> Fraction:
        return weigh(self.members)

    @cached_property
    def _ties_of(self) -> dict[str, tuple[Tie, ...]]:
        ties: dict[str, list[Tie]] = {plugin_id: [] for plugin_id in self.ids}
        for tie in self.ties:
            ties[tie.follower].append(tie)
            ties[tie.followed].append(tie)
        return {plugin_id: tuple(found) for plugin_id, found in ties.items()}

    def routes_to(self, goals: Iterable[str]) -> Routes:
        """The way from every member to the nearest of the goals; of equally near ones to the first by id."""
        waiting = deque(sorted(goals))
        goal_of = {goal: goal for goal in waiting}
        step_of: dict[str, Tie] = {}
        while waiting:
            here = waiting.popleft()
            for tie in self._ties_of[here]:
                there = tie.other_than(here)
                if there not in goal_of:
                    goal_of[there] = goal_of[here]
                    step_of[there] = tie
                    waiting.append(there)
        return Routes(goal_of, step_of)


@attrs.frozen
class Routes:
    """The shortest ways along ties from plugins to the nearest of some goals."""

    goal_of: Mapping[str, str]
    """A goal's own is itself."""
    _step_of: Mapping[str, Tie]

    def chain_from(self, start: str) -> Iterator[Tie]:
        """The ties on the way from a plugin to its goal."""
        here = start
        while (tie := self._step_of.get(here)) is not None:
            yield tie
            here = tie.other_than(here)


@attrs.frozen
class Separation:
    """One plugin avoids the shard of another, and is the one that gives way."""

    plugin_id: str
    avoided: str

    def __str__(self) -> str:
        return f"{self.plugin_id} is to be separate from {self.avoided}"


def find_separations(candidates: Iterable[Candidate]) -> tuple[Separation, ...]:
    """All wishes to be separate whose two plugins are there, in the order of their ids."""
    candidates = tuple(candidates)
    present = {candidate.plugin_id for candidate in candidates}
    wishes = {
        (candidate.plugin_id, avoided)
        for candidate in candidates
        for avoided in candidate.separate_from
        if avoided in present
    }
    return tuple(Separation(*wish) for wish in sorted(wishes))


def gather_groups(
    candidates: Iterable[Candidate], *, keep_dependencies_together: bool = True
) -> tuple[Group, ...]:
    """The groups of all candidates, by head. Ids are unique; ties to absent plugins bind nobody."""
    by_id = {
        candidate.plugin_id: candidate for candidate in sorted(candidates, key=lambda each: each.plugin_id)
    }
    ties = [
        tie
        for candidate in by_id.values()
        for tie in _ties_of(candidate, keep_dependencies_together=keep_dependencies_together)
    ]
    bound = [tie for tie in ties if tie.followed in by_id]
    absent: dict[str, str] = {}
    for tie in ties:
        if tie.followed not in by_id:
            absent[tie.follower] = min(tie.followed, absent.get(tie.follower, tie.followed))
    neighbours: dict[str, set[str]] = {plugin_id: set() for plugin_id in by_id}
    for tie in bound:
        neighbours[tie.follower].add(tie.followed)
        neighbours[tie.followed].add(tie.follower)
    ties_of_component: dict[frozenset[str], list[Tie]] = {ids: [] for ids in components(neighbours)}
    component_of = {plugin_id: ids for ids in ties_of_component for plugin_id in ids}
    for tie in bound:
        ties_of_component[component_of[tie.follower]].append(tie)
    return tuple(
        sorted(
            (_make_group(by_id, ids, ties, absent) for ids, ties in ties_of_component.items()),
            key=lambda group: group.head,
        )
    )


def _make_group(
    by_id: Mapping[str, Candidate], ids: frozenset[str], ties: list[Tie], absent: Mapping[str, str]
) -> Group:
    follows: dict[str, set[str]] = {plugin_id: set() for plugin_id in ids}
    for tie in ties:
        follows[tie.follower].add(tie.followed)
    head = min(_leaders(follows))
    return Group(
        members=tuple(by_id[plugin_id] for plugin_id in sorted(ids)),
        ties=tuple(sorted(ties, key=lambda tie: (tie.follower, tie.followed, not tie.is_dependency))),
        head=head,
        anchor=absent.get(head, head),
    )


def _ties_of(candidate: Candidate, *, keep_dependencies_together: bool) -> list[Tie]:
    own = candidate.plugin_id
    depends_on = candidate.depends_on if keep_dependencies_together else ()
    return [
        *(Tie(own, other, is_dependency=True) for other in sorted({*depends_on} - {own})),
        *(Tie(own, other, is_dependency=False) for other in sorted({*candidate.together_with} - {own})),
    ]


def _leaders(follows: Mapping[str, Iterable[str]]) -> list[str]:
    """Nodes that follow nobody; where there is none, the cycles that follow nothing outside themselves."""
    free = [node for node in follows if not follows[node]]
    if free:
        return free
    return [
        node
        for knot in knots(follows)
        if all(knot.issuperset(follows[node]) for node in knot)
        for node in knot
    ]
