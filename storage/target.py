"""Where rows go, and making a caller's rows fit there: fill what is left out, conform, check.

1. A column that the frame does not have gets what an INSERT without it would: the next values of
   its identity, or its DEFAULT, or NULL. What the frame has is taken as it is, NULL too, also for
   GENERATED ALWAYS columns (as in PostgreSQL's COPY).
2. `conform` fits the types.
3. CHECK constraints are evaluated over the finished rows.

Identity values come from a range that was reserved before (`IngestTarget.identity_first`): for rows
that several tasks write, each has a range of its own. DEFAULT and CHECK are SQL, which this package
does not evaluate: it hands them to `IngestTarget.rules`, and refuses rows that need rules without
any.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from storage.conform import conform, match_columns, to_arrow
from storage.errors import InternalError, InvalidRequest, NotYet
from storage.ids import Ids
from storage.micropartition import writer
from storage.names import DATA_PREFIX, INDEX_PREFIX
from storage.partitions.scheme import Partitioning
from storage.schema import Check, Column, Key, TableSchema
from storage.snapshot.changes import ClusterBy

__all__ = ["MICROPARTITION_ROWS", "IngestTarget", "RowRules", "fit", "to_number"]

MICROPARTITION_ROWS = 10 * writer.STRIPE_ROWS

assert MICROPARTITION_ROWS <= writer.ROWS_MAX


class RowRules(Protocol):
    """The SQL in a table's definition, applied to rows on their way in.

    One object serves one statement (so that `now()` is one moment in it). It is pickled to tasks
    that load files, and called in threads.
    """

    def defaults(self, columns: tuple[Column, ...], row_count: int) -> pa.Table:
        """The values of each column's `default` for so many rows, in `arrow_schema(columns)`."""
        ...

    def check(self, rows: pa.Table, target: IngestTarget) -> None:
        """Raises InvalidRequest (23514) if a row makes one of `target.checks` FALSE.

        Args: rows: in `arrow_schema(target.schema.columns)`.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestTarget:
    """Where rows go: a table as of one schema version, and what its files are called.

    Attributes:
        options: the table's; `micropartition_rows` limits the rows of a file.
        name_prefix: of the objects, `data/{branch id}-{epoch}-`; a unique id follows. Runs of
            indexes are called alike, under `index/`.
        checks, keys: the table's.
        partitioning: the table's, if it has one.
        attached: the name of its only partition, which is about to be added: it has no other rows.
        level: of the files (`storage/compaction_plan.py`).
        rules: evaluates checks and defaults; whoever can (`warehouse`) sets it.
        identity_first: by column id, the first of the values reserved for the identity column; the
            row at position n gets that plus n times the increment.
    """

    table_name: str
    schema: TableSchema
    name_prefix: str
    cluster_by: ClusterBy | None = None
    options: Mapping[str, int | str] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    keys: tuple[Key, ...] = ()
    partitioning: Partitioning | None = None
    attached: str | None = None
    level: int = 0
    rules: RowRules | None = None
    identity_first: Mapping[int, int] = field(default_factory=dict)

    @property
    def primary_key(self) -> Key | None:
        return next((key for key in self.keys if key.primary), None)

    @property
    def rows_max(self) -> int:
        """Rows of a micropartition. Raises InvalidRequest for an option out of range."""
        found = self.options.get("micropartition_rows", MICROPARTITION_ROWS)
        if not isinstance(found, int) or not 1 <= found <= writer.ROWS_MAX:
            raise InvalidRequest(
                f"table {self.table_name}: micropartition_rows is {found!r}, "
                f"expected 1 to {writer.ROWS_MAX}"
            )
        return found

    def object_name(self, ids: Ids) -> str:
        return f"{self.name_prefix}{ids.new()}.parquet"

    def run_name(self, ids: Ids) -> str:
        """Of a run of a key's index."""
        return f"{INDEX_PREFIX}{self.name_prefix.removeprefix(DATA_PREFIX)}{ids.new()}.run"


def to_number(names: Iterable[str], target: IngestTarget) -> tuple[Column, ...]:
    """The identity columns that rows with columns of these names leave to be numbered.

    Raises InvalidRequest for a name that is given twice or is no column's.
    """
    return tuple(c for c in _absent(names, target) if c.identity is not None)


def fit(frame: Any, target: IngestTarget, first_row: int = 0) -> pa.Table:
    """The rows of `frame` in `arrow_schema(target.schema.columns)`, complete and checked.

    Args:
        frame: see `conform`.
        first_row: the position of its first row among the rows that `identity_first` is for.
    Raises:
        InvalidRequest: a column or value does not fit, or a check fails.
    """
    table = to_arrow(frame, target.table_name)
    absent = _absent(table.column_names, target)
    for column in absent:
        if column.identity is not None:
            table = table.append_column(
                column.name, _numbers(column, target, first_row, table.num_rows)
            )
    defaulted = tuple(c for c in absent if c.default is not None)
    if defaulted:
        values = _rules(target, "DEFAULT values").defaults(defaulted, table.num_rows)
        for column in defaulted:
            table = table.append_column(column.name, values[column.name])
    rows = conform(table, target.schema, target.table_name)
    if target.checks:
        _rules(target, "CHECK constraints").check(rows, target)
    return rows


def _absent(names: Iterable[str], target: IngestTarget) -> list[Column]:
    chosen = match_columns(list(names), target.schema, target.table_name)
    return [column for column in target.schema.columns if column.id not in chosen]


def _numbers(column: Column, target: IngestTarget, first_row: int, row_count: int) -> pa.Array:
    assert column.identity is not None
    first = target.identity_first.get(column.id)
    if first is None:
        if row_count == 0:
            return pa.array([], pa.int64())
        raise InternalError(
            f"table {target.table_name}, column {column.name}: no identity values were reserved"
        )
    steps = np.arange(first_row, first_row + row_count, dtype=np.int64)
    return pa.array(first + steps * column.identity.increment)


def _rules(target: IngestTarget, what: str) -> RowRules:
    if target.rules is None:
        raise NotYet(
            f"table {target.table_name} has {what}, which this way of writing does not evaluate"
        )
    return target.rules
