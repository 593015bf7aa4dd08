"""Values as PostgreSQL writes them: what tables and CSV show."""

from __future__ import annotations

import datetime
import math
import re
from decimal import Decimal
from typing import Any

from warehouse.execution.moment_text import interval_text
from warehouse.values import Interval

__all__ = ["value_text"]

_ARRAY_QUOTED = re.compile(r'^$|[{}",\\\s]|^null$', re.IGNORECASE)
_ROW_QUOTED = re.compile(r'^$|[()",\\\s]')
_BACKSLASHED = re.compile(r'(["\\])')


def value_text(value: Any) -> str:
    """A value that is not None."""
    match value:
        case bool():
            return "true" if value else "false"
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case bytes():
            return "\\x" + value.hex()
        case Decimal():
            return format(value, "f")
        case datetime.datetime():
            return value.isoformat(sep=" ").removesuffix(":00" if value.tzinfo else "")
        case datetime.timedelta():
            return interval_text((0, value.days, value.seconds * 1_000_000 + value.microseconds))
        case Interval(months, days, microseconds):
            return interval_text((months, days, microseconds))
        case list():
            return "{" + ",".join(_element(item) for item in value) + "}"
        case dict():
            return value_text(tuple(value.values()))
        case tuple():
            return "(" + ",".join(_field(item) for item in value) + ")"
        case _:
            return str(value)


def _inner(value: Any) -> str:
    if isinstance(value, bool):
        return "t" if value else "f"
    return value_text(value)


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    text = _inner(value)
    if isinstance(value, list) or not _ARRAY_QUOTED.search(text):
        return text
    return '"' + _BACKSLASHED.sub(r"\\\1", text) + '"'


def _field(value: Any) -> str:
    if value is None:
        return ""
    text = _inner(value)
    return '"' + _BACKSLASHED.sub(r"\1\1", text) + '"' if _ROW_QUOTED.search(text) else text
