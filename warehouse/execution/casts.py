"""CAST: which conversion belongs to two types.

The conversions themselves are beside this module by subject: `casts_numbers`, `casts_to_text`,
`casts_from_text`, `casts_dates`, `casts_nested`. None fails by itself: a row that cannot be
converted gets a fault with PostgreSQL's SQLSTATE and wording.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial

from storage.errors import InvalidRequest
from storage.schema import ArrayType, CharType, StructType, VarCharType
from warehouse.algebra.types import (
    BOOLEAN,
    JSON,
    JSONB,
    TEXT,
    UNKNOWN,
    AnyType,
    RecordType,
    category,
    is_integer,
    is_numeric,
    is_text,
    shown,
)
from warehouse.execution import casts_nested, casts_to_text
from warehouse.execution.binding import bound
from warehouse.execution.casts_dates import moment
from warehouse.execution.casts_from_text import from_jsonb, from_text
from warehouse.execution.casts_numbers import number, of_boolean
from warehouse.execution.literals import null
from warehouse.execution.value import Value

__all__ = ["cast"]


def cast(
    value: Value, kind: AnyType, *, explicit: bool = True, now: datetime | None = None
) -> Value:
    """`value` as type `kind`.

    Args:
        explicit: written by the user: a text too long for VARCHAR(n), CHAR(n) is cut; else a fault.
        now: the statement's timestamp, for the texts 'now', 'today', ….
    Raises:
        InvalidRequest: PostgreSQL has no such cast (42846).
    """
    source = value.type
    if source == kind:
        return value
    if value.constant and value.literal is None:
        return null(kind)
    if UNKNOWN in (kind, source):
        source = TEXT if source == UNKNOWN else source
        kind = TEXT if kind == UNKNOWN else kind
        value = replace(value, type=source)
        if source == kind:
            return value
    if is_text(kind):
        return bound([value], lambda one: _to_text(one[0], kind, explicit=explicit))
    if is_text(source):
        return bound([value], lambda one: _from_text(one[0], kind, now))
    made = _between(value, kind)
    if made is None:
        message = f"cannot cast type {shown(source)} to {shown(kind)}"
        raise InvalidRequest(message, "42846")
    return made


def _to_text(value: Value, kind: AnyType, *, explicit: bool) -> Value:
    if isinstance(value.type, ArrayType | StructType | RecordType):
        made = casts_nested.to_text(value, cast)
    else:
        made = casts_to_text.to_text(value)
    if isinstance(kind, VarCharType | CharType):
        return casts_to_text.limited(made, kind, explicit=explicit)
    return made


def _from_text(value: Value, kind: AnyType, now: datetime | None) -> Value:
    if isinstance(kind, ArrayType | StructType):
        return casts_nested.from_text(value, kind, partial(cast, now=now))
    return from_text(value, kind, now)


def _between(value: Value, kind: AnyType) -> Value | None:
    """A conversion that has no text on either side; None if there is none."""
    source = value.type
    if isinstance(source, ArrayType | StructType | RecordType):
        return casts_nested.between(value, kind, cast)
    if is_numeric(source) and is_numeric(kind):
        return number(value, kind)
    if is_integer(source) and kind == BOOLEAN:
        return value.derived(value.expr != 0, BOOLEAN)
    if source == BOOLEAN and is_integer(kind):
        return of_boolean(value, kind)
    if {category(source), category(kind)} <= {"D", "T"}:
        return moment(value, kind)
    if source in (JSON, JSONB) and kind in (JSON, JSONB):
        return from_text(replace(value, type=TEXT), kind, None)
    if source == JSONB and (is_numeric(kind) or kind == BOOLEAN):
        return from_jsonb(value, kind)
    return None
