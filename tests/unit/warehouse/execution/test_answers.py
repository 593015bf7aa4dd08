"""Operators and casts give what PostgreSQL gave, over columns and over constants."""

from __future__ import annotations

import math
import random
from decimal import Decimal
from typing import Any

import pytest

from storage.errors import InvalidRequest
from tests.unit.warehouse.execution.answers import (
    Group,
    column_answers,
    constant_answer,
    groups,
)

GROUPS = list(groups())
SEED = 20_240_229
# Our DECIMAL ends at 38 digits, PostgreSQL's numeric does not.
TOO_LARGE = "numeric field overflow: a result has more than 38 digits"


def _same(group: Group, got: Any, wanted: Any) -> bool:
    if got == wanted:
        return True
    if isinstance(got, dict):
        return bool(got["message"] == TOO_LARGE and _digits(wanted) > 38)
    if got is None or wanted is None or isinstance(wanted, dict):
        return False
    if group.result == "decimal" or (group.function, group.result[:7]) == ("cast", "numeric"):
        return Decimal(got) == Decimal(wanted)
    if group.result == "float" or group.function in ("^(float8,float8)", "||/(float8)"):
        # NUMERIC is a 64-bit float here; powers and roots differ in the last place.
        return math.isclose(float(got), float(wanted), rel_tol=1e-15, abs_tol=1e-16)
    return False


def _digits(text: Any) -> int:
    return len(text.lstrip("-").replace(".", "")) if isinstance(text, str) else 0


def _answers(group: Group) -> tuple[list[Any], InvalidRequest | None]:
    try:
        return column_answers(group), None
    except InvalidRequest as error:
        return [], error


def _name(group: Group) -> str:
    return f"{group.function}: {', '.join(group.arguments)} to {group.result}"


@pytest.mark.parametrize("group", GROUPS, ids=_name)
def test_columns_give_postgresqls_answers(group: Group) -> None:
    found, refused = _answers(group)
    if refused is not None:
        # What the types alone rule out is refused before there is a row.
        wanted = {call[-1]["sqlstate"] for call in group.calls if call[-1] is not None}
        assert wanted == {refused.sqlstate}
        return
    pairs = zip(found, group.calls, strict=True)
    wrong = [(call, got) for got, call in pairs if not _same(group, got, call[-1])]
    assert not wrong


def test_constants_give_postgresqls_answers() -> None:
    print("seed", SEED)  # noqa: T201
    chosen = random.Random(SEED).sample([(g, c) for g in GROUPS for c in g.calls], 600)
    wrong = []
    for group, call in chosen:
        try:
            got = constant_answer(group, call)
        except InvalidRequest as error:
            got = {"sqlstate": error.sqlstate, "message": error.message}
        if not _same(group, got, call[-1]):
            wrong.append((group.function, group.arguments, group.result, call, got))
    assert not wrong
