"""What PostgreSQL 16 answered to operators and casts, and the same by our lowering.

`postgres_answers.txt` holds groups: a line `# function | type | type -> type`, then one JSON array
per call: the arguments as texts (null: NULL), and the answer as text or {sqlstate, message}. The
texts were cast to the types in PostgreSQL, and the answer to text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import polars as pl

import warehouse.functions.arithmetic  # noqa: F401
from storage.schema import ArrayType, CharType, DecimalType, SqlType, VarCharType
from warehouse.algebra.expressions import Call, Cast, ColumnRef, Expr, Literal
from warehouse.algebra.types import (
    BIGINT,
    BOOLEAN,
    BYTEA,
    DATE,
    DOUBLE,
    INTEGER,
    INTERVAL,
    JSON,
    JSONB,
    NUMERIC,
    REAL,
    SMALLINT,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    AnyType,
)
from warehouse.execution.expressions import Environment, lower
from warehouse.execution.value import Value, fault_of, fault_text, raised
from warehouse.functions.registry import function

ANSWERS = Path(__file__).parent / "postgres_answers.txt"
_NAMES: dict[str, AnyType] = {
    "smallint": SMALLINT,
    "integer": INTEGER,
    "bigint": BIGINT,
    "real": REAL,
    "double precision": DOUBLE,
    "boolean": BOOLEAN,
    "date": DATE,
    "timestamp": TIMESTAMP,
    "timestamptz": TIMESTAMPTZ,
    "time": TIME,
    "interval": INTERVAL,
    "uuid": UUID,
    "bytea": BYTEA,
    "json": JSON,
    "jsonb": JSONB,
    "text": TEXT,
}
_SIZED = re.compile(r"(numeric|varchar|char)\((\d+)(?:,(\d+))?\)")


@dataclass(frozen=True)
class Group:
    """Calls of one function with arguments of the same types."""

    function: str
    arguments: tuple[str, ...]
    result: str
    calls: tuple[tuple[Any, ...], ...]


def groups() -> Iterator[Group]:
    """All groups of the file."""
    head, calls = "", list[tuple[Any, ...]]()
    for line in [*ANSWERS.read_text("utf-8").splitlines(), "# end | ->"]:
        if not line.startswith("# "):
            calls.append(tuple(json.loads(line)))
            continue
        if calls:
            left, result = head.rsplit(" -> ", 1)
            name, *arguments = left.split(" | ")
            yield Group(name, tuple(arguments), result, tuple(calls))
        head, calls = line[2:], []


def kind_of(name: str) -> AnyType:
    """A type by PostgreSQL's name."""
    if name.endswith("[]"):
        return ArrayType(cast("SqlType", kind_of(name[:-2])))
    found = _SIZED.fullmatch(name)
    if found is None:
        return _NAMES[name]
    size = int(found[2])
    if found[1] == "numeric":
        return DecimalType(size, int(found[3]))
    return VarCharType(size) if found[1] == "varchar" else CharType(size)


def expression(group: Group, texts: list[Expr]) -> Expr:
    """The call of a group over arguments given as texts; its result as text."""
    args = tuple(
        Cast(type=kind_of(name), arg=text, explicit=True)
        for name, text in zip(group.arguments, texts, strict=True)
    )
    made: Expr
    if group.function == "cast":
        made = Cast(type=kind_of(group.result), arg=args[0], explicit=True)
    else:
        made = Call(type=_result(group, args), fn=group.function, args=args)
    return Cast(type=TEXT, arg=made)


def _result(group: Group, args: tuple[Expr, ...]) -> AnyType:
    if "(" not in group.function:
        return BOOLEAN
    entry = function(group.function)
    if entry.result is not None:
        return entry.result(args)
    return NUMERIC if entry.signature.returns == "numeric" else kind_of(group.result)


def column_answers(group: Group) -> list[Any]:
    """The answers with the arguments in columns: a text, or a fault's text."""
    count = len(group.arguments)
    frame = pl.DataFrame(
        {f"c{i}": [call[i] for call in group.calls] for i in range(count)},
        schema={f"c{i}": pl.String() for i in range(count)},
    )
    columns = {i: Value(pl.col(f"c{i}"), TEXT) for i in range(count)}
    texts: list[Expr] = [ColumnRef(type=TEXT, id=i) for i in range(count)]
    value = lower(expression(group, texts), Environment(columns=columns))
    fault = pl.lit(None, dtype=pl.String()) if value.fault is None else value.fault
    found = frame.lazy().select(value.expr.alias("value"), fault.alias("fault")).collect()
    return [text if fault is None else _error(fault) for text, fault in found.iter_rows()]


def constant_answer(group: Group, call: tuple[Any, ...]) -> Any:
    """The answer to one call with constants."""
    texts: list[Expr] = [Literal(type=TEXT, value=text) for text in call[:-1]]
    value = lower(expression(group, texts), Environment(columns={}))
    try:
        return pl.select(raised(value)).item()
    except pl.exceptions.PolarsError as error:
        found = fault_of(error)
        if found is None:
            raise
        return {"sqlstate": found.sqlstate, "message": found.message}


def _error(fault: str) -> dict[str, str]:
    _, sqlstate, message = fault.split(":", 2)
    return {"sqlstate": sqlstate, "message": message[: -len(fault_text("", "")[-1])]}
