"""Texts as identifiers and literals of SQL, and `format`, which puts such together."""

from __future__ import annotations

import re

from storage.errors import InvalidRequest
from warehouse.algebra.types import TEXT, AnyType
from warehouse.execution.casts import cast
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value
from warehouse.functions.registry import scalar
from warehouse.functions.text import output_text

__all__ = ["format_text", "quoted_identifier", "quoted_literal"]

# The words of pg_get_keywords() that are not unreserved: they are quoted as identifiers.
_RESERVED = frozenset(
    """
    all analyse analyze and any array as asc asymmetric authorization between bigint binary bit
    boolean both case cast char character check coalesce collate collation column concurrently
    constraint create cross current_catalog current_date current_role current_schema
    current_time current_timestamp current_user dec decimal default deferrable desc distinct do
    else end except exists extract false fetch float for foreign freeze from full grant greatest
    group grouping having ilike in initially inner inout int integer intersect interval into is
    isnull join json_array json_arrayagg json_object json_objectagg lateral leading least left
    like limit localtime localtimestamp national natural nchar none normalize not notnull null
    nullif numeric offset on only or order out outer overlaps overlay placing position precision
    primary real references returning right row select session_user setof similar smallint some
    substring symmetric system_user table tablesample then time timestamp to trailing treat trim
    true union unique user using values varchar variadic verbose when where window with
    xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot
    xmlserialize xmltable
    """.split()  # noqa: SIM905
)
_PLAIN_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*\Z")
_INT_MAX = 2**31 - 1


def quoted_identifier(name: str) -> str:
    """In double quotes, unless it needs none."""
    if _PLAIN_IDENTIFIER.match(name) and name not in _RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def quoted_literal(text: str) -> str:
    """In single quotes; with the prefix E if it has backslashes."""
    body = text.replace("'", "''")
    return "E'" + body.replace("\\", "\\\\") + "'" if "\\" in body else f"'{body}'"


@scalar("quote_ident(text) -> text", native=False)
def quote_ident(text: Value, *, kind: AnyType) -> Value:
    """As an identifier."""
    return rowwise(quoted_identifier, [text], kind)


@scalar("quote_literal(text) -> text", "quote_literal(anyelement) -> text", native=False)
def quote_literal(value: Value, *, kind: AnyType) -> Value:
    """As a literal; NULL of NULL."""
    return rowwise(quoted_literal, [cast(value, TEXT)], kind)


@scalar(
    "quote_nullable(text) -> text",
    "quote_nullable(anyelement) -> text",
    native=False,
    strict=False,
)
def quote_nullable(value: Value, *, kind: AnyType) -> Value:
    """As a literal; the word NULL of NULL."""
    return rowwise(_nullable_literal, [cast(value, TEXT)], kind, strict=False)


def _nullable_literal(text: str | None) -> str:
    return "NULL" if text is None else quoted_literal(text)


@scalar("format(text) -> text", "format(text,variadic any) -> text", native=False, strict=False)
def formatted(template: Value, *values: Value, kind: AnyType) -> Value:
    """`%s`, `%I`, `%L` with `%n$` positions, and widths: `%-10s`, `%*s`, `%*n$s`."""
    texts = [output_text(value) for value in values]
    return rowwise(format_text, [template, *texts], kind, strict=False)


def format_text(template: str | None, *values: str | None) -> str | None:
    """`format` of a row; None of NULL."""
    return None if template is None else _Formatter(template, values).run()


class _Formatter:
    def __init__(self, template: str, values: tuple[str | None, ...]) -> None:
        self.text = template
        self.values = values
        self.at = 0
        self.next = 0

    def run(self) -> str:
        parts = []
        while True:
            found = self.text.find("%", self.at)
            if found < 0:
                parts.append(self.text[self.at :])
                return "".join(parts)
            parts.append(self.text[self.at : found])
            self.at = found + 1
            parts.append("%" if self._taken("%") else self._specifier())

    def _taken(self, character: str) -> bool:
        if self.at < len(self.text) and self.text[self.at] == character:
            self.at += 1
            return True
        return False

    def _number(self) -> int | None:
        end = self.at
        while end < len(self.text) and self.text[end] in "0123456789":
            end += 1
        if end == self.at:
            return None
        number = int(self.text[self.at : end])
        if number > _INT_MAX:
            raise InvalidRequest("number is out of range", "22003")
        self.at = end
        return number

    def _specifier(self) -> str:
        position, width, left = None, 0, False
        number = self._number()
        if number is not None and self._taken("$"):
            position, number = self._position(number), None
        if number is not None:
            width = number
        else:
            while self._taken("-"):
                left = True
            if self._taken("*"):
                width, left = self._width_argument(left)
            else:
                width = self._number() or 0
        if self.at >= len(self.text):
            raise InvalidRequest("unterminated format() type specifier", "22023")
        kind = self.text[self.at]
        if kind not in "sIL":
            raise InvalidRequest(f'unrecognized format() type specifier "{kind}"', "22023")
        self.at += 1
        text = _converted(kind, self._argument(position))
        return text.ljust(width) if left else text.rjust(width)

    def _position(self, number: int) -> int:
        if number == 0:
            raise InvalidRequest(
                "format specifies argument 0, but arguments are numbered from 1", "22023"
            )
        return number

    def _argument(self, position: int | None) -> str | None:
        if position is not None:
            self.next = position - 1
        if self.next >= len(self.values):
            raise InvalidRequest("too few arguments for format()", "22023")
        self.next += 1
        return self.values[self.next - 1]

    def _width_argument(self, left: bool) -> tuple[int, bool]:
        number = self._number()
        position = None
        if number is not None:
            if not self._taken("$"):
                raise InvalidRequest('width argument position must be ended by "$"', "22023")
            position = self._position(number)
        text = self._argument(position)
        try:
            width = 0 if text is None else int(text)
        except ValueError:
            raise InvalidRequest(
                f'invalid input syntax for type integer: "{text}"', "22P02"
            ) from None
        return abs(width), left or width < 0


def _converted(kind: str, value: str | None) -> str:
    if kind == "s":
        return value or ""
    if kind == "L":
        return _nullable_literal(value)
    if value is None:
        raise InvalidRequest("null values cannot be formatted as an SQL identifier", "22004")
    return quoted_identifier(value)
