"""What psql and other tools ask of a server: names, privileges, sizes, definitions.

There is one database and no privileges yet, so most answers are constants: everything may be done,
everything is visible, nothing has a comment. Object identifiers are BIGINTs. Where a catalogue or a
session is at hand the binder answers by itself (`binder.objects.SystemObjects`); these are the
answers where it is not.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from typing import Any

import polars as pl

from storage.errors import UnknownObject
from warehouse.algebra.types import AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value
from warehouse.functions.registry import scalar

__all__: list[str] = []

_DATABASE = _USER = "mobula"
_SCHEMA = "public"
_SERVER_VERSION = "16.0"
_UTF8 = 6


def _constant(value: Any, *signatures: str) -> None:
    """A function of the same result for all arguments that are not NULL."""

    def implementation(*arguments: pl.Expr) -> pl.Expr:
        return pl.lit(value)

    scalar(*signatures)(implementation)


def _nothing(*signatures: str) -> None:
    """A function that is always NULL."""

    def implementation(*arguments: pl.Expr) -> pl.Expr:
        return pl.lit(None, dtype=pl.String)

    scalar(*signatures)(implementation)


def _version() -> str:
    try:
        own = metadata.version("mobula")
    except metadata.PackageNotFoundError:
        own = "of a source tree"
    return f"PostgreSQL {_SERVER_VERSION} (Mobula {own})"


def _register_names() -> None:
    _constant(_version(), "version() -> text")
    _constant(_DATABASE, "current_database() -> text", "current_catalog() -> text")
    _constant(_SCHEMA, "current_schema() -> text")
    names = ("current_user", "session_user", "user", "current_role", "system_user")
    _constant(_USER, *(f"{name}() -> text" for name in names))
    _constant(_USER, "pg_get_userbyid(int8) -> text")
    _nothing("current_warehouse() -> text")
    _constant("UTF8", "pg_client_encoding() -> text")
    _constant(0, "pg_backend_pid() -> int4", "pg_my_temp_schema() -> int8")
    _constant(False, "pg_is_in_recovery() -> bool", "pg_is_other_temp_schema(int8) -> bool")


def _register_privileges() -> None:
    objects = (
        *("table", "schema", "database", "function", "sequence", "type", "language"),
        *("tablespace", "any_column", "foreign_data_wrapper", "server"),
    )
    for name in objects:
        _constant(
            True,
            *(f"has_{name}_privilege({kind},text) -> bool" for kind in ("text", "int8")),
            *(f"has_{name}_privilege(text,{kind},text) -> bool" for kind in ("text", "int8")),
        )
    for table in ("text", "int8"):
        for column in ("text", "int2"):
            _constant(
                True,
                f"has_column_privilege({table},{column},text) -> bool",
                f"has_column_privilege(text,{table},{column},text) -> bool",
            )
    _constant(True, "pg_has_role(text,text) -> bool", "pg_has_role(text,text,text) -> bool")
    _constant(True, "pg_has_role(int8,text) -> bool")
    visible = ("table", "type", "function", "operator", "collation", "opclass", "ts_config")
    _constant(True, *(f"pg_{name}_is_visible(int8) -> bool" for name in visible))


def _register_definitions() -> None:
    _nothing("obj_description(int8) -> text", "obj_description(int8,text) -> text")
    _nothing("col_description(int8,int4) -> text", "shobj_description(int8,text) -> text")
    for name in ("constraintdef", "indexdef", "viewdef", "ruledef", "triggerdef", "functiondef"):
        _nothing(f"pg_get_{name}(int8) -> text", f"pg_get_{name}(int8,bool) -> text")
    _nothing("pg_get_indexdef(int8,int4,bool) -> text", "pg_get_partkeydef(int8) -> text")
    _nothing(
        "pg_get_serial_sequence(text,text) -> text", "pg_get_partition_constraintdef(int8) -> text"
    )


_register_names()
_register_privileges()
_register_definitions()


@scalar("pg_get_expr(text,int8) -> text", "pg_get_expr(text,int8,bool) -> text")
def pg_get_expr(expression: pl.Expr, *rest: pl.Expr) -> pl.Expr:
    """The text of a stored expression, which is stored as text."""
    return expression


@scalar("current_schemas(bool) -> _text", native=False)
def current_schemas(implicit: Value, *, kind: AnyType) -> Value:
    """The schemas that names are looked up in."""
    return rowwise(lambda whole: ("pg_catalog", _SCHEMA) if whole else (_SCHEMA,), [implicit], kind)


@scalar("pg_encoding_to_char(int4) -> text", native=False)
def pg_encoding_to_char(number: Value, *, kind: AnyType) -> Value:
    """The name of an encoding; only UTF8 is used."""
    return rowwise(lambda value: "UTF8" if value == _UTF8 else "", [number], kind)


@scalar("current_setting(text) -> text", native=False)
def current_setting(name: Value, *, kind: AnyType) -> Value:
    """A setting that clients ask for."""
    return rowwise(_setting, [name], kind)


@scalar("current_setting(text,bool) -> text", native=False)
def current_setting_or_null(name: Value, missing: Value, *, kind: AnyType) -> Value:
    """The same; NULL instead of an error if `missing` is true."""
    return rowwise(
        lambda wanted, quiet: _known_setting(wanted) if quiet else _setting(wanted),
        [name, missing],
        kind,
    )


def _known_setting(name: str) -> str | None:
    from warehouse.catalogue_tables.server import SETTINGS

    return SETTINGS.get(name.lower())


def _setting(name: str) -> str:
    found = _known_setting(name)
    if found is None:
        raise UnknownObject(f'unrecognized configuration parameter "{name}"')
    return found


@scalar("format_type(int8,int4) -> text", native=False, strict=False)
def format_type(identifier: Value, modifier: Value, *, kind: AnyType) -> Value:
    """The name of a type by its number in pg_type, with its arguments."""
    return rowwise(_type_name, [identifier, modifier], kind, strict=False)


def _type_name(identifier: int | None, modifier: int | None) -> str | None:
    from warehouse.catalogue_tables.type_names import formatted

    return formatted(identifier, modifier, {})


_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


@scalar("pg_size_pretty(int8) -> text", "pg_size_pretty(numeric) -> text", native=False)
def pg_size_pretty(size: Value, *, kind: AnyType) -> Value:
    """Bytes in a unit that leaves few digits."""
    return rowwise(lambda value: _pretty(int(value)), [size], kind)


def _pretty(size: int) -> str:
    """Halves round away from zero; from 10240 of a unit on, the next one is used."""
    if abs(size) < 10 * 1024:
        return f"{size} bytes"
    halves = _shifted(size, 9)
    unit = 1
    while abs(halves) >= 20 * 1024 - 1 and unit < len(_UNITS) - 1:
        halves = _shifted(halves, 10)
        unit += 1
    whole = (abs(halves) + 1) // 2
    return f"{'-' if halves < 0 else ''}{whole} {_UNITS[unit]}"


def _shifted(number: int, bits: int) -> int:
    """Divided by a power of two, towards zero."""
    quotient = abs(number) >> bits
    return quotient if number >= 0 else -quotient


def _counting(count_nulls: bool) -> Callable[..., Value]:
    def implementation(*values: Value, kind: AnyType) -> Value:
        flags = [
            value.expr.is_null() if count_nulls else value.expr.is_not_null() for value in values
        ]
        total = pl.sum_horizontal([flag.cast(pl.Int64) for flag in flags])
        return Value(total, kind, nullable=False)

    return implementation


scalar("num_nulls(variadic any) -> int4", native=False, strict=False)(_counting(True))
scalar("num_nonnulls(variadic any) -> int4", native=False, strict=False)(_counting(False))
