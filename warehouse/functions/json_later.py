"""JSON functions that are refused by name until they exist: paths in jsonpath, and records."""

from __future__ import annotations

from collections.abc import Sequence

from storage.errors import NotYet
from warehouse.algebra.expressions import Expr
from warehouse.algebra.types import AnyType
from warehouse.execution.value import Value
from warehouse.functions.registry import scalar, table_function

__all__: list[str] = []


def _refuse_path(args: Sequence[Expr]) -> AnyType:
    raise NotYet("jsonpath is not supported; use ->, ->>, #> and #>> or jsonb_array_elements")


def _refuse_records(args: Sequence[Expr]) -> AnyType:
    raise NotYet("JSON as records is not supported; use json_array_elements with ->>")


@scalar(
    "@?(jsonb,text) -> bool",
    "@@(jsonb,text) -> bool",
    "jsonb_path_exists(jsonb,text) -> bool",
    "jsonb_path_match(jsonb,text) -> bool",
    "jsonb_path_query_array(jsonb,text) -> jsonb",
    "jsonb_path_query_first(jsonb,text) -> jsonb",
    native=False,
    result=_refuse_path,
)
def path_value(value: Value, path: Value, *, kind: AnyType) -> Value:
    """Refused when it is bound."""
    raise NotYet("jsonpath is not supported")


@table_function("jsonb_path_query(jsonb,text) -> jsonb", native=False, result=_refuse_path)
def path_rows(value: Value, path: Value, *, kind: AnyType) -> Value:
    """Refused when it is bound."""
    raise NotYet("jsonpath is not supported")


@table_function(
    "json_to_record(json) -> record",
    "json_to_recordset(json) -> record",
    "jsonb_to_record(jsonb) -> record",
    "jsonb_to_recordset(jsonb) -> record",
    native=False,
    result=_refuse_records,
)
def record_rows(value: Value, *, kind: AnyType) -> Value:
    """Refused when it is bound."""
    raise NotYet("JSON as records is not supported")
