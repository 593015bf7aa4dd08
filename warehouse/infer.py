"""A table made from the Parquet files that are loaded into it.

Columns are named as in the first file, in lower case where that keeps them apart, because SQL reads
unquoted names so. All are nullable. A type that no column here can hold is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.types as pat

from storage.errors import InvalidRequest
from storage.objects import StoreOptions
from storage.schema import (
    DECIMAL_PRECISION_MAX,
    ArrayType,
    DecimalType,
    Kind,
    ScalarType,
    SqlType,
    type_name,
)
from storage.sources import expand_source, read_columns
from warehouse.database import Database
from warehouse.table import split_name

__all__ = ["create_table_sql", "files_of", "made_for_load"]

_UNSIGNED_64_DIGITS = 20
_KINDS = {
    pa.bool_(): Kind.BOOLEAN,
    pa.int8(): Kind.SMALLINT,
    pa.int16(): Kind.SMALLINT,
    pa.uint8(): Kind.SMALLINT,
    pa.int32(): Kind.INTEGER,
    pa.uint16(): Kind.INTEGER,
    pa.int64(): Kind.BIGINT,
    pa.uint32(): Kind.BIGINT,
    pa.float16(): Kind.REAL,
    pa.float32(): Kind.REAL,
    pa.float64(): Kind.DOUBLE,
    pa.string(): Kind.TEXT,
    pa.large_string(): Kind.TEXT,
    pa.string_view(): Kind.TEXT,
    pa.binary(): Kind.BYTEA,
    pa.large_binary(): Kind.BYTEA,
    pa.binary_view(): Kind.BYTEA,
    pa.date32(): Kind.DATE,
    pa.date64(): Kind.DATE,
    pa.uuid(): Kind.UUID,
}
_FAMILIES: tuple[tuple[Callable[[pa.DataType], bool], Kind], ...] = (
    (pat.is_time, Kind.TIME),
    (pat.is_duration, Kind.INTERVAL),
    (pat.is_interval, Kind.INTERVAL),
    (pat.is_fixed_size_binary, Kind.BYTEA),
    (lambda found: isinstance(found, pa.JsonType), Kind.JSON),
)


def files_of(sources: Sequence[str], store: StoreOptions | None = None) -> list[str]:
    """The files behind paths, URLs and patterns, sorted within each.

    Args:
        store: how to reach S3; None: as the AWS_… environment variables say.
    Raises:
        InvalidRequest: a source that matches nothing, or an empty file; names it.
        Unavailable: the server does not answer.
    """
    options = store or StoreOptions.from_environment()
    return [file for source in sources for file in expand_source(source, options)]


def create_table_sql(table: str, columns: pa.Schema, source: str) -> str:
    """CREATE TABLE IF NOT EXISTS for a table that holds rows of these columns.

    Args:
        table: `table` or `schema.table`, exactly as it shall be called.
        source: whose columns they are, for errors.
    Raises:
        InvalidRequest: no columns, or one of a type that has no SQL type here; names it.
    """
    if not len(columns):
        raise InvalidRequest(f"{source} has no columns to make table {table} of")
    names = [name.lower() for name in columns.names]
    if len(set(names)) < len(names):
        names = columns.names
    lines = [
        f"    {_quoted(name)} {type_name(_sql_type(field, source))}"
        for name, field in zip(names, columns, strict=True)
    ]
    target = ".".join(_quoted(part) for part in split_name(table))
    return f"CREATE TABLE IF NOT EXISTS {target} (\n" + ",\n".join(lines) + "\n)"


@contextmanager
def made_for_load(
    db: Database,
    table: str,
    files: Sequence[str],
    *,
    infer: bool = False,
    sql: str | None = None,
    store: StoreOptions | None = None,
) -> Iterator[None]:
    """Make a table for the load inside the block, unless it exists.

    A load that is refused takes the table back, if it was made here. One whose outcome is not known
    (`Unavailable`) leaves it.

    Args:
        files: what will be loaded, see `files_of`.
        infer: make it with the columns of the first file.
        sql: make it with this CREATE TABLE statement instead.
        store: how to reach files on S3; None: as the AWS_… environment variables say.
    Raises:
        InvalidRequest: see `create_table_sql`, and whatever the statement is refused for.
    """
    schema, name = split_name(table)
    if (not infer and sql is None) or db.snapshot().find_table(name, schema) is not None:
        yield
        return
    options = store or StoreOptions.from_environment()
    db.sql(sql or create_table_sql(table, read_columns(files[0], options), files[0]))
    try:
        yield
    except InvalidRequest:
        db.sql(f"DROP TABLE IF EXISTS {_quoted(schema)}.{_quoted(name)}")
        raise


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _sql_type(field: pa.Field, source: str) -> SqlType:
    found = _known(field.type)
    if found is None:
        raise InvalidRequest(
            f"{source}, column {field.name}: no SQL type here holds {field.type}; "
            "convert it in the file, or leave it out"
        )
    return found


def _known(found: pa.DataType) -> SqlType | None:
    """The SQL type for an Arrow type; None for maps, structs (composites have names), and arrays
    of arrays."""
    if pat.is_dictionary(found):
        return _known(found.value_type)
    if pat.is_decimal(found) and 0 <= found.scale <= found.precision <= DECIMAL_PRECISION_MAX:
        return DecimalType(found.precision, found.scale)
    if pat.is_uint64(found):
        return DecimalType(_UNSIGNED_64_DIGITS, 0)
    if pat.is_timestamp(found):
        return ScalarType(Kind.TIMESTAMP if found.tz is None else Kind.TIMESTAMPTZ)
    if pat.is_list(found) or pat.is_large_list(found) or pat.is_fixed_size_list(found):
        element = _known(found.value_type)
        return None if element is None or isinstance(element, ArrayType) else ArrayType(element)
    for test, kind in _FAMILIES:
        if test(found):
            return ScalarType(kind)
    return ScalarType(_KINDS[found]) if found in _KINDS else None
