"""What a running database tells about itself, as tables that a query scans.

The functions of the schema `mobula` are the names of `actors.observed.OBSERVED`, and their columns
the fields of its records: a new kind of record is a new function. Records are given by who runs the
query, each time anew; like a system relation they become a table of one delta.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Iterable, Sequence
from types import NoneType
from typing import Any

import msgspec
import pyarrow as pa

from actors.observed import OBSERVED, Observed, WarehouseRecord, warehouse_record
from storage.errors import UnknownObject
from storage.nearest import nearest
from storage.schema import Column, SqlType, arrow_schema
from storage.snapshot.changes import VirtualWarehouse
from storage.snapshot.model import Snapshot, TableState
from warehouse.algebra import types
from warehouse.catalogue_tables.system_tables import table_of
from warehouse.syntax.keywords import own_function

__all__ = ["is_observed", "observed_columns", "observed_table", "warehouse_records"]

_TYPES: dict[type, SqlType] = {
    bool: types.BOOLEAN,
    float: types.DOUBLE,
    int: types.BIGINT,
    str: types.TEXT,
}
_MICROSECONDS = 1_000  # in a millisecond


def is_observed(name: tuple[str, ...]) -> bool:
    """Is this the name of one of the functions?"""
    return own_function(name) in OBSERVED


def observed_table(name: str, records: Sequence[Observed], snapshot: Snapshot) -> TableState:
    """The rows of `mobula.{name}()`. Raises UnknownObject (42883) with the nearest name.

    The warehouses are those of the snapshot, with what the records say of them, and any others
    that still run.
    """
    if name not in OBSERVED:
        raise UnknownObject(
            f"function mobula.{name}() does not exist{nearest(name, OBSERVED)}", "42883"
        )
    if name == "warehouses":
        records = _all_warehouses(snapshot, records)
    columns = observed_columns(name)
    number = -1 - list(OBSERVED).index(name)  # PostgreSQL has no relations of such low OIDs
    return table_of(number, name, columns, _rows(columns, records))


@functools.cache
def observed_columns(name: str) -> tuple[Column, ...]:
    """The columns of `mobula.{name}()`: the fields of its records."""
    kind = OBSERVED[name]
    hints = typing.get_type_hints(kind)
    return tuple(
        _column(number, field.name, hints[field.name])
        for number, field in enumerate(dataclasses.fields(kind), 1)
    )


def warehouse_records(
    warehouses: Iterable[VirtualWarehouse], observed: Iterable[Observed]
) -> list[WarehouseRecord]:
    """One record per warehouse, in their order, with the settings that it has here; "stopped" where
    nothing was observed of it."""
    seen = {record.name: record for record in observed if isinstance(record, WarehouseRecord)}
    found = []
    for warehouse in warehouses:
        record = seen.get(warehouse.name) or warehouse_record(warehouse)
        found.append(dataclasses.replace(record, **msgspec.structs.asdict(warehouse)))
    return found


def _all_warehouses(snapshot: Snapshot, observed: Sequence[Observed]) -> list[WarehouseRecord]:
    """Those of the snapshot, and those that are dropped and have not ended yet."""
    known = snapshot.virtual_warehouses
    others = (r for r in observed if isinstance(r, WarehouseRecord) and r.name not in known)
    found = [*warehouse_records(known.values(), observed), *others]
    return sorted(found, key=lambda record: record.name)


def _column(number: int, name: str, hint: Any) -> Column:
    options = typing.get_args(hint) or (hint,)
    (kind,) = (option for option in options if option is not NoneType)
    time = name.endswith("_at")
    return Column(
        id=number,
        name=name,
        type=types.TIMESTAMPTZ if time else _TYPES[kind],
        nullable=NoneType in options,
    )


def _rows(columns: tuple[Column, ...], records: Sequence[Observed]) -> pa.Table:
    schema = arrow_schema(columns)
    arrays = []
    for column in columns:
        values = [getattr(record, column.name) for record in records]
        if column.type == types.TIMESTAMPTZ:
            values = [None if value is None else value * _MICROSECONDS for value in values]
        arrays.append(pa.array(values, schema.field(column.name).type))
    return pa.Table.from_arrays(arrays, schema=schema)
