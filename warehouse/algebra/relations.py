"""Relations: what the binder makes of FROM, WHERE, GROUP BY, …; a tree of immutable nodes.

`columns` of a node are the columns it returns, each with an id that no other node of the statement
*makes*; nodes that pass columns on keep their ids. A `ColumnRef` inside a node refers to a column
of its inputs, or, before unnesting, to one of a relation further out (`outer references`).
"""

from __future__ import annotations

import msgspec

from warehouse.algebra.expressions import (
    AggregateCall,
    ColumnRef,
    Expr,
    SortKey,
    WindowCall,
)

__all__ = [
    "Aggregate",
    "Cte",
    "CteScan",
    "Distinct",
    "Empty",
    "Filter",
    "Join",
    "Limit",
    "Project",
    "Query",
    "Recursive",
    "Relation",
    "Sample",
    "Scan",
    "SetOperation",
    "Sort",
    "Unnest",
    "Values",
    "Window",
    "WorkingTable",
]


class Relation(msgspec.Struct, frozen=True):
    """Base of all relations."""

    @property
    def columns(self) -> tuple[ColumnRef, ...]:
        """What the relation returns, in order."""
        raise NotImplementedError

    @property
    def inputs(self) -> tuple[Relation, ...]:
        """The relations below, left to right."""
        return ()


class Scan(Relation, frozen=True):
    """A table (or files) by the name of its input; `sources` are the input's column names."""

    input: str
    outputs: tuple[ColumnRef, ...]
    sources: tuple[str, ...]

    @property
    def columns(self) -> tuple[ColumnRef, ...]:
        return self.outputs


class Empty(Relation, frozen=True):
    """One row without columns: FROM left out."""

    @property
    def columns(self) -> tuple[ColumnRef, ...]:
        return ()


class Values(Relation, frozen=True):
    """Rows of expressions (which may refer outwards, but not to anything of this node)."""

    rows: tuple[tuple[Expr, ...], ...]
    outputs: tuple[ColumnRef, ...]

    @property
    def columns(self) -> tuple[ColumnRef, ...]:
        return self.outputs


class Project(Relation, frozen=True):
    """Exactly these columns, computed from the input's."""

    input: Relation
    items: tuple[tuple[ColumnRef, Expr], ...]

    @property
    def columns(self) -> tuple[ColumnRef, ...]:
        return tuple(column for column, _ in self.items)

    @property
    def inputs(self) -> tuple[Relation, ...]:
        return (self.input,)


class Filter(Relation, frozen=True):
    """The rows of which the predicate is true."""

    input: Relation
    predicate: Expr

    @property
    def columns(self) -> tuple[ColumnRef, ...]:
        return self.input.columns

    @property
    def inputs(self) -> tuple[Relation, ...]:
        return (self.input,)


class Join(Relation, frozen=True):
    """`kind`: "inner", "left", "right", "full", "semi", "anti", "mark" or "single".

    - semi, anti: rows of the left side with, without a row on the right for which the condition is
      true; only the left columns. `anti` with `null_aware`: without one for which it is true *or
      NULL* (NOT IN).
    - mark: every left row once, with the Boolean column `mark`: true if the condition is true of
      some row on the right; else NULL if it is NULL of some and `null_aware`; else false.
    - single: like left, but a second match is an error (21000).
    - lateral: the right side may refer to columns of the left; unnesting removes it.
    No condition: every pair.
    """

    kind: str
    left: Relation
    right: Relation
    condition: Expr | None = None
    mark: ColumnRef | None = None
    null_aware: bool = False
    lateral: bool = False

    @property
    def columns(self) -> tuple[ColumnRef, ...]:
        if self.kind in ("semi", "anti"):
            return self.left.columns
        if self.kind == "mark":
            assert self.mark is not None
            return (*self.left.columns, self.mark)
        return (*self.left.columns, *self.right.columns)

    @property
    def inputs(self) -> tuple[Relation, ...]:
        return (self.left, self.right)


class Aggregate(Relation, frozen=True):
    """Groups by `keys`. Without keys and sets: one row, always.

    `sets`: GROUPING SETS as positions of keys, or None for the plain grouping; a key that is not
    in a set is NULL there. A call `grouping` has key references as args: its bits say which of
    them are not in the row's set.
    """

    input: Relation
    keys: tuple[tuple[ColumnRef, Expr], ...]
    calls: tuple[tuple[ColumnRef, AggregateCall], ...]
    sets: tuple[tuple[int, ...], ...] | None = None

    @property
    def columns(self) -> tuple[ColumnRef, ...]:
        return (*(key for key, _ in self.keys), *(call for call, _ in self.calls))

    @property
    def inputs(self) -> tuple[Relation, ...]:
        return (self.input,)


class Window(Relation, frozen=True):
    """The input's columns and one per window call."""

    input: Relation
    calls: tuple[tuple[ColumnRef, WindowCall], ...]

    @property
    def columns(self) -> tuple[ColumnRef, ...]:
        return (*self.input.columns, *(column for column, _ in self.calls))

    @property
    def inputs(self) -> tuple[Relation, ...]:
        return (self.input,)


class Sort(Relation, frozen=True):
    """The input in an order."""

    input: Relation
    keys: tuple[SortKey, ...]

    @property
    def columns(self) -> tuple[ColumnRef, ...]:
        return self.input.columns

    @property
    def inputs(self) -> tuple[Relation, ...]:
        return (self.input,)


class Limit(Relation, frozen=True):
    """OFFSET then LIMIT, constant BIGINT expressions (NULL: none).

    `ties`: the keys of WITH TIES, by which the input is sorted.
    """

    input: Relation
    count: Expr | None = None
    offset: Expr | None = None
    ties: tuple[SortKey, ...] = ()

    @property
    def columns(self) -> tuple[ColumnRef, ...]:
        return self.input.columns

    @property
    def inputs(self) -> tuple[Relation, ...]:
        return (self.input,)


class Distinct(Relation, frozen=True):
    """Distinct rows; with `keys`, DISTINCT ON: the first row of each, in the order of `order`.

    NULL equals NULL. `order` begins with the keys, in whatever direction.
    """

    input: Relation
    keys: tuple[Expr, ...] = ()
    order: tuple[SortKey, ...] = ()

    @property
    def columns(self) -> tuple[ColumnRef, ...]:
        return self.input.columns

    @property
    def inputs(self) -> tuple[Relation, ...]:
        return (self.input,)


class SetOperation(Relation, frozen=True):
    """`kind`: "union", "intersect", "except"; column i comes from column i of each side.

    The sides have equal numbers of columns with the types of `outputs` (casts are in them).
    """

    kind: str
    all: bool
    left: Relation
    right: Relation
    outputs: tuple[ColumnRef, ...]

    @property
    def columns(self) -> tuple[ColumnRef, ...]:
        return self.outputs

    @property
    def inputs(self) -> tuple[Relation, ...]:
        return (self.left, self.right)


class Unnest(Relation, frozen=True):
    """Each input row once per element of its arrays; several arrays side by side, padded with NULL.

    `items`: (outputs, array expression) pairs; an array of rows may spread over several outputs.
    `ordinality`: the element's number from 1 (BIGINT). `outer`: an input row without elements
    stays, with NULLs.
    """

    input: Relation
    items: tuple[tuple[tuple[ColumnRef, ...], Expr], ...]
    ordinality: ColumnRef | None = None
    outer: bool = False

    @property
    def columns(self) -> tuple[ColumnRef, ...]:
        made = tuple(column for outputs, _ in self.items for column in outputs)
        extra = (self.ordinality,) if self.ordinality else ()
        return (*self.input.columns, *made, *extra)

    @property
    def inputs(self) -> tuple[Relation, ...]:
        return (self.input,)


class Sample(Relation, frozen=True):
    """TABLESAMPLE: `method` "bernoulli" or "system", `percent` DOUBLE, `seed` DOUBLE or None."""

    input: Relation
    method: str
    percent: Expr
    seed: Expr | None = None

    @property
    def columns(self) -> tuple[ColumnRef, ...]:
        return self.input.columns

    @property
    def inputs(self) -> tuple[Relation, ...]:
        return (self.input,)


class CteScan(Relation, frozen=True):
    """A reference to `Query.ctes[cte]`: output i is column i of the definition."""

    cte: int
    outputs: tuple[ColumnRef, ...]

    @property
    def columns(self) -> tuple[ColumnRef, ...]:
        return self.outputs


class Recursive(Relation, frozen=True):
    """WITH RECURSIVE: `base` once, then `step` over the rows of the round before, until none.

    `distinct`: UNION (rows that were there before are dropped), else UNION ALL. The columns of
    base and step fill `outputs` by position.
    """

    id: int
    base: Relation
    step: Relation
    outputs: tuple[ColumnRef, ...]
    distinct: bool = False

    @property
    def columns(self) -> tuple[ColumnRef, ...]:
        return self.outputs

    @property
    def inputs(self) -> tuple[Relation, ...]:
        return (self.base, self.step)


class WorkingTable(Relation, frozen=True):
    """The rows of the last round, inside the step of `Recursive` `id`."""

    id: int
    outputs: tuple[ColumnRef, ...]

    @property
    def columns(self) -> tuple[ColumnRef, ...]:
        return self.outputs


class Cte(msgspec.Struct, frozen=True):
    """A common table expression that is referred to more than once."""

    name: str
    relation: Relation


class Query(msgspec.Struct, frozen=True):
    """A bound statement.

    Attributes:
        relation: its rows; `outputs` are the columns shown, in order, with `names`, which may
            repeat.
        ctes: by id, each only referring to lower ids.
        labels: names of columns by id, for EXPLAIN.
        next_id: the first column id that is free.
    """

    relation: Relation
    outputs: tuple[ColumnRef, ...]
    names: tuple[str, ...]
    ctes: dict[int, Cte] = {}
    labels: dict[int, str] = {}
    next_id: int = 0
