"""SQL/JSON paths, apart from what the corpus asks PostgreSQL: numbers, texts, and stacks."""

from __future__ import annotations

from decimal import Decimal

import pytest

from storage.errors import InvalidRequest, NotYet
from warehouse.functions.json_scan import parsed
from warehouse.functions.jsonpath.evaluate import Evaluation
from warehouse.functions.jsonpath.numbers import DivisionByZero, arithmetic
from warehouse.functions.jsonpath.parse import parse
from warehouse.functions.jsonpath.print import path_text


@pytest.mark.parametrize(
    "text",
    ["$", 'strict $."a"[*]', '$?(@."a" > 1 && !(exists (@."b")))', "(($ + 1) - 2 * 3)"],
)
def test_the_text_of_a_path_means_the_same_path(text: str) -> None:
    assert path_text(parse(text)) == text
    assert parse(path_text(parse(text))) == parse(text)


def test_products_are_exact_and_quotients_have_a_scale() -> None:
    big = Decimal(10**60 + 1)
    assert arithmetic("*", big, big) == Decimal((10**60 + 1) ** 2)
    assert str(arithmetic("/", Decimal(2), Decimal(3))) == "0.66666666666666666667"
    with pytest.raises(DivisionByZero):
        arithmetic("%", big, Decimal("0.0"))


def test_a_question_ends_at_the_first_item() -> None:
    document = parsed('[1, "x"]')
    assert Evaluation(parse("$[*].abs()"), document, {}).exists()
    with pytest.raises(Exception, match="numeric value"):
        list(Evaluation(parse("$[*].abs()"), document, {}).items())


def test_what_nests_too_deeply_is_an_error_of_the_statement() -> None:
    with pytest.raises(InvalidRequest) as raised:
        parse("(" * 100_000)
    assert raised.value.sqlstate == "54001"


def test_datetimes_are_refused_by_name() -> None:
    with pytest.raises(NotYet, match="datetime"):
        parse("$.datetime()")
