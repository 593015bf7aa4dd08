"""SQL types, columns with ids, table schemas, and the Arrow types that carry their values.

A column's id never changes and is never reused, its name may change; a micropartition records the
schema version it was written with. Values here are part of log records and checkpoints
(`docs/formats/log.md`), hence `msgspec.Struct` with tags: an unknown tag is refused on decode.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import assert_never

import msgspec
import pyarrow as pa

__all__ = [
    "ArrayType",
    "CharType",
    "Check",
    "Column",
    "DecimalType",
    "EnumType",
    "Identity",
    "Key",
    "Kind",
    "ScalarType",
    "SqlType",
    "StructType",
    "TableSchema",
    "VarCharType",
    "arrow_schema",
    "arrow_type",
    "is_integer",
    "named_types",
    "plain_type",
    "type_name",
]

DECIMAL_PRECISION_MAX = 38
SCALED_PRECISION_MAX = 18  # the largest DECIMAL that fits a 64-bit scaled integer


class Kind(enum.Enum):
    """The types without arguments, by their SQL names."""

    BOOLEAN = "BOOLEAN"
    SMALLINT = "SMALLINT"
    INTEGER = "INTEGER"
    BIGINT = "BIGINT"
    REAL = "REAL"
    DOUBLE = "DOUBLE PRECISION"
    TEXT = "TEXT"
    DATE = "DATE"
    TIME = "TIME"
    TIMESTAMP = "TIMESTAMP"
    TIMESTAMPTZ = "TIMESTAMP WITH TIME ZONE"
    INTERVAL = "INTERVAL"
    BYTEA = "BYTEA"
    UUID = "UUID"
    JSON = "JSON"
    JSONB = "JSONB"


class ScalarType(
    msgspec.Struct, frozen=True, tag="scalar", forbid_unknown_fields=True, omit_defaults=True
):
    """A type without arguments; but TIME, TIMESTAMP and TIMESTAMPTZ of columns may have one.

    `precision`: the digits of seconds that values are rounded to when they are stored, 0 to 6. Only
    columns and elements of arrays have it: expressions are of the `plain_type`. It is written down
    only where it is given, so that versions without it read all other tables.
    """

    kind: Kind
    precision: int | None = None


class DecimalType(msgspec.Struct, frozen=True, tag="decimal", forbid_unknown_fields=True):
    """DECIMAL(precision, scale), 1 <= precision <= 38, 0 <= scale <= precision."""

    precision: int
    scale: int


class VarCharType(msgspec.Struct, frozen=True, tag="varchar", forbid_unknown_fields=True):
    """VARCHAR(length): at most `length` characters (code points)."""

    length: int


class CharType(msgspec.Struct, frozen=True, tag="char", forbid_unknown_fields=True):
    """CHAR(length): values are kept without trailing blanks and shown padded to `length`."""

    length: int


class ArrayType(msgspec.Struct, frozen=True, tag="array", forbid_unknown_fields=True):
    """element[]: one dimension, any length."""

    element: SqlType


class StructType(msgspec.Struct, frozen=True, tag="struct", forbid_unknown_fields=True):
    """A composite type: `fields` are (name, type) pairs, at least one.

    `name` as CREATE TYPE gave it, with its schema before it unless that is `public`: two types
    are the same if their names and parts are.
    """

    name: str
    fields: tuple[tuple[str, SqlType], ...]


class EnumType(msgspec.Struct, frozen=True, tag="enum", forbid_unknown_fields=True):
    """CREATE TYPE name AS ENUM (labels): ordered as the labels are; `name` as in `StructType`."""

    name: str
    labels: tuple[str, ...]


SqlType = ScalarType | DecimalType | VarCharType | CharType | ArrayType | StructType | EnumType


class Identity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GENERATED … AS IDENTITY: numbers come from the sequence of that id.

    `always`: a statement may not give values itself; else (BY DEFAULT) it may.
    """

    sequence_id: int
    always: bool
    start: int = 1
    increment: int = 1


class Check(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """CONSTRAINT name CHECK (sql): what no row may make FALSE."""

    name: str
    sql: str


class Key(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """CONSTRAINT name PRIMARY KEY or UNIQUE: no two rows of the table agree in these columns.

    Columns of a primary key are NOT NULL; in others NULL differs from everything. `id` is given
    once per table and never reused; the primary key, if there is one, is the table's first key.
    """

    id: int
    name: str
    column_ids: tuple[int, ...]
    primary: bool


class Column(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column of a table: `id` is given once per table and never reused.

    `default` is the SQL text of the expression that gives the value of an INSERT without one. It
    and `identity` are of the newest schema version only: rows that exist do not change with them.
    """

    id: int
    name: str
    type: SqlType
    nullable: bool = True
    default: str | None = None
    identity: Identity | None = None


class TableSchema(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The columns of a table as of one schema version, in their order."""

    version: int
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    def find(self, name: str) -> Column | None:
        """The column of exactly that name, or None."""
        return next((column for column in self.columns if column.name == name), None)

    def by_id(self, column_id: int) -> Column | None:
        """The column of that id, or None."""
        return next((column for column in self.columns if column.id == column_id), None)


_ARROW: dict[Kind, pa.DataType] = {
    Kind.BOOLEAN: pa.bool_(),
    Kind.SMALLINT: pa.int16(),
    Kind.INTEGER: pa.int32(),
    Kind.BIGINT: pa.int64(),
    Kind.REAL: pa.float32(),
    Kind.DOUBLE: pa.float64(),
    Kind.TEXT: pa.large_string(),
    Kind.DATE: pa.date32(),
    Kind.TIME: pa.time64("us"),
    Kind.TIMESTAMP: pa.timestamp("us"),
    Kind.TIMESTAMPTZ: pa.timestamp("us", "UTC"),
    Kind.INTERVAL: pa.struct(
        [("months", pa.int32()), ("days", pa.int32()), ("microseconds", pa.int64())]
    ),
    Kind.BYTEA: pa.large_binary(),
    Kind.UUID: pa.binary(16),
    Kind.JSON: pa.large_string(),
    Kind.JSONB: pa.large_string(),
}


def arrow_type(sql_type: SqlType) -> pa.DataType:
    """The logical Arrow type of a SQL type: what deltas hold and results return."""
    match sql_type:
        case ScalarType(kind):
            return _ARROW[kind]
        case DecimalType(precision, scale):
            return pa.decimal128(precision, scale)
        case VarCharType() | CharType() | EnumType():
            return pa.large_string()
        case ArrayType(element):
            return pa.large_list(arrow_type(element))
        case StructType(_, fields):
            return pa.struct([(name, arrow_type(kind)) for name, kind in fields])
        case _:
            assert_never(sql_type)


def arrow_schema(columns: tuple[Column, ...]) -> pa.Schema:
    """The logical Arrow schema of columns; field metadata `column_id` carries the id."""
    return pa.schema(
        [
            pa.field(c.name, arrow_type(c.type), c.nullable, {"column_id": str(c.id)})
            for c in columns
        ]
    )


def type_name(sql_type: SqlType) -> str:
    """The type as a user writes it: `DECIMAL(15,2)`, `VARCHAR(10)`, `BIGINT`."""
    match sql_type:
        case ScalarType(kind, precision):
            if precision is None:
                return kind.value
            first, _, rest = kind.value.partition(" ")
            return f"{first}({precision}) {rest}".rstrip()
        case DecimalType(precision, scale):
            return f"DECIMAL({precision},{scale})"
        case VarCharType(length):
            return f"VARCHAR({length})"
        case CharType(length):
            return f"CHAR({length})"
        case ArrayType(element):
            return f"{type_name(element)}[]"
        case StructType(name, _) | EnumType(name, _):
            return name
        case _:
            assert_never(sql_type)


def is_integer(sql_type: SqlType) -> bool:
    """True for SMALLINT, INTEGER, BIGINT."""
    match sql_type:
        case ScalarType(Kind.SMALLINT | Kind.INTEGER | Kind.BIGINT):
            return True
        case _:
            return False


def plain_type(sql_type: SqlType) -> SqlType:
    """The type of the column's values in expressions: without a precision of seconds."""
    match sql_type:
        case ScalarType(kind, precision) if precision is not None:
            return ScalarType(kind=kind)
        case ArrayType(element):
            return ArrayType(element=plain_type(element))
        case _:
            return sql_type


def named_types(sql_type: SqlType) -> Iterator[EnumType | StructType]:
    """The user-defined types in a type, itself among them, outermost first."""
    match sql_type:
        case EnumType():
            yield sql_type
        case StructType(_, fields):
            yield sql_type
            for _, kind in fields:
                yield from named_types(kind)
        case ArrayType(element):
            yield from named_types(element)
