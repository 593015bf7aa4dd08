"""Quantities as people write them: '4 GB', '5 min', MEDIUM, on. Values of options and settings.

Every reader takes what SQL, Python or a command line gave (a text, a number, a Boolean, None) and
raises InvalidRequest (22023) that says what was expected, without naming the option.
"""

from __future__ import annotations

import math
import re

from storage.errors import InvalidRequest

__all__ = [
    "Raw",
    "duration_ms",
    "duration_text",
    "read_bytes",
    "read_count",
    "read_number",
    "read_seconds",
    "read_text",
    "read_truth",
    "read_workers",
]

Raw = str | int | float | bool | None

_QUANTITY = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*([a-zµ]*)\s*", re.IGNORECASE)
_BYTES = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_MILLISECONDS: dict[str, float] = {
    "us": 0.001, "µs": 0.001, "ms": 1,
    "s": 1000, "sec": 1000, "secs": 1000, "second": 1000, "seconds": 1000,
    "m": 60_000, "min": 60_000, "mins": 60_000, "minute": 60_000, "minutes": 60_000,
    "h": 3_600_000, "hour": 3_600_000, "hours": 3_600_000,
    "d": 86_400_000, "day": 86_400_000, "days": 86_400_000,
}  # fmt: skip
_SHOWN = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000), ("ms", 1))
_SHIRTS = ("xsmall", "small", "medium", "large", "xlarge")
_TRUTHS = {
    "true": True, "on": True, "yes": True, "1": True,
    "false": False, "off": False, "no": False, "0": False,
}  # fmt: skip
_NONE = ("", "none", "null", "never", "unlimited")


def read_workers(raw: Raw) -> int:
    """A number of workers, or a T-shirt size: XSMALL 1, SMALL 2, MEDIUM 4, … 6XLARGE 512."""
    if isinstance(raw, str):
        plain = re.sub(r"[\s_-]", "", raw).lower()
        if plain in _SHIRTS:
            return 1 << _SHIRTS.index(plain)
        if (found := re.fullmatch(r"(?:x?([2-6])x?|(x{2,6}))large", plain)) is not None:
            return 8 << (int(found[1]) if found[1] else len(found[2]))
    return _whole(raw, "a number of workers, or XSMALL, SMALL, MEDIUM, LARGE, XLARGE … 6XLARGE")


def read_bytes(raw: Raw) -> int | None:
    """Bytes, or a text such as '512 MB': a unit is 1024 times the one before it. None: no limit."""
    expected = "a size such as '4 GB', or bytes"
    if _is_none(raw):
        return None
    number, unit = _split(raw, expected)
    factor = _BYTES.get(unit.removesuffix("b").removesuffix("i") if unit != "b" else unit)
    if factor is None:
        raise _expected(f"{expected}; units are kB, MB, GB and TB", raw)
    return _whole(number * factor, f"{expected}: a whole number of bytes")


def read_seconds(raw: Raw) -> float | int | None:
    """Seconds, or a text such as '5 minutes'. None: never, which 0 means too."""
    if _is_none(raw):
        return None
    found = duration_ms(raw, "s", "seconds, a text such as '5 min', or NULL") / 1000
    return (int(found) if found == int(found) else found) or None


def read_count(raw: Raw) -> int | None:
    """A whole number, or None: no limit."""
    return None if _is_none(raw) else _whole(raw, "a whole number")


def read_number(raw: Raw) -> float:
    """A number."""
    return _number(raw, "a number")


def read_truth(raw: Raw) -> bool:
    """TRUE or FALSE."""
    found = raw if isinstance(raw, bool) else _TRUTHS.get(str(raw).strip().lower())
    if found is None:
        raise _expected("TRUE or FALSE", raw)
    return found


def read_text(raw: Raw) -> str | None:
    """A text as it is; None without one."""
    return None if raw is None else str(raw)


def duration_ms(raw: Raw, unit: str, expected: str) -> float:
    """Milliseconds of a duration.

    Args: unit: of a number without one; expected: what an error asks for.
    """
    number, found = _split(raw, expected)
    factor = _MILLISECONDS.get(found or unit)
    if factor is None:
        raise _expected(f"{expected}; units are us, ms, s, min, h and d", raw)
    return number * factor


def duration_text(milliseconds: int) -> str:
    """A duration in the largest unit that gives a whole number: `5min`, `1500ms`; `0`."""
    for unit, size in _SHOWN:
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return "0"


def _is_none(raw: Raw) -> bool:
    return raw is None or (isinstance(raw, str) and raw.strip().lower() in _NONE)


def _split(raw: Raw, expected: str) -> tuple[float | int, str]:
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return raw, ""
    found = _QUANTITY.fullmatch(raw) if isinstance(raw, str) else None
    if found is None:
        raise _expected(expected, raw)
    return _number(found[1], expected), found[2].lower()


def _number(raw: Raw, expected: str) -> float | int:
    if isinstance(raw, str):
        try:
            return int(raw) if raw.strip().lstrip("+-").isdigit() else float(raw)
        except ValueError:
            raise _expected(expected, raw) from None
    if raw is None or isinstance(raw, bool):
        raise _expected(expected, raw)
    return raw


def _whole(raw: Raw, expected: str) -> int:
    number = _number(raw, expected)
    if not math.isfinite(number) or number != int(number):
        raise _expected(expected, raw)
    return int(number)


def _expected(what: str, raw: Raw) -> InvalidRequest:
    shown = "NULL" if raw is None else repr(raw)
    return InvalidRequest(f"expected {what}, found {shown}", "22023")
