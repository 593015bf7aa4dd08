"""Running a fragment on this machine: frames of its inputs, Polars' SQL over them, Arrow out.

1. Each input becomes a lazy frame over its files and deltas, under the input's alias.
2. The fragment's SQL runs over them with the streaming engine, which pushes projections and
   predicates into the scans. Joins run in the order of the text: it was chosen from statistics
   (`warehouse/sql/join_order.py`), and Polars' own choice, which knows no distinct values, may join
   many with many.
3. Columns become Arrow in their declared SQL types, or in the type nearest to Polars' own.

Every error of Polars leaves here as one of ours, with the statement it came from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl
import pyarrow as pa

from actors.messages import Fragment, ScanInput
from storage.errors import (
    CorruptData,
    InternalError,
    InvalidRequest,
    MobulaError,
    NotYet,
    ObjectMissing,
)
from storage.micropartition.reader import ScanFile, ScanGroup, scan
from storage.schema import SqlType, arrow_type, type_name

__all__ = ["execute", "optimizations"]

SQL_CHARACTERS_SHOWN = 300
_NOT_SUPPORTED = re.compile(
    r"unsupported|not (currently |yet )?supported|not (yet )?implemented|cannot be used|"
    r"no function matches|is not a supported|only supports|no table or struct column named|"
    r"invalid 'start' for SUBSTRING|No infix parser for token",
    re.IGNORECASE,
)

# How the SQL of `warehouse/sql/division.py` fails where a divisor is zero.
_DIVISION = '["division by zero'


def execute(
    fragment: Fragment,
    paths: Mapping[str, Path],
    resolve_rows: Callable[[object], pa.Table] = lambda rows: rows,
) -> tuple[pa.Table, int]:
    """Run a fragment.

    Args:
        paths: of each file of the inputs, by its name, on this machine.
        resolve_rows: turns the `rows` of a delta run into an Arrow table.
    Returns: the rows, with the SQL's own (distinct) column names, and the number of rows in the
        files and deltas that were read.
    Raises:
        InvalidRequest, NotYet: the SQL does not run, or a value does not fit.
        CorruptData, ObjectMissing: a file cannot be read.
    """
    try:
        frames = {i.alias: _frame(i, paths, resolve_rows) for i in fragment.inputs}
        context = pl.SQLContext(frames=frames)
        lazy = context.execute(fragment.sql, eager=False)
        found = lazy.collect(engine="streaming", optimizations=optimizations())
        rows = _arrow(found, fragment.result_types)
    except MobulaError:
        raise
    except pl.exceptions.PolarsError as error:
        raise _translated(error, fragment.sql) from error
    except pl.exceptions.PanicException as error:
        raise InternalError(f"Polars stopped at {_shown(fragment.sql)}: {error}") from error
    except FileNotFoundError as error:
        raise ObjectMissing(f"a file of the query is gone: {error}") from error
    except OSError as error:
        raise CorruptData(f"a file of the query does not decode: {error}") from error
    return rows, sum(_rows_of(i) for i in fragment.inputs)


def optimizations() -> pl.QueryOptFlags:
    """Those of Polars, but joins keep the order of the text."""
    return pl.QueryOptFlags(join_order=False)


def _rows_of(scan_input: ScanInput) -> int:
    return sum(f.row_count for f in scan_input.files) + sum(d.row_count for d in scan_input.deltas)


def _frame(
    scan_input: ScanInput,
    paths: Mapping[str, Path],
    resolve_rows: Callable[[object], pa.Table],
) -> pl.LazyFrame:
    groups = [
        ScanGroup(
            columns=columns,
            files=tuple(
                ScanFile(path=paths[f.name], bitmap=f.bitmap, row_count=f.row_count)
                for f in scan_input.files
                if f.schema_version == version
            ),
            deltas=tuple(
                resolve_rows(d.rows) for d in scan_input.deltas if d.schema_version == version
            ),
        )
        for version, columns in sorted(scan_input.schemas.items())
    ]
    return scan(groups, scan_input.columns)


# --- results --------------------------------------------------------------------------------------


def _arrow(found: pl.DataFrame, declared: tuple[SqlType | None, ...]) -> pa.Table:
    plain = found.select([_plain(pl.col(name), dtype) for name, dtype in found.schema.items()])
    table = plain.to_arrow(compat_level=pl.CompatLevel.oldest())
    types = (*declared, *[None] * (table.num_columns - len(declared)))
    columns = [
        _declared(table.column(i), types[i], table.column_names[i])
        for i in range(table.num_columns)
    ]
    return pa.table(columns, names=table.column_names)


def _plain(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """A Polars type that SQL does not have, as the nearest one that it has."""
    if dtype in (pl.Int8, pl.UInt8):
        return column.cast(pl.Int16)
    if dtype in (pl.UInt16, pl.UInt32):
        return column.cast(pl.Int64)
    if dtype in (pl.UInt64, pl.Int128, pl.UInt128):
        return column.cast(pl.Decimal(38, 0))
    if dtype in (pl.Categorical, pl.Enum, pl.Null):
        return column.cast(pl.String)
    if dtype == pl.Datetime and getattr(dtype, "time_unit", "us") != "us":
        return column.dt.cast_time_unit("us")
    return column


def _declared(column: pa.ChunkedArray, wanted: SqlType | None, name: str) -> pa.ChunkedArray:
    if wanted is None or column.type == arrow_type(wanted):
        return column
    try:
        return column.cast(arrow_type(wanted))
    except pa.ArrowException as error:
        raise InvalidRequest(
            f"column {name}: a value does not fit {type_name(wanted)}: {error}", "22003"
        ) from error


# --- errors ---------------------------------------------------------------------------------------


def _shown(sql: str) -> str:
    short = sql if len(sql) <= SQL_CHARACTERS_SHOWN else f"{sql[:SQL_CHARACTERS_SHOWN]}…"
    return f"the statement {short!r}"


def _translated(error: pl.exceptions.PolarsError, sql: str) -> MobulaError:
    """One of our errors for one of Polars'."""
    text = str(error).strip()
    message = f"{text.splitlines()[0] if text else type(error).__name__}; in {_shown(sql)}"
    match error:
        case pl.exceptions.ColumnNotFoundError():
            # Binding resolved every column: this is a query that Polars loses its way in.
            return NotYet(f"Polars cannot run this form of query: {message}")
        case _ if _NOT_SUPPORTED.search(text):
            return NotYet(message)
        case _ if "expected no or a single value" in text:
            return InvalidRequest(
                f"a subquery used as a value has several rows: {message}", "21000"
            )
        case pl.exceptions.SQLSyntaxError() | pl.exceptions.SQLInterfaceError():
            grouping = "GROUP BY" in text or "cannot be nested" in text
            return InvalidRequest(message, "42803" if grouping else "42601")
        case pl.exceptions.InvalidOperationError() if _DIVISION in text:
            return InvalidRequest(f"division by zero; in {_shown(sql)}", "22012")
        case pl.exceptions.InvalidOperationError() if "conversion from `str`" in text:
            return InvalidRequest(message, "22P02")
        case pl.exceptions.InvalidOperationError() if "conversion from" in text:
            return InvalidRequest(message, "22003")
        case pl.exceptions.ComputeError() if "format to parse" in text:
            return InvalidRequest(message, "22007")
        case pl.exceptions.ComputeError() if "overflow" in text.lower():
            return InvalidRequest(message, "22003")
        case pl.exceptions.ComputeError() if "parquet" in text.lower():
            return CorruptData(message)
        case pl.exceptions.ComputeError() | pl.exceptions.InvalidOperationError():
            return InvalidRequest(message, "42883")
        case _:
            return InvalidRequest(message)
