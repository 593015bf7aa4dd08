"""Scalar expressions, typed and resolved: what the binder makes of SQL's.

Every node says its type. A column is known by a number that is unique in the whole statement, so
that relations can be moved without renaming. A `Call` names one implementation, by the signature
of the function or operator that was resolved (`upper(text)`, `+(int4,int4)`); its arguments have
exactly the types of that signature, because the binder has put in every cast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from warehouse.algebra.types import BOOLEAN, AnyType

if TYPE_CHECKING:
    from warehouse.algebra.relations import Relation

__all__ = [
    "AggregateCall",
    "Call",
    "Case",
    "Cast",
    "ColumnRef",
    "Expr",
    "Frame",
    "FrameBound",
    "InList",
    "Literal",
    "Parameter",
    "SortKey",
    "Subquery",
    "WindowCall",
    "both",
    "conjuncts",
]


class Expr(msgspec.Struct, frozen=True):
    """Base of all expressions."""

    type: AnyType


class ColumnRef(Expr, frozen=True):
    """The column `id` of some relation below (or, before unnesting, of one around)."""

    id: int


class Literal(Expr, frozen=True):
    """A constant.

    `value` by type: None, bool, int, Decimal (DECIMAL; exactly the type's scale), float (REAL,
    DOUBLE, NUMERIC), str (texts, ENUM, JSON), bytes, date, time, datetime (naive; UTC for
    TIMESTAMPTZ), (months, days, microseconds) for INTERVAL, uuid.UUID, tuple for arrays and rows.
    """

    value: Any


class Parameter(Expr, frozen=True):
    """A bound parameter, `$index` (from 1); its value is known when the plan runs."""

    index: int


class Call(Expr, frozen=True):
    """A function or operator. `fn` is the signature, the key of `warehouse.functions`.

    The logical connectives are `and`, `or` (two or more arguments, evaluated left to right) and
    `not`; `is null`, `is distinct` and `coalesce` take any type.
    """

    fn: str
    args: tuple[Expr, ...]


class Cast(Expr, frozen=True):
    """`arg` converted to `type`. `explicit`: written by the user (cuts VARCHAR(n) silently)."""

    arg: Expr
    explicit: bool = False


class Case(Expr, frozen=True):
    """CASE WHEN … THEN …: searched form; every result has the node's type."""

    branches: tuple[tuple[Expr, Expr], ...]
    default: Expr


class InList(Expr, frozen=True):
    """`arg [NOT] IN (constants)`: items are Literals or Parameters of arg's type (or NULL)."""

    arg: Expr
    items: tuple[Expr, ...]
    negated: bool = False


class Subquery(Expr, frozen=True):
    """A query inside an expression; unnesting replaces every one of them.

    `kind`:
    - "scalar": the only column of the only row, NULL if there is none;
    - "exists": any row at all;
    - "any", "all": `left op column`, for each row; rows of several columns compare by position
      and only with "=" (any) or "<>" (all);
    - "array": the column as an array, in the query's own order.
    `columns`: those of the relation that the kind uses. `op` is the comparison as a `Call.fn` per
    column, over (left, column).
    """

    kind: str
    relation: Relation
    columns: tuple[ColumnRef, ...] = ()
    left: tuple[Expr, ...] = ()
    ops: tuple[str, ...] = ()


class SortKey(msgspec.Struct, frozen=True):
    """One key of an order; `nulls_first` is always decided."""

    expr: Expr
    descending: bool = False
    nulls_first: bool = False


class AggregateCall(Expr, frozen=True):
    """An aggregate over the rows of a group. `fn` is its signature, e.g. `sum(int4)`, `count(*)`.

    `within`: the order of WITHIN GROUP; then `args` are the direct arguments.
    """

    fn: str
    args: tuple[Expr, ...]
    distinct: bool = False
    filter: Expr | None = None
    order: tuple[SortKey, ...] = ()
    within: tuple[SortKey, ...] = ()


class FrameBound(msgspec.Struct, frozen=True):
    """`kind`: "unbounded preceding", "preceding", "current", "following", "unbounded following".

    `offset` belongs to "preceding" and "following": a constant expression; rows or groups as
    BIGINT, or of RANGE a number or INTERVAL.
    """

    kind: str
    offset: Expr | None = None


class Frame(msgspec.Struct, frozen=True):
    """`mode` is "rows", "range" or "groups"; `exclude`: "", "current row", "group" or "ties"."""

    mode: str
    start: FrameBound
    end: FrameBound
    exclude: str = ""


class WindowCall(Expr, frozen=True):
    """A window function or an aggregate with OVER. `frame` is None for functions without one."""

    fn: str
    args: tuple[Expr, ...]
    partition: tuple[Expr, ...] = ()
    order: tuple[SortKey, ...] = ()
    frame: Frame | None = None
    filter: Expr | None = None
    ignore_nulls: bool = False


def both(parts: list[Expr] | tuple[Expr, ...]) -> Expr | None:
    """The conjunction of these conditions; None if there is none."""
    flat = [part for whole in parts for part in conjuncts(whole)]
    if not flat:
        return None
    return flat[0] if len(flat) == 1 else Call(type=BOOLEAN, fn="and", args=tuple(flat))


def conjuncts(condition: Expr | None) -> list[Expr]:
    """The parts of a conjunction, left to right."""
    if condition is None:
        return []
    if isinstance(condition, Call) and condition.fn == "and":
        return [part for arg in condition.args for part in conjuncts(arg)]
    return [condition]
