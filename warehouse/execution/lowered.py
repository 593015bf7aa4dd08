"""`Lowered`: a relation as a lazy frame, and `Context`: what its lowering looks up.

A column with the id n is called `c<n>` in every frame, so frames can be joined without renaming.

A Polars frame without columns has no rows either, but a SQL relation may have rows and no column
(`SELECT FROM t`, `count(*)` over anything). Such a frame gets a column of constants, `present`,
that no expression refers to. `materialised` and `narrowed`, through which every frame goes, see
to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from storage.errors import InternalError
from warehouse.algebra.expressions import ColumnRef, Expr
from warehouse.algebra.types import AnyType
from warehouse.execution.value import Range, Value, fault_of, raised

if TYPE_CHECKING:
    from warehouse.algebra.relations import Cte
    from warehouse.execution.expressions import Environment
    from warehouse.execution.spilling.choice import Spill

__all__ = [
    "Context",
    "Lowered",
    "ScannedColumn",
    "ScannedInput",
    "collected",
    "column_name",
    "column_of",
    "constants",
    "exactly",
    "materialised",
    "narrowed",
    "renamed",
]

PRESENT = "present"


@dataclass(frozen=True, slots=True)
class ScannedColumn:
    """What is known of an input's column, whose frame holds it as `value.carrier` says.

    DECIMAL(p > 18) is wide, as Decimal(38, s); `range` is of the carrier integers.
    """

    type: AnyType
    range: Range | None = None
    nullable: bool = True
    wide: bool = False


@dataclass(frozen=True, slots=True)
class ScannedInput:
    """A table or files, by the names of its columns."""

    frame: pl.LazyFrame
    columns: Mapping[str, ScannedColumn]


@dataclass(frozen=True, slots=True)
class Lowered:
    """Rows. `columns`: by id, each a plain `pl.col`, without faults."""

    frame: pl.LazyFrame
    columns: Mapping[int, Value]

    @property
    def names(self) -> list[str]:
        """The names of the frame's columns that are columns of the relation."""
        return [column_name(key) for key in self.columns]


@dataclass(frozen=True, slots=True)
class Context:
    """What the leaves of a tree refer to.

    Attributes:
        parameters: values of $1, $2, …
        udfs: functions written in Python, by name.
        now: the time of the statement.
        definitions: the common table expressions of the query.
        ctes: those that are lowered already; filled on first use.
        working: of each recursion that runs, the rows of its last round, by position.
        held: relations that are computed already, by identity; see `recursion`.
        wanted: how many rows of a recursion are enough, where that is known.
        spill: which operators work on the disk; None: none does.
    """

    inputs: Mapping[str, ScannedInput] = field(default_factory=dict)
    parameters: Sequence[Any] = ()
    udfs: Mapping[str, Any] = field(default_factory=dict)
    now: Any = None
    definitions: Mapping[int, Cte] = field(default_factory=dict)
    ctes: dict[int, Lowered] = field(default_factory=dict)
    working: Mapping[int, Lowered] = field(default_factory=dict)
    held: Mapping[int, Lowered] = field(default_factory=dict)
    wanted: Mapping[int, int] = field(default_factory=dict)
    spill: Spill | None = None

    def environment(self, columns: Mapping[int, Value]) -> Environment:
        """For the lowering of expressions over these columns."""
        from warehouse.execution.expressions import Environment

        return Environment(
            columns=columns, parameters=tuple(self.parameters), udfs=self.udfs, now=self.now
        )

    def lower(self, expr: Expr, columns: Mapping[int, Value]) -> Value:
        """An expression over these columns."""
        if isinstance(expr, ColumnRef):
            found = columns.get(expr.id)
            if found is None:
                raise InternalError(f"column {expr.id} is not among those of the input")
            return found
        from warehouse.execution.expressions import lower

        return lower(expr, self.environment(columns))


def column_name(column_id: int) -> str:
    """The name of a column in frames."""
    return f"c{column_id}"


def column_of(column_id: int, value: Value) -> Value:
    """`value` after it has become the column: no fault, no constant."""
    return replace(
        value, expr=pl.col(column_name(column_id)), fault=None, constant=False, literal=None
    )


def collected(frame: pl.LazyFrame) -> pl.DataFrame:
    """The rows, computed now. Raises their fault, if there is one."""
    try:
        return frame.collect(engine="streaming", optimizations=pl.QueryOptFlags(join_order=False))
    except pl.exceptions.PolarsError as error:
        raise fault_of(error) or error from None


def constants(made: Sequence[pl.Expr]) -> pl.DataFrame:
    """One row of expressions without columns, computed now. Raises their fault, too."""
    try:
        return pl.select(made)
    except pl.exceptions.PolarsError as error:
        raise fault_of(error) or error from None


def materialised(frame: pl.LazyFrame, items: Mapping[int, Value]) -> Lowered:
    """Exactly these columns, computed over the frame; faults are raised here."""
    made = [raised(value).alias(column_name(key)) for key, value in items.items()]
    columns = {key: column_of(key, value) for key, value in items.items()}
    return Lowered(exactly(frame, made), columns)


def exactly(frame: pl.LazyFrame, made: Sequence[pl.Expr]) -> pl.LazyFrame:
    """These named expressions over the frame, for as many rows as it has."""
    if any(expr.meta.undo_aliases().meta.is_column() for expr in made):
        return frame.select(made)
    # Constants alone would be one row in a select, and so would be what Polars makes constant.
    if not made:
        made = [pl.lit(True).alias(PRESENT)]
    return frame.with_columns(made).select([expr.meta.output_name() for expr in made])


def narrowed(frame: pl.LazyFrame, columns: Mapping[int, Value]) -> Lowered:
    """A frame that may have more columns, with those of the relation only."""
    return Lowered(exactly(frame, [pl.col(column_name(key)) for key in columns]), columns)


def renamed(
    lowered: Lowered, sources: Iterable[ColumnRef], outputs: Iterable[ColumnRef]
) -> Lowered:
    """Output i is the column `sources[i]`."""
    pairs = zip(outputs, sources, strict=True)
    return materialised(
        lowered.frame, {output.id: lowered.columns[source.id] for output, source in pairs}
    )
