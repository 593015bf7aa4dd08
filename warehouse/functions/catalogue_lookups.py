"""Lookups in the catalogue, whose tables the binder puts into the call as constant arrays.

No user can write these names: they have blanks. See `warehouse.binder.objects`.
"""

from __future__ import annotations

import polars as pl

from storage.errors import InvalidRequest, UnknownObject
from warehouse.algebra.types import AnyType
from warehouse.catalogue_tables.type_names import formatted
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value
from warehouse.functions.identifiers import canonical_name
from warehouse.functions.registry import scalar

__all__: list[str] = []

_NO_OBJECT = {
    "regclass": ('relation "{}" does not exist', "42P01"),
    "regnamespace": ('schema "{}" does not exist', "3F000"),
    "regproc": ('function "{}" does not exist', "42883"),
    "regrole": ('role "{}" does not exist', "42704"),
    "regtype": ('type "{}" does not exist', "42704"),
}


def _table(keys: Value, values: Value) -> dict[str, str]:
    return dict(zip(keys.literal or (), values.literal or (), strict=True))


def _found(key: pl.Expr, keys: Value, values: Value) -> pl.Expr:
    known = _table(keys, values)
    if not known:
        return pl.when(key.is_null()).then(key)
    return key.replace_strict(
        list(known), list(known.values()), default=None, return_dtype=pl.String
    )


@scalar("looked up(_text,_text,variadic int8) -> text", native=False)
def looked_up(keys: Value, values: Value, *numbers: Value, kind: AnyType) -> Value:
    """The value of a key, which is one number or several with points between them."""
    parts = [number.expr.cast(pl.String) for number in numbers]
    key = parts[0] if len(parts) == 1 else pl.concat_str(parts, separator=".")
    return Value(_found(key, keys, values), kind)


@scalar("looked up name(_text,_text,variadic text) -> text", native=False)
def looked_up_name(keys: Value, values: Value, *texts: Value, kind: AnyType) -> Value:
    """The value of a key that is a text, or several with U+001F between them."""
    key = pl.concat_str([text.expr for text in texts], separator="\x1f")
    return Value(_found(key, keys, values), kind)


@scalar(*(f"{kind} name(_text,_text,int8) -> text" for kind in _NO_OBJECT), native=False)
def object_name(keys: Value, values: Value, number: Value, *, kind: AnyType) -> Value:
    """How an object of this number shows; without one the number, `-` for 0."""
    key = number.expr.cast(pl.String)
    rest = pl.when(key == "0").then(pl.lit("-")).otherwise(key)
    return Value(pl.coalesce(_found(key, keys, values), rest), kind)


def _number_of(word: str, keys: Value, values: Value, text: Value, kind: AnyType) -> Value:
    known = _table(keys, values)
    message, sqlstate = _NO_OBJECT[word]

    def find(name: str) -> int:
        if name.isdigit():
            return int(name)
        found = known[name] if name in known else known.get(canonical_name(name))
        if found is None:
            raise UnknownObject(message.format(name), sqlstate)
        if not found:
            raise InvalidRequest(f'more than one function named "{name}"', "42725")
        return int(found)

    return rowwise(find, [text], kind)


@scalar("regclass number(_text,_text,text) -> int8", native=False)
def relation_number(keys: Value, values: Value, text: Value, *, kind: AnyType) -> Value:
    """The OID of the relation of a name."""
    return _number_of("regclass", keys, values, text, kind)


@scalar("regnamespace number(_text,_text,text) -> int8", native=False)
def schema_number(keys: Value, values: Value, text: Value, *, kind: AnyType) -> Value:
    """The OID of the schema of a name."""
    return _number_of("regnamespace", keys, values, text, kind)


@scalar("regproc number(_text,_text,text) -> int8", native=False)
def function_number(keys: Value, values: Value, text: Value, *, kind: AnyType) -> Value:
    """The OID of the only function of a name."""
    return _number_of("regproc", keys, values, text, kind)


@scalar("regrole number(_text,_text,text) -> int8", native=False)
def role_number(keys: Value, values: Value, text: Value, *, kind: AnyType) -> Value:
    """The OID of the role of a name."""
    return _number_of("regrole", keys, values, text, kind)


@scalar("regtype number(_text,_text,text) -> int8", native=False)
def type_number(keys: Value, values: Value, text: Value, *, kind: AnyType) -> Value:
    """The OID of the type of a name."""
    return _number_of("regtype", keys, values, text, kind)


@scalar("type name(_text,_text,int8,int4) -> text", native=False, strict=False)
def format_type(
    keys: Value, values: Value, number: Value, modifier: Value, *, kind: AnyType
) -> Value:
    """`format_type`; the table has the types that are not PostgreSQL's own."""
    names = {int(oid): name for oid, name in _table(keys, values).items()}
    return rowwise(
        lambda oid, mod: formatted(oid, mod, names), [number, modifier], kind, strict=False
    )
