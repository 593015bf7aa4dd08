"""Writing a micropartition: rows in logical types to one Parquet file, and its file row.

1. Each column becomes its physical form (`physical.py`) and gets its statistics (`statistics.py`).
2. Rows are written in stripes of 131,072, Zstandard-compressed; a column is dictionary-encoded when
   its first stripe repeats values enough.
3. The footer's key-value metadata says what the catalogue knows too, so that a file explains itself
   (`docs/formats/micropartition.md`).
4. The file is read once more for its checksum: what is committed is what the disk gave back.

Equal input gives equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from storage.errors import InternalError
from storage.micropartition import statistics
from storage.micropartition.order_key import order_keys
from storage.micropartition.physical import encode, is_scaled, narrow, scale_of
from storage.schema import ArrayType, Column, SqlType, StructType, TableSchema
from storage.snapshot.changes import ClusterBy
from storage.snapshot.files import ColumnStatistics, FileRow

__all__ = [
    "FORMAT_VERSION",
    "ROWS_MAX",
    "STRIPE_ROWS",
    "checksum_of",
    "encoded_bytes",
    "ends",
    "metadata_of",
    "write",
]

FORMAT_VERSION = "1"
STRIPE_ROWS = 131_072
ROWS_MAX = 1 << 21  # a row position has 21 bits
# Measured on TPC-H lineitem: with a dictionary for columns whose distinct values are below a tenth
# of their rows, files are 17 % smaller than with one for every column, and decode no slower.
DISTINCT_SHARE_MAX = 0.1
COMPRESSION = "zstd"
COMPRESSION_LEVEL = 1
READ_BYTES = 1 << 20
FOOTER_TRAILER_BYTES = 8  # length of the footer (4, little-endian) and the magic PAR1


def write(
    table: pa.Table,
    schema: TableSchema,
    name: str,
    path: Path,
    *,
    level: int = 0,
    partition: str | None = None,
    sort: ClusterBy | None = None,
) -> FileRow:
    """Write the rows of `table` to a new file at `path`.

    Args:
        table: in `arrow_schema(schema.columns)`, at most 2^21 rows, already in the order `sort`
            says.
        name: the object name that the file will have in the store.
        sort: the order of the rows, for the metadata; None: unsorted.
    Returns: the file row, complete but for what commit gives (file id, LSN).
    Raises:
        InternalError: more rows than a position can number, or columns that are not the schema's.
    """
    if table.num_rows > ROWS_MAX:
        raise InternalError(f"{name}: {table.num_rows} rows, a micropartition holds {ROWS_MAX}")
    if table.column_names != schema.names:
        raise InternalError(f"{name}: expected {schema.names}, found {table.column_names}")
    columns, found = _physical(table, schema)
    _write_parquet(columns, metadata_of(schema, name, sort), path)
    first, last = ends(table, schema, sort)
    return FileRow(
        name=name,
        checksum=checksum_of(path),
        size_bytes=path.stat().st_size,
        tail_bytes=_footer_bytes(path),
        row_count=table.num_rows,
        stripe_count=-(-table.num_rows // STRIPE_ROWS),
        schema_version=schema.version,
        level=level,
        partition=partition,
        statistics=found,
        sort=None if sort is None else sort.text,
        first_key=first,
        last_key=last,
    )


def ends(
    rows: pa.Table, schema: TableSchema, sort: ClusterBy | None
) -> tuple[bytes | None, bytes | None]:
    """The order keys of the first and the last of sorted rows; None where the order has none.

    Args: rows: in their logical types.
    """
    if sort is None or sort.order != "lexical" or not rows.num_rows:
        return None, None
    columns = [(c.name, c.type) for i in sort.column_ids if (c := schema.by_id(i)) is not None]
    both = pa.concat_tables([rows.slice(0, 1), rows.slice(rows.num_rows - 1)])
    first, last = order_keys(both, columns)
    return first, last


def encoded_bytes(table: pa.Table, schema: TableSchema) -> int:
    """The size of the file that `write` would make of these rows: for estimates from a sample."""
    columns, _ = _physical(table, schema)
    sink = pa.BufferOutputStream()
    _write_parquet(columns, {}, sink)
    return int(sink.getvalue().size)


def metadata_of(schema: TableSchema, name: str, sort: ClusterBy | None) -> dict[str, str]:
    """The key-value metadata of a file; lists and objects as JSON."""
    scales = {k: s for c in schema.columns for k, s in _scales(str(c.id), c.type)}
    order = None if sort is None else {"column_ids": sort.column_ids, "order": sort.order}
    return {
        "mobula.format": FORMAT_VERSION,
        "mobula.name": name,
        "mobula.schema_version": str(schema.version),
        "mobula.column_ids": json.dumps([c.id for c in schema.columns]),
        "mobula.decimal_scales": json.dumps(scales),
        "mobula.sort": json.dumps(order),
    }


def _scales(path: str, sql_type: SqlType) -> Iterator[tuple[str, int]]:
    """Where scaled decimals are: a column id, and from there into arrays and composites."""
    match sql_type:
        case ArrayType(element):
            yield from _scales(f"{path}.element", element)
        case StructType(_, fields):
            for name, kind in fields:
                yield from _scales(f"{path}.{name}", kind)
        case _ if (scale := scale_of(sql_type)) is not None:
            yield path, scale


def checksum_of(path: Path) -> str:
    """XXH3-128 of a whole file, 32 hexadecimal characters."""
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while data := file.read(READ_BYTES):
            digest.update(data)
    return digest.hexdigest()


def _physical(
    table: pa.Table, schema: TableSchema
) -> tuple[pa.Table, Mapping[int, ColumnStatistics]]:
    arrays, fields, found = [], [], {}
    for column, values in zip(schema.columns, table.columns, strict=True):
        array = encode(values, column.type)
        known = statistics.compute(_plain(array), column.type)
        if is_scaled(column.type):
            array = narrow(array, known.min, known.max)
        arrays.append(array)
        fields.append(_field(column, array.type))
        found[column.id] = known
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields)), found


def _field(column: Column, physical: pa.DataType) -> pa.Field:
    return pa.field(column.name, physical, column.nullable, {"PARQUET:field_id": str(column.id)})


def _write_parquet(
    table: pa.Table, metadata: Mapping[str, str], sink: Path | pa.BufferOutputStream
) -> None:
    with pq.ParquetWriter(
        sink,
        table.schema,
        compression=COMPRESSION,
        compression_level=COMPRESSION_LEVEL,
        use_dictionary=_repetitive(table.slice(0, STRIPE_ROWS)),
        store_schema=False,
    ) as writer:
        if table.num_rows:
            writer.write_table(table, row_group_size=STRIPE_ROWS)
        writer.add_key_value_metadata(metadata)


def _repetitive(stripe: pa.Table) -> list[str]:
    """The columns whose values repeat enough for a dictionary; arrays and composites never."""
    limit = int(stripe.num_rows * DISTINCT_SHARE_MAX)
    some = stripe.slice(0, limit + limit // 4 + 1)  # where most values differ, that shows here

    def repeats(rows: pa.Table, name: str) -> bool:
        return int(pc.count_distinct(_plain(rows[name])).as_py()) <= limit

    return [
        field.name
        for field in stripe.schema
        if not (pa.types.is_boolean(field.type) or pa.types.is_nested(field.type))
        and repeats(some, field.name)
        and repeats(stripe, field.name)
    ]


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """An extension type (UUID) as what it is stored as."""
    extended = isinstance(values.type, pa.BaseExtensionType)
    return values.cast(values.type.storage_type) if extended else values


def _footer_bytes(path: Path) -> int:
    with path.open("rb") as file:
        file.seek(-FOOTER_TRAILER_BYTES, 2)
        return int.from_bytes(file.read(4), "little") + FOOTER_TRAILER_BYTES
