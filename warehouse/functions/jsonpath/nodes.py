"""The parts of a SQL/JSON path.

A path is a head (`$`, `@`, a constant, a predicate in parentheses, …) and the steps behind it;
operators stand between paths. Positions of arrays that count from the end are written with `last`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

__all__ = [
    "ARITHMETIC",
    "COMPARISONS",
    "DEEPEST",
    "AnyKey",
    "AnyLevel",
    "AnyNode",
    "AnyStep",
    "Binary",
    "Constant",
    "Current",
    "Elements",
    "Exists",
    "Filter",
    "IsUnknown",
    "JsonPath",
    "Key",
    "Last",
    "LikeRegex",
    "Method",
    "Not",
    "Path",
    "Predicate",
    "Root",
    "StartsWith",
    "Subscripts",
    "Unary",
    "Variable",
]

ARITHMETIC = ("+", "-", "*", "/", "%")
COMPARISONS = ("==", "!=", "<", ">", "<=", ">=")
DEEPEST = 2**32 - 1
"""The level `last` of `.**{…}`."""


@dataclass(frozen=True, slots=True)
class Constant:
    """null, a Boolean, a number or a string."""

    value: bool | Decimal | str | None


@dataclass(frozen=True, slots=True)
class Variable:
    """`$name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Root:
    """`$`: the whole document."""


@dataclass(frozen=True, slots=True)
class Current:
    """`@`: what a filter looks at."""


@dataclass(frozen=True, slots=True)
class Last:
    """`last` in a subscript: the last position of the array."""


@dataclass(frozen=True, slots=True)
class Unary:
    """`+` or `-` before an operand."""

    op: str
    arg: AnyNode


@dataclass(frozen=True, slots=True)
class Binary:
    """One of ARITHMETIC, COMPARISONS, or `&&`, `||`, between two operands."""

    op: str
    left: AnyNode
    right: AnyNode


@dataclass(frozen=True, slots=True)
class Not:
    """`!(…)`."""

    arg: AnyNode


@dataclass(frozen=True, slots=True)
class IsUnknown:
    """`(…) is unknown`."""

    arg: AnyNode


@dataclass(frozen=True, slots=True)
class Exists:
    """`exists (…)`."""

    arg: AnyNode


@dataclass(frozen=True, slots=True)
class StartsWith:
    """`… starts with` a string or variable."""

    arg: AnyNode
    start: Constant | Variable


@dataclass(frozen=True, slots=True)
class LikeRegex:
    """`… like_regex "pattern" flag "letters"`; the letters are some of `ismxq`, in that order."""

    arg: AnyNode
    pattern: str
    flags: str = ""


# --- steps ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Key:
    """`.name`."""

    name: str


@dataclass(frozen=True, slots=True)
class AnyKey:
    """`.*`."""


@dataclass(frozen=True, slots=True)
class AnyLevel:
    """`.**{first to last}`: the values at these depths; DEEPEST is the level of what has none."""

    first: int = 0
    last: int = DEEPEST


@dataclass(frozen=True, slots=True)
class Elements:
    """`[*]`."""


@dataclass(frozen=True, slots=True)
class Subscripts:
    """`[from to to, …]`; the second of a pair is None where there is one position."""

    ranges: tuple[tuple[AnyNode, AnyNode | None], ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """`?(…)`."""

    condition: AnyNode


@dataclass(frozen=True, slots=True)
class Method:
    """`.name()`."""

    name: str


AnyStep = Key | AnyKey | AnyLevel | Elements | Subscripts | Filter | Method


@dataclass(frozen=True, slots=True)
class Path:
    """A head and at least one step."""

    head: AnyNode
    steps: tuple[AnyStep, ...]


Predicate = Not | IsUnknown | Exists | StartsWith | LikeRegex
AnyNode = Constant | Variable | Root | Current | Last | Unary | Binary | Predicate | Path


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A whole path. `strict`: structural errors are errors, arrays are not unwrapped."""

    node: AnyNode
    strict: bool = False
