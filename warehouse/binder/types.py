"""Types by name, and which converts to which: PostgreSQL's cast table in small.

Source: PostgreSQL documentation, chapter 10 (Type Conversion) and pg_cast. An *implicit* cast
happens anywhere, an *assignment* cast also when a value is stored, an *explicit* one only where it
is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from storage import seconds
from storage.errors import InvalidRequest, NotYet, UnknownObject
from storage.nearest import nearest
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
from warehouse.algebra.types import (
    BIGINT,
    DOUBLE,
    INTEGER,
    JSONPATH,
    NUMERIC,
    REAL,
    SMALLINT,
    TEXT,
    UNKNOWN,
    AnyType,
    RecordType,
    base_name,
    category,
    is_decimal,
    is_float,
    is_integer,
    is_numeric,
    shown,
)
from warehouse.syntax.tree import TypeName

__all__ = [
    "castable",
    "common_type",
    "implicit",
    "integer_as_decimal",
    "resolve_type",
]

PRECISION_MAX = 38

_SCALARS: dict[str, Kind] = {
    "bool": Kind.BOOLEAN,
    "int2": Kind.SMALLINT,
    "int4": Kind.INTEGER,
    "int8": Kind.BIGINT,
    "float4": Kind.REAL,
    "float8": Kind.DOUBLE,
    "text": Kind.TEXT,
    "name": Kind.TEXT,
    "bytea": Kind.BYTEA,
    "date": Kind.DATE,
    "time": Kind.TIME,
    "timestamp": Kind.TIMESTAMP,
    "timestamptz": Kind.TIMESTAMPTZ,
    "interval": Kind.INTERVAL,
    "uuid": Kind.UUID,
    "json": Kind.JSON,
    "jsonb": Kind.JSONB,
    "oid": Kind.BIGINT,
    "xid": Kind.BIGINT,
}
_MOMENTS = ("time", "timestamp", "timestamptz", "interval")
_LATER = {"timetz", "money", "xml", "point", "inet", "cidr", "macaddr", "bit", "varbit", "tsvector"}
_NAMES_OF_OBJECTS = ("regclass", "regnamespace", "regproc", "regrole", "regtype")

_VECTORS = {"int2vector": Kind.SMALLINT, "oidvector": Kind.BIGINT}
_DOMAINS = {
    "cardinal_number": Kind.INTEGER,
    "character_data": Kind.TEXT,
    "sql_identifier": Kind.TEXT,
    "time_stamp": Kind.TIMESTAMPTZ,
    "yes_or_no": Kind.TEXT,
}

_IMPLICIT: dict[str, frozenset[str]] = {
    "int2": frozenset(("int4", "int8", "numeric", "float4", "float8")),
    "int4": frozenset(("int8", "numeric", "float4", "float8")),
    "int8": frozenset(("numeric", "float4", "float8")),
    "numeric": frozenset(("float4", "float8")),
    "float4": frozenset(("float8",)),
    "text": frozenset(("varchar", "bpchar")),
    "varchar": frozenset(("text", "bpchar")),
    "bpchar": frozenset(("text", "varchar")),
    "date": frozenset(("timestamp", "timestamptz")),
    "timestamp": frozenset(("timestamptz",)),
    "time": frozenset(("interval",)),
}
_EXPLICIT: dict[str, frozenset[str]] = {
    "bool": frozenset(("int4",)),
    "int4": frozenset(("bool",)),
    "timestamp": frozenset(("date", "time")),
    "timestamptz": frozenset(("date", "time", "timestamp")),
    "interval": frozenset(("time",)),
    "json": frozenset(("jsonb",)),
    "jsonb": frozenset(("json", "bool", "int2", "int4", "int8", "numeric", "float4", "float8")),
}


def resolve_type(
    name: TypeName,
    known: Mapping[tuple[str, str], AnyType],
    path: Sequence[str],
    *,
    precise: bool = False,
) -> AnyType:
    """The type that a name in text means.

    Args:
        known: user-defined types by (schema, name); path: schemas to look in.
        precise: the caller rounds seconds as TIME(p) and TIMESTAMP(p) say.
    Raises:
        UnknownObject: no such type (42704). NotYet: one that is not available.
        InvalidRequest: modifiers out of range (22023).
    """
    found = _element(name, known, path)
    if isinstance(found, ScalarType) and found.precision is not None and not precise:
        if found.precision < seconds.PRECISION_MAX:
            raise NotYet(f"{type_name(found)} is not available here; a column rounds its seconds")
        found = ScalarType(kind=found.kind)
    if name.dimensions > 1:
        raise NotYet("arrays of more than one dimension are not available")
    if name.dimensions:
        if found == JSONPATH:
            raise NotYet("jsonpath[] is not available")
        if found == NUMERIC:
            raise NotYet("numeric[] without a precision is not available; write numeric(p, s)[]")
        return ArrayType(element=found)  # type: ignore[arg-type]
    return found


def _element(
    name: TypeName, known: Mapping[tuple[str, str], AnyType], path: Sequence[str]
) -> AnyType:
    base = name.name[-1]
    if (system := _system_type(name.name)) is not None:
        return system
    if len(name.name) == 1:
        if base == "numeric":
            return _numeric(name.modifiers)
        if base == "jsonpath":
            return JSONPATH
        if base in ("varchar", "bpchar"):
            return _characters(base, name.modifiers)
        if base in _SCALARS:
            if name.modifiers and base in _MOMENTS:
                return _of_precision(base, name.modifiers)
            if name.modifiers:
                raise InvalidRequest(f'type modifier is not allowed for type "{base}"', "42601")
            return ScalarType(kind=_SCALARS[base])
        if base in _LATER or base in _NAMES_OF_OBJECTS:
            raise NotYet(f"the type {base} is not available")
    for schema in [name.name[0]] if len(name.name) > 1 else path:
        if (schema, base) in known:
            return known[schema, base]
    if len(name.name) == 2 and name.name[0] == "pg_catalog" and base in _SCALARS:
        return ScalarType(kind=_SCALARS[base])
    hint = nearest(base, [*_SCALARS, "numeric", "varchar", *(n for _, n in known)])
    raise UnknownObject(f'type "{base}" does not exist{hint}', "42704")


def _of_precision(base: str, modifiers: tuple[int, ...]) -> AnyType:
    """A type with digits of seconds; more than microseconds are microseconds, as in PostgreSQL."""
    if len(modifiers) > 1 or modifiers[0] < 0:
        raise InvalidRequest(f"invalid type modifier of {base}", "42601")
    precision = min(modifiers[0], seconds.PRECISION_MAX)
    if base != "interval":
        return ScalarType(kind=_SCALARS[base], precision=precision)
    if precision < seconds.PRECISION_MAX:
        raise NotYet(f"interval({precision}): a precision below 6 is not available")
    return ScalarType(kind=Kind.INTERVAL)


def _system_type(name: tuple[str, ...]) -> AnyType | None:
    """A type that only PostgreSQL's catalogue uses, as the nearest of ours."""
    if len(name) == 2 and name[0] == "information_schema" and name[1] in _DOMAINS:
        return ScalarType(kind=_DOMAINS[name[1]])
    if name == ("char",):  # in quotes: a single character
        return VarCharType(length=1)
    if len(name) == 1 and name[0] in _VECTORS:
        return ArrayType(element=ScalarType(kind=_VECTORS[name[0]]))
    return None


def _numeric(modifiers: tuple[int, ...]) -> AnyType:
    if not modifiers:
        return NUMERIC
    precision, scale = modifiers[0], modifiers[1] if len(modifiers) > 1 else 0
    if len(modifiers) > 2 or not 1 <= precision <= PRECISION_MAX or not 0 <= scale <= precision:
        shown_modifiers = ", ".join(map(str, modifiers))
        raise InvalidRequest(
            f"NUMERIC({shown_modifiers}): expected a precision of 1 to {PRECISION_MAX} and a scale"
            " of 0 to the precision",
            "22023",
        )
    return DecimalType(precision=precision, scale=scale)


def _characters(base: str, modifiers: tuple[int, ...]) -> AnyType:
    if not modifiers:
        return TEXT
    if len(modifiers) > 1 or modifiers[0] < 0:
        raise InvalidRequest(f"invalid type modifier of {base}", "42601")
    if modifiers[0] < 1:
        raise InvalidRequest(f"length for type {base} must be at least 1", "22023")
    return (VarCharType if base == "varchar" else CharType)(length=modifiers[0])


# --- conversions ----------------------------------------------------------------------------------


def implicit(source: AnyType, target: str) -> bool:
    """Does `source` convert to the base type `target` anywhere?"""
    name = base_name(source)
    if name in (target, "unknown"):
        return True
    if name.startswith("_") and target.startswith("_"):
        return name == target or target[1:] in _IMPLICIT.get(name[1:], ())
    return target in _IMPLICIT.get(name, ())


def castable(source: AnyType, target: AnyType) -> bool:
    """May CAST be written from `source` to `target`?"""
    a, b = base_name(source), base_name(target)
    if a == b and a == "enum":
        return source == target
    if a in (b, "unknown"):
        return True
    if a.startswith("_") and b.startswith("_"):
        assert isinstance(source, ArrayType)
        assert isinstance(target, ArrayType)
        return castable(source.element, target.element)
    if category(target) == "S" or category(source) == "S":
        return True
    if {a, b} <= {"int2", "int4", "int8", "numeric", "float4", "float8"}:
        return True
    if a == "record" and b == "record":
        return True
    return b in _IMPLICIT.get(a, ()) or b in _EXPLICIT.get(a, ())


def integer_as_decimal(kind: AnyType) -> DecimalType:
    """The DECIMAL that holds every value of an integer type."""
    digits = {SMALLINT: 5, INTEGER: 10, BIGINT: 19}[kind]  # type: ignore[index]
    return DecimalType(precision=digits, scale=0)


def common_type(kinds: Sequence[AnyType], context: str) -> AnyType:
    """The type that UNION, CASE, VALUES, ARRAY, … give their parts (documentation, 10.5).

    Raises InvalidRequest (42804) naming `context` if they do not fit together.
    """
    known = [kind for kind in kinds if kind != UNKNOWN]
    if not known:
        return TEXT
    found = known[0]
    for kind in known[1:]:
        found = _wider(found, kind, context)
    return found


def _wider(a: AnyType, b: AnyType, context: str) -> AnyType:
    if a == b:
        return a
    if is_numeric(a) and is_numeric(b):
        return _wider_number(a, b)
    if category(a) == category(b) == "S":
        return TEXT
    if isinstance(a, ArrayType) and isinstance(b, ArrayType):
        return ArrayType(element=_wider(a.element, b.element, context))  # type: ignore[arg-type]
    if isinstance(a, RecordType) and isinstance(b, RecordType) and len(a.fields) == len(b.fields):
        pairs = zip(a.fields, b.fields, strict=True)
        return RecordType(fields=tuple(common_type(pair, context) for pair in pairs))
    if category(a) != category(b) or isinstance(a, EnumType | StructType):
        raise InvalidRequest(
            f"{context} types {shown(a)} and {shown(b)} cannot be matched", "42804"
        )
    if implicit(a, base_name(b)):
        return b
    if implicit(b, base_name(a)):
        return a
    raise InvalidRequest(f"{context} could not convert type {shown(b)} to {shown(a)}", "42846")


def _wider_number(a: AnyType, b: AnyType) -> AnyType:
    if is_integer(a) and is_integer(b):
        order = (SMALLINT, INTEGER, BIGINT)
        return max(a, b, key=order.index)
    if is_float(a) or is_float(b):
        return DOUBLE if DOUBLE in (a, b) else REAL
    if NUMERIC in (a, b):
        return NUMERIC
    one = a if is_decimal(a) else integer_as_decimal(a)
    two = b if is_decimal(b) else integer_as_decimal(b)
    assert isinstance(one, DecimalType)
    assert isinstance(two, DecimalType)
    scale = max(one.scale, two.scale)
    digits = max(one.precision - one.scale, two.precision - two.scale)
    return DecimalType(precision=min(PRECISION_MAX, digits + scale), scale=scale)
