"""Unnesting: a statement without Subquery expressions and lateral joins, and with the same rows.

1. `subqueries` turns every subquery in an expression into a join below the node it stands in;
2. `lateral` removes the joins whose right side refers to the left one: by raising the conditions
   (`pull`), or by computing the right side for all values of the outer columns at once (`push`).

A relation that is needed twice on the way becomes a common table expression.
"""

from __future__ import annotations

from warehouse.algebra.relations import Cte, CteScan, Query, Relation
from warehouse.algebra.walk import Ids, replace, transform_relation
from warehouse.optimizer.lateral import LateralRemover
from warehouse.optimizer.subqueries import SubqueryLifter

__all__ = ["unnest"]


def unnest(query: Query) -> Query:
    """The query without subqueries and lateral joins; its rows, outputs and names are the same.

    Raises:
        NotYet: a correlation that is not supported, see `lateral`.
    """
    ids = Ids(query.next_id)
    found: dict[int, Cte] = {}  # in an order in which each refers only to those before it
    first = max(query.ctes, default=-1) + 1

    def share(cte: Cte) -> int:
        number = first + sum(key >= first for key in found)
        found[number] = cte
        return number

    lifter, remover = SubqueryLifter(ids), LateralRemover(ids, share)

    def flat(relation: Relation) -> Relation:
        return remover.remove(lifter.lift(relation))

    for number in sorted(query.ctes):
        cte = query.ctes[number]
        relation = flat(cte.relation)
        found[number] = replace(cte, relation=relation)
    relation = flat(query.relation)
    places = {number: place for place, number in enumerate(found)}
    if len(found) > len(query.ctes):
        relation = _renumbered(relation, places)
        found = {
            places[number]: replace(cte, relation=_renumbered(cte.relation, places))
            for number, cte in found.items()
        }
    copies = {new: query.labels[old] for new, old in ids.copies.items() if old in query.labels}
    labels = {**query.labels, **copies}
    return replace(query, relation=relation, ctes=found, labels=labels, next_id=ids.next_id)


def _renumbered(relation: Relation, places: dict[int, int]) -> Relation:
    def change(node: Relation) -> Relation:
        return replace(node, cte=places[node.cte]) if isinstance(node, CteScan) else node

    return transform_relation(relation, change)
