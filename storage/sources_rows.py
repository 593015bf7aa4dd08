"""Rows of source files of any format, fitted to a table: what a load reads.

Columns are found by name: those of a Parquet file's schema, of a CSV file's header, the keys of
NDJSON. A CSV file without a header, and COPY, go by position. Texts become values by the parser
that the load brings along. What is wrong with a text file is reported with file and line.

A key of NDJSON that is no column is an error, for it may be a mistyped one. Columns without a key
are NULL; those that have a DEFAULT or an identity get it, if the first rows of the file do not have
the key.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import pyarrow as pa

from storage.conform import match_columns
from storage.errors import InternalError, InvalidRequest
from storage.objects.options import StoreOptions
from storage.schema import Column, Kind, ScalarType, TableSchema, arrow_type
from storage.sources import count_rows, open_source, read_columns, read_source
from storage.sources_csv import csv_batches, csv_count, csv_names
from storage.sources_format import SourceFormat, SourceReading
from storage.sources_infer import SAMPLE_BYTES, kind_of_texts
from storage.sources_ndjson import ndjson_batches, ndjson_count, ndjson_kinds
from storage.sources_text import TextBatch, bad_file, first_failure
from storage.target import IngestTarget, fit

__all__ = ["count_source", "fitted_rows", "inferred_kinds", "source_columns", "source_schema"]

_Layout = tuple[tuple[str, Column], ...]  # what the file calls a column, and the table's column


def fitted_rows(
    url: str, options: StoreOptions | None, target: IngestTarget, reading: SourceReading
) -> Iterator[pa.Table]:
    """The rows of a file in `arrow_schema(target.schema.columns)`, a part at a time.

    Raises:
        InvalidRequest: the file does not read, or a row does not fit; names file and place.
        Unavailable: the server does not answer.
    """
    if reading.format.kind == "parquet":
        yield from _parquet_rows(url, options, target, reading)
        return
    layout = _layout(url, options, target, reading)
    with open_source(url, options) as stream:
        for batch in _batches(stream, url, reading.format, layout):
            yield _fitted_texts(batch, url, layout, target, reading)


def count_source(url: str, options: StoreOptions | None, reading: SourceReading) -> int:
    """The rows of a file: from the footer of Parquet, else by reading it through."""
    if reading.format.kind == "parquet":
        return count_rows(url, options)
    with open_source(url, options) as stream:
        if reading.format.kind == "csv":
            return csv_count(stream, url, reading.format)
        return ndjson_count(stream, url)


def source_columns(
    url: str, options: StoreOptions | None, target: IngestTarget, reading: SourceReading
) -> list[str]:
    """The columns of the table that a file holds. Raises as `fitted_rows`."""
    if reading.format.kind == "parquet":
        return list(reading.columns or read_columns(url, options).names)
    return [column.name for _, column in _layout(url, options, target, reading)]


def source_schema(url: str, options: StoreOptions | None, kind: SourceFormat) -> pa.Schema:
    """The columns of a file: of the footer of Parquet, of a text file by `inferred_kinds`."""
    if kind.kind == "parquet":
        return read_columns(url, options)
    found = inferred_kinds(url, options, kind)
    return pa.schema(
        [(name, arrow_type(ScalarType(kind or Kind.TEXT))) for name, kind in found.items()]
    )


def inferred_kinds(
    url: str, options: StoreOptions | None, kind: SourceFormat
) -> dict[str, Kind | None]:
    """The columns of a text file with types that its first rows have; None: no value there.

    Raises InvalidRequest for a file that does not read.
    """
    with open_source(url, options) as stream:
        if kind.kind == "ndjson":
            found = ndjson_kinds(stream, url)
            return {name: _json_kind(*seen) for name, seen in found.items()}
        batch = next(csv_batches(stream, url, kind, None, block_bytes=SAMPLE_BYTES), None)
    if batch is None:
        with open_source(url, options) as stream:
            return dict.fromkeys(csv_names(stream, url, kind))
    return {name: kind_of_texts(batch.rows[name]) for name in batch.rows.column_names}


def _json_kind(kinds: set[str], texts: list[str]) -> Kind | None:
    if not kinds:
        return None
    if kinds == {"nested"}:
        return Kind.JSON
    if kinds == {"boolean"}:
        return Kind.BOOLEAN
    if len(kinds) > 1:
        return Kind.JSON if "nested" in kinds else Kind.TEXT
    found = kind_of_texts(pa.array(texts, pa.large_string()))
    if kinds == {"string"}:  # "12" is a text that someone chose to quote
        moments = (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ)
        return found if found in moments else Kind.TEXT
    return found if found in (Kind.BIGINT, Kind.DOUBLE) else Kind.DOUBLE


# --- Parquet --------------------------------------------------------------------------------------


def _parquet_rows(
    url: str, options: StoreOptions | None, target: IngestTarget, reading: SourceReading
) -> Iterator[pa.Table]:
    first_row = 0
    for batch in read_source(url, options):
        try:
            chosen = batch if reading.columns is None else _chosen(batch, reading.columns, url)
            yield fit(chosen, target, first_row)
        except InvalidRequest as error:
            place = f"{url}, batch from row {first_row}"
            raise InvalidRequest(f"{place}: {error.message}", error.sqlstate) from error
        first_row += batch.num_rows


def _chosen(batch: pa.RecordBatch, columns: tuple[str, ...], url: str) -> pa.RecordBatch:
    missing = [name for name in columns if name not in batch.schema.names]
    if missing:
        raise InvalidRequest(f"{url} has no column {missing[0]}", "42703")
    return batch.select(list(columns))


# --- texts ----------------------------------------------------------------------------------------


def _layout(
    url: str, options: StoreOptions | None, target: IngestTarget, reading: SourceReading
) -> _Layout:
    schema, chosen = target.schema, reading.columns
    if chosen is not None:
        return tuple((name, _column(schema, name)) for name in chosen)
    if reading.format.kind == "csv" and not reading.format.header:
        return tuple((column.name, column) for column in schema.columns)
    with open_source(url, options) as stream, _places(url):
        if reading.format.kind == "csv":
            return _matched(csv_names(stream, url, reading.format), schema, target.table_name)
        return _of_keys(list(ndjson_kinds(stream, url)), schema, target.table_name)


@contextmanager
def _places(url: str) -> Iterator[None]:
    try:
        yield
    except InvalidRequest as error:
        if error.message.startswith(url):
            raise
        raise InvalidRequest(f"{url}: {error.message}", error.sqlstate) from error


def _column(schema: TableSchema, name: str) -> Column:
    column = schema.find(name)
    if column is None:
        raise InternalError(f"a load names the column {name}, which the table does not have")
    return column


def _matched(names: list[str], schema: TableSchema, table_name: str) -> _Layout:
    found = match_columns(names, schema, table_name)
    by_position = {position: column_id for column_id, position in found.items()}
    columns = {column.id: column for column in schema.columns}
    return tuple((name, columns[by_position[i]]) for i, name in enumerate(names))


def _of_keys(keys: list[str], schema: TableSchema, table_name: str) -> _Layout:
    layout = _matched(keys, schema, table_name)
    taken = {column.id for _, column in layout}
    rest = [
        (column.name, column)
        for column in schema.columns
        if column.id not in taken and column.default is None and column.identity is None
    ]
    return (*layout, *rest)


def _batches(
    stream: BinaryIO, url: str, kind: SourceFormat, layout: _Layout
) -> Iterator[TextBatch]:
    names = [name for name, _ in layout]
    if kind.kind == "csv":
        return csv_batches(stream, url, kind, names)
    return ndjson_batches(stream, url, names, frozenset(names))


def _fitted_texts(
    batch: TextBatch, url: str, layout: _Layout, target: IngestTarget, reading: SourceReading
) -> pa.Table:
    parser = reading.parser
    if parser is None:
        raise InternalError(f"{url}: a load of texts without a parser")
    columns = tuple(column for _, column in layout)
    rows = batch.rows.rename_columns([column.name for column in columns])

    def attempt(start: int, length: int) -> pa.Table:
        typed = parser.typed(rows.slice(start, length), columns)
        return fit(typed, target, batch.first_row + start)

    try:
        return attempt(0, rows.num_rows)
    except InvalidRequest as error:
        found = first_failure(rows.num_rows, attempt)
        if found is None:
            raise InvalidRequest(f"{url}: {error.message}", error.sqlstate) from error
        row, failure = found
        message = _with_column(rows.slice(row, 1), columns, reading, failure)
        unnamed = reading.format.kind == "csv" and not reading.format.header
        if unnamed and batch.first_row + row == 0:
            message += "; if the first line holds names, say HEADER"
        raise bad_file(url, batch.line_of(row), message, failure.sqlstate) from error


def _with_column(
    row: pa.Table, columns: tuple[Column, ...], reading: SourceReading, failure: InvalidRequest
) -> str:
    assert reading.parser is not None
    for column in columns:
        try:
            reading.parser.typed(row.select([column.name]), (column,))
        except InvalidRequest as error:
            return f"column {column.name}: {error.message}"
    return failure.message
