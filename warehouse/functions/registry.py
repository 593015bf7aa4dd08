"""The catalogue of functions and operators: signatures in PostgreSQL's words, and what they do.

A signature is text: `substr(text, int4, int4) -> text`, `+(date, int4) -> date`,
`concat(variadic any) -> text`, `array_length(anyarray, int4) -> int4`. Its part before the arrow,
without blanks, is the key that an `algebra.Call.fn` holds. Type names are those of
`algebra.types.base_name`, and PostgreSQL's pseudo types `any`, `anyelement`, `anyarray`,
`anynonarray`, `anyenum`, `anycompatible`, `anycompatiblearray`, `record`.

The binder resolves a call among the signatures of a name and puts in casts; execution calls the
implementation with values of exactly those types. `result` computes the type where the signature
alone does not (the scale of a DECIMAL; arrays).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from storage.errors import InternalError
from warehouse.algebra.expressions import Expr
from warehouse.algebra.types import AnyType

__all__ = [
    "Decorator",
    "Function",
    "Signature",
    "aggregate",
    "function",
    "functions_named",
    "known_names",
    "register",
    "scalar",
    "table_function",
    "window",
]

ResultRule = Callable[[Sequence[Expr]], AnyType]
_Implementation = TypeVar("_Implementation", bound=Callable[..., Any])


class Decorator(Protocol):
    """Registers an implementation and gives it back as it is."""

    def __call__(self, implementation: _Implementation, /) -> _Implementation: ...


_TEXT = re.compile(r"\s*(?P<name>.+?)\s*\((?P<args>[^()]*)\)\s*->\s*(?P<returns>\w+)\s*$")


@dataclass(frozen=True, slots=True)
class Signature:
    """A parsed signature. `variadic`: the last argument may come any number of times (>= 1)."""

    name: str
    arguments: tuple[str, ...]
    returns: str
    variadic: bool = False

    @property
    def key(self) -> str:
        arguments = list(self.arguments)
        if self.variadic:
            arguments[-1] = f"variadic {arguments[-1]}"
        return f"{self.name}({','.join(arguments)})"


@dataclass(frozen=True, slots=True)
class Function:
    """One entry.

    Attributes:
        kind: "scalar", "aggregate", "window" or "table" (a scalar that returns an array of rows).
        strict: NULL if any argument is NULL; execution sees to it for scalars.
        result: type from the arguments; None: `signature.returns` says it.
        implementation: by kind; see `execution.expressions`, `aggregates`, `windows`.
        native: the implementation takes and returns `pl.Expr`s; else `Value`s.
        volatile: gives different results for equal arguments (`random()`).
        within: an ordered-set aggregate: the last arguments are its WITHIN GROUP keys.
        outputs: names and types of a table function that returns rows; None: one column.
        names: of the arguments, for calls with `name => value`; empty: there are none.
        defaults: Python values of the last arguments, for those that such a call leaves out.
    """

    signature: Signature
    kind: str
    implementation: Callable[..., Any] | None
    strict: bool = True
    result: ResultRule | None = None
    native: bool = True
    volatile: bool = False
    within: int = 0
    outputs: tuple[tuple[str, AnyType], ...] | None = None
    names: tuple[str, ...] = ()
    defaults: tuple[Any, ...] = ()


_BY_NAME: dict[str, list[Function]] = {}
_BY_KEY: dict[str, Function] = {}


def parse_signature(text: str) -> Signature:
    """Raises InternalError if the text is no signature."""
    found = _TEXT.match(text)
    if found is None:
        raise InternalError(f"{text!r} is no signature")
    arguments = [part.strip() for part in found["args"].split(",") if part.strip()]
    variadic = bool(arguments) and arguments[-1].startswith("variadic ")
    if variadic:
        arguments[-1] = arguments[-1].removeprefix("variadic ").strip()
    return Signature(found["name"], tuple(arguments), found["returns"], variadic)


def register(entry: Function) -> None:
    """Add an entry. Raises InternalError if its key is taken."""
    key = entry.signature.key
    if key in _BY_KEY:
        raise InternalError(f"{key} is registered twice")
    _BY_KEY[key] = entry
    _BY_NAME.setdefault(entry.signature.name, []).append(entry)


def _decorator(kind: str, signatures: tuple[str, ...], options: dict[str, Any]) -> Decorator:
    def add(implementation: _Implementation, /) -> _Implementation:
        for text in signatures:
            signature = parse_signature(text)
            register(
                Function(signature=signature, kind=kind, implementation=implementation, **options)
            )
        return implementation

    return add


def scalar(*signatures: str, **options: Any) -> Decorator:
    """Decorator: register a scalar function or operator under each signature."""
    return _decorator("scalar", signatures, options)


def aggregate(*signatures: str, **options: Any) -> Decorator:
    """Decorator: register an aggregate function."""
    return _decorator("aggregate", signatures, options)


def window(*signatures: str, **options: Any) -> Decorator:
    """Decorator: register a function that needs OVER."""
    return _decorator("window", signatures, options)


def table_function(*signatures: str, **options: Any) -> Decorator:
    """Decorator: register a function that returns rows, as an array expression."""
    return _decorator("table", signatures, options)


def functions_named(name: str) -> Sequence[Function]:
    """All entries of a name, in the order of their registration; empty if unknown."""
    return _BY_NAME.get(name, ())


def function(key: str) -> Function:
    """The entry of a key. Raises InternalError if there is none."""
    found = _BY_KEY.get(key)
    if found is None:
        raise InternalError(f"no function {key}")
    return found


def known_names() -> list[str]:
    """All names, for hints and the catalogue."""
    return sorted(_BY_NAME)
