"""Time zones in texts of timestamps: offsets of abbreviations and of the IANA zones."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

__all__ = ["offset_of"]

# Those of PostgreSQL's default set that are in common use; hours east of UTC.
_HOURS: dict[str, float] = {
    **dict.fromkeys(("z", "zulu", "utc", "ut", "uct", "gmt", "wet"), 0),
    **dict.fromkeys(("cet", "met", "mez", "bst", "wat"), 1),
    **dict.fromkeys(("cest", "mest", "mesz", "eet", "ist", "sast"), 2),
    **dict.fromkeys(("eest", "idt", "eat"), 3),
    **dict.fromkeys(("awst", "hkt", "pht", "cct"), 8),
    **dict.fromkeys(("jst", "kst"), 9),
    **{"acst": 9.5, "acdt": 10.5, "aest": 10, "aedt": 11, "nzst": 12, "nzdt": 13},
    **{"hst": -10, "akst": -9, "akdt": -8, "pst": -8, "pdt": -7, "mst": -7, "mdt": -6},
    **{"cst": -6, "cdt": -5, "est": -5, "edt": -4, "ast": -4, "adt": -3},
    **{"nst": -3.5, "ndt": -2.5, "brt": -3, "brst": -2, "pkt": 5, "npt": 5.75},
}
_MOVING = {"msk": "Europe/Moscow", "sgt": "Asia/Singapore"}  # whose offset depends on the date


@lru_cache(maxsize=1)
def _zones() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones()} | _MOVING


def offset_of(name: str, local: int) -> int | None:
    """Seconds east of UTC of a zone at a local time (microseconds since 1970); None if unknown.

    Where a change of clocks skips or repeats the local time, the smaller offset, as PostgreSQL.
    """
    hours = _HOURS.get(name.lower())
    if hours is not None:
        return round(hours * 3600)
    known = _zones().get(name.lower())
    if known is None:
        return None
    try:
        moment = datetime(1970, 1, 1) + timedelta(microseconds=local)
    except OverflowError:
        moment = datetime(9999, 1, 1) if local > 0 else datetime(1, 1, 2)
    zone = ZoneInfo(known)
    offsets = [moment.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)]
    return min(round(offset.total_seconds()) for offset in offsets if offset is not None)
