"""`f(…, VARIADIC array)` of functions with any number of arguments: one array in their place.

They are registered as `variadic f`. A NULL instead of the array makes the result NULL, except of
`format`, for which it is no argument at all.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from storage.schema import ArrayType
from warehouse.algebra.types import TEXT, AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value
from warehouse.functions.json_read import path, path_text
from warehouse.functions.quoting import format_text
from warehouse.functions.registry import scalar
from warehouse.functions.text_arrays import texts_of

__all__: list[str] = []


@scalar("variadic concat(anyarray) -> text", native=False)
def concat(array: Value, *, kind: AnyType) -> Value:
    """The elements that are not NULL, one after the other."""
    return Value(texts_of(array).list.drop_nulls().list.join(""), kind)


@scalar("variadic concat_ws(text,anyarray) -> text", native=False)
def concat_ws(separator: Value, array: Value, *, kind: AnyType) -> Value:
    """The same with a separator between them."""
    return Value(texts_of(array).list.drop_nulls().list.join(separator.expr), kind)


@scalar("variadic format(text,anyarray) -> text", native=False, strict=False)
def formatted(template: Value, array: Value, *, kind: AnyType) -> Value:
    """`format` of the elements."""
    texts = Value(texts_of(array), ArrayType(element=TEXT))

    def run(text: str | None, values: tuple[str | None, ...] | None) -> str | None:
        return format_text(text, *(values or ()))

    return rowwise(run, [template, texts], kind, strict=False)


def _counting(count: Callable[[pl.Expr], pl.Expr]) -> Callable[..., Value]:
    def implementation(array: Value, *, kind: AnyType) -> Value:
        return Value(count(array.expr).cast(pl.Int64), kind)

    return implementation


scalar("variadic num_nulls(anyarray) -> int4", native=False)(
    _counting(lambda array: array.list.len() - array.list.drop_nulls().list.len())
)
scalar("variadic num_nonnulls(anyarray) -> int4", native=False)(
    _counting(lambda array: array.list.drop_nulls().list.len())
)
for _type in ("json", "jsonb"):
    _name = f"{_type}_extract_path"
    scalar(f"variadic {_name}({_type},_text) -> {_type}", native=False)(path)
    scalar(f"variadic {_name}_text({_type},_text) -> text", native=False)(path_text)
