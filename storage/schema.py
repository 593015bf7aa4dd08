"""SQL types, columns with ids, table schemas, and the Arrow types that carry their values.

A column's id never changes and is never reused, its name may change; a micropartition records the
schema version it was written with. Values here are part of log records and checkpoints
(`docs/formats/log.md`), hence `msgspec.Struct` with tags: an unknown tag is refused on decode.
"""

from __future__ import annotations

import enum
from typing import assert_never

import msgspec
import pyarrow as pa

__all__ = [
    "Column",
    "DecimalType",
    "Kind",
    "ScalarType",
    "SqlType",
    "TableSchema",
    "VarCharType",
    "arrow_schema",
    "arrow_type",
    "is_integer",
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
    TIMESTAMP = "TIMESTAMP"
    BYTEA = "BYTEA"


class ScalarType(msgspec.Struct, frozen=True, tag="scalar", forbid_unknown_fields=True):
    """A type without arguments."""

    kind: Kind


class DecimalType(msgspec.Struct, frozen=True, tag="decimal", forbid_unknown_fields=True):
    """DECIMAL(precision, scale), 1 <= precision <= 38, 0 <= scale <= precision."""

    precision: int
    scale: int


class VarCharType(msgspec.Struct, frozen=True, tag="varchar", forbid_unknown_fields=True):
    """VARCHAR(length): at most `length` characters (code points)."""

    length: int


SqlType = ScalarType | DecimalType | VarCharType


class Column(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column of a table: `id` is given once per table and never reused."""

    id: int
    name: str
    type: SqlType
    nullable: bool = True


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
    Kind.TIMESTAMP: pa.timestamp("us"),
    Kind.BYTEA: pa.large_binary(),
}


def arrow_type(sql_type: SqlType) -> pa.DataType:
    """The logical Arrow type of a SQL type: what deltas hold and results return."""
    match sql_type:
        case ScalarType(kind):
            return _ARROW[kind]
        case DecimalType(precision, scale):
            return pa.decimal128(precision, scale)
        case VarCharType():
            return pa.large_string()
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
        case ScalarType(kind):
            return kind.value
        case DecimalType(precision, scale):
            return f"DECIMAL({precision},{scale})"
        case VarCharType(length):
            return f"VARCHAR({length})"
        case _:
            assert_never(sql_type)


def is_integer(sql_type: SqlType) -> bool:
    """True for SMALLINT, INTEGER, BIGINT."""
    match sql_type:
        case ScalarType(Kind.SMALLINT | Kind.INTEGER | Kind.BIGINT):
            return True
        case _:
            return False
