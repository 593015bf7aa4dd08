"""Types as pg_type has them: PostgreSQL's own, and the OIDs and modifiers of columns' types."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass

from storage.schema import (
    ArrayType,
    CharType,
    DecimalType,
    EnumType,
    Kind,
    ScalarType,
    SqlType,
    StructType,
    VarCharType,
)
from warehouse.algebra.types import base_name
from warehouse.catalogue_tables.type_rows import ARRAY_FUNCTIONS, TYPE_ROWS

__all__ = [
    "ARRAY_IO",
    "ENUM_IO",
    "RECORD_IO",
    "TypeRow",
    "by_name",
    "by_oid",
    "formatted",
    "type_oid",
    "type_rows",
    "typmod",
]

Functions = tuple[tuple[str, int], ...]  # name and OID; OID 0 is none

_NO_FUNCTION = ("-", 0)
_HEADER = 4  # what PostgreSQL adds to the length or precision in a type modifier
_INTERVAL, _NUMERIC, _BPCHAR, _VARCHAR, _BIT, _VARBIT = 1186, 1700, 1042, 1043, 1560, 1562
_TIMES = {1083: "time", 1114: "timestamp", 1184: "timestamp", 1266: "time"}


@dataclass(frozen=True, slots=True)
class TypeRow:
    """A row of pg_type that every database has. `functions`: input, output, receive, send, and of
    modifiers input and output."""

    name: str
    oid: int
    length: int
    by_value: bool
    kind: str
    category: str
    preferred: bool
    delimiter: str
    element: int
    array: int
    alignment: str
    storage: str
    collation: int
    display: str
    functions: Functions


def _functions(text: str) -> Functions:
    found = []
    for part in text.split():
        name, _, oid = part.partition(":")
        found.append((name, int(oid)) if oid else _NO_FUNCTION)
    return tuple(found + [_NO_FUNCTION] * (6 - len(found)))


ARRAY_IO = _functions(ARRAY_FUNCTIONS)
ENUM_IO = _functions("enum_in:3504 enum_out:3505 enum_recv:3532 enum_send:3533")
RECORD_IO = _functions("record_in:2290 record_out:2291 record_recv:2402 record_send:2403")


def _split(block: str) -> tuple[str, str]:
    fields, _, functions = block.partition("\n")
    return fields, functions


def _row(fields: str, functions: str) -> TypeRow:
    name, oid, length, by_value, kind, category, preferred, *rest = fields.split()
    delimiter, element, array, alignment, storage, collation, display = rest
    return TypeRow(
        name=name,
        oid=int(oid),
        length=int(length),
        by_value=by_value == "t",
        kind=kind,
        category=category,
        preferred=preferred == "t",
        delimiter=delimiter,
        element=int(element),
        array=int(array),
        alignment=alignment,
        storage=storage,
        collation=int(collation),
        display=display.replace("~", " "),
        functions=_functions(functions),
    )


def _array_of(row: TypeRow) -> TypeRow:
    pseudo = row.kind == "p"
    return TypeRow(
        name=f"_{row.name}",
        oid=row.array,
        length=-1,
        by_value=False,
        kind="p" if pseudo else "b",
        category="P" if pseudo else "A",
        preferred=False,
        delimiter=row.delimiter,
        element=row.oid,
        array=0,
        alignment="d" if row.alignment == "d" else "i",
        storage="x",
        collation=row.collation,
        display=f"{row.display}[]",
        functions=(*ARRAY_IO[:4], *row.functions[4:]),
    )


@functools.cache
def type_rows() -> tuple[TypeRow, ...]:
    """PostgreSQL's types, by OID."""
    rows = [_row(*_split(block)) for block in re.split(r"\n(?! )", TYPE_ROWS.strip("\n"))]
    rows += [_array_of(row) for row in rows if row.array]
    return tuple(sorted(rows, key=lambda row: row.oid))


@functools.cache
def by_name() -> Mapping[str, TypeRow]:
    """PostgreSQL's types by name, arrays as `_int4`."""
    return {row.name: row for row in type_rows()}


@functools.cache
def by_oid() -> Mapping[int, TypeRow]:
    """PostgreSQL's types by OID."""
    return {row.oid: row for row in type_rows()}


def type_oid(kind: SqlType, user: Mapping[str, tuple[int, int]]) -> int:
    """The OID of a column's type.

    `user`: OIDs of user-defined types and of their arrays, by the names that types have.
    """
    match kind:
        case EnumType(name, _) | StructType(name, _):
            return user[name][0]
        case ArrayType(EnumType(name, _) | StructType(name, _)):
            return user[name][1]
        case _:
            return by_name()[base_name(kind)].oid


def typmod(kind: SqlType) -> int:
    """The type modifier of a column, as pg_attribute.atttypmod has it; -1 is none."""
    match kind:
        case DecimalType(precision, scale):
            return ((precision << 16) | scale) + _HEADER
        case VarCharType(length) | CharType(length):
            return length + _HEADER
        case ArrayType(element):
            return typmod(element)
        case ScalarType(_, precision) if precision is not None:
            return precision
        case ScalarType(Kind()) | EnumType() | StructType():
            return -1


def formatted(oid: int | None, modifier: int | None, names: Mapping[int, str]) -> str | None:
    """What `format_type` says. `names`: of the types that are not PostgreSQL's own."""
    if oid is None:
        return None
    if oid == 0:
        return "-"
    row = by_oid().get(oid)
    if row is None:
        return names.get(oid, "???")
    array = row.element and row.length == -1 and row.name.startswith("_")
    if array:
        inner = formatted(row.element, modifier, names)
        return f"{inner}[]"
    if modifier is None:
        return row.display
    if modifier < 0:
        return "bpchar" if oid == _BPCHAR else '"bit"' if oid == _BIT else row.display
    return _modified(row, modifier)


def _modified(row: TypeRow, modifier: int) -> str:
    if row.oid in _TIMES:
        word = _TIMES[row.oid]
        return row.display.replace(word, f"{word}({modifier})", 1)
    if row.oid == _INTERVAL:
        precision = modifier & 0xFFFF
        return row.display if precision == 0xFFFF else f"interval({precision})"
    if row.oid in (_BIT, _VARBIT):
        return f"{row.display}({modifier})"
    if row.oid == _NUMERIC:
        digits = modifier - _HEADER
        return f"numeric({digits >> 16},{digits & 0x7FF})"
    if row.oid in (_BPCHAR, _VARCHAR):
        return f"{row.display}({modifier - _HEADER})" if modifier > _HEADER else row.display
    return f"{row.display}({modifier})"
