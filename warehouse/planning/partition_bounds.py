"""PARTITION BY and PARTITION … as the catalogue has them: bounds become values of their columns.

A bound is a constant expression, assigned to its column as INSERT would do. `VALUES LESS THAN`
begins where the partition before it ends, or at MINVALUE.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actors.operations import NewPartitioning
from storage.conform import conform
from storage.errors import InvalidRequest, UnknownObject
from storage.nearest import nearest
from storage.partitions.scheme import (
    PARTITIONS_MAX,
    Bound,
    BoundValue,
    Partition,
    PartitionKind,
)
from storage.partitions.values import bound_value, code_of, ordered
from storage.schema import Column, SqlType, TableSchema
from warehouse.binder.context import Binding
from warehouse.planning.rules import TableRules, bind_default
from warehouse.syntax.partitions_tree import PartitionBy, PartitionDef
from warehouse.syntax.tree import RowExpr

__all__ = ["Constants", "bound_parts", "new_partitioning"]

_SIDES = {"minvalue": -1, "maxvalue": 1}
_BAD_BOUNDS = "42P16"  # as PostgreSQL says


@dataclass(frozen=True, slots=True)
class Constants:
    """Evaluates the expressions of bounds. `now`: the time of the statement, UTC."""

    binding: Binding
    now: datetime.datetime

    def values(self, wanted: Sequence[tuple[Any, str, SqlType]]) -> list[BoundValue]:
        """What each expression comes to as a value of its column.

        Args: wanted: expressions with the names and types of their columns.
        Raises InvalidRequest: it is no constant, or does not fit.
        """
        if not wanted:
            return []
        columns = tuple(
            Column(id=number, name=f"v{number}", type=kind)
            for number, (_, _, kind) in enumerate(wanted)
        )
        exprs = {
            number: bind_default(node, kind, name, self.binding)
            for number, (node, name, kind) in enumerate(wanted)
        }
        rules = TableRules(values=exprs, conditions=(), now=self.now)
        rows = rules.defaults(columns, 1)
        fitted = conform(rows, TableSchema(version=1, columns=columns), "the bounds")
        return [bound_value(fitted[c.name].combine_chunks(), c.type) for c in columns]


def new_partitioning(
    tree: PartitionBy | None,
    columns: Mapping[str, SqlType],
    primary: Sequence[str],
    constants: Constants,
) -> NewPartitioning | None:
    """PARTITION BY of CREATE TABLE.

    Args:
        columns: of the table; primary: those of its primary key, which KEY () means.
    Raises:
        UnknownObject: a column (42703).
        InvalidRequest: a column twice, bounds that do not fit the columns, PARTITIONS out of range.
    """
    if tree is None:
        return None
    names = tree.columns or tuple(primary)
    if not names:
        raise InvalidRequest(
            "PARTITION BY KEY () needs a primary key, or names of columns", "42P16"
        )
    for position, name in enumerate(names):
        if name not in columns:
            hint = nearest(name, columns)
            raise UnknownObject(
                f'column "{name}" named in partition key does not exist{hint}', "42703"
            )
        if name in names[:position]:
            raise InvalidRequest(f'column "{name}" appears twice in the partition key', "42701")
    kind: PartitionKind = tree.kind  # type: ignore[assignment]
    if kind in ("hash", "key"):
        count = 1 if tree.count is None else tree.count
        if not 1 <= count <= PARTITIONS_MAX:
            raise InvalidRequest(f"PARTITIONS is {count}, expected 1 to {PARTITIONS_MAX}", "22023")
        parts = tuple(Partition(id=0, name=f"p{number}") for number in range(count))
    else:
        owned = [(name, columns[name]) for name in names]
        parts = bound_parts(tree.parts, kind, owned, (), constants)
    return NewPartitioning(kind=kind, columns=names, parts=parts)


def bound_parts(
    nodes: Sequence[PartitionDef],
    kind: PartitionKind,
    columns: Sequence[tuple[str, SqlType]],
    known: Sequence[Partition],
    constants: Constants,
) -> tuple[Partition, ...]:
    """Partitions as they are written, without ids.

    Args:
        columns: names and types of those that decide.
        known: the partitions that the table has already.
    """
    made: list[Partition] = []
    for node in nodes:
        wrong = node.kind in ("less", "range") if kind == "list" else node.kind == "in"
        if wrong:
            raise InvalidRequest(
                f'partition "{node.name}": invalid bound specification for a {kind} partition',
                _BAD_BOUNDS,
            )
        match node.kind:
            case "default":
                part = Partition(id=0, name=node.name, default=True)
            case "in":
                part = Partition(id=0, name=node.name, values=_listed(node, columns, constants))
            case "range":
                low, high = (_end(node, end, columns, constants) for end in (node.low, node.high))
                part = Partition(id=0, name=node.name, low=low, high=high)
            case _:
                high = _end(node, node.high, columns, constants)
                low = _before(high, [*known, *made], [sql_type for _, sql_type in columns])
                part = Partition(id=0, name=node.name, low=low, high=high)
        made.append(part)
    return tuple(made)


def _end(
    node: PartitionDef,
    items: Sequence[Any],
    columns: Sequence[tuple[str, SqlType]],
    constants: Constants,
) -> tuple[Bound, ...]:
    if tuple(items) == ("maxvalue",):
        items = ("maxvalue",) * len(columns)
    if len(items) != len(columns):
        raise InvalidRequest(
            f'partition "{node.name}": a bound must specify exactly one value per partitioning '
            f"column, found {len(items)} for {len(columns)}",
            _BAD_BOUNDS,
        )
    pairs = list(zip(items, columns, strict=True))
    values = iter(constants.values([(x, *column) for x, column in pairs if not isinstance(x, str)]))
    bounds = tuple(
        Bound(side=_SIDES[item]) if isinstance(item, str) else Bound(value=next(values))
        for item in items
    )
    if any(not bound.side and bound.value is None for bound in bounds):
        raise InvalidRequest(
            f'partition "{node.name}": cannot specify NULL in a range bound', _BAD_BOUNDS
        )
    return bounds


def _listed(
    node: PartitionDef, columns: Sequence[tuple[str, SqlType]], constants: Constants
) -> tuple[tuple[BoundValue, ...], ...]:
    rows = [_cells(item, len(columns)) for item in node.values]
    for row in rows:
        if len(row) != len(columns):
            raise InvalidRequest(
                f'partition "{node.name}": a value of the list has {len(row)} parts, the partition '
                f"key {len(columns)} columns",
                _BAD_BOUNDS,
            )
    wanted = [(cell, *column) for row in rows for cell, column in zip(row, columns, strict=True)]
    values = constants.values(wanted)
    width = len(columns)
    found = [tuple(values[at : at + width]) for at in range(0, len(values), width)]
    return tuple(dict.fromkeys(found))


def _cells(item: Any, width: int) -> tuple[Any, ...]:
    return item.items if width > 1 and isinstance(item, RowExpr) else (item,)


def _before(
    high: tuple[Bound, ...], parts: Sequence[Partition], types: Sequence[SqlType]
) -> tuple[Bound, ...]:
    """Where a range begins of which only the end is said: at the last end before it."""
    ends = [part.high for part in parts if part.high]
    everything = [*ends, high]
    known = [ordered([end[at].value for end in everything], t) for at, t in enumerate(types)]

    def place(end: tuple[Bound, ...]) -> list[int]:
        return [code_of(bound, t, k) for bound, t, k in zip(end, types, known, strict=True)]

    below = [end for end in ends if place(end) < place(high)]
    return max(below, key=place) if below else (Bound(side=-1),) * len(types)
