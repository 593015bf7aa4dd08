"""Plans of recent queries, kept in two forms.

- The finished plan, as long as every snapshot that it was made on is the very same object.
- The prepared query (bound and optimised), across commits: the next snapshot only prunes anew. It
  is given up when its tables are others now, or have changed much in size (`QueryPlanner.again`).

No plan holds a proof that something does not overflow: the ranges that prove it travel with each
run's inputs, and the worker uses them when it lowers the plan.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from actors.planner import QueryPlan, Version
from storage.snapshot.model import Snapshot
from warehouse.planning.query import PreparedQuery, QueryPlanner
from warehouse.syntax.tree import QueryNode

__all__ = ["KeptPlans"]

PLANS_MAX = 64


@dataclass(frozen=True, slots=True)
class _Kept:
    prepared: PreparedQuery
    snapshots: Mapping[Version, Snapshot]
    plan: QueryPlan


class KeptPlans:
    """Plans by key, the longest unused forgotten first. May be used from several threads."""

    def __init__(self) -> None:
        self._plans: OrderedDict[tuple[Any, ...], _Kept] = OrderedDict()
        self._lock = Lock()

    def plan(
        self,
        key: tuple[Any, ...],
        tree: QueryNode,
        queries: QueryPlanner,
        versions: Collection[Version],
    ) -> QueryPlan:
        """The plan of a query, made of what is kept under `key` as far as it still holds.

        Args:
            key: all that the plan depends on but the snapshots.
            versions: of the snapshots, those that the query reads.
        Raises UnknownObject, InvalidRequest, NotYet.
        """
        wanted = {version: queries.snapshots[version] for version in versions}
        with self._lock:
            kept = self._plans.get(key)
        if kept is not None and all(kept.snapshots.get(v) is wanted[v] for v in wanted):
            found = kept
        else:
            found = _made(kept, tree, queries, wanted)
        with self._lock:
            self._plans[key] = found
            self._plans.move_to_end(key)
            while len(self._plans) > PLANS_MAX:
                self._plans.popitem(last=False)
        program = dataclasses.replace(found.plan.program, now=queries.now)  # type: ignore[type-var]
        return dataclasses.replace(found.plan, program=program)


def _made(
    kept: _Kept | None, tree: QueryNode, queries: QueryPlanner, wanted: Mapping[Version, Snapshot]
) -> _Kept:
    if kept is not None and (plan := queries.again(kept.prepared)) is not None:
        return _Kept(kept.prepared, wanted, plan)
    prepared = queries.prepare(tree)
    return _Kept(prepared, wanted, queries.finished(prepared))
