"""The optimiser: rules over the algebra, in a fixed order.

1. Fold constants.
2. Unnest: no subqueries in expressions, no lateral joins. Fold the constants that were in them.
3. Push predicates toward the scans; turn cross joins into inner ones and outer joins into inner
   ones where a predicate allows it.
4. Order inner joins by expected sizes.
5. Reduce what is grouped for a join by the keys that the join will ask for.
6. Drop columns that nobody uses.

Every rule keeps the rows; `tests/sql` runs queries with each rule left out.
"""

from __future__ import annotations

from collections.abc import Mapping

from storage.snapshot.model import TableState
from warehouse.algebra.expressions import Expr, conjuncts
from warehouse.algebra.relations import Filter, Project, Query, Relation, Scan
from warehouse.algebra.walk import transform_relation
from warehouse.optimizer.columns import without_unused_columns
from warehouse.optimizer.fold import folded_query
from warehouse.optimizer.join_order import ordered_joins
from warehouse.optimizer.pushdown import pushed_down
from warehouse.optimizer.reduction import reduced
from warehouse.optimizer.unnest import unnest

__all__ = ["RULES", "optimized", "scan_conditions"]

# Rules that may be left out without changing an answer.
RULES = ("fold", "pushdown", "joins", "reduction", "columns")


def optimized(
    query: Query, tables: Mapping[str, TableState], *, without: frozenset[str] = frozenset()
) -> Query:
    """The query as it should run.

    Args:
        tables: what each input reads, for statistics.
        without: names of `RULES` to leave out, for tests.
    """
    if "fold" not in without:
        query = folded_query(query)
    query = unnest(query)
    if "fold" not in without:
        query = folded_query(query)
    if "pushdown" not in without:
        query = pushed_down(query)
    if "joins" not in without:
        query = ordered_joins(query, tables)
    if "reduction" not in without:
        query = reduced(query, tables)
    if "columns" not in without:
        query = without_unused_columns(query)
    return query


def scan_conditions(query: Query) -> dict[str, list[tuple[Expr, dict[int, str]]]]:
    """Per input, the conditions that every row must satisfy that the query takes from it.

    Each comes with the names of the input's columns by column id. An input that is scanned twice
    (once per reference of a CTE) has a list only if both scans are the same node.
    """
    found: dict[str, list[tuple[Expr, dict[int, str]]]] = {}
    seen: dict[str, Relation] = {}

    def look(node: Relation) -> Relation:
        if not isinstance(node, Filter):
            return node
        below: Relation = node.input
        while isinstance(below, Filter | Project):
            if isinstance(below, Project):
                return node
            below = below.input
        if isinstance(below, Scan):
            names = {c.id: s for c, s in zip(below.outputs, below.sources, strict=True)}
            if seen.setdefault(below.input, below) == below:
                known = found.setdefault(below.input, [])
                known += [(part, names) for part in conjuncts(node.predicate)]
        return node

    counts: dict[str, int] = {}

    def count(node: Relation) -> Relation:
        if isinstance(node, Scan):
            counts[node.input] = counts.get(node.input, 0) + 1
        return node

    for relation in (query.relation, *(cte.relation for cte in query.ctes.values())):
        transform_relation(relation, count)
        transform_relation(relation, look)
    return {name: parts for name, parts in found.items() if counts[name] == 1}
