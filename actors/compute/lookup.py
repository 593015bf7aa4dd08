"""Rows by primary key: a scan of the few files that may have them, and of the deltas.

The primary asks its index which files have the keys; a virtual warehouse, which has none, looks at
the partitions of the keys and the bounds of the key's first column. The scan itself leaves out all
other rows (`Chosen`), with the bounds of stripes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from actors.messages import Lookup, Statement
from actors.planner import Plan, QueryPlan
from storage.errors import InternalError, InvalidRequest
from storage.key_frame import key_rows
from storage.micropartition.inputs import Chosen
from storage.micropartition.physical import encode, is_scaled
from storage.partitions.routing import partition_columns, partitions_of
from storage.schema import Column, TableSchema
from storage.snapshot.files import FileSet, Mask
from storage.snapshot.model import TableState

__all__ = ["chosen_rows", "looked_up", "whole_table"]


def whole_table(lookup: Lookup) -> Statement:
    """The statement whose plan `looked_up` narrows down."""
    name = ".".join('"' + part.replace('"', '""') + '"' for part in (lookup.schema, lookup.table))
    return Statement(
        sql=f"SELECT * FROM {name}",
        session=lookup.session,
        min_lsn=lookup.min_lsn,
        timeout_ms=lookup.timeout_ms,
        query_id=lookup.query_id,
    )


def chosen_rows(lookup: Lookup, table: TableState) -> Chosen:
    """The keys of a lookup in the types of the table's primary key.

    Raises InvalidRequest: the table has no primary key (55000), or a key does not fit.
    """
    primary = table.primary_key
    if primary is None:
        raise InvalidRequest(f"table {table.name} has no primary key, which get goes by", "55000")
    columns = table.key_columns(primary)
    schema = TableSchema(version=table.schema.version, columns=columns)
    return Chosen(key=columns, keys=key_rows(lookup.keys, schema, table.name))


def looked_up(plan: Plan, chosen: Chosen, files: Collection[int] | None) -> QueryPlan:
    """The plan of `whole_table`, for the rows with these keys.

    Args: files: ids of those that may have them; None: what their bounds say.
    """
    if not isinstance(plan, QueryPlan) or len(plan.scans) != 1:
        raise InternalError("a lookup that is no scan of one table")
    scan = plan.scans[0]
    partitions = _partitions(scan.table, chosen)
    if files is None:
        kept = scan.files
        if partitions is not None:
            kept = kept.selected(np.isin(kept.partitions, list(partitions)))
        kept = _within_bounds(kept, chosen.key[0], chosen.keys.column(0))
    else:
        wanted = pa.array(sorted(files), pa.int64())
        kept = scan.files.selected(
            pc.is_in(scan.files.table["file_id"], value_set=wanted).to_numpy()
        )
    scan = dataclasses.replace(scan, files=kept, chosen=chosen, partitions=partitions)
    return dataclasses.replace(plan, scans=(scan,))


def _partitions(table: TableState, chosen: Chosen) -> frozenset[int] | None:
    """Those that rows with these keys would be in; None: the table has none."""
    if table.partitioning is None:
        return None
    columns = partition_columns(table.partitioning, table.schema)
    return frozenset(partitions_of(table.partitioning, chosen.keys, columns).tolist())


def _within_bounds(files: FileSet, column: Column, keys: pa.ChunkedArray) -> FileSet:
    """The files that have a key between their bounds of a column."""
    names = (f"min_{column.id}", f"max_{column.id}")
    if not len(files) or not set(names) <= set(files.table.column_names):
        return files
    if not len(keys):
        return files.selected(np.zeros(len(files), np.bool_))
    values = encode(keys, column.type) if is_scaled(column.type) else keys
    if pa.types.is_integer(values.type):
        ordered = np.unique(values.to_numpy().astype(np.int64))
        bounds: list[Any] = [files.statistic(name) for name in names]
    else:
        ends = [files.table[name] for name in names]
        sorted_keys = pc.unique(values).cast(ends[0].type)
        sorted_keys = sorted_keys.take(pc.sort_indices(sorted_keys))
        ordered = _comparable(sorted_keys)
        bounds = [
            (_comparable(pc.fill_null(end, sorted_keys[0])), end.is_valid().to_numpy())
            for end in ends
        ]
    return files.selected(_between(ordered, *bounds))


def _between(ordered: Any, lows: Any, highs: Any) -> Mask:
    """Where one of the ordered keys may lie between the bounds (see `FileSet.statistic`)."""
    first = np.searchsorted(ordered, lows[0])
    mask: Mask = (first < len(ordered)) & (ordered[np.minimum(first, len(ordered) - 1)] <= highs[0])
    for _, known in (lows, highs):
        if known is not None:
            mask |= ~known
    return mask


def _comparable(values: pa.Array | pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """Values as numpy compares them: in their own order."""
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return np.asarray(whole.to_numpy(zero_copy_only=False))
