"""What a SQL/JSON path finds in a document, as PostgreSQL's jsonpath reads it.

`Evaluation` walks the nodes of `nodes`; a path is a generator of items, so that a question whether
there is any ends at the first. Items are Python values as `json_scan.parsed` gives them: None,
bool, Decimal, str, list, dict.

Two sorts of errors: `PathError` is a soft one, which a predicate takes for unknown and a silent
call for the end; InvalidRequest always fails the statement. What changes on the way down (the
current item, the size of the array around, whether structural errors count) is in a `Place`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
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

# What a predicate over several truths is: the first of these that is among them, else the last.
_ALL: tuple[_Truth, ...] = (False, None, True)
_ANY: tuple[_Truth, ...] = (True, None, False)
_ANY_SURELY: tuple[_Truth, ...] = (None, True, False)


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
        return self._finds(self._run(self.path.node, self.document, self._start(asking=self._lax)))

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
                yield from self._follow(node.steps, value, where)
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

    def _follow(self, steps: tuple[AnyStep, ...], item: Any, place: Place) -> Iterator[Any]:
        """The items at the end of the steps."""
        if not steps:
            yield item
            return
        step, rest = steps[0], steps[1:]
        for target in self._targets(step, item):
            match step:
                case AnyLevel():
                    yield from self._levels(step, rest, target, place)
                case Method("keyvalue"):
                    for pair, where in self._pairs(target, place):
                        yield from self._follow(rest, pair, where)
                case _:
                    for value in self._next(step, target, place):
                        yield from self._follow(rest, value, place)

    def _targets(self, step: AnyStep, item: Any) -> list[Any]:
        """What a step looks at: in lax mode the elements of an array, unless it is about arrays."""
        if isinstance(item, list) and self._lax:
            match step:
                case Key() | AnyKey() | Filter():
                    return item
                case Method(name) if name not in ("type", "size"):
                    return item
        return [item]

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
                if isinstance(item, list):
                    yield from item
                elif self._lax:
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
        for depth, value in _inside(item, step.last):
            if not _wanted(step, depth, value):
                continue
            try:
                yield from self._follow(rest, value, inner)
            except PathError:
                # PostgreSQL forgets a soft error of the item itself when it goes on inside.
                if depth or place.throwing or not isinstance(item, dict | list):
                    raise

    def _subscripted(self, step: Subscripts, item: Any, place: Place) -> Iterator[Any]:
        if not isinstance(item, list) and not self._lax:
            self._missing(place, "jsonpath array accessor can only be applied to an array", "22039")
            return
        values = item if isinstance(item, list) else [item]
        inner = replace(place, size=len(values), asking=False)
        for first, last in step.ranges:
            low = self._position(first, item, inner)
            high = low if last is None else self._position(last, item, inner)
            if not (place.forgiving or 0 <= low <= high < len(values)):
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

    def _pairs(self, item: Any, place: Place) -> Iterator[tuple[Any, Place]]:
        """Objects for the pairs of an object, each the base of what comes of it."""
        if not isinstance(item, dict):
            what = "jsonpath item method .keyvalue() can only be applied to an object"
            raise PathError(what, "2203C")
        number = place.base.id_of(item)
        for key, value in item.items():
            pair = {"id": number, "key": key, "value": value}
            made = _Base(pair, self._generated)
            self._generated += 1
            yield pair, replace(place, base=made)

    # --- predicates -------------------------------------------------------------------------------

    def _truth(self, node: AnyNode, item: Any, place: Place) -> _Truth:
        """True, False, or None for unknown."""
        match node:
            case Binary("&&" | "||" as op):
                order = _ALL if op == "&&" else _ANY
                return _decided(order, (self._truth(one, item, place) for one in _operands(node)))
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

    def _finds(self, items: Iterator[Any]) -> bool:
        """Is there any? Strict mode looks at all of them, for errors."""
        return bool(list(items)) if self.path.strict else any(True for _ in items)

    def _exists(self, node: AnyNode, item: Any, place: Place) -> _Truth:
        try:
            return self._finds(
                self._run(node, item, replace(place, asking=self._lax, throwing=False))
            )
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
        pairs = itertools.product(left, right)
        truths = (self._holds(node, one, other) for one, other in pairs)
        return _decided(_ANY if self._lax else _ANY_SURELY, truths)

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


def _decided(order: tuple[_Truth, ...], truths: Iterable[_Truth]) -> _Truth:
    """The first in the order of those that there are; the first of all ends the search."""
    seen = set()
    for truth in truths:
        if truth is order[0]:
            return truth
        seen.add(truth)
    return next((truth for truth in order if truth in seen), order[-1])


def _operands(node: Binary) -> list[AnyNode]:
    """The operands of `a && b && c`, from left to right."""
    found: list[AnyNode] = []
    left: AnyNode = node
    while isinstance(left, Binary) and left.op == node.op:
        found.append(left.right)
        left = left.left
    return [left, *reversed(found)]


def _inside(item: Any, depth_max: int) -> Iterator[tuple[int, Any]]:
    """An item and all values inside it, with their depths; each before those inside it."""
    waiting = [(0, item)]
    while waiting:
        depth, value = waiting.pop()
        yield depth, value
        if depth < depth_max and isinstance(value, dict | list):
            inner = list(value.values() if isinstance(value, dict) else value)
            waiting.extend((depth + 1, one) for one in reversed(inner))


def _wanted(step: AnyLevel, depth: int, value: Any) -> bool:
    """Is it at one of the levels? Alone, the level `last` is that of values without any inside."""
    if step.first == step.last == DEEPEST:
        return depth > 0 and not isinstance(value, dict | list)
    return step.first <= depth <= step.last
