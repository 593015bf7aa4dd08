"""Constant folding: subexpressions of literals alone become literals.

What fails when it is evaluated stays as it is: whether a row ever reaches it is decided when the
query runs. Functions that look at the time of the statement, or give another result each time, are
not constants.
"""

from __future__ import annotations

import inspect
from functools import lru_cache

from storage.errors import MobulaError
from storage.schema import ArrayType, StructType
from warehouse.algebra.expressions import Call, Case, Cast, Expr, InList, Literal
from warehouse.algebra.relations import Query, Relation, Values
from warehouse.algebra.types import RecordType
from warehouse.algebra.walk import map_children, map_expressions, replace, transform_relation
from warehouse.binder.constants import CLOCK_WORDS, fold
from warehouse.functions.registry import function

__all__ = ["folded", "folded_query"]

_PLAIN = frozenset(("row", "array", "field"))


def folded_query(query: Query) -> Query:
    """The query with every constant subexpression folded."""

    def node(relation: Relation) -> Relation:
        if isinstance(relation, Values):
            return relation  # it may be long, and is computed once anyhow
        return map_expressions(relation, folded)

    ctes = {
        number: replace(cte, relation=transform_relation(cte.relation, node))
        for number, cte in query.ctes.items()
    }
    return replace(query, relation=transform_relation(query.relation, node), ctes=ctes)


def folded(expr: Expr) -> Expr:
    """The expression with its constant parts as literals, largest parts first."""
    if isinstance(expr, Literal):
        return expr
    changed = map_children(expr, folded)
    if not isinstance(changed, Call | Cast | Case | InList) or not _is_constant(changed):
        return changed
    if isinstance(changed.type, ArrayType | StructType | RecordType):
        return changed
    try:
        return fold(changed)
    except MobulaError:
        return changed


def _is_constant(expr: Expr) -> bool:
    """Are all direct parts literals, and is the operation itself constant?"""
    constant = True

    def look(part: Expr) -> Expr:
        nonlocal constant
        constant = constant and isinstance(part, Literal)
        return part

    map_children(expr, look)
    if not constant:
        return False
    if isinstance(expr, Call):
        return expr.fn not in _PLAIN and not expr.fn.startswith("udf:") and _is_stable(expr.fn)
    return not isinstance(expr, Cast) or not _reads_clock(expr)


def _reads_clock(expr: Cast) -> bool:
    """Texts like 'now' and 'today' mean the time of the statement."""
    value = expr.arg.value if isinstance(expr.arg, Literal) else None
    return isinstance(value, str) and value.strip().lower() in CLOCK_WORDS


@lru_cache(maxsize=4096)
def _is_stable(key: str) -> bool:
    if "(" not in key:
        return True
    entry = function(key)
    if entry.kind != "scalar" or entry.volatile or entry.implementation is None:
        return False
    return "environment" not in inspect.signature(entry.implementation).parameters
