"""Time zones by name: abbreviations, zones of the IANA database, POSIX offsets.

A zone is, in PostgreSQL's order: an abbreviation of a fixed offset (`EST`, `CEST`), a name of the
IANA database in any case (`europe/berlin`), or hours *west* of UTC (`+03`, `UTC+3`: POSIX). A local
time that a change of clocks skips or repeats is read with the smaller offset from UTC: PostgreSQL
takes the one before a gap and the one after a repetition.
"""

from __future__ import annotations

import datetime
import re
import zoneinfo
from functools import lru_cache

from storage.errors import InvalidRequest

__all__ = ["fixed_offset", "known_zone", "local_offset", "offset_of", "zone_named"]

_HOUR, _MINUTE = 3600, 60
# PostgreSQL's default set, by minutes east of UTC; where an offset has changed, today's.
_ABBREVIATIONS: dict[int, str] = {
    -660: "nut",
    -600: "ckt hst taht",
    -570: "mart",
    -540: "akst gamt",
    -480: "akdt pst",
    -420: "mst pdt",
    -360: "cst galt mdt",
    -300: "act cdt cot easst east est pet",
    -240: "amt ast bot edt gyt vet",
    -210: "nft nst",
    -180: "adt arst art bra brt clst clt fkst fkt gft pmst pyst pyt uyt wgt",
    -150: "ndt",
    -120: "brst fnt pmdt uyst wgst",
    -60: "azot egt fnst",
    0: "azost egst gmt uct ut utc wet z zulu",
    60: "bst cet met mez wat wetdst",
    120: "bdst cest cetdst eet ist mest mesz metdst sast",
    180: "eat eest eetdst fet idt msk volt",
    210: "irt",
    240: "amst azst azt gest get msd mut ret sct",
    270: "aft",
    300: "mawt must mvt pkt tft tjt tmt uzt yekt",
    330: "lkt",
    345: "npt",
    360: "almt bdt btt iot kgst kgt omsst omst pkst uzst xjt yekst",
    390: "mmt",
    420: "almst cxt davt ict krast krat novst novt wast",
    480: "awst bnt bort cct hkt irkst irkt myt pht sgt ulat wadt",
    525: "acwst",
    540: "awsst jayt jst kst pwt ulast wdt yakst yakt",
    570: "acst cast",
    600: "aest chut ddut kdt ligt mpt pgt trut vlast vlat yapt",
    630: "acdt acsst cadt lhst sadt",
    660: "aedt aesst kost lhdt magst magt pont vut",
    720: "anast anat fjt gilt mht nzst nzt petst pett tvt wakt wft",
    765: "chast",
    780: "fjst nzdt tkt tot",
    825: "chadt",
    840: "lint",
}
_OFFSETS = {
    name: minutes * _MINUTE for minutes, names in _ABBREVIATIONS.items() for name in names.split()
}
_POSIX = re.compile(
    r"(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]+>)?([+-]?)(\d{1,3})(?::(\d{1,2}))?(?::(\d{1,2}))?"
)


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    return {name.lower(): name for name in zoneinfo.available_timezones()}


def known_zone(name: str) -> str | None:
    """The name in the IANA database as it is written there; None if it is none."""
    return _names().get(name.lower())


def fixed_offset(name: str) -> int | None:
    """Seconds east of UTC, if the name is an abbreviation or a POSIX offset."""
    known = _OFFSETS.get(name.lower())
    if known is not None:
        return known
    if known_zone(name) is not None:
        return None
    found = _POSIX.fullmatch(name)
    if found is None or int(found[2]) > 167 or int(found[3] or 0) > 59 or int(found[4] or 0) > 59:
        return None
    west = int(found[2]) * _HOUR + int(found[3] or 0) * _MINUTE + int(found[4] or 0)
    return west if found[1] == "-" else -west


@lru_cache(maxsize=1024)
def zone_named(name: str) -> datetime.tzinfo:
    """Raises InvalidRequest (22023) if there is no such zone."""
    offset = fixed_offset(name)
    if offset is not None and abs(offset) < 24 * _HOUR:
        return datetime.timezone(datetime.timedelta(seconds=offset))
    known = known_zone(name)
    if known is None:
        raise InvalidRequest(f'time zone "{name}" not recognized', "22023")
    return zoneinfo.ZoneInfo(known)


def local_offset(zone: datetime.tzinfo, local: datetime.datetime) -> datetime.timedelta:
    """How far east of UTC the zone is when its clocks show a local time."""
    offsets = [local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)]
    return min(offset for offset in offsets if offset is not None)


def offset_of(name: str, local: int) -> int | None:
    """Seconds east of UTC of a zone in the text of a timestamp, an abbreviation or IANA name, at a
    local time (microseconds since 1970); None if it is neither."""
    offset = _OFFSETS.get(name.lower())
    if offset is not None:
        return offset
    known = known_zone(name)
    if known is None:
        return None
    try:
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=local)
    except OverflowError:
        moment = datetime.datetime(9999, 1, 1) if local > 0 else datetime.datetime(1, 1, 2)
    return round(local_offset(zoneinfo.ZoneInfo(known), moment).total_seconds())
