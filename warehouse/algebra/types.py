"""Types of expressions: those of the catalogue, and four that no column has.

`UNKNOWN` is a quoted literal or NULL before its context gives it a type. `NUMERIC` is PostgreSQL's
numeric without a declared scale, where the value decides it (a quotient, an average): it travels
as a 64-bit float. `RecordType` is an anonymous row. `JSONPATH` is a SQL/JSON path; it travels as
the one text that PostgreSQL shows for it.

`base_name` gives PostgreSQL's name of a type without its modifiers (`int4`, `numeric`, `bpchar`):
function signatures and casts are written with these names.
"""

from __future__ import annotations

from typing import Any, assert_never

import msgspec

from storage.schema import (
    ArrayType,
    CharType,
    DecimalType,
    EnumType,
    Kind,
    ScalarType,
    StructType,
    VarCharType,
    type_name,
)

__all__ = [
    "BIGINT",
    "BOOLEAN",
    "BYTEA",
    "DATE",
    "DOUBLE",
    "INTEGER",
    "INTERVAL",
    "JSON",
    "JSONB",
    "JSONPATH",
    "NUMERIC",
    "REAL",
    "SMALLINT",
    "TEXT",
    "TIME",
    "TIMESTAMP",
    "TIMESTAMPTZ",
    "UNKNOWN",
    "UUID",
    "AnyType",
    "JsonPathType",
    "NumericType",
    "RecordType",
    "UnknownType",
    "base_name",
    "category",
    "has_equality",
    "is_collatable",
    "is_decimal",
    "is_float",
    "is_integer",
    "is_numeric",
    "is_text",
    "shown",
]


class UnknownType(msgspec.Struct, frozen=True, tag="unknown"):
    """The type of a quoted literal or NULL that nothing has decided yet."""


class NumericType(msgspec.Struct, frozen=True, tag="numeric"):
    """numeric of no declared scale; a 64-bit float in execution."""


class RecordType(msgspec.Struct, frozen=True, tag="record"):
    """An anonymous row, `ROW(a, b)` or `(a, b)`."""

    fields: tuple[Any, ...]  # AnyType


class JsonPathType(msgspec.Struct, frozen=True, tag="jsonpath"):
    """A SQL/JSON path."""


AnyType = (
    ScalarType
    | DecimalType
    | VarCharType
    | CharType
    | ArrayType
    | StructType
    | EnumType
    | UnknownType
    | NumericType
    | RecordType
    | JsonPathType
)

UNKNOWN = UnknownType()
NUMERIC = NumericType()
JSONPATH = JsonPathType()
BOOLEAN = ScalarType(kind=Kind.BOOLEAN)
SMALLINT = ScalarType(kind=Kind.SMALLINT)
INTEGER = ScalarType(kind=Kind.INTEGER)
BIGINT = ScalarType(kind=Kind.BIGINT)
REAL = ScalarType(kind=Kind.REAL)
DOUBLE = ScalarType(kind=Kind.DOUBLE)
TEXT = ScalarType(kind=Kind.TEXT)
BYTEA = ScalarType(kind=Kind.BYTEA)
DATE = ScalarType(kind=Kind.DATE)
TIME = ScalarType(kind=Kind.TIME)
TIMESTAMP = ScalarType(kind=Kind.TIMESTAMP)
TIMESTAMPTZ = ScalarType(kind=Kind.TIMESTAMPTZ)
INTERVAL = ScalarType(kind=Kind.INTERVAL)
UUID = ScalarType(kind=Kind.UUID)
JSON = ScalarType(kind=Kind.JSON)
JSONB = ScalarType(kind=Kind.JSONB)

_BASE: dict[Kind, str] = {
    Kind.BOOLEAN: "bool",
    Kind.SMALLINT: "int2",
    Kind.INTEGER: "int4",
    Kind.BIGINT: "int8",
    Kind.REAL: "float4",
    Kind.DOUBLE: "float8",
    Kind.TEXT: "text",
    Kind.BYTEA: "bytea",
    Kind.DATE: "date",
    Kind.TIME: "time",
    Kind.TIMESTAMP: "timestamp",
    Kind.TIMESTAMPTZ: "timestamptz",
    Kind.INTERVAL: "interval",
    Kind.UUID: "uuid",
    Kind.JSON: "json",
    Kind.JSONB: "jsonb",
}

# PostgreSQL's type categories (pg_type.typcategory).
_CATEGORY: dict[str, str] = {
    "bool": "B",
    **dict.fromkeys(("int2", "int4", "int8", "float4", "float8", "numeric"), "N"),
    **dict.fromkeys(("text", "varchar", "bpchar"), "S"),
    **dict.fromkeys(("date", "time", "timestamp", "timestamptz"), "D"),
    "interval": "T",
    **dict.fromkeys(("bytea", "uuid", "json", "jsonb", "jsonpath"), "U"),
    "unknown": "X",
    "record": "P",
    "enum": "E",
}


def base_name(kind: AnyType) -> str:
    """`int4`, `numeric`, `varchar`, `timestamptz`, `_int4` for arrays, `enum`, `record`."""
    match kind:
        case ScalarType(scalar):
            return _BASE[scalar]
        case DecimalType() | NumericType():
            return "numeric"
        case VarCharType():
            return "varchar"
        case CharType():
            return "bpchar"
        case ArrayType(element):
            return f"_{base_name(element)}"
        case EnumType():
            return "enum"
        case StructType() | RecordType():
            return "record"
        case UnknownType():
            return "unknown"
        case JsonPathType():
            return "jsonpath"
        case _:
            assert_never(kind)


def category(kind: AnyType) -> str:
    """PostgreSQL's category letter: N numbers, S strings, D dates, T spans, B, A arrays, …"""
    name = base_name(kind)
    return "A" if name.startswith("_") else _CATEGORY[name]


def has_equality(kind: AnyType) -> bool:
    """Has the type an `=`, and an order? JSON and paths have none."""
    return base_name(kind) not in ("json", "jsonpath")


def is_collatable(kind: AnyType) -> bool:
    """Has the type an order that collations are about? Texts have one, and arrays of them."""
    return base_name(kind).lstrip("_") in ("text", "varchar", "bpchar")


def is_integer(kind: AnyType) -> bool:
    """SMALLINT, INTEGER or BIGINT."""
    return kind in (SMALLINT, INTEGER, BIGINT)


def is_decimal(kind: AnyType) -> bool:
    """DECIMAL with a scale (not NUMERIC)."""
    return isinstance(kind, DecimalType)


def is_float(kind: AnyType) -> bool:
    """REAL or DOUBLE (not NUMERIC)."""
    return kind in (REAL, DOUBLE)


def is_numeric(kind: AnyType) -> bool:
    """Any number."""
    return category(kind) == "N"


def is_text(kind: AnyType) -> bool:
    """TEXT, VARCHAR(n) or CHAR(n)."""
    return category(kind) == "S"


def shown(kind: AnyType) -> str:
    """The type as PostgreSQL's messages name it: `integer`, `character varying`, `numeric`."""
    match kind:
        case UnknownType():
            return "unknown"
        case NumericType() | DecimalType():
            return "numeric"
        case RecordType():
            return "record"
        case JsonPathType():
            return "jsonpath"
        case VarCharType():
            return "character varying"
        case CharType():
            return "character"
        case ArrayType(element):
            return f"{shown(element)}[]"
        case ScalarType(Kind.TIMESTAMP):
            return "timestamp without time zone"
        case ScalarType(Kind.TIMESTAMPTZ):
            return "timestamp with time zone"
        case ScalarType(Kind.TIME):
            return "time without time zone"
        case _:
            return type_name(kind).lower()
