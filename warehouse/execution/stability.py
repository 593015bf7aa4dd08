"""Which expressions give the same value each time they are computed of the same row.

Rows are divided by keys before an operator computes the keys again, so they must.
"""

from __future__ import annotations

from storage.errors import InternalError
from warehouse.algebra.expressions import Call, Expr
from warehouse.algebra.walk import subexpressions
from warehouse.functions.registry import function

__all__ = ["is_stable"]


def is_stable(expr: Expr) -> bool:
    """False for `random()`, and for functions of users, of which nobody knows."""
    return not any(isinstance(part, Call) and _may_change(part.fn) for part in subexpressions(expr))


def _may_change(fn: str) -> bool:
    if fn.startswith("udf:"):
        return True
    try:
        return function(fn).volatile
    except InternalError:  # the connectives are in no catalogue
        return False
