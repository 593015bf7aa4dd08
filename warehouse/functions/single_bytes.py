"""Texts as PostgreSQL's `"char"`, a single byte, and back.

A byte past ASCII is shown as `\\ooo`, in octal, and that is also read; a byte 0 is an empty text.
"""

from __future__ import annotations

import re

from warehouse.algebra.types import AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value
from warehouse.functions.registry import scalar

__all__: list[str] = []

_OCTAL = re.compile(r"\\[0-7]{3}")


def _shown_byte(text: str) -> str:
    encoded = text.encode()
    byte = int(text[1:], 8) & 0xFF if _OCTAL.fullmatch(text) else encoded[0] if encoded else 0
    if byte == 0:
        return ""
    return chr(byte) if byte < 0x80 else f"\\{byte:03o}"


@scalar("char(text) -> text", native=False)
def single_byte(text: Value, *, kind: AnyType) -> Value:
    """The text's first byte."""
    return rowwise(_shown_byte, [text], kind)
