"""Keys of joins in one type: Polars joins only keys of like types, PostgreSQL converts.

For `a = b` over columns of different sources: a DATE beside a TIMESTAMP becomes one, and numbers of
different kinds become DOUBLE if one of them is, DECIMAL otherwise. Comparisons that are no keys
give the same answer either way.
"""

from __future__ import annotations

from sqlglot import exp

from warehouse.sql.types import DECIMALS, FLOATS, INTEGERS

__all__ = ["align_keys"]

_T = exp.DType
_TIMESTAMPS = {_T.TIMESTAMP, _T.TIMESTAMPNTZ}
SCALE_UNKNOWN = 18  # of a computed decimal: leaves room for every 64-bit integer


def align_keys(node: exp.EQ) -> None:
    """Cast the sides of an equality to their common type; changes `node`, whose sides are typed."""
    left, right = node.this, node.expression
    if not _may_be_key(left, right) or left.type is None or right.type is None:
        return
    common = _common(left.type, right.type)
    if common is None:
        return
    for side in (left, right):
        if side.type != common:
            cast = exp.Cast(this=side.copy(), to=common.copy())
            cast.type = common.copy()
            side.replace(cast)


def _may_be_key(left: exp.Expr, right: exp.Expr) -> bool:
    tables = [{column.table for column in side.find_all(exp.Column)} for side in (left, right)]
    if not all(tables) or tables[0] & tables[1]:
        return False
    return not any(side.find(exp.Query, exp.AggFunc, exp.Window) for side in (left, right))


def _common(left: exp.DataType, right: exp.DataType) -> exp.DataType | None:
    kinds = {left.this, right.this}
    if _T.DATE in kinds and kinds & _TIMESTAMPS:
        return exp.DataType.build(_T.TIMESTAMP)
    numbers = INTEGERS | FLOATS | DECIMALS
    if not kinds <= numbers or kinds <= INTEGERS or kinds <= FLOATS or left == right:
        return None
    if kinds & FLOATS:
        return exp.DataType.build(_T.DOUBLE)
    return exp.DataType.build(f"DECIMAL(38, {max(_scale(left), _scale(right))})")


def _scale(kind: exp.DataType) -> int:
    if kind.this in INTEGERS:
        return 0
    return int(kind.expressions[1].name) if len(kind.expressions) > 1 else SCALE_UNKNOWN
