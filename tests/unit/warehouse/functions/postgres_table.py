"""Tables of calls and what PostgreSQL 16 answers, and their evaluation by our functions.

A line is `key ¦ argument ¦ … => answer`. The key names a function of the registry; its types read
the arguments, which are written as PostgreSQL shows them. Types that a key leaves open stand before
an argument (`int4[]:{1,2}`) or the answer. An answer that is an error is `!SQLSTATE message`.
Before a line, `~` says that the call with NULLs alone fails.

Every call is evaluated with constants, with columns of three rows (the call's arguments, all NULL,
the call's again), and with a column as its first argument and constants as the others.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import polars as pl

import warehouse.functions.all  # noqa: F401 (registers every function)
from storage.errors import InvalidRequest
from storage.schema import SCALED_PRECISION_MAX, ArrayType, DecimalType
from warehouse.algebra import types
from warehouse.algebra.expressions import Call, ColumnRef, Expr, Literal
from warehouse.algebra.types import AnyType
from warehouse.execution.expressions import Environment, lower
from warehouse.execution.literals import from_carrier, to_carrier
from warehouse.execution.value import Value, carrier, fault_of, raised
from warehouse.functions.registry import function

NOW = datetime.datetime(2024, 2, 29, 13, 14, 15, 678_901)
KINDS: dict[str, AnyType] = {
    "bool": types.BOOLEAN,
    "int2": types.SMALLINT,
    "int4": types.INTEGER,
    "int8": types.BIGINT,
    "float4": types.REAL,
    "float8": types.DOUBLE,
    "numeric": types.NUMERIC,
    "text": types.TEXT,
    "bytea": types.BYTEA,
    "date": types.DATE,
    "time": types.TIME,
    "timestamp": types.TIMESTAMP,
    "timestamptz": types.TIMESTAMPTZ,
    "interval": types.INTERVAL,
    "json": types.JSON,
    "jsonb": types.JSONB,
    "decimal": DecimalType(precision=12, scale=2),
    "wide": DecimalType(precision=30, scale=2),
}
_INTERVAL = re.compile(r"(-?\d+) (year|mon|day)s?")
_CLOCK = re.compile(r"([+-]?)(\d+):(\d\d):(\d\d)(?:\.(\d{1,6}))?$")


def kind_of(name: str) -> AnyType:
    """The type of a name above, with `[]` for arrays."""
    name = f"{name[1:]}[]" if name.startswith("_") else name
    if name.endswith("[]"):
        return ArrayType(element=kind_of(name[:-2]))  # type: ignore[arg-type]
    return KINDS[name]


def _read_interval(text: str) -> tuple[int, int, int]:
    units = {"year": 0, "mon": 0, "day": 0}
    for number, unit in _INTERVAL.findall(text):
        units[unit] = int(number)
    clock = _CLOCK.search(text)
    time = 0
    if clock is not None:
        sign, hours, minutes, seconds, fraction = clock.groups()
        time = (int(hours) * 3600 + int(minutes) * 60 + int(seconds)) * 1_000_000
        time += int((fraction or "0").ljust(6, "0"))
        time = -time if sign == "-" else time
    return (units["year"] * 12 + units["mon"], units["day"], time)


def _elements(text: str) -> list[str | None]:
    """The elements of an array of one dimension, as PostgreSQL writes it."""
    found = re.findall(r'"((?:[^"\\]|\\.)*)"|([^,{}]+)', text[1:-1])
    return [
        re.sub(r"\\(.)", r"\1", quoted) if not plain else (None if plain == "NULL" else plain)
        for quoted, plain in found
    ]


def read(text: str | None, kind: AnyType) -> Any:
    """A value as `algebra.Literal` has it, from PostgreSQL's text."""
    if text is None or text == "NULL":
        return None
    if isinstance(kind, ArrayType):
        return tuple(read(item, kind.element) for item in _elements(text))
    if isinstance(kind, DecimalType):
        return Decimal(text)
    if types.is_integer(kind):
        return int(text)
    if types.is_float(kind) or kind == types.NUMERIC:
        return float(text)
    readers: dict[AnyType, Any] = {
        types.BOOLEAN: lambda: text in ("t", "true"),
        types.DATE: lambda: datetime.date.fromisoformat(text),
        types.TIME: lambda: datetime.time.fromisoformat(text),
        types.TIMESTAMP: lambda: datetime.datetime.fromisoformat(text),
        types.TIMESTAMPTZ: lambda: datetime.datetime.fromisoformat(text.removesuffix("+00")),
        types.INTERVAL: lambda: _read_interval(text),
    }
    return readers[kind]() if kind in readers else text


class Line:
    """One line of a table."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.has_nulls = not text.startswith("~ ")
        text = text.removeprefix("~ ")
        call, _, answer = text.partition(" => ")
        self.key, *given = call.split(" ¦ ")
        entry = function(self.key)
        signature = entry.signature
        names = list(signature.arguments)
        names += [names[-1]] * (len(given) - len(names)) if signature.variadic else []
        pairs = [_typed(text, name) for text, name in zip(given, names, strict=True)]
        self.kinds = [kind_of(name) for name, _ in pairs]
        self.arguments = [
            read(text, kind) for (_, text), kind in zip(pairs, self.kinds, strict=True)
        ]
        self.error = answer[1:] if answer.startswith("!") else None
        self.result, self.answer = self._answer(answer, signature.returns)

    def _answer(self, answer: str, returns: str) -> tuple[AnyType, str]:
        returned, text = _typed(answer, returns)
        rule = function(self.key).result
        if rule is not None and returned == returns and self.error is None:
            literals: list[Expr] = [
                Literal(type=kind, value=value)
                for kind, value in zip(self.kinds, self.arguments, strict=True)
            ]
            return rule(literals), text
        if returned in KINDS or "[]" in returned:
            kind = kind_of(returned)
            is_rows = function(self.key).kind == "table" and not isinstance(kind, ArrayType)
            return (ArrayType(element=kind) if is_rows else kind), text  # type: ignore[arg-type]
        arrays = [kind for kind in self.kinds if isinstance(kind, ArrayType)]
        if returned in ("anyarray", "anycompatiblearray"):
            fills = self.key.startswith("array_fill")
            return ArrayType(element=self.kinds[0]) if fills else arrays[0], text  # type: ignore[arg-type]
        return types.TEXT, text

    @property
    def pairs(self) -> list[tuple[Any, AnyType]]:
        return list(zip(self.arguments, self.kinds, strict=True))

    @property
    def expected(self) -> Any:
        return read(self.answer, self.result)


def _typed(text: str, name: str) -> tuple[str, str]:
    found = re.match(r"([a-z0-9]+(?:\[\])*):(.*)$", text, re.DOTALL)
    if found is not None and (found[1] in KINDS or found[1].endswith("[]")):
        return found[1], found[2]
    return name, text


def lines(table: str) -> Iterator[Line]:
    """The lines of a table, without empty ones."""
    return (Line(line) for line in table.splitlines() if line.strip())


def _column(kind: AnyType, index: int) -> Value:
    wide = isinstance(kind, DecimalType) and kind.precision > SCALED_PRECISION_MAX
    return Value(pl.col(f"c{index}"), kind, wide=wide)


def _series(values: list[Any], kind: AnyType, index: int) -> pl.Series:
    wide = isinstance(kind, DecimalType) and kind.precision > SCALED_PRECISION_MAX
    held = [to_carrier(value, kind) for value in values]
    return pl.Series(f"c{index}", held, dtype=carrier(kind, wide=wide))


def _run(frame: pl.DataFrame, call: Call, columns: dict[int, Value]) -> Any:
    """The values, or "SQLSTATE message"."""
    try:
        value = lower(call, Environment(columns=columns, now=NOW))
        result = frame.lazy().select(present=pl.lit(1), value=raised(value)).collect()["value"]
    except InvalidRequest as error:
        return f"{error.sqlstate} {error.message}"
    except pl.exceptions.PolarsError as error:
        found = fault_of(error)
        if found is None:
            raise
        return f"{found.sqlstate} {found.message}"
    wide = isinstance(call.type, DecimalType) and value.wide
    assert result.dtype == carrier(call.type, wide=wide), (result.dtype, call)
    return [from_carrier(item, call.type) for item in result.to_list()]


def by_column(line: Line, *, only_first: bool = False) -> Any:
    """The answers for three rows: the call's, NULLs, the call's."""
    between = [None] if line.has_nulls else []
    data = [
        _series([value, *between, value], kind, i) for i, (value, kind) in enumerate(line.pairs)
    ]
    frame = pl.DataFrame(data) if data else pl.DataFrame({"x": [1, 2, 3]})
    columns = {i: _column(kind, i) for i, kind in enumerate(line.kinds)}
    # A result's type that a rule makes may depend on a constant, such as the unit of `extract`.
    ruled = function(line.key).result is not None
    args = tuple(
        Literal(type=kind, value=value)
        if (ruled and kind == types.TEXT) or (only_first and i > 0)
        else ColumnRef(type=kind, id=i)
        for i, (value, kind) in enumerate(line.pairs)
    )
    return _run(frame, Call(type=line.result, fn=line.key, args=args), columns)


def by_constant(line: Line) -> Any:
    """The answer to the call with constants."""
    args = tuple(Literal(type=kind, value=value) for value, kind in line.pairs)
    return _run(pl.DataFrame({"x": [1]}), Call(type=line.result, fn=line.key, args=args), {})


def same(found: Any, expected: Any, kind: AnyType) -> bool:
    """Equal; floats to 15 digits."""
    if isinstance(found, float) and isinstance(expected, float):
        return found == expected or abs(found - expected) <= 1e-14 * abs(expected)
    if isinstance(found, tuple) and isinstance(expected, tuple):
        inner = kind.element if isinstance(kind, ArrayType) else kind
        return len(found) == len(expected) and all(
            same(a, b, inner) for a, b in zip(found, expected, strict=True)
        )
    return bool(found == expected) and type(found) is type(expected)


def differences(table: str) -> list[str]:
    """What does not answer as the table says."""
    wrong = []
    for line in lines(table):
        answers = [
            ("constants", by_constant(line)),
            ("columns", by_column(line)),
            ("first column", by_column(line, only_first=True)),
        ]
        wrong += [
            f"{line.text}\n  {name}: {answer}"
            for name, answer in answers
            if not _is_right(line, answer)
        ]
    return wrong


def _is_right(line: Line, answer: Any) -> bool:
    if line.error is not None or isinstance(answer, str):
        return bool(answer == line.error)
    rows = [answer[0], answer[-1]]
    return all(same(row, line.expected, line.result) for row in rows)
