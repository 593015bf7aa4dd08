"""`to_char` of timestamps and intervals: a text by a picture.

A constant picture of common patterns is written by Polars (`_chrono`); other pictures, and years
outside 1 to 9999, by a kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import polars as pl

from storage.errors import InvalidRequest
from warehouse.algebra.types import BIGINT, AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value
from warehouse.functions.date_pictures import (
    MONTHS,
    ROMAN_MONTHS,
    WEEKDAYS,
    Node,
    date_picture,
)
from warehouse.functions.day_numbers import civil, julian, week_start
from warehouse.functions.number_formats import ordinal_suffix
from warehouse.functions.registry import scalar
from warehouse.functions.text import constant_of

__all__: list[str] = []

_DAY = 86_400_000_000
_EPOCH = julian(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class _Moment:
    """The fields of a timestamp or interval. `weekday` is 0 on Sundays."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    microsecond: int
    yearday: int
    weekday: int = 0
    interval: bool = False
    zone: str = ""

    @property
    def shown_year(self) -> int:
        """Years before Christ count backwards from 1."""
        return self.year if self.interval or self.year > 0 else 1 - self.year


@scalar("to_char(timestamp,text) -> text", native=False)
def timestamp_to_char(moment: Value, picture: Value, *, kind: AnyType) -> Value:
    """A timestamp by a picture."""
    return _moment_to_char(moment, picture, kind, "")


@scalar("to_char(timestamptz,text) -> text", native=False)
def timestamptz_to_char(moment: Value, picture: Value, *, kind: AnyType) -> Value:
    """The same, in UTC."""
    return _moment_to_char(moment, picture, kind, "UTC")


def _moment_to_char(moment: Value, picture: Value, kind: AnyType, zone: str) -> Value:
    def shown(microseconds: int, wanted: str) -> str | None:
        return _formatted(_moment(microseconds, zone), wanted)

    known = constant_of(picture)
    chrono = _chrono(known) if isinstance(known, str) else None
    ticks = replace(moment, expr=moment.expr.cast(pl.Int64), type=BIGINT, range=None)
    if chrono is None:
        return rowwise(shown, [ticks, picture], kind)
    common = moment.expr.dt.year().is_between(1, 9999)
    fast = pl.when(common).then(moment.expr.dt.to_string(chrono))
    far = replace(ticks, expr=pl.when(~common).then(ticks.expr), constant=False, fault=None)
    return Value(pl.coalesce(fast, rowwise(shown, [far, picture], kind).expr), kind)


@scalar("to_char(interval,text) -> text", native=False)
def interval_to_char(interval: Value, picture: Value, *, kind: AnyType) -> Value:
    """An interval by a picture; patterns of the calendar are errors (22007)."""
    return rowwise(_interval, [interval, picture], kind)


def _interval(interval: tuple[int, int, int], wanted: str) -> str | None:
    months, days, microseconds = interval
    year, month = _divided(months, 12)
    second, fraction = _divided(microseconds, 1_000_000)
    minute, second = _divided(second, 60)
    hour, minute = _divided(minute, 60)
    yearday = (year * 12 + month) * 30 + days
    moment = _Moment(year, month, days, hour, minute, second, fraction, yearday, interval=True)
    return _formatted(moment, wanted)


def _divided(value: int, divisor: int) -> tuple[int, int]:
    """Towards zero, as C does."""
    quotient = abs(value) // divisor * (1 if value >= 0 else -1)
    return quotient, value - quotient * divisor


def _moment(microseconds: int, zone: str) -> _Moment:
    days, time = divmod(microseconds, _DAY)
    day_number = days + _EPOCH
    year, month, day = civil(day_number)
    seconds, fraction = divmod(time, 1_000_000)
    return _Moment(
        year,
        month,
        day,
        seconds // 3600,
        seconds // 60 % 60,
        seconds % 60,
        fraction,
        day_number - julian(year, 1, 1) + 1,
        (day_number + 1) % 7,
        zone=zone,
    )


# Patterns that chrono writes alike for years 1 to 9999, plain and with FM.
_CHRONO = {
    "YYYY": ("%Y", None),
    "IYYY": ("%G", None),
    "MM": ("%m", "%-m"),
    "DD": ("%d", "%-d"),
    "DDD": ("%j", "%-j"),
    "HH24": ("%H", "%-H"),
    "HH12": ("%I", "%-I"),
    "HH": ("%I", "%-I"),
    "MI": ("%M", "%-M"),
    "SS": ("%S", "%-S"),
    "MS": ("%3f", None),
    "US": ("%6f", None),
    "ID": ("%u", "%u"),
    "IW": ("%V", "%-V"),
    "Mon": ("%b", "%b"),
    "Dy": ("%a", "%a"),
    "Month": (None, "%B"),
    "Day": (None, "%A"),
    "AM": ("%p", "%p"),
    "PM": ("%p", "%p"),
    "am": ("%P", "%P"),
    "pm": ("%P", "%P"),
}


def _chrono(picture: str) -> str | None:
    """The same for chrono; None if there is a pattern that it has not."""
    parts = []
    for node in date_picture(picture):
        if node.kind != "pattern":
            parts.append(node.text.replace("%", "%%"))
            continue
        known = _CHRONO.get(node.word, (None, None))[node.fill]
        if known is None or node.suffix or node.translated:
            return None
        parts.append(known)
    return "".join(parts) or None


def _formatted(moment: _Moment, wanted: str) -> str | None:
    if not wanted:
        return None
    parts = []
    for node in date_picture(wanted):
        parts.append(_pattern(moment, node) if node.kind == "pattern" else node.text)
    return "".join(parts)


_OFFSETS = ("OF", "TZH", "TZM")


def _pattern(moment: _Moment, node: Node) -> str:
    cased = _NAMES.get(node.word.upper()) if node.word not in _NUMBERS else None
    if cased is not None:
        return cased(moment, node)
    number = _NUMBERS.get(node.word)
    if number is None:
        return ""
    text = number(moment, node)
    if node.suffix and text and node.word not in _OFFSETS:
        suffix = ordinal_suffix(text)
        text += suffix.upper() if node.suffix == "TH" else suffix
    return text


def _refuse_interval(moment: _Moment) -> None:
    if moment.interval:
        message = "invalid format specification for an interval value"
        raise InvalidRequest(message, "22007")


def _spelled(text: str, word: str) -> str:
    """In the case of the pattern: `MONTH`, `Month`, `month`."""
    if word.isupper():
        return text.upper()
    return text.lower() if word.islower() else text


def _padded(text: str, node: Node, width: int) -> str:
    return text if node.fill or node.translated else text.ljust(width)


def _month(moment: _Moment, node: Node) -> str:
    _refuse_interval(moment)
    return _padded(_spelled(MONTHS[moment.month - 1], node.word), node, 9)


def _short_month(moment: _Moment, node: Node) -> str:
    _refuse_interval(moment)
    return _spelled(MONTHS[moment.month - 1][:3], node.word)


def _weekday(moment: _Moment, node: Node) -> str:
    _refuse_interval(moment)
    return _padded(_spelled(WEEKDAYS[moment.weekday], node.word), node, 9)


def _short_weekday(moment: _Moment, node: Node) -> str:
    _refuse_interval(moment)
    return _spelled(WEEKDAYS[moment.weekday][:3], node.word)


def _half_day(moment: _Moment, node: Node) -> str:
    afternoon = _divided(moment.hour, 24)[1] >= 12
    return _spelled(_dotted("PM" if afternoon else "AM", node), node.word)


def _era(moment: _Moment, node: Node) -> str:
    _refuse_interval(moment)
    return _spelled(_dotted("BC" if moment.year <= 0 else "AD", node), node.word)


def _dotted(text: str, node: Node) -> str:
    return f"{text[0]}.{text[1]}." if "." in node.word else text


def _roman_month(moment: _Moment, node: Node) -> str:
    month, year = moment.month, moment.year
    if month == 0 and year == 0:
        return ""
    before = -(month + 1) if month else 11
    after = 12 - month if month else 0
    backwards = month < 0 or (month == 0 and year < 0)
    text = _spelled(ROMAN_MONTHS[before if backwards else after], node.word)
    return text if node.fill else text.ljust(4)


def _zone(moment: _Moment, node: Node) -> str:
    _refuse_interval(moment)
    return _spelled(moment.zone, node.word)


_Writer = Callable[[_Moment, Node], str]

_NAMES: dict[str, _Writer] = {
    "MONTH": _month,
    "MON": _short_month,
    "DAY": _weekday,
    "DY": _short_weekday,
    **dict.fromkeys(("AM", "PM", "A.M.", "P.M."), _half_day),
    **dict.fromkeys(("AD", "BC", "A.D.", "B.C."), _era),
    "RM": _roman_month,
    "TZ": _zone,
}


def _number(value: int, node: Node, width: int) -> str:
    """With zeros in front, and one place more for a minus."""
    if node.fill:
        return str(value)
    return f"{value:0{width if value >= 0 else width + 1}d}"


def _counted(value: int, node: Node, width: int) -> str:
    """With zeros in front; a minus takes one of the places."""
    return str(value) if node.fill else f"{value:0{width}d}"


def _fraction(digits: int) -> _Writer:
    def written(moment: _Moment, node: Node) -> str:
        value = _divided(moment.microsecond, 10 ** (6 - digits))[0]
        return f"{value:0{digits}d}"

    return written


def _year_digits(digits: int, *, iso: bool) -> _Writer:
    def written(moment: _Moment, node: Node) -> str:
        year = moment.shown_year
        if iso:
            found = _iso_year(moment)
            year = found if moment.interval or found > 0 else 1 - found
        if digits < 4:
            year = _divided(year, 10**digits)[1]
        return str(year) if digits == 1 else _number(year, node, digits)

    return written


def _grouped_year(moment: _Moment, node: Node) -> str:
    thousands, rest = _divided(moment.shown_year, 1000)
    return f"{thousands},{rest:03d}"


def _twelve_hours(moment: _Moment, node: Node) -> str:
    hour = _divided(moment.hour, 12)[1] or 12
    width = 2 if moment.hour >= 0 else 3
    return str(hour) if node.fill else f"{hour:0{width}d}"


def _seconds_of_day(moment: _Moment, node: Node) -> str:
    return str(moment.hour * 3600 + moment.minute * 60 + moment.second)


def _century(moment: _Moment, node: Node) -> str:
    year = moment.year
    if moment.interval:
        century = _divided(year, 100)[0]
    else:
        century = (year - 1) // 100 + 1 if year > 0 else _divided(year, 100)[0] - 1
    return _number(century, node, 2) if -99 <= century <= 99 else str(century)


def _quarter(moment: _Moment, node: Node) -> str:
    return str(_divided(moment.month - 1, 3)[0] + 1) if moment.month else ""


def _day_number(moment: _Moment) -> int:
    return julian(moment.year, moment.month, moment.day)


def _iso_year(moment: _Moment) -> int:
    day = _day_number(moment)
    year = moment.year
    if day < week_start(year):
        return year - 1
    return year + 1 if day >= week_start(year + 1) else year


def _iso_week(moment: _Moment, node: Node) -> str:
    return _number((_day_number(moment) - week_start(_iso_year(moment))) // 7 + 1, node, 2)


def _iso_yearday(moment: _Moment, node: Node) -> str:
    return _number(_day_number(moment) - week_start(_iso_year(moment)) + 1, node, 3)


def _offset(moment: _Moment, node: Node) -> str:
    _refuse_interval(moment)
    return "+0" if node.fill else "+00"


def _weekday_number(moment: _Moment, node: Node) -> str:
    _refuse_interval(moment)
    return str(moment.weekday + 1)


def _iso_weekday(moment: _Moment, node: Node) -> str:
    _refuse_interval(moment)
    return str(moment.weekday or 7)


def _zone_part(text: str) -> _Writer:
    def written(moment: _Moment, node: Node) -> str:
        _refuse_interval(moment)
        return text

    return written


_NUMBERS: dict[str, _Writer] = {
    "HH": _twelve_hours,
    "HH12": _twelve_hours,
    "HH24": lambda moment, node: _number(moment.hour, node, 2),
    "MI": lambda moment, node: _number(moment.minute, node, 2),
    "SS": lambda moment, node: _number(moment.second, node, 2),
    "MS": _fraction(3),
    "US": _fraction(6),
    **{f"FF{digits}": _fraction(digits) for digits in range(1, 7)},
    **dict.fromkeys(("SSSS", "SSSSS"), _seconds_of_day),
    "MM": lambda moment, node: _number(moment.month, node, 2),
    "DDD": lambda moment, node: _counted(moment.yearday, node, 3),
    "DD": lambda moment, node: _counted(moment.day, node, 2),
    "D": _weekday_number,
    "ID": _iso_weekday,
    "IDDD": _iso_yearday,
    "WW": lambda moment, node: _counted(_divided(moment.yearday - 1, 7)[0] + 1, node, 2),
    "IW": _iso_week,
    "W": lambda moment, node: str(_divided(moment.day - 1, 7)[0] + 1),
    "Q": _quarter,
    "CC": _century,
    "Y,YYY": _grouped_year,
    **{"Y" * digits: _year_digits(digits, iso=False) for digits in range(1, 5)},
    **{"I" + "Y" * (digits - 1): _year_digits(digits, iso=True) for digits in range(1, 5)},
    "J": lambda moment, node: str(_day_number(moment)),
    "OF": _offset,
    "TZH": _zone_part("+00"),
    "TZM": _zone_part("00"),
}
