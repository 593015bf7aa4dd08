"""Functions of floats: what PostgreSQL 16 answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

import warehouse.functions.mathematics  # noqa: F401 - registers what is tested
from tests.unit.warehouse.functions.evaluation import Fails, Typed, check, check_together
from warehouse.algebra.expressions import Call
from warehouse.algebra.types import BIGINT, DOUBLE, NUMERIC
from warehouse.execution.expressions import Environment, lower
from warehouse.execution.value import Value

INFINITY = float("inf")
NAN = float("nan")

# fmt: off
CASES: dict[str, list[tuple[tuple[Any, ...], Any]]] = {
    "ceil(float8)": [
        ((-0.0,), -0.0), ((-1.0,), -1.0), ((-0.5,), -0.0), ((1.5,), 2.0), ((2.5,), 3.0),
        ((1e+300,), 1e+300), ((1e-300,), 1.0), ((INFINITY,), INFINITY), ((-INFINITY,), -INFINITY),
        ((NAN,), NAN), ((30.0,), 30.0),
    ],
    "ceiling(float8)": [
        ((0.0,), 0.0), ((-0.0,), -0.0), ((-1.0,), -1.0), ((0.5,), 1.0), ((-0.5,), -0.0),
        ((1e-300,), 1.0), ((INFINITY,), INFINITY), ((-INFINITY,), -INFINITY), ((45.0,), 45.0),
        ((30.0,), 30.0), ((1000.0,), 1000.0), ((-1000.0,), -1000.0), ((0.25,), 1.0),
    ],
    "floor(float8)": [
        ((-0.0,), -0.0), ((1.0,), 1.0), ((0.5,), 0.0), ((-0.5,), -1.0), ((1.5,), 1.0),
        ((2.5,), 2.0), ((-2.5,), -3.0), ((INFINITY,), INFINITY), ((-INFINITY,), -INFINITY),
        ((NAN,), NAN), ((None,), None), ((45.0,), 45.0), ((1000.0,), 1000.0), ((-1000.0,), -1000.0),
        ((0.25,), 0.0),
    ],
    "round(float8)": [
        ((-0.0,), -0.0), ((1.0,), 1.0), ((-1.0,), -1.0), ((0.5,), 0.0), ((-0.5,), -0.0),
        ((1.5,), 2.0), ((-2.5,), -2.0), ((1e+300,), 1e+300), ((1e-300,), 0.0),
        ((INFINITY,), INFINITY), ((-INFINITY,), -INFINITY), ((45.0,), 45.0), ((30.0,), 30.0),
        ((-1000.0,), -1000.0),
    ],
    "trunc(float8)": [
        ((0.0,), 0.0), ((-0.0,), -0.0), ((1.0,), 1.0), ((-1.0,), -1.0), ((-0.5,), -0.0),
        ((1.5,), 1.0), ((2.5,), 2.0), ((-2.5,), -2.0), ((1e+300,), 1e+300), ((1e-300,), 0.0),
        ((INFINITY,), INFINITY), ((NAN,), NAN), ((45.0,), 45.0), ((30.0,), 30.0),
        ((1000.0,), 1000.0), ((-1000.0,), -1000.0),
    ],
    "exp(float8)": [
        ((0.0,), 1.0), ((-0.0,), 1.0), ((0.5,), 1.6487212707001282), ((-0.5,), 0.6065306597126334),
        ((1.5,), 4.4816890703380645), ((1e+300,), Fails("22003", "value out of range: overflow")),
        ((1e-300,), 1.0), ((-INFINITY,), 0.0), ((NAN,), NAN), ((None,), None),
        ((45.0,), 3.4934271057485095e+19), ((30.0,), 10686474581524.463),
        ((-1000.0,), Fails("22003", "value out of range: underflow")),
        ((0.25,), 1.2840254166877414),
    ],
    "ln(float8)": [
        ((0.0,), Fails("2201E", "cannot take logarithm of zero")), ((1.0,), 0.0),
        ((-1.0,), Fails("2201E", "cannot take logarithm of a negative number")),
        ((0.5,), -0.6931471805599453),
        ((-0.5,), Fails("2201E", "cannot take logarithm of a negative number")),
        ((1.5,), 0.4054651081081644),
        ((-2.5,), Fails("2201E", "cannot take logarithm of a negative number")),
        ((1e+300,), 690.7755278982137), ((INFINITY,), INFINITY),
        ((-INFINITY,), Fails("2201E", "cannot take logarithm of a negative number")),
        ((None,), None), ((45.0,), 3.8066624897703196), ((30.0,), 3.4011973816621555),
        ((1000.0,), 6.907755278982137),
        ((-1000.0,), Fails("2201E", "cannot take logarithm of a negative number")),
        ((0.25,), -1.3862943611198906),
    ],
    "log(float8)": [
        ((0.0,), Fails("2201E", "cannot take logarithm of zero")),
        ((-0.0,), Fails("2201E", "cannot take logarithm of zero")),
        ((-1.0,), Fails("2201E", "cannot take logarithm of a negative number")),
        ((-0.5,), Fails("2201E", "cannot take logarithm of a negative number")),
        ((1.5,), 0.17609125905568124),
        ((-2.5,), Fails("2201E", "cannot take logarithm of a negative number")), ((1e+300,), 300.0),
        ((1e-300,), -300.0), ((INFINITY,), INFINITY),
        ((-INFINITY,), Fails("2201E", "cannot take logarithm of a negative number")), ((NAN,), NAN),
        ((45.0,), 1.6532125137753437), ((30.0,), 1.4771212547196624), ((1000.0,), 3.0),
        ((0.25,), -0.6020599913279624),
    ],
    "log10(float8)": [
        ((0.0,), Fails("2201E", "cannot take logarithm of zero")),
        ((-0.0,), Fails("2201E", "cannot take logarithm of zero")), ((1.0,), 0.0),
        ((-1.0,), Fails("2201E", "cannot take logarithm of a negative number")),
        ((0.5,), -0.3010299956639812), ((2.5,), 0.3979400086720376),
        ((-2.5,), Fails("2201E", "cannot take logarithm of a negative number")), ((1e+300,), 300.0),
        ((1e-300,), -300.0), ((INFINITY,), INFINITY),
        ((-INFINITY,), Fails("2201E", "cannot take logarithm of a negative number")), ((NAN,), NAN),
        ((None,), None), ((45.0,), 1.6532125137753437), ((1000.0,), 3.0),
        ((0.25,), -0.6020599913279624),
    ],
    "degrees(float8)": [
        ((-0.0,), -0.0), ((1.0,), 57.29577951308232), ((-1.0,), -57.29577951308232),
        ((0.5,), 28.64788975654116), ((1.5,), 85.94366926962348), ((-2.5,), -143.2394487827058),
        ((1e+300,), 5.729577951308232e+301), ((NAN,), NAN), ((None,), None),
        ((-1000.0,), -57295.77951308232), ((0.25,), 14.32394487827058),
    ],
    "radians(float8)": [
        ((0.0,), 0.0), ((1.0,), 0.017453292519943295), ((-1.0,), -0.017453292519943295),
        ((0.5,), 0.008726646259971648), ((-0.5,), -0.008726646259971648),
        ((1.5,), 0.026179938779914945), ((-2.5,), -0.04363323129985824), ((INFINITY,), INFINITY),
        ((NAN,), NAN), ((45.0,), 0.7853981633974483), ((30.0,), 0.5235987755982988),
        ((1000.0,), 17.453292519943297), ((-1000.0,), -17.453292519943297),
        ((0.25,), 0.004363323129985824),
    ],
    "sin(float8)": [
        ((0.0,), 0.0), ((-0.0,), -0.0), ((1.0,), 0.8414709848078965), ((0.5,), 0.479425538604203),
        ((-2.5,), -0.5984721441039565), ((1e+300,), -0.8178819121159085), ((1e-300,), 1e-300),
        ((-INFINITY,), Fails("22003", "input is out of range")), ((NAN,), NAN), ((None,), None),
        ((30.0,), -0.9880316240928618), ((-1000.0,), -0.8268795405320025),
        ((0.25,), 0.24740395925452294),
    ],
    "cos(float8)": [
        ((0.0,), 1.0), ((-1.0,), 0.5403023058681398), ((0.5,), 0.8775825618903728),
        ((-0.5,), 0.8775825618903728), ((1.5,), 0.0707372016677029), ((2.5,), -0.8011436155469337),
        ((-2.5,), -0.8011436155469337), ((1e+300,), -0.5753861119575491), ((1e-300,), 1.0),
        ((-INFINITY,), Fails("22003", "input is out of range")), ((NAN,), NAN),
        ((45.0,), 0.5253219888177297), ((30.0,), 0.15425144988758405),
        ((1000.0,), 0.5623790762907029), ((0.25,), 0.9689124217106447),
    ],
    "tan(float8)": [
        ((0.0,), 0.0), ((-0.0,), -0.0), ((1.0,), 1.5574077246549023),
        ((-1.0,), -1.5574077246549023), ((1e+300,), 1.4214488238747245), ((1e-300,), 1e-300),
        ((INFINITY,), Fails("22003", "input is out of range")),
        ((-INFINITY,), Fails("22003", "input is out of range")), ((NAN,), NAN), ((None,), None),
        ((45.0,), 1.6197751905438615), ((1000.0,), 1.4703241557027185),
        ((-1000.0,), -1.4703241557027185), ((0.25,), 0.25534192122103627),
    ],
    "cot(float8)": [
        ((0.0,), INFINITY), ((-0.0,), -INFINITY), ((1.0,), 0.6420926159343306),
        ((-1.0,), -0.6420926159343306), ((0.5,), 1.830487721712452), ((2.5,), -1.3386481283041514),
        ((-2.5,), 1.3386481283041514), ((1e+300,), 0.7035075643976418),
        ((1e-300,), 9.999999999999999e+299),
        ((-INFINITY,), Fails("22003", "input is out of range")), ((None,), None),
        ((45.0,), 0.6173696237835551), ((30.0,), -0.15611995216165922), ((0.25,), 3.91631736464594),
    ],
    "asin(float8)": [
        ((0.0,), 0.0), ((1.0,), 1.5707963267948966), ((-0.5,), -0.5235987755982989),
        ((2.5,), Fails("22003", "input is out of range")),
        ((-2.5,), Fails("22003", "input is out of range")),
        ((1e+300,), Fails("22003", "input is out of range")), ((1e-300,), 1e-300),
        ((INFINITY,), Fails("22003", "input is out of range")), ((NAN,), NAN), ((None,), None),
        ((45.0,), Fails("22003", "input is out of range")),
        ((30.0,), Fails("22003", "input is out of range")),
    ],
    "acos(float8)": [
        ((1.0,), 0.0), ((-1.0,), 3.141592653589793), ((0.5,), 1.0471975511965979),
        ((-0.5,), 2.0943951023931957), ((1.5,), Fails("22003", "input is out of range")),
        ((-2.5,), Fails("22003", "input is out of range")),
        ((1e+300,), Fails("22003", "input is out of range")), ((1e-300,), 1.5707963267948966),
        ((INFINITY,), Fails("22003", "input is out of range")),
        ((-INFINITY,), Fails("22003", "input is out of range")), ((NAN,), NAN), ((None,), None),
        ((45.0,), Fails("22003", "input is out of range")),
        ((30.0,), Fails("22003", "input is out of range")),
        ((-1000.0,), Fails("22003", "input is out of range")),
    ],
    "atan(float8)": [
        ((0.0,), 0.0), ((-0.0,), -0.0), ((1.0,), 0.7853981633974483),
        ((-1.0,), -0.7853981633974483), ((0.5,), 0.4636476090008061),
        ((-0.5,), -0.4636476090008061), ((1.5,), 0.982793723247329), ((2.5,), 1.1902899496825317),
        ((-2.5,), -1.1902899496825317), ((1e+300,), 1.5707963267948966),
        ((-INFINITY,), -1.5707963267948966), ((NAN,), NAN), ((None,), None),
        ((45.0,), 1.5485777614681775), ((30.0,), 1.5374753309166493),
    ],
    "sinh(float8)": [
        ((-0.0,), -0.0), ((1.0,), 1.1752011936438014), ((-1.0,), -1.1752011936438014),
        ((0.5,), 0.5210953054937474), ((-0.5,), -0.5210953054937474), ((1.5,), 2.1292794550948173),
        ((2.5,), 6.0502044810397875), ((-2.5,), -6.0502044810397875), ((1e+300,), INFINITY),
        ((1e-300,), 1e-300), ((INFINITY,), INFINITY), ((-INFINITY,), -INFINITY),
        ((45.0,), 1.7467135528742547e+19), ((30.0,), 5343237290762.231), ((1000.0,), INFINITY),
        ((-1000.0,), -INFINITY),
    ],
    "cosh(float8)": [
        ((0.0,), 1.0), ((-0.0,), 1.0), ((1.0,), 1.5430806348152437), ((0.5,), 1.1276259652063807),
        ((-0.5,), 1.1276259652063807), ((1.5,), 2.352409615243247), ((2.5,), 6.132289479663686),
        ((-2.5,), 6.132289479663686), ((1e+300,), INFINITY), ((INFINITY,), INFINITY), ((NAN,), NAN),
        ((None,), None), ((45.0,), 1.7467135528742547e+19), ((30.0,), 5343237290762.231),
        ((-1000.0,), INFINITY), ((0.25,), 1.0314130998795732),
    ],
    "tanh(float8)": [
        ((0.0,), 0.0), ((1.0,), 0.7615941559557649), ((-1.0,), -0.7615941559557649),
        ((0.5,), 0.46211715726000974), ((-0.5,), -0.46211715726000974),
        ((2.5,), 0.9866142981514303), ((-2.5,), -0.9866142981514303), ((1e-300,), 1e-300),
        ((INFINITY,), 1.0), ((-INFINITY,), -1.0), ((None,), None), ((45.0,), 1.0), ((30.0,), 1.0),
        ((1000.0,), 1.0), ((-1000.0,), -1.0), ((0.25,), 0.24491866240370913),
    ],
    "asinh(float8)": [
        ((0.0,), 0.0), ((-0.0,), -0.0), ((1.0,), 0.881373587019543), ((-1.0,), -0.881373587019543),
        ((0.5,), 0.48121182505960347), ((-0.5,), -0.48121182505960347),
        ((1.5,), 1.1947632172871094), ((2.5,), 1.6472311463710958), ((-2.5,), -1.6472311463710958),
        ((1e+300,), 691.4686750787736), ((1e-300,), 1e-300), ((INFINITY,), INFINITY),
        ((-INFINITY,), -INFINITY), ((NAN,), NAN), ((45.0,), 4.49993310426429),
        ((30.0,), 4.09462222433053), ((0.25,), 0.24746646154726346),
    ],
    "acosh(float8)": [
        ((0.0,), Fails("22003", "input is out of range")),
        ((-1.0,), Fails("22003", "input is out of range")),
        ((0.5,), Fails("22003", "input is out of range")),
        ((-0.5,), Fails("22003", "input is out of range")), ((1.5,), 0.9624236501192069),
        ((2.5,), 1.566799236972411), ((-2.5,), Fails("22003", "input is out of range")),
        ((1e+300,), 691.4686750787736), ((1e-300,), Fails("22003", "input is out of range")),
        ((-INFINITY,), Fails("22003", "input is out of range")), ((NAN,), NAN), ((None,), None),
        ((45.0,), 4.499686190671499), ((30.0,), 4.0940666686320855),
        ((-1000.0,), Fails("22003", "input is out of range")),
        ((0.25,), Fails("22003", "input is out of range")),
    ],
    "atanh(float8)": [
        ((0.0,), 0.0), ((-0.0,), -0.0), ((1.0,), INFINITY), ((-1.0,), -INFINITY),
        ((1.5,), Fails("22003", "input is out of range")),
        ((2.5,), Fails("22003", "input is out of range")),
        ((-2.5,), Fails("22003", "input is out of range")),
        ((1e+300,), Fails("22003", "input is out of range")),
        ((INFINITY,), Fails("22003", "input is out of range")),
        ((-INFINITY,), Fails("22003", "input is out of range")), ((NAN,), NAN), ((None,), None),
        ((30.0,), Fails("22003", "input is out of range")),
        ((-1000.0,), Fails("22003", "input is out of range")), ((0.25,), 0.25541281188299536),
    ],
    "erf(float8)": [
        ((1.0,), 0.8427007929497149), ((-1.0,), -0.8427007929497149), ((0.5,), 0.5204998778130465),
        ((-0.5,), -0.5204998778130465), ((1.5,), 0.9661051464753108), ((-2.5,), -0.999593047982555),
        ((1e+300,), 1.0), ((-INFINITY,), -1.0), ((NAN,), NAN), ((None,), None), ((30.0,), 1.0),
        ((1000.0,), 1.0), ((-1000.0,), -1.0), ((0.25,), 0.2763263901682369),
    ],
    "erfc(float8)": [
        ((1.0,), 0.15729920705028513), ((-1.0,), 1.842700792949715), ((0.5,), 0.4795001221869535),
        ((-0.5,), 1.5204998778130465), ((2.5,), 0.0004069520174449589), ((INFINITY,), 0.0),
        ((-INFINITY,), 2.0),
    ],
    "atan2(float8,float8)": [
        ((1.0, 1.0), 0.7853981633974483), ((0.0, -1.0), 3.141592653589793),
    ],
    "pi()": [
        ((), 3.141592653589793),
    ],
    "exp(numeric)": [
        ((Typed(1.0, NUMERIC),), Decimal("2.7182818284590452")),
        ((Typed(0.0, NUMERIC),), Decimal("1.0000000000000000")),
    ],
    "ln(numeric)": [
        ((Typed(2.0, NUMERIC),), Decimal("0.6931471805599453")),
        ((Typed(-1.0, NUMERIC),), Fails("2201E", "cannot take logarithm of a negative number")),
    ],
    "log(numeric)": [
        ((Typed(0.0, NUMERIC),), Fails("2201E", "cannot take logarithm of zero")),
    ],
    "log(numeric,numeric)": [
        (
            (Typed(2.0, NUMERIC), Typed(-1.0, NUMERIC)),
            Fails("2201E", "cannot take logarithm of a negative number"),
        ),
        (
            (Typed(3.0, NUMERIC), Typed(0.0, NUMERIC)),
            Fails("2201E", "cannot take logarithm of zero"),
        ),
    ],
    "log10(numeric)": [
        ((Typed(1000.0, NUMERIC),), Decimal("3.0000000000000000")),
    ],
}
# fmt: on


@pytest.mark.parametrize("key", CASES)
def test_answers_are_postgresql_s(key: str) -> None:
    for args, expected in CASES[key]:
        check(key, args, expected)
    check_together(key, CASES[key])


def test_chance_differs_by_row() -> None:
    key, environment = "random()", Environment(columns={1: Value(pl.col("a"), BIGINT)})
    call = Call(type=DOUBLE, fn=key, args=())
    made = lower(call, environment).expr.alias("made")
    found = pl.DataFrame({"a": range(100)}).lazy().select(made).collect()["made"]
    assert found.n_unique() == 100
    assert found.is_between(0, 1, closed="left").all()
    alone = lower(call, Environment(columns={})).expr.alias("made")
    assert pl.select(alone).height == 1
