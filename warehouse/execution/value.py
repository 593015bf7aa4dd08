"""`Value`: a SQL expression on its way to Polars, with what is known of its values.

**Carriers.** What a Polars column of a SQL type holds during execution:

| SQL type | Carrier |
|---|---|
| SMALLINT, INTEGER, BIGINT | Int64 |
| DECIMAL(p, s) | Int64, scaled by 10^s, unless `wide`: then Decimal(38, s) |
| NUMERIC (no declared scale), DOUBLE | Float64 |
| REAL | Float32 |
| BOOLEAN, DATE | Boolean, Date |
| TEXT, VARCHAR(n), JSON, JSONB | String |
| CHAR(n) | String without trailing blanks |
| TIME, TIMESTAMP, TIMESTAMPTZ | Time, Datetime("us"), Datetime("us") in UTC without a zone |
| INTERVAL | Struct(months Int32, days Int32, microseconds Int64) |
| BYTEA, UUID | Binary (UUID: 16 bytes) |
| ENUM | Enum(labels) |
| arrays, composites, rows | List, Struct of the carriers; DECIMAL(p>18) wide, others never |

**Ranges.** `range` bounds the carrier integers of an integer or a not wide DECIMAL (also of a
single addend: see `checked`). Arithmetic whose result provably fits runs on plain Int64.

**Faults.** A row's SQL error travels beside the value: `fault` is a String expression, NULL where
all is well, else what `fault_text` makes of a SQLSTATE and a message. CASE, AND, OR and COALESCE
drop the faults of branches that a row does not take. `raised` makes the query fail if any is left:
a strict cast of the text to Int8, whose message carries it (`fault_of`); Polars never moves such
an expression before a filter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from storage.errors import InvalidRequest
from storage.schema import SCALED_PRECISION_MAX, ArrayType, DecimalType, EnumType, StructType
from warehouse.algebra.types import (
    BIGINT,
    BOOLEAN,
    BYTEA,
    DATE,
    DOUBLE,
    INTEGER,
    INTERVAL,
    REAL,
    SMALLINT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    AnyType,
    NumericType,
    RecordType,
)

__all__ = [
    "INT64",
    "Range",
    "Value",
    "any_fault",
    "carrier",
    "fault_of",
    "fault_text",
    "raised",
]

_END = "\x1f"  # ends a fault's text: nothing that a message holds
_FAULT = re.compile(rf'\["mobula:([0-9A-Z]{{5}}):(.*?){_END}', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Range:
    """All integers from low to high, both included."""

    low: int
    high: int

    def within(self, other: Range) -> bool:
        """Is every value also in `other`?"""
        return other.low <= self.low and self.high <= other.high

    def union(self, other: Range) -> Range:
        """The smallest range with both."""
        return Range(min(self.low, other.low), max(self.high, other.high))


INT64 = Range(-(2**63), 2**63 - 1)


@dataclass(frozen=True, slots=True)
class Value:
    """An expression over a frame.

    Attributes:
        expr: its carrier.
        range: of the carrier integers, if it has such; None otherwise or if `wide`.
        nullable: False if it is never NULL.
        wide: a DECIMAL as Decimal(38, s).
        fault: see the module; NULL where the value is right.
        constant: True if it does not depend on the row; `literal` is then its Python value, as
            `algebra.Literal` has it (and None also for NULL).
    """

    expr: pl.Expr
    type: AnyType
    range: Range | None = None
    nullable: bool = True
    wide: bool = False
    fault: pl.Expr | None = None
    constant: bool = False
    literal: Any = field(default=None)

    def derived(self, expr: pl.Expr, kind: AnyType, **changes: Any) -> Value:
        """A value computed from this one alone: NULL where it is, with its faults; no range."""
        settled: dict[str, Any] = {"range": None, "wide": False, "constant": False, "literal": None}
        return replace(self, expr=expr, type=kind, **{**settled, **changes})

    def faulty(self, condition: pl.Expr, sqlstate: str, message: str) -> Value:
        """With an error where `condition` is true (and no earlier one is)."""
        own = pl.when(condition).then(pl.lit(fault_text(sqlstate, message))).otherwise(None)
        return replace(self, fault=any_fault([self.fault, own]))


def carrier(kind: AnyType, *, wide: bool = False) -> Any:
    """The Polars type of a carrier (see the table above).

    `wide` only matters for DECIMAL; inside arrays and rows DECIMAL(p > 18) is always wide.
    """
    match kind:
        case DecimalType(_, scale):
            return pl.Decimal(38, scale) if wide else pl.Int64()
        case NumericType():
            return pl.Float64()
        case EnumType(_, labels):
            return pl.Enum(labels)
        case ArrayType(element):
            return pl.List(_inner(element))
        case StructType(_, fields):
            return pl.Struct({name: _inner(inner) for name, inner in fields})
        case RecordType(fields):
            return pl.Struct({f"f{i}": _inner(inner) for i, inner in enumerate(fields, 1)})
        case _:
            return _CARRIERS.get(kind, pl.String())


def _inner(kind: AnyType) -> Any:
    wide = isinstance(kind, DecimalType) and kind.precision > SCALED_PRECISION_MAX
    return carrier(kind, wide=wide)


_CARRIERS: dict[AnyType, Any] = {
    BOOLEAN: pl.Boolean(),
    SMALLINT: pl.Int64(),
    INTEGER: pl.Int64(),
    BIGINT: pl.Int64(),
    REAL: pl.Float32(),
    DOUBLE: pl.Float64(),
    BYTEA: pl.Binary(),
    UUID: pl.Binary(),
    DATE: pl.Date(),
    TIME: pl.Time(),
    TIMESTAMP: pl.Datetime("us"),
    TIMESTAMPTZ: pl.Datetime("us"),
    INTERVAL: pl.Struct({"months": pl.Int32(), "days": pl.Int32(), "microseconds": pl.Int64()}),
}


def fault_text(sqlstate: str, message: str) -> str:
    """The text of a fault. Built in Polars, it is `mobula:` + sqlstate + `:` + message + U+001F."""
    return f"mobula:{sqlstate}:{message}{_END}"


def any_fault(faults: Iterable[pl.Expr | None]) -> pl.Expr | None:
    """The first fault of each row."""
    found = [fault for fault in faults if fault is not None]
    if not found:
        return None
    return found[0] if len(found) == 1 else pl.coalesce(found)


def raised(value: Value) -> pl.Expr:
    """The value's expression, which fails where a fault is left."""
    if value.fault is None:
        return value.expr
    failing = value.fault.cast(pl.Int8, strict=True)
    return pl.when(failing.is_null()).then(value.expr)


def fault_of(error: BaseException) -> InvalidRequest | None:
    """The SQL error that `raised` made Polars fail with, or None if it is another one."""
    found = _FAULT.search(str(error))
    if found is None:
        return None
    return InvalidRequest(found[2], found[1])
