"""Time zones by name: abbreviations, zones of the IANA database, POSIX offsets.

A zone is, in PostgreSQL's order: an abbreviation of a fixed offset (`EST`, `CEST`) or of a zone
whose offset has changed (`SGT`), a name of the IANA database in any case (`europe/berlin`), or
hours *west* of UTC (`+03`, `UTC+3`: POSIX). `MSK` is Moscow's standard time, also in summer: of the
changing abbreviations it alone is a name that the database has. A local time that a change of
clocks skips or repeats is read with the smaller offset from UTC: PostgreSQL takes the one before a
gap and the one after a repetition.
"""

from __future__ import annotations

import datetime
import re
import zoneinfo
from functools import lru_cache

from storage.errors import InvalidRequest

__all__ = ["fixed_offset", "known_zone", "local_offset", "offset_of", "zone_named"]

_HOUR, _MINUTE = 3600, 60
# PostgreSQL's default set (timezonesets/Default), by minutes east of UTC.
_ABBREVIATIONS: dict[int, str] = {
    -600: "hst taht",
    -570: "mart",
    -540: "akst gamt",
    -480: "akdt pst",
    -420: "mst pdt",
    -360: "cst galt mdt",
    -300: "act cdt cot est pet",
    -240: "amt ast bot edt",
    -210: "nft nst",
    -180: "adt bra brt clst gft pmst pyst uyt wgt",
    -150: "ndt",
    -120: "brst fnt pmdt uyst wgst",
    -60: "azot egt fnst",
    0: "azost egst gmt uct ut utc wet z zulu",
    60: "bst cet met mez wat wetdst",
    120: "bdst cest cetdst eet ist mest mesz metdst sast",
    180: "eat eest eetdst fet idt",
    210: "irt",
    240: "msd mut ret sct",
    270: "aft",
    300: "must mvt pkt tft tjt uzt",
    345: "npt",
    360: "almt bdt btt kgst pkst uzst xjt yekst",
    390: "mmt",
    420: "almst cxt ict wast",
    480: "awst bnt bort cct hkt myt pht wadt",
    525: "acwst",
    540: "awsst jayt jst kst pwt ulast wdt",
    570: "acst cast",
    600: "aest chut ddut kdt ligt mpt pgt trut yapt",
    630: "acdt acsst cadt lhst sadt",
    660: "aedt aesst pont vut",
    720: "fjt gilt mht nzst nzt tvt wakt wft",
    765: "chast",
    780: "fjst nzdt tot",
    825: "chadt",
}
# Those whose offset has changed: the zones that they name.
_MOVING: dict[str, str] = {
    "America/Argentina/Buenos_Aires": "arst art",
    "America/Asuncion": "pyt",
    "America/Caracas": "vet",
    "America/Guyana": "gyt",
    "America/Santiago": "clt",
    "Antarctica/Davis": "davt",
    "Antarctica/Mawson": "mawt",
    "Asia/Anadyr": "anast anat",
    "Asia/Ashgabat": "tmt",
    "Asia/Baku": "azst azt",
    "Asia/Bishkek": "kgt",
    "Asia/Colombo": "lkt",
    "Asia/Irkutsk": "irkst irkt",
    "Asia/Kamchatka": "petst pett",
    "Asia/Krasnoyarsk": "krast krat",
    "Asia/Magadan": "magst magt",
    "Asia/Novosibirsk": "novst novt",
    "Asia/Omsk": "omsst omst",
    "Asia/Singapore": "sgt",
    "Asia/Tbilisi": "gest get",
    "Asia/Ulaanbaatar": "ulat",
    "Asia/Vladivostok": "vlast vlat",
    "Asia/Yakutsk": "yakst yakt",
    "Asia/Yekaterinburg": "yekt",
    "Asia/Yerevan": "amst",
    "Atlantic/Stanley": "fkst fkt",
    "Australia/Lord_Howe": "lhdt",
    "Europe/Volgograd": "volt",
    "Indian/Chagos": "iot",
    "Pacific/Easter": "easst east",
    "Pacific/Fakaofo": "tkt",
    "Pacific/Kiritimati": "lint",
    "Pacific/Kosrae": "kost",
    "Pacific/Niue": "nut",
    "Pacific/Rarotonga": "ckt",
}
_ZONES = {name: zone for zone, names in _MOVING.items() for name in names.split()}
_OFFSETS = {
    name: minutes * _MINUTE for minutes, names in _ABBREVIATIONS.items() for name in names.split()
}
_POSIX = re.compile(
    r"(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]+>)?([+-]?)(\d{1,3})(?::(\d{1,2}))?(?::(\d{1,2}))?"
)


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    return {name.lower(): name for name in zoneinfo.available_timezones()} | _ZONES


class _StandardTime(datetime.tzinfo):
    """A zone that does not change to summer time."""

    def __init__(self, zone: zoneinfo.ZoneInfo) -> None:
        self._zone = zone

    def utcoffset(self, dt: datetime.datetime | None) -> datetime.timedelta:
        assert dt is not None
        there = dt.replace(tzinfo=self._zone)
        return (there.utcoffset() or _NONE) - (there.dst() or _NONE)

    def dst(self, dt: datetime.datetime | None) -> datetime.timedelta:
        return _NONE

    def tzname(self, dt: datetime.datetime | None) -> str:
        return self._zone.key

    def fromutc(self, dt: datetime.datetime) -> datetime.datetime:
        there = self._zone.fromutc(dt.replace(tzinfo=self._zone))
        return (there - (there.dst() or _NONE)).replace(tzinfo=self)


_NONE = datetime.timedelta(0)
_STANDARD = {"msk": _StandardTime(zoneinfo.ZoneInfo("Europe/Moscow"))}


def known_zone(name: str) -> str | None:
    """The zone of the IANA database, as it is written there, that a name or an abbreviation means;
    None if there is none."""
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
    if name.lower() in _STANDARD:
        return _STANDARD[name.lower()]
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
    if known_zone(name) is None and name.lower() not in _STANDARD:
        return None
    try:
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=local)
    except OverflowError:
        moment = datetime.datetime(9999, 1, 1) if local > 0 else datetime.datetime(1, 1, 2)
    return round(local_offset(zone_named(name), moment).total_seconds())
