"""What a SQL/JSON path finds in a document: a port of PostgreSQL's jsonpath_exec.c.

`Evaluation` walks the nodes of `nodes`; a path is a generator of items, so that a question whether
there is any ends at the first. Items are Python values as `json_scan.parsed` gives them: None,
bool, Decimal, str, list, dict.

Two sorts of errors: `PathError` is a soft one, which a predicate takes for unknown and a silent
call for the end; InvalidRequest always fails the statement. What changes on the way down (the
current item, the size of the array around, whether structural errors count) is in a `Place`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from typing import Any

from storage.errors import InternalError, InvalidRequest
from warehouse.functions.jsonpath import methods
from warehouse.functions.jsonpath.layout import offsets
from warehouse.functions.jsonpath.methods import PathError
from warehouse.functions.jsonpath.nodes import (
    ARITHMETIC,
    DEEPEST,
    AnyKey,
    AnyLevel,
    AnyNode,
    AnyStep,
    Binary,
    Constant,
    Current,
    Elements,
    Exists,
    Filter,
    IsUnknown,
    JsonPath,
    Key,
    Last,
    LikeRegex,
    Method,
    Not,
    Path,
    Root,
    StartsWith,
    Subscripts,
    Unary,
    Variable,
)
from warehouse.functions.jsonpath.numbers import DivisionByZero, arithmetic
from warehouse.functions.jsonpath.predicates import compared, matches, starts

__all__ = ["Evaluation", "PathError"]

_ID_OF_DOCUMENT = 10_000_000_000
_INTEGER_MAX = 2**31 - 1
_Truth = bool | None


class _Base:
    """The document that the ids of `.keyvalue()` count in."""

    def __init__(self, value: Any, number: int) -> None:
        self._value = value
        self._number = number

    @cached_property
    def _offsets(self) -> dict[int, int]:
        return offsets(self._value)

    def id_of(self, item: dict[str, Any]) -> Decimal:
        """The id of one of its objects."""
        return Decimal(self._number * _ID_OF_DOCUMENT + self._offsets.get(id(item), 0))


@dataclass(frozen=True, slots=True)
class Place:
    """What holds where a node is evaluated.

    Attributes:
        base: the document that items come from.
        current: what `@` means.
        size: of the array whose subscripts are evaluated.
        forgiving: what a step does not find is not there, rather than an error.
        asking: it only matters whether there is any item.
        throwing: an error ends the call; else it makes a predicate unknown, or the call silent.
    """

    base: _Base
    forgiving: bool
    current: Any = None
    size: int = 0
    asking: bool = False
    throwing: bool = True


@dataclass
class Evaluation:
    """One path over one document.

    Args:
        variables: by name; None if the caller has none: then they are all null.
        silent: the caller takes a PathError for the end.
    """

    path: JsonPath
    document: Any
    variables: dict[str, Any] | None
    silent: bool = False
    _generated: int = field(default=0, init=False)

    def items(self) -> Iterator[Any]:
        """All items. Raises PathError, InvalidRequest."""
        return self._run(self.path.node, self.document, self._start(asking=False))

    def exists(self) -> bool:
        """Is there any? Strict mode looks at all of them, for errors."""
        if self.path.strict:
            return bool(list(self.items()))
        found = self._run(self.path.node, self.document, self._start(asking=True))
        return next(found, self) is not self

    def _start(self, *, asking: bool) -> Place:
        self._generated = 1 if self.variables is None else 2
        base = _Base(self.document, 0)
        return Place(
            base, self._lax, current=self.document, asking=asking, throwing=not self.silent
        )

    @property
    def _lax(self) -> bool:
        return not self.path.strict

    # --- expressions ------------------------------------------------------------------------------

    def _run(self, node: AnyNode, item: Any, place: Place) -> Iterator[Any]:
        if isinstance(node, Path):
            for value, where in self._heads(node.head, item, place, more=True):
                yield from self._follow(node.steps, value, where, unwrap=self._lax)
        else:
            for value, _ in self._heads(node, item, place, more=False):
                yield value

    def _heads(
        self, node: AnyNode, item: Any, place: Place, *, more: bool
    ) -> Iterator[tuple[Any, Place]]:
        """The values of what is no path, and where their steps go on."""
        match node:
            case Root():
                yield self.document, replace(place, base=_Base(self.document, 0))
            case Current():
                yield place.current, place
            case Constant(value):
                yield value, place
            case Variable(name):
                yield self._variable(name), replace(place, base=_Base(self.variables, 1))
            case Last():
                yield Decimal(place.size - 1), place
            case Binary(op) if op in ARITHMETIC:
                yield self._arithmetic(node, item, place), place
            case Unary():
                for value in self._signed(node, item, place, more=more):
                    yield value, place
            case Path():
                for value in self._run(node, item, place):
                    yield value, place
            case _:
                yield self._truth(node, item, place), place

    def _variable(self, name: str) -> Any:
        if self.variables is None:
            return None
        if name not in self.variables:
            raise InvalidRequest(f'could not find jsonpath variable "{name}"', "42704")
        return self.variables[name]

    def _unwrapped(self, node: AnyNode, item: Any, place: Place) -> Iterator[Any]:
        """The items of an operand; lax mode takes arrays for their elements."""
        for value in self._run(node, item, replace(place, asking=False)):
            if self._lax and isinstance(value, list):
                yield from value
            else:
                yield value

    def _arithmetic(self, node: Binary, item: Any, place: Place) -> Decimal:
        left = list(self._unwrapped(node.left, item, place))
        right = list(self._unwrapped(node.right, item, place))
        for side, values in (("left", left), ("right", right)):
            if len(values) != 1 or not isinstance(values[0], Decimal):
                raise PathError(
                    f"{side} operand of jsonpath operator {node.op} is not a single numeric value",
                    "22038",
                )
        try:
            return arithmetic(node.op, left[0], right[0])
        except DivisionByZero:
            raise PathError("division by zero", "22012") from None

    def _signed(self, node: Unary, item: Any, place: Place, *, more: bool) -> Iterator[Any]:
        values = list(self._unwrapped(node.arg, item, place))
        for value in values:
            if isinstance(value, Decimal):
                yield value if node.op == "+" else (value.copy_negate() if value else value)
            elif more or not place.asking:
                raise PathError(
                    f"operand of unary jsonpath operator {node.op} is not a numeric value", "2203B"
                )

    # --- steps ------------------------------------------------------------------------------------

    def _follow(
        self, steps: tuple[AnyStep, ...], item: Any, place: Place, *, unwrap: bool
    ) -> Iterator[Any]:
        """The items at the end of the steps. `unwrap`: an array stands for its elements."""
        if not steps:
            yield item
            return
        step, rest = steps[0], steps[1:]
        if unwrap and isinstance(item, list) and self._takes_elements(step):
            for element in item:
                yield from self._follow(steps, element, place, unwrap=False)
            return
        match step:
            case AnyLevel():
                yield from self._levels(step, rest, item, place)
                return
            case Elements() if isinstance(item, list):
                for element in item:
                    yield from self._follow(rest, element, place, unwrap=self._lax)
                return
            case Method("keyvalue"):
                yield from self._pairs(rest, item, place)
                return
        for value in self._next(step, item, place):
            yield from self._follow(rest, value, place, unwrap=self._lax)

    @staticmethod
    def _takes_elements(step: AnyStep) -> bool:
        match step:
            case Key() | AnyKey() | Filter():
                return True
            case Method(name):
                return name not in ("type", "size")
            case _:
                return False

    def _next(self, step: AnyStep, item: Any, place: Place) -> Iterator[Any]:
        """The values one step further."""
        match step:
            case Key(name):
                yield from self._member(name, item, place)
            case AnyKey():
                if isinstance(item, dict):
                    yield from item.values()
                else:
                    what = "jsonpath wildcard member accessor can only be applied to an object"
                    self._missing(place, what, "2203C")
            case Elements():
                if self._lax:
                    yield item
                else:
                    what = "jsonpath wildcard array accessor can only be applied to an array"
                    self._missing(place, what, "22039")
            case Subscripts():
                yield from self._subscripted(step, item, place)
            case Filter(condition):
                inner = replace(place, current=item, asking=False)
                if self._truth(condition, item, inner) is True:
                    yield item
            case Method("size"):
                yield from self._size(item, place)
            case Method(name):
                yield methods.applied(name, item)

    @staticmethod
    def _missing(place: Place, message: str, sqlstate: str) -> None:
        if not place.forgiving:
            raise PathError(message, sqlstate)

    def _member(self, name: str, item: Any, place: Place) -> Iterator[Any]:
        if not isinstance(item, dict):
            self._missing(
                place, "jsonpath member accessor can only be applied to an object", "2203A"
            )
        elif name in item:
            yield item[name]
        else:
            self._missing(place, f'JSON object does not contain key "{name}"', "2203A")

    def _size(self, item: Any, place: Place) -> Iterator[Any]:
        if isinstance(item, list):
            yield Decimal(len(item))
        elif self._lax:
            yield Decimal(1)
        else:
            what = "jsonpath item method .size() can only be applied to an array"
            self._missing(place, what, "22039")

    def _levels(
        self, step: AnyLevel, rest: tuple[AnyStep, ...], item: Any, place: Place
    ) -> Iterator[Any]:
        inner = replace(place, forgiving=True)
        nested = isinstance(item, dict | list)
        if step.first == 0:
            try:
                yield from self._follow(rest, item, inner, unwrap=self._lax)
            except PathError:
                # PostgreSQL forgets a soft error of the item itself when it goes on inside.
                if place.throwing or not nested:
                    raise
        if nested:
            for value in _deeper(item, 1, step):
                yield from self._follow(rest, value, inner, unwrap=self._lax)

    def _subscripted(self, step: Subscripts, item: Any, place: Place) -> Iterator[Any]:
        if not isinstance(item, list) and not self._lax:
            self._missing(place, "jsonpath array accessor can only be applied to an array", "22039")
            return
        values = item if isinstance(item, list) else [item]
        inner = replace(place, size=len(values), asking=False)
        for first, last in step.ranges:
            low = self._position(first, item, inner)
            high = low if last is None else self._position(last, item, inner)
            if not place.forgiving and (low < 0 or low > high or high >= len(values)):
                raise PathError("jsonpath array subscript is out of bounds", "22033")
            yield from values[max(low, 0) : max(high + 1, 0)]

    def _position(self, node: AnyNode, item: Any, place: Place) -> int:
        found = list(self._run(node, item, place))
        if len(found) != 1 or not isinstance(found[0], Decimal):
            raise PathError("jsonpath array subscript is not a single numeric value", "22033")
        position = int(found[0])
        if not -_INTEGER_MAX - 1 <= position <= _INTEGER_MAX:
            raise PathError("jsonpath array subscript is out of integer range", "22033")
        return position

    def _pairs(self, rest: tuple[AnyStep, ...], item: Any, place: Place) -> Iterator[Any]:
        if not isinstance(item, dict):
            what = "jsonpath item method .keyvalue() can only be applied to an object"
            raise PathError(what, "2203C")
        number = place.base.id_of(item)
        for key, value in item.items():
            pair = {"id": number, "key": key, "value": value}
            made = _Base(pair, self._generated)
            self._generated += 1
            yield from self._follow(rest, pair, replace(place, base=made), unwrap=self._lax)

    # --- predicates -------------------------------------------------------------------------------

    def _truth(self, node: AnyNode, item: Any, place: Place) -> _Truth:
        """True, False, or None for unknown."""
        match node:
            case Binary("&&", left, right):
                first = self._truth(left, item, place)
                if first is False:
                    return False
                second = self._truth(right, item, place)
                return first if second is True else second
            case Binary("||", left, right):
                first = self._truth(left, item, place)
                if first is True:
                    return True
                second = self._truth(right, item, place)
                return first if second is False else second
            case Not(arg):
                found = self._truth(arg, item, place)
                return None if found is None else not found
            case IsUnknown(arg):
                return self._truth(arg, item, place) is None
            case Exists(arg):
                return self._exists(arg, item, place)
            case Binary() | StartsWith() | LikeRegex():
                return self._predicate(node, item, place)
            case _:
                raise InternalError(f"{type(node).__name__} is no predicate")

    def _exists(self, node: AnyNode, item: Any, place: Place) -> _Truth:
        inner = replace(place, asking=self._lax, throwing=False)
        try:
            if not self._lax:
                return bool(list(self._run(node, item, inner)))
            return next(self._run(node, item, inner), self) is not self
        except PathError:
            return None

    def _predicate(self, node: Binary | StartsWith | LikeRegex, item: Any, place: Place) -> _Truth:
        """Lax mode is content with one pair of items for which it holds; strict mode wants no
        unknown."""
        inner = replace(place, asking=False, throwing=False)
        try:
            left = list(
                self._unwrapped(node.left if isinstance(node, Binary) else node.arg, item, inner)
            )
            right = self._right(node, item, inner)
        except PathError:
            return None
        found, unknown = False, False
        for one in left:
            for other in right:
                truth = self._holds(node, one, other)
                if truth is None:
                    if not self._lax:
                        return None
                    unknown = True
                elif truth:
                    if self._lax:
                        return True
                    found = True
        return True if found else None if unknown else False

    def _right(self, node: Binary | StartsWith | LikeRegex, item: Any, place: Place) -> list[Any]:
        match node:
            case Binary():
                return list(self._unwrapped(node.right, item, place))
            case StartsWith():
                return list(self._run(node.start, item, place))
            case LikeRegex():
                return [None]

    @staticmethod
    def _holds(node: Binary | StartsWith | LikeRegex, left: Any, right: Any) -> _Truth:
        match node:
            case Binary(op):
                return compared(op, left, right)
            case StartsWith():
                return starts(left, right)
            case LikeRegex(_, pattern, flags):
                return matches(left, pattern, flags)


def _deeper(item: Any, level: int, step: AnyLevel) -> Iterator[Any]:
    """The values inside, at the levels that the step wants; each before those inside it."""
    if level > step.last:
        return
    leaves = step.first == step.last == DEEPEST
    for value in item.values() if isinstance(item, dict) else item:
        nested = isinstance(value, dict | list)
        if level >= step.first or (leaves and not nested):
            yield value
        if nested and level < step.last:
            yield from _deeper(value, level + 1, step)
