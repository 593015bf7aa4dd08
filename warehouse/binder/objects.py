"""Values of `regclass`, `regtype` and the like: an object's OID that shows as its name.

There is no such type in the algebra. Such a value is a call that looks the name of an OID up, a
TEXT, so it shows and concatenates as in PostgreSQL. Where it meets a number (a comparison with an
OID, a cast to `oid`), the OID is taken out of the call again: `number_of`. The lookup tables are
constants in the call, because a worker has no catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from storage.schema import ArrayType
from warehouse.algebra.expressions import Call, Expr, Literal
from warehouse.algebra.types import TEXT, UNKNOWN, AnyType, is_integer

__all__ = [
    "OBJECT_TYPES",
    "SystemObjects",
    "is_system_function",
    "kind_of",
    "named",
    "number_of",
    "numbers",
    "pairs",
]

OBJECT_TYPES = ("regclass", "regnamespace", "regproc", "regrole", "regtype")

_TEXTS = ArrayType(element=TEXT)
_NAMED = " name(_text,_text,int8)"


_PREFIXES = (
    "col_",
    "current_",
    "format_type",
    "getdatabase",
    "has_",
    "inet_",
    "obj_",
    "pg_",
    "row_security",
)
_WORDS = ("session_user", "shobj_description", "to_regclass", "to_regnamespace", "to_regproc",
          "to_regrole", "to_regtype", "user")  # fmt: skip


def is_system_function(name: str) -> bool:
    """May `SystemObjects` know this function? False at once for those that queries are full of."""
    return name.startswith(_PREFIXES) or name in _WORDS


class SystemObjects(Protocol):
    """The objects of a database as SQL functions and casts see them."""

    def object(self, kind: str, arg: Expr) -> Expr:
        """`arg::kind` for one of `OBJECT_TYPES`. Raises UnknownObject for a name of nothing."""
        ...

    def knows(self, name: str) -> bool:
        """Is it a function that asks the catalogue or the session?"""
        ...

    def call(self, name: str, args: Sequence[Expr]) -> Expr:
        """What a call of such a function means. Raises UnknownObject for a number of arguments
        that it does not take."""
        ...


def pairs(found: Mapping[int, str] | Mapping[str, str]) -> tuple[Literal, Literal]:
    """A lookup table as two constants: keys and values."""
    keys = tuple(str(key) for key in found)
    return (
        Literal(type=_TEXTS, value=keys),
        Literal(type=_TEXTS, value=tuple(found.values())),
    )


def named(kind: str, number: Expr, names: Mapping[int, str]) -> Expr:
    """The object of OID `number`, which shows as its name."""
    return Call(type=TEXT, fn=f"{kind}{_NAMED}", args=(*pairs(names), number))


def kind_of(expr: Expr) -> str | None:
    """Which of `OBJECT_TYPES` the value is of; None if it is of none."""
    if isinstance(expr, Call) and expr.fn.endswith(_NAMED):
        return expr.fn.removesuffix(_NAMED)
    return None


def number_of(expr: Expr) -> Expr:
    """The OID of such a value; any other expression as it is."""
    return expr.args[2] if isinstance(expr, Call) and expr.fn.endswith(_NAMED) else expr


def numbers(left: Expr, right: Expr) -> tuple[Expr, Expr]:
    """Both sides of a comparison, as OIDs if one is an object and the other such or a number.

    An untyped literal beside an object must be a number, as in PostgreSQL.
    """
    if kind_of(left) is None and kind_of(right) is None:
        return left, right
    a, b = number_of(left), number_of(right)
    if _comparable(a.type) and _comparable(b.type):
        return a, b
    return left, right


def _comparable(kind: AnyType) -> bool:
    return kind == UNKNOWN or is_integer(kind)
