"""Which nodes the virtual warehouses of a cluster need: the wishes of all databases, added up.

Ray's autoscaler takes one request for the whole cluster, `request_resources`. It replaces the one
before it and stays until it is replaced. So whoever calls it has to know what everybody wants:

1. A holder, the fleet of a database, wishes for bundles: the resources of every worker that it has
   or wants, not only of those that are missing, since Ray compares the request with all there is.
2. A wish holds for its lease. A holder that died does not renew it, and it lapses.
3. The request is the list of all bundles in one order, whoever wished first. Ray is told when the
   list has changed, and again from time to time, because not every Ray remembers it when its head
   restarts.
4. Whoever starts anew inherits what was asked before: no fewer bundles are asked for until all
   holders have had the time to say what they want.

No nodes are wished away: those that no bundle needs are idle, and Ray removes them by its timeout.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from storage.errors import InvalidRequest, Unavailable

__all__ = ["Bundle", "NoNodes", "NodeWishes", "Nodes", "shape_text"]

Bundle = Mapping[str, float]
"""Resources that one worker takes from one node, by Ray's names: {"CPU": 8, "vw": 0.01}."""

_Shape = tuple[tuple[str, float], ...]

BUNDLES_MAX = 2_000
LEASE_MS = 30_000
REPEAT_MS = 60_000


class Nodes(Protocol):
    """Where a fleet says which nodes it needs. Nodes are best effort: nothing is raised."""

    async def wish(self, bundles: Sequence[Bundle]) -> None:
        """Ask for nodes on which all these bundles fit at once; replaces the wish before it.

        Call it when the wish changes and every few seconds, for it lapses. An empty one ends it.
        """
        ...


class NoNodes:
    """`Nodes` where there is no cluster."""

    async def wish(self, bundles: Sequence[Bundle]) -> None:
        """Nodes are what they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    shapes: Counter[_Shape]
    until_ms: float


class NodeWishes:
    """The wishes of all holders, and what Ray has been told of them.

    Args:
        inherited: the bundles that were asked for before this was made.
        now_ms: monotonic, as in all calls.
        grace_ms: how long the inherited bundles are asked for still.
        bundles_max: of all holders together.
    """

    def __init__(
        self,
        *,
        inherited: Iterable[Bundle] = (),
        now_ms: float,
        grace_ms: float = LEASE_MS,
        bundles_max: int = BUNDLES_MAX,
    ) -> None:
        self._wishes: dict[str, _Wish] = {}
        self._inherited = _Wish(shapes=Counter(map(_shape, inherited)), until_ms=now_ms + grace_ms)
        self._bundles_max = bundles_max
        self._told: Counter[_Shape] | None = None
        self._repeat_ms = now_ms

    def wish(
        self, holder: str, bundles: Sequence[Bundle], now_ms: float, lease_ms: float = LEASE_MS
    ) -> None:
        """Replace what a holder wishes for, until `now_ms + lease_ms`. No bundles end its wish.

        Raises:
            InvalidRequest: an amount that is no positive number, or a bundle of nothing.
            Unavailable: there would be too many bundles. The wish before it stands.
        """
        shapes = Counter(map(_shape, bundles))
        if not shapes:
            self._wishes.pop(holder, None)
            return
        others = self._alive(now_ms)
        others.pop(holder, None)
        total = sum(one.shapes.total() for one in others.values()) + shapes.total()
        if total > self._bundles_max:
            raise Unavailable(
                f"{holder} asks for room for {shapes.total():,} workers, which makes {total:,} in "
                f"this cluster; {self._bundles_max:,} are possible. Ask for fewer, larger workers"
            )
        self._wishes[holder] = _Wish(shapes=shapes, until_ms=now_ms + lease_ms)

    def bundles(self, now_ms: float) -> list[dict[str, float]]:
        """What to ask Ray for, in an order that does not depend on that of the wishes."""
        return [dict(shape) for shape in sorted(self._sum(now_ms).elements())]

    def changed(self, now_ms: float) -> bool:
        """Whether Ray should be told: it was told something else, or long ago."""
        now = self._sum(now_ms)
        return now != self._told or (bool(now) and now_ms >= self._repeat_ms)

    def told(self, bundles: Iterable[Bundle], now_ms: float) -> None:
        """Ray has taken this request."""
        self._told = Counter(map(_shape, bundles))
        self._repeat_ms = now_ms + REPEAT_MS

    def holders(self, now_ms: float) -> dict[str, int]:
        """Who wishes for how many bundles."""
        return {name: one.shapes.total() for name, one in sorted(self._alive(now_ms).items())}

    def _alive(self, now_ms: float) -> dict[str, _Wish]:
        return {name: one for name, one in self._wishes.items() if now_ms < one.until_ms}

    def _sum(self, now_ms: float) -> Counter[_Shape]:
        self._wishes = self._alive(now_ms)
        total: Counter[_Shape] = Counter()
        for one in self._wishes.values():
            total += one.shapes
        return total | self._inherited.shapes if now_ms < self._inherited.until_ms else total


def _shape(bundle: Bundle) -> _Shape:
    """A bundle as something that can be counted; amounts of zero mean nothing and are left out."""
    for name, amount in bundle.items():
        number = isinstance(amount, int | float) and not isinstance(amount, bool)
        if not (number and math.isfinite(amount) and amount >= 0):
            raise InvalidRequest(
                f"a worker's resource {name!r} is {amount!r}; expected a number, 0 or more"
            )
    shape = tuple(sorted((name, float(amount)) for name, amount in bundle.items() if amount))
    if not shape:
        raise InvalidRequest("a worker that takes no resources needs no node; give it CPUs")
    return shape


def shape_text(bundle: Bundle) -> str:
    """A bundle for people: `{CPU: 8, vw: 0.01}`."""
    return "{" + ", ".join(f"{name}: {amount:g}" for name, amount in sorted(bundle.items())) + "}"
