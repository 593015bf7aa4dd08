"""`to_number`: what PostgreSQL 16 answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

import warehouse.functions.number_parsing  # noqa: F401 - registers what is tested
from tests.unit.warehouse.functions.evaluation import Fails, check, check_together

# fmt: off
CASES: dict[str, list[tuple[tuple[Any, ...], Any]]] = {
    "to_number(text,text)": [
        (("12,454.8-", "99G999D9S"), Decimal("-12454.8")),
        (("-34,338,492", "99G999G999"), Decimal("-34338492")),
        (("-34,338,492.654,878", "99G999G999D999G999"), Decimal("-34338492.654878")),
        (("<564646.654564>", "999999.999999PR"), Decimal("-564646.654564")),
        (("0.00001-", "9.999999S"), Decimal("-0.00001")),
        (("5.01-", "FM9.999999S"), Decimal("-5.01")), (("5.01-", "FM9.999999MI"), Decimal("-5.01")),
        (("5 4 4 4 4 8 . 7 8", "9 9 9 9 9 9 . 9 9"), Decimal("544448.78")),
        ((".01", "FM9.99"), Decimal("0.01")), ((".0", "99999999.99999999"), Decimal("0.0")),
        (("0", "99.99"), Decimal("0")), ((".-01", "S99.99"), Decimal("-0.01")),
        ((".01-", "99.99S"), Decimal("-0.01")), ((" . 0 1-", " 9 9 . 9 9 S"), Decimal("-0.01")),
        (("34,50", "999,99"), Decimal("3450")), (("123,000", "999G"), Decimal("123")),
        (("123456", "999G999"), Decimal("123456")), (("$1234.56", "L9,999.99"), Decimal("1234.56")),
        (("$1,234.56", "L99,999.99"), Decimal("1234.56")),
        (("1234.56", "L99,999.99"), Decimal("1234.56")),
        (("1,234.56", "L99,999.99"), Decimal("1234.56")), (("42nd", "99th"), Decimal("42")),
        (("abc", "999"), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        (("", "999"), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        (("1", ""), None), (("1.5", "9"), Decimal("1")), (("-1.5", "9.9"), Decimal("-1.5")),
        (("+1.5", "S9.9"), Decimal("1.5")), (("12", "9"), Decimal("1")),
        (("1.239", "9.99"), Decimal("1.23")), (("5-", "9MI"), Decimal("-5")),
        (("-5", "MI9"), Decimal("-5")), (("<5>", "9PR"), Decimal("-5")),
        (("+5", "SG9"), Decimal("5")), (("5", "PL9"), Decimal("5")),
        (("1e5", "9e9"), Decimal("15")), (("123", "99V9"), Decimal("12.30000000000000000")),
        ((" .+$>", "9x.FMx"), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        (("+.0510", "TH"), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        ((".", "MIPLPLSG"), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        (
            (".81-,", "G,LLSG9MIPR"),
            Fails("42601", 'cannot use "PR" and "S"/"PL"/"MI"/"SG" together'),
        ),
        (("370<63", "PL9SG, THG"), Decimal("3")),
        ((".78 .<", " ,"), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        (("<.66,9.", "SG9STH"), Fails("42601", 'cannot use "S" and "PL"/"MI"/"SG"/"PR" together')),
        ((".553,", "L,9PL,0"), Decimal("5")),
        (("53...,$", "PL0."), Fails("22003", "numeric field overflow")),
        ((".>9.58", "90TH"), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        (("6.,3", ".SGSD99MI"), Fails("42601", 'cannot use "S" and "PL"/"MI"/"SG"/"PR" together')),
        (("<,$", "D.,9PRxx"), Fails("42601", "multiple decimal points")),
        (("69$4", "GGPL9"), Decimal("6")), (("78$3", "9THSG9"), Decimal("78")),
        ((",6", "DLPRS"), Fails("42601", 'cannot use "S" and "PL"/"MI"/"SG"/"PR" together')),
        (("0", "0D"), Decimal("0")),
        ((".-1", "LGTHL"), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        (("6,.<,", ",GMIPLPL9MIPL"), Decimal("6")),
        (("<,.", "SDSGTH9x9 "), Fails("42601", 'cannot use "S" and "SG" together')),
        (
            ("4.1", "THFMMISDPLPL"),
            Fails("42601", 'cannot use "S" and "PL"/"MI"/"SG"/"PR" together'),
        ),
        (("-,.. 9", ",.9PLSG.0S"), Fails("42601", "multiple decimal points")),
        (("5  +,$2", "GL,9FM9"), Decimal("5")),
        (("0+", "9PR90SGPLGD"), Fails("42601", '"9" must be ahead of "PR"')),
        (("..>355", "PR"), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        (("0-14.<2", "S .SGPL,TH"), Fails("42601", 'cannot use "S" and "SG" together')),
        (("-<", "PL9x9 9"), Fails("22P02", 'invalid input syntax for type numeric: "-"')),
        ((".,+3.", "9SG .PRSG"), Fails("42601", 'cannot use "PR" and "S"/"PL"/"MI"/"SG" together')),
        ((",", "PL,999SG9"), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        (("80", "G99.PLPLPRx"), Fails("42601", 'cannot use "PR" and "S"/"PL"/"MI"/"SG" together')),
        (("32.2<>9", "x"), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        (("7-5,677", "PL."), Fails("22003", "numeric field overflow")),
        (("00$,9..", "9.GLTH"), Decimal("0")),
        ((",9,499..", "9 PRSG90x"), Fails("42601", '"9" must be ahead of "PR"')),
        ((".6.81", "99MI"), Decimal("6")),
        (("..<.8+$1", "9"), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        ((" ", "9FMSS"), Fails("42601", 'cannot use "S" twice')), (("8$8", "9GMI"), Decimal("8")),
        ((".", "DMIS"), Fails("42601", 'cannot use "S" and "PL"/"MI"/"SG"/"PR" together')),
        ((",.", "S,0FM"), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        ((".3$", "9S"), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        (("8.3 94.+", ".PLSG"), Fails("22003", "numeric field overflow")),
        (("  -", "L"), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        (("2,,1.", "9"), Decimal("2")),
        ((" 4+,.4", "9DTHDPLFMTH9"), Fails("42601", "multiple decimal points")),
        (
            ("97-8", "TH0xLSGPR9FM"),
            Fails("42601", 'cannot use "PR" and "S"/"PL"/"MI"/"SG" together'),
        ),
        ((".", "D.90"), Fails("42601", "multiple decimal points")),
        ((".", "PLPLSG9LL"), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        (
            (" 0>", "9PLPRGMIMIPR"),
            Fails("42601", 'cannot use "PR" and "S"/"PL"/"MI"/"SG" together'),
        ),
        (("45", ",FM99LPRx"), Decimal("45")),
        (
            (",,96.", "SGG9S MIPL9"),
            Fails("42601", 'cannot use "S" and "PL"/"MI"/"SG"/"PR" together'),
        ),
        ((".69892.", "THSSGL9.x"), Fails("42601", 'cannot use "S" and "SG" together')),
        ((",074", "0THLSGLPL0"), Decimal("0")),
        (("1", "PRPL9PR GS0"), Fails("42601", '"9" must be ahead of "PR"')),
        ((",,", "MIMI0THPLPR"), Fails("42601", 'cannot use "PR" and "S"/"PL"/"MI"/"SG" together')),
        ((">+8 --.", ".FMSG9MIGSG"), Fails("22003", "numeric field overflow")),
        (("63", "L,SFM"), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        (("4", "xG0,SGPR"), Fails("42601", 'cannot use "PR" and "S"/"PL"/"MI"/"SG" together')),
        (("..7$,", "99THFM9PR"), Decimal("7")),
        (("+", "SGSG.PR9"), Fails("42601", 'cannot use "PR" and "S"/"PL"/"MI"/"SG" together')),
        (("8-6", "MI9x9SGL"), Decimal("86")), (("64", " 0 SG9"), Decimal("4")),
        (("-9", "SG9D G"), Decimal("-9")),
        (("<. ", ",MIPL9."), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        (("7+-", " 0SG"), Fails("22P02", 'invalid input syntax for type numeric: "+"')),
        ((" <>5", "xTH"), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        (("3$.0-$", "9x0999"), Decimal("30")),
        (("+-..-", "xSG "), Fails("22P02", 'invalid input syntax for type numeric: "-"')),
        (("5$>", " .S"), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        ((",9.3$$17", "xTH0"), Decimal("9")), ((" 3 -.069", "xSG9"), Decimal("3")),
        (("2 954+>,", ",xMI"), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        ((",", "G"), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        (("6453-.", "9PL ."), Fails("22003", "numeric field overflow")),
        (
            ("$955.7", "PLSGS,DPRFM"),
            Fails("42601", 'cannot use "S" and "PL"/"MI"/"SG"/"PR" together'),
        ),
        ((".", "0S9L"), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        (("84+", "D"), Fails("22003", "numeric field overflow")),
        ((">9,", "MI9D9TH,FM9"), Decimal("9")), (("3", "9"), Decimal("3")),
        ((".", "PLPRL"), Fails("42601", 'cannot use "PR" and "S"/"PL"/"MI"/"SG" together')),
        (("40", "SFM"), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        (
            ("3,>3-8", "9GMI,D9LS"),
            Fails("42601", 'cannot use "S" and "PL"/"MI"/"SG"/"PR" together'),
        ),
        (("<771.$-5", "PR TH"), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        ((".3-<+$9.", "PR0,9 0"), Fails("42601", '"0" must be ahead of "PR"')),
        (("29$.9<", ","), Fails("22P02", 'invalid input syntax for type numeric: " "')),
        (("73", "Dx"), Fails("22003", "numeric field overflow")),
        (("4,", ".PRL.THMIS"), Fails("42601", "multiple decimal points")),
        ((" >8", ",,900."), Decimal("8")),
        (("6>82", "DGL GTH"), Fails("22003", "numeric field overflow")),
        (("975.6", "TH.99PR9"), Fails("42601", '"9" must be ahead of "PR"')),
        (("7.9", ".90,"), Fails("22003", "numeric field overflow")),
        ((",63,$", "x.9MI9"), Fails("22003", "numeric field overflow")),
        (
            ("4328,.81", "G9DPLG9SGPR"),
            Fails("42601", 'cannot use "PR" and "S"/"PL"/"MI"/"SG" together'),
        ),
        ((">0..-0", "THSPL9.THSG"), Decimal("0")),
    ],
}
# fmt: on


@pytest.mark.parametrize("key", CASES)
def test_answers_are_postgresql_s(key: str) -> None:
    for args, expected in CASES[key]:
        check(key, args, expected)
    check_together(key, CASES[key])
