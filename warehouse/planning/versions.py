"""AS OF: which snapshot a clause wants."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from actors.planner import AtLsn, AtTimestamp, Latest, Version
from storage.errors import InvalidRequest
from warehouse.syntax.tree import AsOf, Constant

__all__ = ["Parameters", "version_of"]

Parameters = Sequence[Any] | Mapping[str, Any]


def version_of(clause: AsOf | None, parameters: Parameters = ()) -> Version:
    """The snapshot that an AS OF clause wants; None is the newest. Raises InvalidRequest."""
    if clause is None:
        return Latest()
    value = _value(clause.value, parameters)
    if clause.kind == "lsn":
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise InvalidRequest(f"AS OF LSN wants a whole number, found {value!r}", "22023")
        return AtLsn(value)
    if isinstance(value, datetime.datetime):
        return AtTimestamp(_milliseconds(value))
    if not isinstance(value, str):
        raise InvalidRequest(f"AS OF TIMESTAMP wants a text, found {value!r}", "22007")
    try:
        moment = datetime.datetime.fromisoformat(value.strip())
    except ValueError as error:
        raise InvalidRequest(
            f"AS OF TIMESTAMP '{value}' is no timestamp ({error}); write '2026-11-20 10:00:00'",
            "22007",
        ) from None
    return AtTimestamp(_milliseconds(moment))


def _value(node: Any, parameters: Parameters) -> Any:
    if isinstance(node, Constant):
        if node.kind == "number":
            return int(node.value) if node.value.isdigit() else node.value
        return node.value
    if isinstance(parameters, Mapping):
        if node.name in parameters:
            return parameters[node.name]
    elif node.name.isdigit() and 1 <= int(node.name) <= len(parameters):
        return parameters[int(node.name) - 1]
    raise InvalidRequest(f"there is no parameter ${node.name} for AS OF", "42P02")


def _milliseconds(moment: datetime.datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return (moment - epoch) // datetime.timedelta(milliseconds=1)
