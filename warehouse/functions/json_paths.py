"""Functions and operators of SQL/JSON paths: jsonb_path_exists, jsonb_path_query, `@?`, `@@`, …

The path of a row is its one text (`jsonpath.print`), so it is parsed once however many rows there
are. A document is parsed per distinct text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from storage.errors import InvalidRequest
from storage.schema import ArrayType
from warehouse.algebra.types import JSONB, AnyType
from warehouse.execution.json_text import jsonb_text
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value
from warehouse.functions.json_scan import parsed
from warehouse.functions.jsonpath.evaluate import Evaluation, PathError
from warehouse.functions.jsonpath.parse import parse
from warehouse.functions.registry import Decorator, scalar, table_function

__all__: list[str] = []

_Implementation = TypeVar("_Implementation", bound=Callable[..., Any])
_NAMES = ("target", "path", "vars", "silent")
_DEFAULTS = ("{}", False)


def _path_function(name: str, returns: str, register: Callable[..., Decorator]) -> Decorator:
    """The function and its form with `_tz`, which differs in datetimes alone."""

    def add(implementation: _Implementation, /) -> _Implementation:
        for full in (name, f"{name}_tz"):
            for rest in ("", ",jsonb"):
                register(f"{full}(jsonb,jsonpath{rest}) -> {returns}", native=False)(implementation)
            whole = f"{full}(jsonb,jsonpath,jsonb,bool) -> {returns}"
            register(whole, native=False, names=_NAMES, defaults=_DEFAULTS)(implementation)
        return implementation

    return add


def _evaluation(document: str, path: str, variables: str | None, silent: bool) -> Evaluation:
    given = None if variables is None else parsed(variables)
    if given is not None and not isinstance(given, dict):
        raise InvalidRequest('"vars" argument is not an object', "22023")
    return Evaluation(parse(path), parsed(document), given, silent)


def _guarded(function: Callable[[], Any], *, silent: bool, otherwise: Any) -> Any:
    try:
        return function()
    except PathError as error:
        if silent:
            return otherwise
        raise InvalidRequest(error.message, error.sqlstate) from error
    except RecursionError as error:
        raise InvalidRequest(
            "stack depth limit exceeded: the JSON nests too deeply", "54001"
        ) from error


def _found(
    document: str, path: str, variables: str | None = "{}", silent: bool = False
) -> list[Any]:
    """All items; those before an error if it is silent."""
    found: list[Any] = []
    items: Iterator[Any] = _evaluation(document, path, variables, silent).items()
    _guarded(lambda: found.extend(items), silent=silent, otherwise=None)
    return found


def _exists(
    document: str, path: str, variables: str | None = "{}", silent: bool = False
) -> bool | None:
    evaluation = _evaluation(document, path, variables, silent)
    answer: bool | None = _guarded(evaluation.exists, silent=silent, otherwise=None)
    return answer


def _match(
    document: str, path: str, variables: str | None = "{}", silent: bool = False
) -> bool | None:
    found = _found(document, path, variables, silent)
    if len(found) == 1 and (found[0] is None or isinstance(found[0], bool)):
        return found[0]
    if not silent:
        raise InvalidRequest("single boolean result is expected", "22038")
    return None


def _query(*args: Any) -> tuple[str, ...]:
    return tuple(map(jsonb_text, _found(*args)))


def _query_array(*args: Any) -> str:
    return jsonb_text(_found(*args))


def _query_first(*args: Any) -> str | None:
    found = _found(*args)
    return jsonb_text(found[0]) if found else None


@_path_function("jsonb_path_exists", "bool", scalar)
def path_exists(*args: Value, kind: AnyType) -> Value:
    """Does the path find anything?"""
    return rowwise(_exists, args, kind)


@_path_function("jsonb_path_match", "bool", scalar)
def path_match(*args: Value, kind: AnyType) -> Value:
    """The one Boolean that the path finds."""
    return rowwise(_match, args, kind)


@_path_function("jsonb_path_query_array", "jsonb", scalar)
def path_query_array(*args: Value, kind: AnyType) -> Value:
    """All items as an array."""
    return rowwise(_query_array, args, kind)


@_path_function("jsonb_path_query_first", "jsonb", scalar)
def path_query_first(*args: Value, kind: AnyType) -> Value:
    """The first item."""
    return rowwise(_query_first, args, kind)


@_path_function("jsonb_path_query", "jsonb", table_function)
def path_query(*args: Value, kind: AnyType) -> Value:
    """All items, a row each."""
    return rowwise(_query, args, ArrayType(element=JSONB))


@scalar("@?(jsonb,jsonpath) -> bool", native=False)
def operator_exists(document: Value, path: Value, *, kind: AnyType) -> Value:
    """Does the path find anything? NULL on an error; it has no variables: they are null."""
    return rowwise(lambda one, other: _exists(one, other, None, True), [document, path], kind)


@scalar("@@(jsonb,jsonpath) -> bool", native=False)
def operator_match(document: Value, path: Value, *, kind: AnyType) -> Value:
    """The one Boolean that the path finds; NULL on an error."""
    return rowwise(lambda one, other: _match(one, other, None, True), [document, path], kind)
