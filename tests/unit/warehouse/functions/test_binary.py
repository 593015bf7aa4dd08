"""BYTEA: what PostgreSQL 16 answers."""

from __future__ import annotations

from typing import Any

import pytest

import warehouse.functions.binary  # noqa: F401 - registers what is tested
from tests.unit.warehouse.functions.evaluation import Fails, check, check_together

# fmt: off
CASES: dict[str, list[tuple[tuple[Any, ...], Any]]] = {
    "length(bytea)": [
        ((b'\x12\x00\xff\\abc',), 7), ((b'',), 0), ((None,), None),
    ],
    "octet_length(bytea)": [
        ((b'\x12\x00\xff\\abc',), 7), ((b'',), 0), ((None,), None),
    ],
    "bit_length(bytea)": [
        ((b'\x12\x00\xff\\abc',), 56), ((b'',), 0), ((None,), None),
    ],
    "||(bytea,bytea)": [
        ((b'\x12\x00\xff\\abc', b'x'), b'\x12\x00\xff\\abcx'), ((b'', b''), b''),
        ((None, b'\x12\x00\xff\\abc'), None),
    ],
    "substr(bytea,int4)": [
        ((b'\x12\x00\xff\\abc', 3), b'\xff\\abc'),
        ((b'\x12\x00\xff\\abc', -1), b'\x12\x00\xff\\abc'), ((b'\x12\x00\xff\\abc', 100), b''),
    ],
    "substr(bytea,int4,int4)": [
        ((b'\x12\x00\xff\\abc', 2, 3), b'\x00\xff\\'), ((b'\x12\x00\xff\\abc', -1, 3), b'\x12'),
        ((b'\x12\x00\xff\\abc', 2, -1), Fails("22011", "negative substring length not allowed")),
        ((b'\x12\x00\xff\\abc', 3, 0), b''), ((b'\x12\x00\xff\\abc', 2147483647, 2147483647), b''),
    ],
    "substring(bytea,int4)": [
        ((b'\x12\x00\xff\\abc', 3), b'\xff\\abc'),
        ((b'\x12\x00\xff\\abc', -1), b'\x12\x00\xff\\abc'), ((b'\x12\x00\xff\\abc', 100), b''),
    ],
    "substring(bytea,int4,int4)": [
        ((b'\x12\x00\xff\\abc', 2, 3), b'\x00\xff\\'), ((b'\x12\x00\xff\\abc', -1, 3), b'\x12'),
        ((b'\x12\x00\xff\\abc', 2, -1), Fails("22011", "negative substring length not allowed")),
        ((b'\x12\x00\xff\\abc', 3, 0), b''), ((b'\x12\x00\xff\\abc', 2147483647, 2147483647), b''),
    ],
    "overlay(bytea,bytea,int4)": [
        ((b'\x12\x00\xff\\abc', b'XY', 2), b'\x12XY\\abc'),
        ((b'\x12\x00\xff\\abc', b'X', 0), Fails("22011", "negative substring length not allowed")),
    ],
    "overlay(bytea,bytea,int4,int4)": [
        ((b'\x12\x00\xff\\abc', b'XY', 2, 4), b'\x12XYbc'),
        ((b'\x12\x00\xff\\abc', b'XY', 2, 0), b'\x12XY\x00\xff\\abc'),
        ((b'\x12\x00\xff\\abc', b'XY', 2, -5), b'\x12XY\x12\x00\xff\\abc'),
    ],
    "position(bytea,bytea)": [
        ((b'\x12\x00\xff\\abc', b'\xff'), 3), ((b'\x12\x00\xff\\abc', b''), 1),
        ((b'\x12\x00\xff\\abc', b'zz'), 0),
    ],
    "btrim(bytea,bytea)": [
        ((b'\x12\x00\xff\\abc', b'\x12c'), b'\x00\xff\\ab'),
        ((b'\x12\x00\xff\\abc', b''), b'\x12\x00\xff\\abc'),
    ],
    "ltrim(bytea,bytea)": [
        ((b'\x12\x00\xff\\abc', b'\x12c'), b'\x00\xff\\abc'),
    ],
    "rtrim(bytea,bytea)": [
        ((b'\x12\x00\xff\\abc', b'\x12c'), b'\x12\x00\xff\\ab'),
    ],
    "bit_count(bytea)": [
        ((b'\x12\x00\xff\\abc',), 24), ((b'',), 0),
    ],
    "get_byte(bytea,int4)": [
        ((b'\x12\x00\xff\\abc', 2), 255),
        ((b'\x12\x00\xff\\abc', 7), Fails("2202E", "index 7 out of valid range, 0..6")),
        ((b'\x12\x00\xff\\abc', -1), Fails("2202E", "index -1 out of valid range, 0..6")),
        ((b'', 0), Fails("2202E", "index 0 out of valid range, 0..-1")),
    ],
    "set_byte(bytea,int4,int4)": [
        ((b'\x12\x00\xff\\abc', 2, 65), b'\x12\x00A\\abc'),
        ((b'\x12\x00\xff\\abc', 2, 300), b'\x12\x00,\\abc'),
        ((b'\x12\x00\xff\\abc', 2, -1), b'\x12\x00\xff\\abc'),
        ((b'\x12\x00\xff\\abc', 9, 1), Fails("2202E", "index 9 out of valid range, 0..6")),
    ],
    "get_bit(bytea,int8)": [
        ((b'\x12\x00\xff\\abc', 1), 1), ((b'\x12\x00\xff\\abc', 4), 1),
        ((b'\x12\x00\xff\\abc', 56), Fails("2202E", "index 56 out of valid range, 0..55")),
        ((b'\x12\x00\xff\\abc', -1), Fails("2202E", "index -1 out of valid range, 0..55")),
    ],
    "set_bit(bytea,int8,int4)": [
        ((b'\x12\x00\xff\\abc', 0, 1), b'\x13\x00\xff\\abc'),
        ((b'\x12\x00\xff\\abc', 1, 0), b'\x10\x00\xff\\abc'),
        ((b'\x12\x00\xff\\abc', 1, 2), Fails("22023", "new bit must be 0 or 1")),
        ((b'\x12\x00\xff\\abc', 99, 1), Fails("2202E", "index 99 out of valid range, 0..55")),
    ],
    "sha224(bytea)": [
        (
            (b'\x12\x00\xff\\abc',),
            b'/\x05\x8e\xd8\x99OK\xd50"\'PY\xe9x\tC\xff\xd7\xf5\x18\xdam\xdf\xaf}[\x16',
        ),
        (
            (b'',),
            b'\xd1J\x02\x8c*:+\xc9Ga\x02\xbb(\x824\xc4\x15\xa2\xb0\x1f\x82\x8e\xa6*\xc5\xb3\xe4/',
        ),
        ((None,), None),
    ],
    "sha256(bytea)": [
        (
            (b'\x12\x00\xff\\abc',),
            b'\x11\xaeaQ%[J\x18N\xc6B@7\\/\xbdbs\xae\xfc%\xfd\xe4\x8a\xa8\xa1\x17$\x14\x970\xf6',
        ),
        (
            (b'',),
            b"\xe3\xb0\xc4B\x98\xfc\x1c\x14\x9a\xfb\xf4\xc8\x99o\xb9$'\xaeA\xe4d\x9b\x93L\xa4\x95\x99\x1bxR\xb8U",
        ),
        ((None,), None),
    ],
    "sha384(bytea)": [
        (
            (b'\x12\x00\xff\\abc',),
            b'/K4h\xee\xeb{\xe0K\xe8\x82\xd2f0g\x8d\xbe\xac\x10L\xdb ~\xa0\xa8\xe1|\x1dlu\xde\xa5\xdck\xe8\x06\xcf\x95\xfcmP\x0e%\xbaa\\UX',  # noqa: E501
        ),
        (
            (b'',),
            b"8\xb0`\xa7Q\xac\x968L\xd92~\xb1\xb1\xe3j!\xfd\xb7\x11\x14\xbe\x07CL\x0c\xc7\xbfc\xf6\xe1\xda'N\xde\xbf\xe7oe\xfb\xd5\x1a\xd2\xf1H\x98\xb9[",
        ),
        ((None,), None),
    ],
    "sha512(bytea)": [
        (
            (b'\x12\x00\xff\\abc',),
            b'\xe1j\x1ep\xf9\xd3FFHD\x83\xd28R;\xd0\xc1\xe6\xe4w\r\x10\x0cF(\x11\xe1c\xf7)YV|\x0038\xb1\xee\xf4a\xc7\x99\xc9\n<6\xcf\x8e\x1f\x8c>\xcd\xe3"\xe4\x89\xbcw2\xcf5n\n\xf2',
        ),
        (
            (b'',),
            b"\xcf\x83\xe15~\xef\xb8\xbd\xf1T(P\xd6m\x80\x07\xd6 \xe4\x05\x0bW\x15\xdc\x83\xf4\xa9!\xd3l\xe9\xceG\xd0\xd1<]\x85\xf2\xb0\xff\x83\x18\xd2\x87~\xec/c\xb91\xbdGAz\x81\xa582z\xf9'\xda>",  # noqa: E501
        ),
        ((None,), None),
    ],
    "md5(bytea)": [
        ((b'\x12\x00\xff\\abc',), "2c54c3113ea2ca5b83a21ae7e8605fe5"),
        ((b'',), "d41d8cd98f00b204e9800998ecf8427e"), ((None,), None),
    ],
    "md5(text)": [
        (("abc",), "900150983cd24fb0d6963f7d28e17f72"),
        (("é",), "66ddcd97cfdeabb2f6fb8a999b4bc76f"), (("",), "d41d8cd98f00b204e9800998ecf8427e"),
        ((None,), None),
    ],
    "encode(bytea,text)": [
        ((b'\x12\x00\xff\\abc', "hex"), "1200ff5c616263"),
        ((b'\x12\x00\xff\\abc', "base64"), "EgD/XGFiYw=="),
        ((b'\x12\x00\xff\\abc', "escape"), "\x12\\000\\377\\\\abc"),
        (
            (b'\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc', "base64"),  # noqa: E501
            "EgD/XGFiYxIA/1xhYmMSAP9cYWJjEgD/XGFiYxIA/1xhYmMSAP9cYWJjEgD/XGFiYxIA/1xhYmMS\nAP9cYWJjEgD/XGFiYxIA/1xhYmMSAP9cYWJjEgD/XGFiYxIA/1xhYmMSAP9cYWJjEgD/XGFiYxIA\n/1xhYmMSAP9cYWJjEgD/XGFiYxIA/1xhYmM=",
        ),
        ((b'\x12\x00\xff\\abc', "HEX"), "1200ff5c616263"),
        ((b'\x12\x00\xff\\abc', "foo"), Fails("22023", 'unrecognized encoding: "foo"')),
        ((b'', "base64"), ""), ((b'a\nb', "escape"), "a\nb"),
        (
            (b'\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc\x12\x00\xff\\abc', "hex"),  # noqa: E501
            "1200ff5c6162631200ff5c6162631200ff5c6162631200ff5c6162631200ff5c6162631200ff5c6162631200ff5c6162631200ff5c6162631200ff5c6162631200ff5c6162631200ff5c6162631200ff5c6162631200ff5c6162631200ff5c6162631200ff5c6162631200ff5c6162631200ff5c6162631200ff5c6162631200ff5c6162631200ff5c616263",
        ),
    ],
    "decode(text,text)": [
        (("12 00 FF", "hex"), b'\x12\x00\xff'),
        (("120", "hex"), Fails("22023", "invalid hexadecimal data: odd number of digits")),
        (("12xx", "hex"), Fails("22023", 'invalid hexadecimal digit: "x"')),
        (("EgD/XGFiYw==", "base64"), b'\x12\x00\xff\\abc'),
        (("EgD/XG\nFiYw==", "base64"), b'\x12\x00\xff\\abc'),
        (("EgD", "base64"), Fails("22023", "invalid base64 end sequence")),
        (
            ("Eg!D", "base64"),
            Fails("22023", 'invalid symbol "!" found while decoding base64 sequence'),
        ),
        (("a=bc", "base64"), Fails("22023", 'unexpected "=" while decoding base64 sequence')),
        (("a\\\\b\\001\\377", "escape"), b'a\\b\x01\xff'),
        (("a\\9", "escape"), Fails("22P02", "invalid input syntax for type bytea")),
        (("\\", "escape"), Fails("22P02", "invalid input syntax for type bytea")),
        (("é", "escape"), b'\xc3\xa9'),
        (("a", "foo"), Fails("22023", 'unrecognized encoding: "foo"')), (("", "hex"), b''),
        (("1 2", "hex"), Fails("22023", 'invalid hexadecimal digit: " "')),
        (("YQ", "base64"), Fails("22023", "invalid base64 end sequence")),
        (("YQ=", "base64"), Fails("22023", "invalid base64 end sequence")),
        (("=", "base64"), Fails("22023", 'unexpected "=" while decoding base64 sequence')),
        (("YWJj====", "base64"), Fails("22023", 'unexpected "=" while decoding base64 sequence')),
    ],
    "convert_to(text,text)": [
        (("é", "LATIN1"), b'\xe9'), (("é", "UTF8"), b'\xc3\xa9'), (("é", "utf-8"), b'\xc3\xa9'),
        (
            ("€", "LATIN1"),
            Fails("22P05", 'character with byte sequence 0xe2 0x82 0xac in encoding "UTF8" has no equivalent in encoding "LATIN1"'),  # noqa: E501
        ),
        (("€", "WIN1252"), b'\x80'),
    ],
    "convert_from(bytea,text)": [
        ((b'\xc3\xa9', "UTF8"), "é"), ((b'\xe9', "LATIN1"), "é"),
        ((b'\xe9', "UTF8"), Fails("22021", 'invalid byte sequence for encoding "UTF8": 0xe9')),
        ((b'a\x00', "UTF8"), Fails("22021", 'invalid byte sequence for encoding "UTF8": 0x00')),
        (
            (b'\xe9\x80', "UTF8"),
            Fails("22021", 'invalid byte sequence for encoding "UTF8": 0xe9 0x80'),
        ),
    ],
}
# fmt: on


@pytest.mark.parametrize("key", CASES)
def test_answers_are_postgresql_s(key: str) -> None:
    for args, expected in CASES[key]:
        check(key, args, expected)
    check_together(key, CASES[key])
