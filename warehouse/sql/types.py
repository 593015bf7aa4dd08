"""SQL types between three worlds: the catalogue's, sqlglot's, and what PostgreSQL calls them."""

from __future__ import annotations

from sqlglot import exp

from storage.errors import InvalidRequest, NotYet
from storage.schema import (
    DECIMAL_PRECISION_MAX,
    DecimalType,
    Kind,
    ScalarType,
    SqlType,
    VarCharType,
)

__all__ = [
    "DECIMALS",
    "FLOATS",
    "INTEGERS",
    "NARROW_INTEGERS",
    "TEXTS",
    "is_decimal",
    "is_integer_type",
    "sql_type_of",
    "sqlglot_type",
]

_T = exp.DType
NARROW_INTEGERS = {_T.TINYINT, _T.SMALLINT, _T.INT, _T.UTINYINT, _T.USMALLINT}
INTEGERS = {*NARROW_INTEGERS, _T.BIGINT, _T.UINT, _T.MEDIUMINT}
DECIMALS = {_T.DECIMAL, _T.DECIMAL32, _T.DECIMAL64, _T.DECIMAL128, _T.BIGDECIMAL}
FLOATS = {_T.FLOAT, _T.DOUBLE}
TEXTS = {_T.TEXT, _T.VARCHAR, _T.CHAR, _T.NCHAR, _T.NVARCHAR, _T.BPCHAR}

_KINDS: dict[exp.DType, Kind] = {
    _T.BOOLEAN: Kind.BOOLEAN,
    _T.SMALLINT: Kind.SMALLINT,
    _T.INT: Kind.INTEGER,
    _T.BIGINT: Kind.BIGINT,
    _T.FLOAT: Kind.REAL,
    _T.DOUBLE: Kind.DOUBLE,
    _T.TEXT: Kind.TEXT,
    _T.DATE: Kind.DATE,
    _T.TIMESTAMP: Kind.TIMESTAMP,
    _T.TIMESTAMPNTZ: Kind.TIMESTAMP,
    _T.VARBINARY: Kind.BYTEA,
    _T.BINARY: Kind.BYTEA,
}
_NAMES = {kind: dtype for dtype, kind in reversed(_KINDS.items())}
_LATER = {
    _T.TIMESTAMPTZ: "TIMESTAMPTZ",
    _T.CHAR: "CHAR(n)",
    _T.BPCHAR: "CHAR(n)",
    _T.TIME: "TIME",
    _T.TIMETZ: "TIME WITH TIME ZONE",
    _T.INTERVAL: "INTERVAL",
    _T.UUID: "UUID",
    _T.JSON: "JSON",
    _T.JSONB: "JSONB",
    _T.ARRAY: "arrays",
    _T.LIST: "arrays",
    _T.STRUCT: "composite types",
    _T.SERIAL: "SERIAL",
    _T.BIGSERIAL: "BIGSERIAL",
    _T.SMALLSERIAL: "SMALLSERIAL",
    _T.INT128: "HUGEINT",
    _T.MONEY: "MONEY",
}


def sqlglot_type(sql_type: SqlType) -> exp.DataType:
    """The catalogue's type as sqlglot's."""
    match sql_type:
        case DecimalType(precision, scale):
            return exp.DataType.build(f"DECIMAL({precision}, {scale})")
        case VarCharType():
            return exp.DataType.build(_T.TEXT)
        case ScalarType(kind):
            return exp.DataType.build(_NAMES[kind])


def sql_type_of(kind: exp.DataType, column: str) -> SqlType:
    """A type as CREATE TABLE names it.

    Raises:
        NotYet: a type that a later version brings.
        InvalidRequest: unknown type, DECIMAL without precision, arguments out of range.
    """
    dtype, arguments = kind.this, _arguments(kind, column)
    if dtype in (_T.DECIMAL, _T.BIGDECIMAL):
        return _decimal_type(arguments, column)
    if dtype == _T.VARCHAR and arguments:
        if len(arguments) != 1 or arguments[0] < 1:
            raise InvalidRequest(f"column {column}: VARCHAR(n) wants one n of at least 1", "22023")
        return VarCharType(length=arguments[0])
    if dtype == _T.VARCHAR:
        return ScalarType(kind=Kind.TEXT)
    if dtype in _LATER:
        raise NotYet(f"column {column}: {_LATER[dtype]} is not available yet")
    if dtype not in _KINDS:
        raise InvalidRequest(
            f"column {column}: unknown type {kind.sql(dialect='postgres')}", "42704"
        )
    if arguments:
        raise NotYet(
            f"column {column}: {kind.sql(dialect='postgres')}: this type with a precision is not"
            " available yet"
        )
    return ScalarType(kind=_KINDS[dtype])


def _arguments(kind: exp.DataType, column: str) -> list[int]:
    values: list[int] = []
    for parameter in kind.expressions:
        text = parameter.name if isinstance(parameter, exp.DataTypeParam) else parameter.sql()
        if not text.isdigit():
            if kind.this in _LATER:
                break
            raise InvalidRequest(f"column {column}: {text!r} is no length or precision", "22023")
        values.append(int(text))
    return values


def _decimal_type(arguments: list[int], column: str) -> DecimalType:
    if not arguments:
        raise InvalidRequest(
            f"column {column}: DECIMAL needs a precision and a scale, for example DECIMAL(18, 2);"
            " PostgreSQL's NUMERIC of any length is not available",
            "42611",
        )
    precision, scale = arguments[0], arguments[1] if len(arguments) > 1 else 0
    if len(arguments) > 2 or not 1 <= precision <= DECIMAL_PRECISION_MAX or scale > precision:
        raise InvalidRequest(
            f"column {column}: DECIMAL({', '.join(map(str, arguments))}): expected a precision of"
            f" 1 to {DECIMAL_PRECISION_MAX} and a scale of 0 to the precision",
            "22023",
        )
    return DecimalType(precision=precision, scale=scale)


def is_integer_type(node: exp.Expr) -> bool:
    """Is the node typed as an integer?"""
    return node.type is not None and node.type.this in INTEGERS


def is_decimal(node: exp.Expr) -> bool:
    """Is the node typed as a DECIMAL?"""
    return node.type is not None and node.type.this in DECIMALS
