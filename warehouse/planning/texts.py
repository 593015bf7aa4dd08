"""Texts of CSV and NDJSON files as values: the casts from TEXT of this SQL, run over a table."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from actors.program import InputFrame
from storage.schema import CharType, Column, SqlType, VarCharType, plain_type
from warehouse.algebra.expressions import Cast, ColumnRef, Expr
from warehouse.algebra.relations import Project, Query, Scan
from warehouse.algebra.types import TEXT
from warehouse.execution.program import Program

__all__ = ["SqlTextParser"]

_INPUT = "texts"


@dataclass(frozen=True, slots=True)
class SqlTextParser:
    """Implements `storage.sources_format.TextParser`. `now`: what the text 'now' means."""

    now: datetime.datetime | None = None

    def typed(self, texts: pa.Table, columns: tuple[Column, ...]) -> pa.Table:
        """See `TextParser.typed`. Texts for VARCHAR(n) and CHAR(n) stay as they are: whoever stores
        them checks their length."""
        program = self._program(columns)
        frame = pl.from_arrow(texts)
        assert isinstance(frame, pl.DataFrame)
        held = tuple(Column(id=c.id, name=c.name, type=TEXT) for c in columns)
        try:
            found = program.build({_INPUT: InputFrame(frame.lazy(), held, {})}).collect()
        except pl.exceptions.PolarsError as error:
            raise program.translated(error) from error
        return program.arrow(found)

    def _program(self, columns: tuple[Column, ...]) -> Program:
        outputs = tuple(ColumnRef(type=TEXT, id=i) for i, _ in enumerate(columns, 1))
        names = tuple(column.name for column in columns)
        items = []
        for number, (column, text) in enumerate(zip(columns, outputs, strict=True), 1):
            value = _value(text, plain_type(column.type))
            items.append((ColumnRef(type=value.type, id=len(columns) + number), value))
        scan = Scan(input=_INPUT, outputs=outputs, sources=names)
        made = Project(input=scan, items=tuple(items))
        query = Query(relation=made, outputs=made.columns, names=names, next_id=2 * len(items) + 1)
        return Program(query=query, now=self.now)


def _value(text: ColumnRef, kind: SqlType) -> Expr:
    if kind == TEXT or isinstance(kind, VarCharType | CharType):
        return text
    return Cast(type=kind, arg=text)
