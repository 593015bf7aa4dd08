"""What information_schema says of a column's type: data_type, lengths, precisions, its own name."""

from __future__ import annotations

from typing import Any

from warehouse.catalogue_tables.definitions import Attribute, Definitions
from warehouse.catalogue_tables.server import DATABASE
from warehouse.catalogue_tables.type_names import TypeRow, by_name, by_oid

__all__ = ["FACETS", "Facets"]

FACETS = (
    "data_type", "character_maximum_length", "character_octet_length", "numeric_precision",
    "numeric_precision_radix", "numeric_scale", "datetime_precision", "collation_catalog",
    "collation_schema", "collation_name", "udt_schema", "udt_name",
)  # fmt: skip

_HEADER = 4
_BYTES_PER_CHARACTER = 4
_OCTETS_MAX = 1 << 30
_BITS = {"int2": 16, "int4": 32, "int8": 64, "float4": 24, "float8": 53}
_TIMES = ("time", "timetz", "timestamp", "timestamptz", "interval")
_DEFAULT_COLLATION = 100
_COLLATION_C = 950

Facet = tuple[Any, ...]


class Facets:
    """The facets of columns of one database's definitions."""

    def __init__(self, known: Definitions) -> None:
        self._own = {oid: (schema, name, suffix) for schema, name, oid, suffix in known.named_types}
        self._elements = {array: oid for oid, array in known.user_types.values()}
        self._found: dict[tuple[int, int], Facet] = {}

    def of(self, attribute: Attribute) -> Facet:
        """The values of `FACETS`."""
        return self._of(attribute.type_oid, attribute.typmod)

    def element(self, attribute: Attribute) -> tuple[int, int] | None:
        """OID and modifier of an array's elements; None if the column is no array."""
        row = by_oid().get(attribute.type_oid)
        if row is not None:
            array = row.length == -1 and row.element
            return (row.element, -1) if array else None
        element = self._elements.get(attribute.type_oid)
        return None if element is None else (element, -1)

    def element_of(self, element: tuple[int, int]) -> Facet:
        """The values of `FACETS` of an array's elements, which do not tell lengths."""
        facet = self._of(*element)
        names = ("data_type", "collation_catalog", "collation_schema", "collation_name",
                 "udt_schema", "udt_name")  # fmt: skip
        return tuple(v if n in names else None for n, v in zip(FACETS, facet, strict=True))

    def type_name(self, oid: int) -> tuple[str, str]:
        """Schema and name of a type, arrays as `_int4`."""
        row = by_oid().get(oid)
        if row is not None:
            return "pg_catalog", row.name
        schema, name, suffix = self._own[oid]
        return schema, f"_{name}" if suffix else name

    def _of(self, oid: int, modifier: int) -> Facet:
        key = oid, modifier
        if key not in self._found:
            row = by_oid().get(oid)
            made = self._user(oid) if row is None else _system(row, modifier)
            self._found[key] = (*made, *self.type_name(oid))
        return self._found[key]

    def _user(self, oid: int) -> Facet:
        data_type = "ARRAY" if oid in self._elements else "USER-DEFINED"
        return (data_type, *(None,) * 9)


def _system(row: TypeRow, modifier: int) -> Facet:
    array = row.length == -1 and row.element
    data_type = "ARRAY" if array else row.display
    length, octets = _characters(row, modifier)
    precision, radix, scale = _number(row, modifier)
    time = 0 if row.name == "date" else None
    if row.name in _TIMES:
        time = modifier if modifier >= 0 else 6
    collation: Facet = (None, None, None)
    if row.collation == _COLLATION_C:
        collation = (DATABASE, "pg_catalog", "C")
    assert row.collation in (0, _DEFAULT_COLLATION, _COLLATION_C)
    return (data_type, length, octets, precision, radix, scale, time, *collation)


def _characters(row: TypeRow, modifier: int) -> tuple[int | None, int | None]:
    known = by_name()
    if row not in (known["text"], known["varchar"], known["bpchar"]):
        return None, None
    if modifier < 0 or row.name == "text":
        return None, _OCTETS_MAX
    length = modifier - _HEADER
    return length, length * _BYTES_PER_CHARACTER


def _number(row: TypeRow, modifier: int) -> tuple[int | None, int | None, int | None]:
    if row.name in _BITS:
        return _BITS[row.name], 2, 0 if row.name.startswith("int") else None
    if row.name == "numeric":
        if modifier < 0:
            return None, 10, None
        digits = modifier - _HEADER
        return digits >> 16, 10, digits & 0x7FF
    return None, None, None
