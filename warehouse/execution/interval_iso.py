"""Intervals in ISO 8601: `P1Y2M3DT4H`, and its alternative forms `P0001-02-03T04:05:06`.

1. The text behind `P` is cut after every `T`: a date, then times, each a half that may be empty.
2. A half has one of three forms, tried in turn (PostgreSQL 16 documentation, 8.5.4): a number whose
   digits are all units side by side, `00010203`; numbers with a separator between them,
   `0001-02-03`, the last of which may be left out; numbers with the letters of their units.
3. A form takes what is of it and adds that up from left to right, so that the first error is the
   one reported. What it leaves of the half is no interval.

Numbers may be negative, have fractions and exponents, and be hexadecimal. What is an error, and
which one, is as PostgreSQL 16 answers.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass

from warehouse.execution.interval_sums import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Sums,
    bad_format,
    out_of_range,
)

__all__ = ["iso_interval"]

_DECIMAL = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_HEXADECIMAL = r"0[xX](?:[0-9A-Fa-f]+\.?[0-9A-Fa-f]*|\.[0-9A-Fa-f]+)(?:[pP][+-]?[0-9]+)?"
_NAMED = r"-(?i:infinity|inf|nan)"
# Atomic, so that `0x1D` stays the number 29 and is no 1 with its unit.
_N = rf"((?>-?{_HEXADECIMAL}|-?{_DECIMAL}|{_NAMED}))"
_NEXT = re.compile(_N)
_ZERO = re.compile(r"-?(?:0x)?[0.]+(?:[ep].*)?", re.IGNORECASE)
_NUMBER_MAX = 1.0e15

_Number = tuple[int, float]  # what is before the point, and behind it
_Add = Callable[[Sums, int, float], None]


@dataclass(frozen=True, slots=True)
class _Half:
    """What may stand before a `T`, or behind it.

    Attributes:
        units: how to add a number, by the letter of its unit.
        order: the units of the forms without letters.
        fraction: the unit, in microseconds, of the fraction behind all units side by side.
        joined, separated, lettered: the forms; of the last, one number and its letter.
    """

    units: dict[str, _Add]
    order: str
    fraction: int
    joined: re.Pattern[str]
    separated: re.Pattern[str]
    lettered: re.Pattern[str]


def _of_time(unit: int) -> _Add:
    return lambda sums, whole, fraction: sums.add_time(whole, fraction, unit)


_DATE = _Half(
    units={
        "Y": Sums.add_years,
        "M": Sums.add_months,
        "W": lambda sums, whole, fraction: sums.add_days(whole, fraction, 7),
        "D": Sums.add_days,
    },
    order="YMD",
    fraction=DAY,
    joined=re.compile(rf"(?=-?[0-9]{{8}}(?![0-9])){_N}T?\Z"),
    separated=re.compile(rf"{_N}(?=-|T|\Z)(?:-{_N}(?:-{_N})?)?T?"),
    lettered=re.compile(rf"{_N}([YMWD])"),
)
_TIME = _Half(
    units={"H": _of_time(HOUR), "M": _of_time(MINUTE), "S": _of_time(SECOND)},
    order="HMS",
    fraction=1,
    joined=re.compile(rf"(?=-?[0-9]{{6}}(?![0-9])){_N}\Z"),
    separated=re.compile(rf"{_N}(?=:|\Z)(?::{_N}(?::{_N})?)?"),
    lettered=re.compile(rf"{_N}([HMS])"),
)


def iso_interval(text: str) -> Sums:
    """Raises InvalidRequest (22007, 22015)."""
    if len(text) < 2 or text[0] != "P":
        raise bad_format(text)
    sums = Sums(text)
    date, *times = re.split("(?<=T)", text[1:])
    _add_half(sums, date, _DATE)
    for time in times:
        _add_half(sums, time, _TIME)
    return sums


def _add_half(sums: Sums, half: str, kind: _Half) -> None:
    if found := kind.joined.match(half):
        _add_joined(sums, _number(found[1], sums.text), kind)
    elif found := kind.separated.match(half):
        for letter, digits in zip(kind.order, found.groups(), strict=True):
            if digits is not None:
                kind.units[letter](sums, *_number(digits, sums.text))
        if found.end() < len(half):
            raise bad_format(sums.text)
    else:
        _add_lettered(sums, half, kind)


def _add_joined(sums: Sums, number: _Number, kind: _Half) -> None:
    """The last two digits are the smallest unit, two more the next, all others the largest."""
    whole, fraction = number
    digits = f"{abs(whole):05}"
    for letter, part in zip(kind.order, (digits[:-4], digits[-4:-2], digits[-2:]), strict=True):
        kind.units[letter](sums, -int(part) if whole < 0 else int(part), 0.0)
    sums.add_time(0, fraction, kind.fraction)


def _add_lettered(sums: Sums, half: str, kind: _Half) -> None:
    at = 0
    while found := kind.lettered.match(half, at):
        kind.units[found[2]](sums, *_number(found[1], sums.text))
        at = found.end()
    if half[at:] not in ("", "T"):
        if found := _NEXT.match(half, at):
            _number(found[1], sums.text)  # too large a number is the error that comes first
        raise bad_format(sums.text)


def _number(digits: str, text: str) -> _Number:
    """What is no 64-bit float is no number; one past 1e15, or `-inf`, is out of range."""
    try:
        value = float.fromhex(digits) if "x" in digits.lower() else float(digits)
    except OverflowError:
        raise bad_format(text) from None
    lost = abs(value) < sys.float_info.min and not _ZERO.fullmatch(digits)
    if lost or (math.isinf(value) and "n" not in digits.lower()):
        raise bad_format(text)
    if not abs(value) <= _NUMBER_MAX:
        raise out_of_range(text)
    whole = math.trunc(value)
    return whole, value - whole
