"""BYTEA: its parts, its texts, its bits, and hashes.

Where PostgreSQL has a function of text and one of bytea, both are here if the text's is about
bytes: `md5`, `encode`, `convert_to`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable

import polars as pl

from storage.errors import InvalidRequest, NotYet
from warehouse.algebra.types import AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value
from warehouse.functions.registry import scalar

__all__: list[str] = []

_LINE = 76  # characters of a line of base64
_NEGATIVE_LENGTH = ("22011", "negative substring length not allowed")
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_CODECS = {
    "LATIN1": "iso-8859-1",
    "ISO88591": "iso-8859-1",
    "SQLASCII": "ascii",
    "WIN1252": "cp1252",
    "LATIN9": "iso-8859-15",
}


@scalar("length(bytea) -> int4", "octet_length(bytea) -> int4")
def length(data: pl.Expr) -> pl.Expr:
    """Bytes."""
    return data.bin.size()


@scalar("bit_length(bytea) -> int4")
def bit_length(data: pl.Expr) -> pl.Expr:
    """Bits."""
    return data.bin.size().cast(pl.Int64) * 8


@scalar("||(bytea,bytea) -> bytea", native=False)
def concatenated(left: Value, right: Value, *, kind: AnyType) -> Value:
    """Both, one after the other."""
    digits = pl.concat_str(left.expr.bin.encode("hex"), right.expr.bin.encode("hex"))
    return Value(digits.str.decode("hex"), kind)


@scalar("substr(bytea,int4) -> bytea", "substring(bytea,int4) -> bytea")
def substr(data: pl.Expr, start: pl.Expr) -> pl.Expr:
    """From a position on."""
    return data.bin.slice(start.clip(1) - 1)


@scalar("substr(bytea,int4,int4) -> bytea", "substring(bytea,int4,int4) -> bytea", native=False)
def substr_of_length(data: Value, start: Value, count: Value, *, kind: AnyType) -> Value:
    """`count` bytes from a position that may lie before the first."""
    first = start.expr.clip(1) - 1
    taken = (start.expr - 1 + count.expr - first).clip(0)
    return Value(data.expr.bin.slice(first, taken), kind).faulty(count.expr < 0, *_NEGATIVE_LENGTH)


@scalar(
    "overlay(bytea,bytea,int4) -> bytea", "overlay(bytea,bytea,int4,int4) -> bytea", native=False
)
def overlay(data: Value, new: Value, start: Value, *count: Value, kind: AnyType) -> Value:
    """`new` in place of some bytes."""
    return rowwise(_overlaid, [data, new, start, *count], kind)


def _overlaid(data: bytes, new: bytes, start: int, count: int | None = None) -> bytes:
    if start <= 0:
        raise InvalidRequest(_NEGATIVE_LENGTH[1], _NEGATIVE_LENGTH[0])
    taken = len(new) if count is None else count
    return data[: start - 1] + new + data[max(start - 1 + taken, 0) :]


@scalar("position(bytea,bytea) -> int4", native=False)
def position(data: Value, part: Value, *, kind: AnyType) -> Value:
    """Where `part` begins first; 0 if nowhere."""
    return rowwise(lambda whole, wanted: whole.find(wanted) + 1, [data, part], kind)


@scalar("btrim(bytea,bytea) -> bytea", native=False)
def btrim(data: Value, trimmed: Value, *, kind: AnyType) -> Value:
    """Without any of these bytes at both ends."""
    return rowwise(lambda whole, some: whole.strip(some) if some else whole, [data, trimmed], kind)


@scalar("ltrim(bytea,bytea) -> bytea", native=False)
def ltrim(data: Value, trimmed: Value, *, kind: AnyType) -> Value:
    """Without any of these bytes in front."""
    return rowwise(lambda whole, some: whole.lstrip(some) if some else whole, [data, trimmed], kind)


@scalar("rtrim(bytea,bytea) -> bytea", native=False)
def rtrim(data: Value, trimmed: Value, *, kind: AnyType) -> Value:
    """Without any of these bytes at the end."""
    return rowwise(lambda whole, some: whole.rstrip(some) if some else whole, [data, trimmed], kind)


@scalar("bit_count(bytea) -> int8", native=False)
def bit_count(data: Value, *, kind: AnyType) -> Value:
    """How many bits are set."""
    return rowwise(lambda whole: int.from_bytes(whole).bit_count(), [data], kind)


@scalar("get_byte(bytea,int4) -> int4", native=False)
def get_byte(data: Value, place: Value, *, kind: AnyType) -> Value:
    """The byte at a place, counted from 0."""
    return rowwise(lambda whole, at: whole[_checked(at, len(whole))], [data, place], kind)


@scalar("set_byte(bytea,int4,int4) -> bytea", native=False)
def set_byte(data: Value, place: Value, new: Value, *, kind: AnyType) -> Value:
    """With another byte at a place."""
    return rowwise(_with_byte, [data, place, new], kind)


def _with_byte(data: bytes, place: int, new: int) -> bytes:
    _checked(place, len(data))
    return data[:place] + bytes([new & 0xFF]) + data[place + 1 :]


@scalar("get_bit(bytea,int8) -> int4", native=False)
def get_bit(data: Value, place: Value, *, kind: AnyType) -> Value:
    """The bit at a place; of each byte the lowest comes first."""
    return rowwise(_bit, [data, place], kind)


def _bit(data: bytes, place: int) -> int:
    _checked(place, len(data) * 8)
    return data[place // 8] >> (place % 8) & 1


@scalar("set_bit(bytea,int8,int4) -> bytea", native=False)
def set_bit(data: Value, place: Value, new: Value, *, kind: AnyType) -> Value:
    """With another bit at a place."""
    return rowwise(_with_bit, [data, place, new], kind)


def _with_bit(data: bytes, place: int, new: int) -> bytes:
    _checked(place, len(data) * 8)
    if new not in (0, 1):
        raise InvalidRequest("new bit must be 0 or 1", "22023")
    mask = 1 << (place % 8)
    byte = data[place // 8]
    return _with_byte(data, place // 8, byte | mask if new else byte & ~mask)


def _checked(place: int, count: int) -> int:
    if not 0 <= place < count:
        message = f"index {place} out of valid range, 0..{count - 1}"
        raise InvalidRequest(message, "2202E")
    return place


def _hash(name: str, algorithm: str) -> None:
    def implementation(data: Value, *, kind: AnyType) -> Value:
        return rowwise(lambda whole: hashlib.new(algorithm, whole).digest(), [data], kind)

    scalar(f"{name}(bytea) -> bytea", native=False)(implementation)


for _name in ("sha224", "sha256", "sha384", "sha512"):
    _hash(_name, _name)


@scalar("md5(text) -> text", native=False)
def md5_of_text(text: Value, *, kind: AnyType) -> Value:
    """32 hexadecimal digits."""
    return rowwise(lambda value: _md5(value.encode()), [text], kind)


@scalar("md5(bytea) -> text", native=False)
def md5(data: Value, *, kind: AnyType) -> Value:
    """32 hexadecimal digits."""
    return rowwise(_md5, [data], kind)


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@scalar("encode(bytea,text) -> text", native=False)
def encode(data: Value, form: Value, *, kind: AnyType) -> Value:
    """As text: `hex`, `base64` or `escape`."""
    return rowwise(_encoded, [data, form], kind)


@scalar("decode(text,text) -> bytea", native=False)
def decode(text: Value, form: Value, *, kind: AnyType) -> Value:
    """From `hex`, `base64` or `escape`."""
    return rowwise(_decoded, [text, form], kind)


def _encoded(data: bytes, form: str) -> str:
    match form.lower():
        case "hex":
            return data.hex()
        case "base64":
            whole = base64.b64encode(data).decode()
            return "\n".join(whole[at : at + _LINE] for at in range(0, len(whole), _LINE))
        case "escape":
            return "".join(map(_escaped, data))
        case _:
            raise _unrecognized(form)


def _escaped(byte: int) -> str:
    if byte == ord("\\"):
        return "\\\\"
    return f"\\{byte:03o}" if byte == 0 or byte > 127 else chr(byte)


def _unrecognized(form: str) -> InvalidRequest:
    return InvalidRequest(f'unrecognized encoding: "{form}"', "22023")


def _decoded(text: str, form: str) -> bytes:
    known: dict[str, Callable[[str], bytes]] = {
        "hex": _from_hex,
        "base64": _from_base64,
        "escape": _from_escape,
    }
    reader = known.get(form.lower())
    if reader is None:
        raise _unrecognized(form)
    return reader(text)


def _from_hex(text: str) -> bytes:
    """Blanks may stand between two bytes."""
    found = bytearray()
    at = 0
    while at < len(text):
        if text[at] in " \t\r\n":
            at += 1
            continue
        for character in text[at : at + 2]:
            if character not in "0123456789abcdefABCDEF":
                raise InvalidRequest(f'invalid hexadecimal digit: "{character}"', "22023")
        if at + 1 == len(text):
            raise InvalidRequest("invalid hexadecimal data: odd number of digits", "22023")
        found.append(int(text[at : at + 2], 16))
        at += 2
    return bytes(found)


def _from_base64(text: str) -> bytes:
    """Groups of four letters; `left` says how many bytes the last group has."""
    found = bytearray()
    bits = count = left = 0
    for character in text:
        if character in " \t\r\n":
            continue
        if character == "=":
            if not left and count not in (2, 3):
                raise InvalidRequest('unexpected "=" while decoding base64 sequence', "22023")
            left = left or count - 1
        elif character not in _BASE64:
            message = f'invalid symbol "{character}" found while decoding base64 sequence'
            raise InvalidRequest(message, "22023")
        bits = bits << 6 | max(_BASE64.find(character), 0)
        count += 1
        if count == 4:
            found += bits.to_bytes(3)[: left or 3]
            bits = count = 0
    if count:
        raise InvalidRequest("invalid base64 end sequence", "22023")
    return bytes(found)


_ESCAPES = re.compile(r"\\(?:(\\)|([0-3][0-7]{2})|)")


def _from_escape(text: str) -> bytes:
    parts, at = [], 0
    for found in _ESCAPES.finditer(text):
        if found[0] == "\\":
            raise InvalidRequest("invalid input syntax for type bytea", "22P02")
        parts.append(text[at : found.start()].encode())
        parts.append(b"\\" if found[1] else bytes([int(found[2], 8)]))
        at = found.end()
    return b"".join(parts) + text[at:].encode()


@scalar("convert_to(text,text) -> bytea", native=False)
def convert_to(text: Value, encoding: Value, *, kind: AnyType) -> Value:
    """The bytes of a text in an encoding."""
    return rowwise(_converted_to, [text, encoding], kind)


@scalar("convert_from(bytea,text) -> text", native=False)
def convert_from(data: Value, encoding: Value, *, kind: AnyType) -> Value:
    """The text that bytes are in an encoding."""
    return rowwise(_converted_from, [data, encoding], kind)


def _codec(encoding: str) -> str:
    name = re.sub(r"[^A-Z0-9]", "", encoding.upper())
    if name in ("UTF8", "UNICODE"):
        return "utf-8"
    codec = _CODECS.get(name)
    if codec is None:
        raise NotYet(f'the encoding "{encoding}"')
    return codec


def _converted_to(text: str, encoding: str) -> bytes:
    codec = _codec(encoding)
    try:
        return text.encode(codec)
    except UnicodeEncodeError as error:
        shown = " ".join(f"0x{byte:02x}" for byte in text[error.start].encode())
        message = f'character with byte sequence {shown} in encoding "UTF8" has no equivalent in'
        raise InvalidRequest(f'{message} encoding "{encoding.upper()}"', "22P05") from None


def _converted_from(data: bytes, encoding: str) -> str:
    codec = _codec(encoding)
    try:
        text = data.decode(codec)
    except UnicodeDecodeError as error:
        wrong = data[error.start : error.start + _character_size(data[error.start])]
        shown = " ".join(f"0x{byte:02x}" for byte in wrong)
        message = f'invalid byte sequence for encoding "UTF8": {shown}'
        raise InvalidRequest(message, "22021") from None
    if "\0" in text:
        raise InvalidRequest('invalid byte sequence for encoding "UTF8": 0x00', "22021")
    return text


def _character_size(first: int) -> int:
    """How many bytes a character of UTF-8 has that begins so."""
    sizes = ((0xC0, 0xE0, 2), (0xE0, 0xF0, 3), (0xF0, 0xF8, 4))
    return next((size for low, high, size in sizes if low <= first < high), 1)
