"""What a partitioning must keep: types that divide, names once, bounds that do not overlap, keys
that have the columns. Errors are PostgreSQL's where it has the rule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from storage.errors import InvalidRequest, NotYet, UnknownObject
from storage.nearest import nearest
from storage.partitions.routing import partition_columns, route_of
from storage.partitions.scheme import PARTITIONS_MAX, Partition, Partitioning
from storage.partitions.values import check_types
from storage.schema import Key, TableSchema

__all__ = ["check_keys", "check_partitioning", "known_partition"]

_BAD_BOUNDS = "42P17"  # invalid_object_definition, as PostgreSQL says


def check_partitioning(partitioning: Partitioning, schema: TableSchema, table_name: str) -> None:
    """Refuse a partitioning that rows could not follow.

    Raises:
        InvalidRequest: a name twice (42710), too many partitions or none of a hash, an empty range
            or bounds that overlap (42P17), a second default (42P17).
        NotYet, InvalidRequest: columns that cannot divide a table (`check_types`).
    """
    columns = partition_columns(partitioning, schema)
    check_types(columns, ranges=partitioning.kind == "range")
    parts = partitioning.parts
    if len(parts) > PARTITIONS_MAX:
        raise InvalidRequest(
            f"table {table_name}: {len(parts)} partitions, at most {PARTITIONS_MAX}", "54000"
        )
    if partitioning.is_hash:
        if not parts:
            raise InvalidRequest(f"table {table_name}: PARTITIONS must be 1 or more", "22023")
        return
    _check_names(parts, table_name)
    _check_defaults(parts)
    _check_bounds(partitioning, schema)


def check_keys(partitioning: Partitioning, keys: Sequence[Key], schema: TableSchema) -> None:
    """Raises NotYet (0A000) for a key that lacks one of the columns that decide: rows of different
    partitions could have it in common."""
    columns = partition_columns(partitioning, schema)
    for key in keys:
        for column in columns:
            if column.id not in key.column_ids:
                kind = "PRIMARY KEY" if key.primary else "UNIQUE"
                raise NotYet(
                    "unique constraint on partitioned table must include all partitioning "
                    f'columns: {kind} constraint "{key.name}" lacks column "{column.name}" which '
                    "is part of the partition key; add it to the key"
                )


def known_partition(partitioning: Partitioning | None, name: str, table_name: str) -> Partition:
    """The partition of that name.

    Raises UnknownObject with the nearest; InvalidRequest (42809): the table has none.
    """
    if partitioning is None:
        raise InvalidRequest(f'table "{table_name}" is not partitioned', "42809")
    found = partitioning.by_name(name)
    if found is None:
        hint = nearest(name, [part.name for part in partitioning.parts])
        raise UnknownObject(f'table "{table_name}" has no partition "{name}"{hint}', "42704")
    return found


def _check_names(parts: Sequence[Partition], table_name: str) -> None:
    seen: set[str] = set()
    for part in parts:
        if part.name in seen:
            raise InvalidRequest(
                f'partition "{part.name}" of table "{table_name}" exists already', "42710"
            )
        seen.add(part.name)


def _check_defaults(parts: Sequence[Partition]) -> None:
    defaults = [part.name for part in parts if part.default]
    if len(defaults) > 1:
        raise InvalidRequest(
            f'partition "{defaults[1]}" conflicts with existing default partition "{defaults[0]}"',
            _BAD_BOUNDS,
        )


def _check_bounds(partitioning: Partitioning, schema: TableSchema) -> None:
    types = tuple(column.type for column in partition_columns(partitioning, schema))
    route = route_of(partitioning, types)
    names = {part.id: part.name for part in partitioning.parts}
    if route.is_range:
        empty = np.flatnonzero(route.starts >= route.ends)
        if len(empty):
            name = names[int(route.numbers[empty[0]])]
            raise InvalidRequest(
                f'empty range bound specified for partition "{name}": it must begin before it ends',
                _BAD_BOUNDS,
            )
        clash = route.ends[:-1] > route.starts[1:]
    else:
        clash = (route.starts[:-1] == route.starts[1:]) & (route.numbers[:-1] != route.numbers[1:])
    for at in np.flatnonzero(clash)[:1].tolist():
        one, two = sorted((int(route.numbers[at]), int(route.numbers[at + 1])))
        raise InvalidRequest(
            f'partition "{names[two]}" would overlap partition "{names[one]}"', _BAD_BOUNDS
        )
