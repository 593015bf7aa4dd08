"""Common table expressions in their place: those with one reference, and none of those without."""

from __future__ import annotations

import msgspec

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
    return msgspec.structs.replace(query, relation=whole(query.relation), ctes=kept)
