"""JSON as records where no columns are said: refused by name (see `binder.tables` for the rest)."""

from __future__ import annotations

from collections.abc import Sequence

from storage.errors import NotYet
from warehouse.algebra.expressions import Expr
from warehouse.algebra.types import AnyType
from warehouse.execution.value import Value
from warehouse.functions.registry import table_function

__all__: list[str] = []


def _refuse_records(args: Sequence[Expr]) -> AnyType:
    raise NotYet("JSON as records is not supported; use json_array_elements with ->>")


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
