"""Common table expressions in their place: those with one reference, and none of those without."""

from __future__ import annotations

import msgspec

from storage.errors import NotYet
from warehouse.algebra import relations as algebra
from warehouse.algebra.expressions import Expr, Subquery
from warehouse.algebra.relations import Query, Relation
from warehouse.algebra.walk import map_expressions, nodes, transform, transform_relation

__all__ = ["inlined"]


def inlined(query: Query) -> Query:
    """CTEs with one reference in its place, those without any dropped."""
    if not query.ctes:
        return query
    counts: dict[int, int] = {}
    roots = [query.relation, *(cte.relation for cte in query.ctes.values())]
    for root in roots:
        for node in nodes(root):
            if isinstance(node, algebra.CteScan):
                counts[node.cte] = counts.get(node.cte, 0) + 1

    def inline(node: Relation) -> Relation:
        if isinstance(node, algebra.CteScan) and counts.get(node.cte) == 1:
            definition = whole(query.ctes[node.cte].relation)
            items = tuple(zip(node.outputs, definition.columns, strict=True))
            return algebra.Project(input=definition, items=items)
        return map_expressions(node, lambda expr: transform(expr, inside))

    def inside(expr: Expr) -> Expr:
        if isinstance(expr, Subquery):
            return msgspec.structs.replace(expr, relation=whole(expr.relation))
        return expr

    def whole(relation: Relation) -> Relation:
        return transform_relation(relation, inline)

    kept = {
        number: msgspec.structs.replace(cte, relation=whole(cte.relation))
        for number, cte in query.ctes.items()
        if counts.get(number, 0) > 1
    }
    for cte in kept.values():
        _check_rounds(cte)
    return msgspec.structs.replace(query, relation=whole(query.relation), ctes=kept)


def _check_rounds(cte: algebra.Cte) -> None:
    """Raises NotYet if the CTE has other rows in each round of a recursion around it."""
    inside = list(nodes(cte.relation))
    own = {node.id for node in inside if isinstance(node, algebra.Recursive)}
    if any(isinstance(node, algebra.WorkingTable) and node.id not in own for node in inside):
        raise NotYet(
            f"WITH {cte.name} in a recursive term, which refers to the recursive query and is"
            " referred to more than once, is not available"
        )
