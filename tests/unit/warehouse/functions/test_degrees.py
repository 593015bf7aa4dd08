"""Trigonometry in degrees: what PostgreSQL 16 answers."""

from __future__ import annotations

from typing import Any

import pytest

import warehouse.functions.degrees  # noqa: F401 - registers what is tested
from tests.unit.warehouse.functions.evaluation import Fails, check, check_together

INFINITY = float("inf")
NAN = float("nan")

# fmt: off
CASES: dict[str, list[tuple[tuple[Any, ...], Any]]] = {
    "sind(float8)": [
        ((0.0,), 0.0), ((-0.0,), -0.0), ((-1.0,), -0.017452406437283515),
        ((0.5,), 0.008726535498373936), ((1e+300,), 0.0), ((NAN,), NAN), ((None,), None),
        ((45.0,), 0.7071067811865475), ((1000.0,), -0.984807753012208),
    ],
    "cosd(float8)": [
        ((-0.0,), 1.0), ((-0.5,), 0.9999619230641713), ((1.5,), 0.9996573249755573),
        ((2.5,), 0.9990482215818578), ((INFINITY,), Fails("22003", "input is out of range")),
        ((45.0,), 0.7071067811865475), ((1000.0,), 0.17364817766693036),
        ((0.25,), 0.9999904807207345),
    ],
    "tand(float8)": [
        ((-0.0,), 0.0), ((-1.0,), -0.01745506492821759), ((0.5,), 0.008726867790758791),
        ((-0.5,), -0.008726867790758791), ((1.5,), 0.02618592156918693),
        ((2.5,), 0.043660942908512065), ((-2.5,), -0.043660942908512065), ((1e+300,), 0.0),
        ((INFINITY,), Fails("22003", "input is out of range")),
        ((-INFINITY,), Fails("22003", "input is out of range")), ((NAN,), NAN), ((45.0,), 1.0),
        ((30.0,), 0.5773502691896257), ((1000.0,), -5.671281819617709),
        ((0.25,), 0.004363350820701568),
    ],
    "cotd(float8)": [
        ((1.0,), 57.28996163075942), ((-1.0,), -57.28996163075942), ((0.5,), 114.58865012930958),
        ((-0.5,), -114.58865012930958), ((1.5,), 38.1884592970256), ((2.5,), 22.903765548431195),
        ((1e+300,), INFINITY), ((1e-300,), 5.729577951308231e+301),
        ((INFINITY,), Fails("22003", "input is out of range")),
        ((-INFINITY,), Fails("22003", "input is out of range")), ((NAN,), NAN), ((None,), None),
        ((45.0,), 1.0), ((30.0,), 1.7320508075688774), ((-1000.0,), 0.176326980708465),
        ((0.25,), 229.18166360943985),
    ],
    "asind(float8)": [
        ((1.0,), 90.0), ((-1.0,), -90.0), ((1.5,), Fails("22003", "input is out of range")),
        ((2.5,), Fails("22003", "input is out of range")), ((1e-300,), 5.729577951308232e-299),
        ((INFINITY,), Fails("22003", "input is out of range")),
        ((-INFINITY,), Fails("22003", "input is out of range")), ((NAN,), NAN), ((None,), None),
        ((45.0,), Fails("22003", "input is out of range")),
        ((1000.0,), Fails("22003", "input is out of range")),
        ((-1000.0,), Fails("22003", "input is out of range")), ((0.25,), 14.477512185929923),
    ],
    "acosd(float8)": [
        ((0.0,), 90.0), ((-1.0,), 180.0), ((0.5,), 60.0), ((-0.5,), 120.0),
        ((2.5,), Fails("22003", "input is out of range")),
        ((-2.5,), Fails("22003", "input is out of range")),
        ((1e+300,), Fails("22003", "input is out of range")),
        ((-INFINITY,), Fails("22003", "input is out of range")), ((NAN,), NAN), ((None,), None),
        ((45.0,), Fails("22003", "input is out of range")),
        ((30.0,), Fails("22003", "input is out of range")),
        ((1000.0,), Fails("22003", "input is out of range")),
    ],
    "atand(float8)": [
        ((0.0,), 0.0), ((-0.0,), -0.0), ((-1.0,), -45.0), ((0.5,), 26.565051177077986),
        ((-0.5,), -26.565051177077986), ((1.5,), 56.309932474020215), ((2.5,), 68.19859051364818),
        ((-2.5,), -68.19859051364818), ((-INFINITY,), -90.0), ((None,), None),
        ((45.0,), 88.72696997994329), ((30.0,), 88.09084756700362), ((1000.0,), 89.94270423958551),
        ((-1000.0,), -89.94270423958551), ((0.25,), 14.036243467926479),
    ],
    "atan2d(float8,float8)": [
        ((1.0, 1.0), 45.0),
    ],
}
# fmt: on


@pytest.mark.parametrize("key", CASES)
def test_answers_are_postgresql_s(key: str) -> None:
    for args, expected in CASES[key]:
        check(key, args, expected)
    check_together(key, CASES[key])
