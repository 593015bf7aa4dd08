"""Which function or operator a call means: PostgreSQL's rules of chapter 10.2 and 10.3.

1. Candidates are the entries of the name with that number of arguments.
2. An exact match of all types wins. For an operator with one untyped literal, the literal is first
   tried as the other side's type.
3. Of the candidates that every argument converts to implicitly, those with most exact matches stay;
   of these, those with most preferred types; then untyped literals decide by category (strings
   first).
4. The chosen signature's types are put around the arguments as casts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from storage.errors import InvalidRequest, UnknownObject
from storage.nearest import nearest
from storage.schema import ArrayType, EnumType, StructType
from warehouse.algebra import types
from warehouse.algebra.expressions import Expr
from warehouse.algebra.types import (
    NUMERIC,
    TEXT,
    UNKNOWN,
    AnyType,
    RecordType,
    base_name,
    category,
    is_integer,
    shown,
)
from warehouse.binder.coercion import beside, coerce, settled, stored_element
from warehouse.binder.types import common_type, implicit, integer_as_decimal
from warehouse.functions.registry import Function, functions_named, known_names

__all__ = ["Resolved", "coerce_base", "resolve"]

_PREFERRED = {"N": "float8", "S": "text", "D": "timestamptz", "B": "bool", "T": "interval"}
_POLYMORPHIC = frozenset(
    (
        "any", "anyelement", "anyarray", "anynonarray", "anyenum", "anycompatible",
        "anycompatiblearray", "anycompatiblenonarray",
    )
)  # fmt: skip
_ARRAYS = ("anyarray", "anycompatiblearray")
_BY_BASE: dict[str, AnyType] = {
    "bool": types.BOOLEAN,
    "int2": types.SMALLINT,
    "int4": types.INTEGER,
    "int8": types.BIGINT,
    "float4": types.REAL,
    "float8": types.DOUBLE,
    "numeric": NUMERIC,
    "text": TEXT,
    "varchar": TEXT,
    "bpchar": TEXT,
    "bytea": types.BYTEA,
    "date": types.DATE,
    "time": types.TIME,
    "timestamp": types.TIMESTAMP,
    "timestamptz": types.TIMESTAMPTZ,
    "interval": types.INTERVAL,
    "uuid": types.UUID,
    "json": types.JSON,
    "jsonb": types.JSONB,
    "jsonpath": types.JSONPATH,
}

Resolved = tuple[Function, tuple[Expr, ...], AnyType]


def coerce_base(expr: Expr, base: str) -> Expr:
    """The expression as the base type of a signature; DECIMALs and texts keep their modifiers."""
    if base in _POLYMORPHIC:
        return expr
    if base.startswith("_"):
        return coerce(expr, ArrayType(element=_BY_BASE[base[1:]]))  # type: ignore[arg-type]
    name = base_name(expr.type)
    if name == base or (base in ("text", "varchar", "bpchar") and category(expr.type) == "S"):
        return expr
    if base == "numeric" and is_integer(expr.type):
        return coerce(expr, integer_as_decimal(expr.type))
    return coerce(expr, _BY_BASE.get(base, TEXT))


def resolve(
    name: str,
    args: Sequence[Expr],
    *,
    kinds: tuple[str, ...] = ("scalar",),
    operator: bool = False,
    place: Callable[[], str] = lambda: "",
) -> Resolved:
    """The function, its arguments with casts, and the result's type.

    Args:
        kinds: of registry entries to consider.
        place: where the call stands, for the error.
    Raises:
        UnknownObject: no such function or operator (42883). InvalidRequest: several (42725).
    """
    entries = [
        entry
        for entry in functions_named(name)
        if entry.kind in kinds and entry.signature.arguments != ("*",)
    ]
    if operator and len(args) == 1 and args[0].type == UNKNOWN and len(entries) > 1:
        raise InvalidRequest(
            f"operator is not unique: {name} unknown{place()}; add a cast", "42725"
        )
    found = _exact(entries, args, operator)
    if found is None and operator:
        found = _as_the_other(entries, args)
    if found is None:
        found = _best(entries, args, name)
    if found is None:
        raise _unknown(name, args, entries, operator, place())
    expected = _expected(found, len(args))
    bound = [coerce_base(arg, base) for arg, base in zip(args, expected, strict=True)]
    if any(base in _POLYMORPHIC and base != "any" for base in expected):
        bound = _unify(name, bound, expected)
    bound = [settled(a) for a in bound]
    return found, tuple(bound), _result(found, bound, expected)


def _expected(entry: Function, count: int) -> tuple[str, ...]:
    arguments = entry.signature.arguments
    if not entry.signature.variadic:
        return arguments
    return (*arguments[:-1], *[arguments[-1]] * (count - len(arguments) + 1))


def _takes(entry: Function, count: int) -> bool:
    arguments = entry.signature.arguments
    if entry.signature.variadic:
        return count >= len(arguments)
    return count == len(arguments)


def _exact(entries: Sequence[Function], args: Sequence[Expr], operator: bool) -> Function | None:
    names = [base_name(arg.type) for arg in args]
    if operator and len(names) == 2 and names.count("unknown") == 1:
        known = names[0] if names[1] == "unknown" else names[1]
        names = [known, known]
    for entry in entries:
        if not entry.signature.variadic and list(entry.signature.arguments) == names:
            return entry
    return None


def _as_the_other(entries: Sequence[Function], args: Sequence[Expr]) -> Function | None:
    """The polymorphic operator that takes an untyped literal as the array on its other side."""
    known = [arg.type for arg in args if arg.type != UNKNOWN]
    if len(args) != 2 or len(known) != 1 or not isinstance(known[0], ArrayType):
        return None
    for entry in entries:
        if entry.signature.arguments in (
            ("anyarray", "anyarray"),
            ("anycompatiblearray", "anycompatiblearray"),
        ):
            return entry
    return None


def _best(entries: Sequence[Function], args: Sequence[Expr], name: str) -> Function | None:
    count = len(args)
    fitting = [
        entry
        for entry in entries
        if _takes(entry, count)
        and all(
            _accepts(arg.type, base)
            for arg, base in zip(args, _expected(entry, count), strict=True)
        )
        and _consistent(args, _expected(entry, count))
    ]
    plain = [entry for entry in fitting if not entry.signature.variadic]
    fitting = plain or fitting
    if len(fitting) <= 1:
        return fitting[0] if fitting else None
    fitting = _most(fitting, args, _is_exact)
    if len(fitting) > 1:
        fitting = _most(fitting, args, _is_exact_or_preferred)
    if len(fitting) > 1:
        fitting = _by_unknowns(fitting, args)
    if len(fitting) > 1:
        fitting = _as_the_known(fitting, args)
    if len(fitting) > 1:
        kinds = ", ".join(shown(arg.type) for arg in args)
        raise InvalidRequest(
            f"{name}({kinds}) is not unique; add casts to say which one is meant", "42725"
        )
    return fitting[0]


def _accepts(kind: AnyType, base: str) -> bool:
    match base:
        case "any" | "anyelement" | "anycompatible":
            return True
        case "anyarray" | "anycompatiblearray":
            return kind == UNKNOWN or isinstance(kind, ArrayType)
        case "anynonarray" | "anycompatiblenonarray":
            return not isinstance(kind, ArrayType)
        case "anyenum":
            return kind == UNKNOWN or isinstance(kind, EnumType)
        case "record":
            return isinstance(kind, StructType | RecordType)
        case _:
            return implicit(kind, base)


def _consistent(args: Sequence[Expr], expected: Sequence[str]) -> bool:
    """Do the polymorphic arguments agree on their element?"""
    if "anycompatiblearray" in expected and any(
        base == "anycompatible" and isinstance(arg.type, ArrayType)
        for arg, base in zip(args, expected, strict=True)
    ):
        return False  # there are no arrays of arrays
    if "anyelement" not in expected and "anyarray" not in expected:
        return True
    found: set[str] = set()
    for arg, base in zip(args, expected, strict=True):
        if arg.type == UNKNOWN or base not in ("anyelement", "anyarray"):
            continue
        kind = arg.type
        if base == "anyarray" and isinstance(kind, ArrayType):
            kind = kind.element
        found.add(base_name(kind))
    texts = {"text", "varchar", "bpchar"}
    return len(found) <= 1 or found <= texts or found <= {"int2", "int4", "int8", "numeric"}


_Test = Callable[[AnyType, str], bool]


def _most(entries: list[Function], args: Sequence[Expr], test: _Test) -> list[Function]:
    def score(entry: Function) -> int:
        expected = _expected(entry, len(args))
        return sum(
            test(arg.type, base)
            for arg, base in zip(args, expected, strict=True)
            if arg.type != UNKNOWN
        )

    scores = [score(entry) for entry in entries]
    return [e for e, s in zip(entries, scores, strict=True) if s == max(scores)]


def _is_exact(kind: AnyType, base: str) -> bool:
    return base_name(kind) == base


def _is_exact_or_preferred(kind: AnyType, base: str) -> bool:
    return base_name(kind) == base or _PREFERRED.get(category(kind)) == base


def _by_unknowns(entries: list[Function], args: Sequence[Expr]) -> list[Function]:
    """Untyped literals take the string category if any candidate does, else one they agree on."""
    for position, arg in enumerate(args):
        if arg.type != UNKNOWN:
            continue
        bases = [_expected(entry, len(args))[position] for entry in entries]
        categories = {_category_of(base) for base in bases}
        chosen = "S" if "S" in categories else None
        if chosen is None and len(categories) == 1:
            chosen = next(iter(categories))
        if chosen is None:
            continue
        kept = [e for e, b in zip(entries, bases, strict=True) if _category_of(b) == chosen]
        preferred = [
            entry
            for entry in kept
            if _expected(entry, len(args))[position] == _PREFERRED.get(chosen)
        ]
        entries = preferred or kept
    return entries


def _category_of(base: str) -> str:
    if base.startswith("_"):
        return "A"
    return category(_BY_BASE[base]) if base in _BY_BASE else "P"


def _as_the_known(entries: list[Function], args: Sequence[Expr]) -> list[Function]:
    """If all typed arguments have one type, assume it for the untyped ones too."""
    known = {base_name(arg.type) for arg in args if arg.type != UNKNOWN}
    if len(known) != 1:
        return entries
    only = next(iter(known))
    kept = [
        entry
        for entry in entries
        if all(
            implicit(_BY_BASE.get(only, UNKNOWN), base)
            for arg, base in zip(args, _expected(entry, len(args)), strict=True)
            if arg.type == UNKNOWN
        )
    ]
    return kept or entries


def _unknown(
    name: str, args: Sequence[Expr], entries: Sequence[Function], operator: bool, place: str
) -> UnknownObject:
    kinds = [shown(arg.type) for arg in args]
    if operator:
        text = f"{kinds[0]} {name} {kinds[1]}" if len(kinds) == 2 else f"{name} {kinds[0]}"
        return UnknownObject(
            f"operator does not exist: {text}{place}; you might need to add explicit casts", "42883"
        )
    if entries:
        known = "; ".join(
            f"{e.signature.name}({', '.join(e.signature.arguments)})" for e in entries[:4]
        )
        hint = f"; there is {known}"
    else:
        hint = nearest(name, known_names())
    return UnknownObject(
        f"function {name}({', '.join(kinds)}) does not exist{place}{hint}", "42883"
    )


# --- polymorphic types ----------------------------------------------------------------------------


def _unify(name: str, args: list[Expr], expected: Sequence[str]) -> list[Expr]:
    """Give all polymorphic arguments one element type."""
    element = common_type(_elements(args, expected), name)
    args = [_beside(arg, base, element) for arg, base in zip(args, expected, strict=True)]
    element = common_type([element, *_elements(args, expected)], name)
    return [_unified(arg, base, element) for arg, base in zip(args, expected, strict=True)]


def _elements(args: Sequence[Expr], expected: Sequence[str]) -> list[AnyType]:
    """The element types of the polymorphic arguments that have a type."""
    found: list[AnyType] = []
    for arg, base in zip(args, expected, strict=True):
        if base not in _POLYMORPHIC or base == "any" or arg.type == UNKNOWN:
            continue
        kind = arg.type
        found.append(kind.element if base in _ARRAYS and isinstance(kind, ArrayType) else kind)
    return found


def _beside(arg: Expr, base: str, element: AnyType) -> Expr:
    """An untyped literal among the polymorphic arguments, beside the others' element type."""
    if base in _ARRAYS:
        return beside(arg, ArrayType(element=stored_element(element)))  # type: ignore[arg-type]
    return beside(arg, element) if base in _POLYMORPHIC and base != "any" else arg


def _unified(arg: Expr, base: str, element: AnyType) -> Expr:
    if base in _ARRAYS:
        return coerce(arg, ArrayType(element=stored_element(element)))  # type: ignore[arg-type]
    return coerce(arg, element) if base in _POLYMORPHIC and base != "any" else arg


def _result(entry: Function, args: Sequence[Expr], expected: Sequence[str]) -> AnyType:
    if entry.result is not None:
        return entry.result(args)
    returns = entry.signature.returns
    if returns not in _POLYMORPHIC:
        if returns.startswith("_"):
            return ArrayType(element=_BY_BASE[returns[1:]])  # type: ignore[arg-type]
        if returns == "record":
            return RecordType(fields=())
        return _BY_BASE[returns]
    element = _element_of(args, expected)
    if returns in _ARRAYS:
        return ArrayType(element=stored_element(element))  # type: ignore[arg-type]
    return element


def _element_of(args: Sequence[Expr], expected: Sequence[str]) -> AnyType:
    for arg, base in zip(args, expected, strict=True):
        if base in _ARRAYS and isinstance(arg.type, ArrayType):
            return arg.type.element
        if base in _POLYMORPHIC and base not in ("any", "anyarray", "anycompatiblearray"):
            return arg.type
    return TEXT
