"""Names of types in text: `double precision`, `numeric(12, 2)`, `time with time zone`, `int[]`."""

from __future__ import annotations

from warehouse.syntax.cursor import Cursor
from warehouse.syntax.tree import TypeName

__all__ = ["TypeGrammar"]

_SHORT = {
    "int": "int4",
    "integer": "int4",
    "smallint": "int2",
    "bigint": "int8",
    "real": "float4",
    "boolean": "bool",
    "decimal": "numeric",
    "dec": "numeric",
    "string": "text",
    "double": "float8",
}
_INTERVAL_FIELDS = ("year", "month", "day", "hour", "minute", "second")


class TypeGrammar(Cursor):
    """Parses type names."""

    def type_name(self) -> TypeName:
        """Raises SqlSyntaxError if no type name comes."""
        at = self.token.start
        self.take_word("setof")
        name, modifiers, fields = self._scalar()
        dimensions = 0
        while True:
            if self.take_operator("["):
                if self.token.kind == "number":
                    self.advance()
                self.expect_operator("]")
                dimensions += 1
            elif self.take_word("array"):
                if self.take_operator("["):
                    self.integer("a length")
                    self.expect_operator("]")
                dimensions += 1
            else:
                break
        return TypeName(at, name, modifiers, dimensions, fields)

    def _scalar(self) -> tuple[tuple[str, ...], tuple[int, ...], str]:
        word = self.token.value if self.token.kind == "word" else ""
        match word:
            case "double":
                self.advance()
                self.take_word("precision")
                return ("float8",), (), ""
            case "float":
                self.advance()
                bits = self.modifiers()
                return (("float4",) if bits and bits[0] <= 24 else ("float8",)), (), ""
            case "character" | "char" | "nchar" | "national":
                return self._character()
            case "varchar":
                self.advance()
                return ("varchar",), self.modifiers(), ""
            case "time" | "timestamp":
                return self._time(word)
            case "interval":
                self.advance()
                fields = self.interval_fields()
                return ("interval",), self.modifiers(), fields
            case "bit":
                self.not_yet("the type BIT")
        name = self._name()
        if len(name) == 1:
            name = (_SHORT.get(name[0], name[0]),)
        elif name[0] == "pg_catalog":
            name = name[1:]
        return name, self.modifiers(), ""

    def _name(self) -> tuple[str, ...]:
        if self.token.kind not in ("word", "name"):
            self.fail("expected a type")
        parts = [self.advance().value]
        while self.at_operator(".") and self.peek().kind in ("word", "name"):
            self.advance()
            parts.append(self.advance().value)
        return tuple(parts)

    def _character(self) -> tuple[tuple[str, ...], tuple[int, ...], str]:
        if self.take_word("national"):
            self.expect_word("character", "char")
        else:
            self.advance()
        varying = bool(self.take_word("varying"))
        length = self.modifiers()
        if varying:
            return ("varchar",), length, ""
        return ("bpchar",), length or (1,), ""

    def _time(self, word: str) -> tuple[tuple[str, ...], tuple[int, ...], str]:
        self.advance()
        modifiers = self.modifiers()
        if self.take_words("with", "time", "zone"):
            return (f"{word}tz",), modifiers, ""
        self.take_words("without", "time", "zone")
        return (word,), modifiers, ""

    def interval_fields(self) -> str:
        """`day to second` after INTERVAL; empty if nothing comes."""
        first = self.take_word(*_INTERVAL_FIELDS)
        if first is None:
            return ""
        if not self.at_word("to"):
            return first
        self.advance()
        return f"{first} to {self.expect_word(*_INTERVAL_FIELDS)}"

    def modifiers(self) -> tuple[int, ...]:
        """`(12, 2)` behind a type's name, if it comes."""
        if not self.take_operator("("):
            return ()
        numbers = self.comma_list(self._modifier)
        self.expect_operator(")")
        return numbers

    def _modifier(self) -> int:
        sign = -1 if self.take_operator("-") else 1
        return sign * self.integer("a whole number")
