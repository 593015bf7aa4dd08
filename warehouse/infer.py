"""A table made from the files that are loaded into it.

Columns are named as in the first file, in lower case where that keeps them apart, because SQL reads
unquoted names so. All are nullable. Types are those of a Parquet file, or those that the first rows
of a CSV or NDJSON file have. A type that no column here can hold is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa

from storage.errors import InvalidRequest
from storage.objects import StoreOptions
from storage.schema import SqlType, type_name
from storage.sources import expand_source
from storage.sources_format import SourceFormat
from storage.sources_rows import source_schema
from warehouse.database import Database
from warehouse.planning.source_options import load_format
from warehouse.planning.source_types import folded_names, sql_type
from warehouse.syntax.quoting import quoted
from warehouse.table import split_name

__all__ = ["create_table_sql", "files_of", "made_for_load"]


def files_of(
    sources: Sequence[str], store: StoreOptions | None = None, kind: str | None = None
) -> list[str]:
    """The files behind paths, URLs and patterns, sorted within each.

    Args:
        store: how to reach S3; None: as the AWS_… environment variables say.
        kind: their format; None: as their names say.
    Raises:
        InvalidRequest: a source that matches nothing, or an empty file; names it.
        Unavailable: the server does not answer.
    """
    options = store or StoreOptions.from_environment()
    return [file for source in sources for file in expand_source(source, options, kind)]


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
    names = folded_names(columns.names)
    lines = [
        f"    {quoted(name)} {type_name(_sql_type(field, source))}"
        for name, field in zip(names, columns, strict=True)
    ]
    target = quoted(*split_name(table))
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
    format: SourceFormat | None = None,  # noqa: A002 (what SQL and the command call it)
) -> Iterator[None]:
    """Make a table for the load inside the block, unless it exists.

    A load that is refused takes the table back, if it was made here. One whose outcome is not known
    (`Unavailable`) leaves it.

    Args:
        files: what will be loaded, see `files_of`.
        infer: make it with the columns of the first file.
        sql: make it with this CREATE TABLE statement instead.
        store: how to reach files on S3; None: as the AWS_… environment variables say.
        format: of the files; None: as `Database.load` finds it.
    Raises:
        InvalidRequest: see `create_table_sql`, and whatever the statement is refused for.
    """
    schema, name = split_name(table)
    if (not infer and sql is None) or db.snapshot().find_table(name, schema) is not None:
        yield
        return
    options = store or StoreOptions.from_environment()
    if sql is None:
        columns = source_schema(files[0], options, format or load_format(files))
        sql = create_table_sql(table, columns, files[0])
    db.sql(sql)
    try:
        yield
    except InvalidRequest:
        db.sql(f"DROP TABLE IF EXISTS {quoted(schema, name)}")
        raise


def _sql_type(field: pa.Field, source: str) -> SqlType:
    found = sql_type(field.type)
    if found is None:
        raise InvalidRequest(
            f"{source}, column {field.name}: no SQL type here holds {field.type}; "
            "convert it in the file, or leave it out"
        )
    return found
