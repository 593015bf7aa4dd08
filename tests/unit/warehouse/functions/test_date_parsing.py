"""`to_date` and `to_timestamp`: what PostgreSQL 16 answers."""

from __future__ import annotations

from typing import Any

import pytest

import warehouse.functions.date_parsing  # noqa: F401 - registers what is tested
from tests.unit.warehouse.functions.evaluation import Fails, check, check_together, evaluated

# fmt: off
CASES: dict[str, list[tuple[tuple[Any, ...], Any]]] = {
    "to_date(text,text)": [
        (("2024-02-29", "YYYY-MM-DD"), 19782), (("2024-2-9", "YYYY-MM-DD"), 19762),
        (("20240229", "YYYYMMDD"), 19782),
        (
            ("2023-02-29", "YYYY-MM-DD"),
            Fails("22008", 'date/time field value out of range: "2023-02-29"'),
        ),
        (
            ("2024-13-01", "YYYY-MM-DD"),
            Fails("22008", 'date/time field value out of range: "2024-13-01"'),
        ),
        (("29 Feb 2024", "DD Mon YYYY"), 19782), (("29 february 2024", "DD Month YYYY"), 19782),
        (("Feb 29, 2024", "Mon DD, YYYY"), 19782), (("  2024-02-29", "YYYY-MM-DD"), 19782),
        (("2024/02/29", "YYYY-MM-DD"), 19782), (("2024 02 29", "YYYY-MM-DD"), 19782),
        (
            ("2024--02-29", "YYYY-MM-DD"),
            Fails("22008", 'date/time field value out of range: "2024--02-29"'),
        ),
        (("24-02-29", "YY-MM-DD"), 19782), (("69-01-01", "YY-MM-DD"), 36160),
        (("70-01-01", "YY-MM-DD"), 0), (("5-01-01", "Y-MM-DD"), 12784),
        (("520-01-01", "YYY-MM-DD"), -164360), (("2024-060", "YYYY-DDD"), 19782),
        (("2024-W09-4", 'IYYY-"W"IW-ID'), 19782), (("2024 9", "IYYY IW"), 19779),
        (("2024 60", "IYYY IDDD"), 19782), (("2460370", "J"), 19782),
        (("2024 09", "YYYY WW"), 19779), (("2024 02 3", "YYYY MM W"), 19768),
        (("44 BC", "YYYY BC"), -735233), (("0044-03-15 BC", "YYYY-MM-DD BC"), -735160),
        (("21 24", "CC YY"), 19723), (("21", "CC"), 11323),
        (("2024-02-29 xyz", "YYYY-MM-DD"), 19782),
        (("abc", "YYYY"), Fails("22007", 'invalid value "abc" for "YYYY"')),
        (("", "YYYY"), -719528), (("2024", ""), -719528), (("2024-02", "YYYY-MM-DD"), 19754),
        (("99999-01-01", "YYYY-MM-DD"), 35804357),
        (
            ("2024-02-30", "YYYY-MM-DD"),
            Fails("22008", 'date/time field value out of range: "2024-02-30"'),
        ),
        (("02-30", "MM-DD"), -719468), (("2024Feb29", "YYYYMonDD"), 19782),
        (("2024 Foo", "YYYY Mon"), Fails("22007", 'invalid value "Foo" for "Mon"')),
        (("IV 2024", "RM YYYY"), 19814), (("1,024-05-06", "Y,YYY-MM-DD"), -345394),
        (("2024-02-29", "FXYYYY-MM-DD"), 19782),
        (("2024 - 02-29", "FXYYYY-MM-DD"), Fails("22007", 'invalid value "- " for "MM"')),
        (("29th 02 2024", "DDth MM YYYY"), 19782), (("2024 2024", "YYYY YYYY"), 19723),
        (
            ("2024 2025", "YYYY YYYY"),
            Fails("22007", 'conflicting values for "YYYY" field in formatting string'),
        ),
        (("2024-1", "YYYY-Q"), 19723), (("2024 3", "YYYY D"), 19723),
        (("Thursday 29 2 2024", "Day DD MM YYYY"), 19782),
        (("2024-02-29", "IYYY-MM-DD"), Fails("22007", "invalid combination of date conventions")),
        (
            ("12345678901", "YYYY"),
            Fails("22008", 'value for "YYYY" in source string is out of range'),
        ),
        (("2024a02b29", 'YYYY"a"MM"b"DD'), 19782), (("2024x02", 'YYYY"-"MM'), 19754),
        (("-2024-01-01", "YYYY-MM-DD"), -1458413), (("0000-01-01", "YYYY-MM-DD"), -719528),
        (("2024-00-01", "YYYY-MM-DD"), 19723), (("2024-366", "YYYY-DDD"), 20088),
        (
            ("2023-366", "YYYY-DDD"),
            Fails("22008", 'date/time field value out of range: "2023-366"'),
        ),
        (("101", "DDD"), Fails("22007", "cannot calculate day of year without year information")),
        (("1 1 1", "D DD MM"), -719528),
        (("UTC", "TZ"), Fails("0A000", 'formatting field "TZ" is only supported in to_char')),
        ((None, "YYYY"), None), (("2024", None), None), (("2024-02-29", "yyyy-mm-dd"), 19782),
        (("2024.02.29", "YYYY.MM.DD"), 19782), (("05 Dec 2000", "DD Mon YYYY"), 11296),
        (
            ("20000-1131", "YYYY-MMDD"),
            Fails("22008", 'date/time field value out of range: "20000-1131"'),
        ),
        (
            ("200001131", "YYYYMMDD"),
            Fails("22008", 'date/time field value out of range: "200001131"'),
        ),
        (
            ("20000Nov31", "YYYYMonDD"),
            Fails("22008", 'date/time field value out of range: "20000Nov31"'),
        ),
        (("2024-02-29", "YYYY-MM-DD "), 19782),
        (("5874898-01-01", "FMYYYY-MM-DD"), Fails("22008", 'date out of range: "5874898-01-01"')),
        (("5 2005", "YY YY"), 12784),
        (
            ("5 5", "YY YY"),
            Fails("22007", 'conflicting values for "YY" field in formatting string'),
        ),
        (("4 Thu", "D Dy"), -719528), (("0 19", "IYYY CC"), -61726),
        (
            ("2024 05 16", "YYYY MM TZH"),
            Fails("22009", 'time zone displacement out of range: "2024 05 16"'),
        ),
        (("2024- x05", "FXYYYY-MMDD"), Fails("22007", 'invalid value "x0" for "DD"')),
        (("0" * 9 + "2024", "YYYY"), 19723),
        (("9" * 5000, "YYYY"), Fails("22008", 'value for "YYYY" in source string is out of range')),
    ],
    "to_timestamp(text,text)": [
        (("2024-02-29 13:04:05", "YYYY-MM-DD HH24:MI:SS"), 1709211845000000),
        (("2024-02-29 13:04:05.678901", "YYYY-MM-DD HH24:MI:SS.US"), 1709211845678901),
        (("2024-02-29 13:04:05.6", "YYYY-MM-DD HH24:MI:SS.MS"), 1709211845600000),
        (("2024-02-29 13:04:05.25", "YYYY-MM-DD HH24:MI:SS.FF3"), 1709211845250000),
        (("2024-02-29 01:04 PM", "YYYY-MM-DD HH12:MI PM"), 1709211840000000),
        (("2024-02-29 12:04 am", "YYYY-MM-DD HH:MI AM"), 1709165040000000),
        (
            ("2024-02-29 13:04 PM", "YYYY-MM-DD HH12:MI PM"),
            Fails("22007", 'hour "13" is invalid for the 12-hour clock'),
        ),
        (
            ("2024-02-29 25:00", "YYYY-MM-DD HH24:MI"),
            Fails("22008", 'date/time field value out of range: "2024-02-29 25:00"'),
        ),
        (
            ("2024-02-29 13:60", "YYYY-MM-DD HH24:MI"),
            Fails("22008", 'date/time field value out of range: "2024-02-29 13:60"'),
        ),
        (("2024-02-29 47045", "YYYY-MM-DD SSSS"), 1709211845000000),
        (("2024-02-29 13:04:05+05:30", "YYYY-MM-DD HH24:MI:SSTZH:TZM"), 1709192045000000),
        (("2024-02-29 13:04:05-08", "YYYY-MM-DD HH24:MI:SSTZH"), 1709240645000000),
        (("2024-02-29 13:04:05 -08", "YYYY-MM-DD HH24:MI:SS TZH"), 1709240645000000),
        (("20240229130405", "YYYYMMDDHH24MISS"), 1709211845000000),
        (("2024-02-29T13:04:05", 'YYYY-MM-DD"T"HH24:MI:SS'), 1709211845000000),
        (("0097/Feb/16 --> 08:14:30", "YYYY/Mon/DD --> HH:MI:SS"), -59102063130000000),
        (("97/2/16 8:14:30", "FMYYYY/FMMM/FMDD FMHH:FMMI:FMSS"), -59102063130000000),
        (("2011$03!18 23_38_15", "YYYY-MM-DD HH24:MI:SS"), 1300491495000000),
        (("1985 January 12", "YYYY FMMonth DD"), 474336000000000),
        (
            ('15 "text between quote marks" 98 54 45', 'HH24 "\\"text between quote marks\\"" YY MI SS'),  # noqa: E501
            883670085000000,
        ),
        (("05121445482000", "MMDDHH24MISSYYYY"), 958142748000000),
        (("9-1116", "Y-MMDD"), 1258329600000000), (("995-1116", "YYY-MMDD"), 816480000000000),
        (("2005426", "YYYYWWD"), 1129334400000000), (("2005300", "YYYYDDD"), 1130371200000000),
        (("2005527", "IYYYIWID"), 1136073600000000), (("005527", "IYYIWID"), 1136073600000000),
        (("05527", "IYIWID"), 1136073600000000), (("5527", "IIWID"), 1136073600000000),
        (("2005364", "IYYYIDDD"), 1136073600000000),
        (("2011-12-18 11:38 AM", "YYYY-MM-DD HH12:MI PM"), 1324208280000000),
        (("44-02-01 11:12:13 BC", "YYYY-MM-DD HH24:MI:SS BC"), -63521412467000000),
        (("20000-1116", "YYYY-MMDD"), 568999468800000000),
        (("2000   +   JUN", "YYYY/MON"), 959817600000000),
        (("  2000 +JUN", "YYYY/MON"), 959817600000000),
        (("2000 ++  JUN", "YYYY//MON"), 959817600000000),
        (("2000 + - JUN", "YYYY MON"), Fails("22007", 'invalid value "-" for "MON"')),
        (("1997 BC 11 16", "YYYY BC MM DD"), -125127244800000000),
        (("11:12 2024", "HH24:MI YYYY"), 1704107520000000),
        (
            ("2024-02-29 13:04:61", "YYYY-MM-DD HH24:MI:SS"),
            Fails("22008", 'date/time field value out of range: "2024-02-29 13:04:61"'),
        ),
        (("10000-01-01", "YYYY-MM-DD"), 253402300800000000),
        (
            ("2024-02-29 24:00:00", "YYYY-MM-DD HH24:MI:SS"),
            Fails("22008", 'date/time field value out of range: "2024-02-29 24:00:00"'),
        ),
        (("1.5", "SS.MS"), -62167219198500000),
        (
            ("2024-02-29 1234567", "YYYY-MM-DD US"),
            Fails("22008", 'date/time field value out of range: "2024-02-29 1234567"'),
        ),
        (("2024-02-29", "YYYY-MM-DD"), 1709164800000000),
        (("2024-2-9", "YYYY-MM-DD"), 1707436800000000),
        (("20240229", "YYYYMMDD"), 1709164800000000),
        (
            ("2023-02-29", "YYYY-MM-DD"),
            Fails("22008", 'date/time field value out of range: "2023-02-29"'),
        ),
        (
            ("2024-13-01", "YYYY-MM-DD"),
            Fails("22008", 'date/time field value out of range: "2024-13-01"'),
        ),
        (("29 Feb 2024", "DD Mon YYYY"), 1709164800000000),
        (("29 february 2024", "DD Month YYYY"), 1709164800000000),
        (("Feb 29, 2024", "Mon DD, YYYY"), 1709164800000000),
        (("  2024-02-29", "YYYY-MM-DD"), 1709164800000000),
        (("2024/02/29", "YYYY-MM-DD"), 1709164800000000),
        (("2024 02 29", "YYYY-MM-DD"), 1709164800000000),
        (
            ("2024--02-29", "YYYY-MM-DD"),
            Fails("22008", 'date/time field value out of range: "2024--02-29"'),
        ),
        (("24-02-29", "YY-MM-DD"), 1709164800000000), (("69-01-01", "YY-MM-DD"), 3124224000000000),
        (("70-01-01", "YY-MM-DD"), 0), (("5-01-01", "Y-MM-DD"), 1104537600000000),
        (("520-01-01", "YYY-MM-DD"), -14200704000000000),
        (("2024-060", "YYYY-DDD"), 1709164800000000),
        (("2024-W09-4", 'IYYY-"W"IW-ID'), 1709164800000000),
        (("2024 9", "IYYY IW"), 1708905600000000), (("2024 60", "IYYY IDDD"), 1709164800000000),
        (("2460370", "J"), 1709164800000000), (("2024 09", "YYYY WW"), 1708905600000000),
        (("2024 02 3", "YYYY MM W"), 1707955200000000), (("44 BC", "YYYY BC"), -63524131200000000),
        (("0044-03-15 BC", "YYYY-MM-DD BC"), -63517824000000000),
        (("21 24", "CC YY"), 1704067200000000), (("21", "CC"), 978307200000000),
        (("2024-02-29 xyz", "YYYY-MM-DD"), 1709164800000000),
        (("abc", "YYYY"), Fails("22007", 'invalid value "abc" for "YYYY"')),
        (("", "YYYY"), -62167219200000000), (("2024", ""), -62167219200000000),
        (("2024-02", "YYYY-MM-DD"), 1706745600000000),
        (("99999-01-01", "YYYY-MM-DD"), 3093496444800000000),
        (
            ("2024-02-30", "YYYY-MM-DD"),
            Fails("22008", 'date/time field value out of range: "2024-02-30"'),
        ),
        (("02-30", "MM-DD"), -62162035200000000), (("2024Feb29", "YYYYMonDD"), 1709164800000000),
        (("2024 Foo", "YYYY Mon"), Fails("22007", 'invalid value "Foo" for "Mon"')),
        (("IV 2024", "RM YYYY"), 1711929600000000),
        (("1,024-05-06", "Y,YYY-MM-DD"), -29842041600000000),
        (("2024-02-29", "FXYYYY-MM-DD"), 1709164800000000),
        (("2024 - 02-29", "FXYYYY-MM-DD"), Fails("22007", 'invalid value "- " for "MM"')),
        (("29th 02 2024", "DDth MM YYYY"), 1709164800000000),
        (("2024 2024", "YYYY YYYY"), 1704067200000000),
        (
            ("2024 2025", "YYYY YYYY"),
            Fails("22007", 'conflicting values for "YYYY" field in formatting string'),
        ),
        (("2024-1", "YYYY-Q"), 1704067200000000), (("2024 3", "YYYY D"), 1704067200000000),
        (("Thursday 29 2 2024", "Day DD MM YYYY"), 1709164800000000),
        (("2024-02-29", "IYYY-MM-DD"), Fails("22007", "invalid combination of date conventions")),
        (
            ("12345678901", "YYYY"),
            Fails("22008", 'value for "YYYY" in source string is out of range'),
        ),
        (("2024a02b29", 'YYYY"a"MM"b"DD'), 1709164800000000),
        (("2024x02", 'YYYY"-"MM'), 1706745600000000),
        (("-2024-01-01", "YYYY-MM-DD"), -126006883200000000),
        (("0000-01-01", "YYYY-MM-DD"), -62167219200000000),
        (("2024-00-01", "YYYY-MM-DD"), 1704067200000000),
        (("2024-366", "YYYY-DDD"), 1735603200000000),
        (
            ("2023-366", "YYYY-DDD"),
            Fails("22008", 'date/time field value out of range: "2023-366"'),
        ),
        (("101", "DDD"), Fails("22007", "cannot calculate day of year without year information")),
        (("1 1 1", "D DD MM"), -62167219200000000),
        (("UTC", "TZ"), Fails("0A000", 'formatting field "TZ" is only supported in to_char')),
        ((None, "YYYY"), None), (("2024", None), None),
        (("2024-02-29", "yyyy-mm-dd"), 1709164800000000),
        (("2024.02.29", "YYYY.MM.DD"), 1709164800000000),
        (("05 Dec 2000", "DD Mon YYYY"), 975974400000000),
        (
            ("20000-1131", "YYYY-MMDD"),
            Fails("22008", 'date/time field value out of range: "20000-1131"'),
        ),
        (
            ("200001131", "YYYYMMDD"),
            Fails("22008", 'date/time field value out of range: "200001131"'),
        ),
        (
            ("20000Nov31", "YYYYMonDD"),
            Fails("22008", 'date/time field value out of range: "20000Nov31"'),
        ),
        (("2024-02-29", "YYYY-MM-DD "), 1709164800000000),
        (("5874898-01-01", "FMYYYY-MM-DD"), Fails("22008", "timestamp out of range")),
    ],
}
# fmt: on


@pytest.mark.parametrize("key", CASES)
def test_answers_are_postgresql_s(key: str) -> None:
    for args, expected in CASES[key]:
        check(key, args, expected)
    check_together(key, CASES[key])


def test_fields_of_fixed_digits_are_read_natively() -> None:
    texts = ["2024-02-29 13:04:05", "2024-2-9 1:2:3", " 2024-02-29 00:00:00", None]
    key, picture = "to_timestamp(text,text)", "YYYY-MM-DD HH24:MI:SS"
    for text in texts:
        args = (text, picture)
        assert evaluated(key, args, (True, False)) == evaluated(key, args, (False, False))
