"""Where in a statement something is: positions as line and column, and syntax errors."""

from __future__ import annotations

from storage.errors import SqlSyntaxError

__all__ = ["line_and_column", "syntax_error"]

CONTEXT_CHARACTERS = 40


def line_and_column(text: str, position: int) -> tuple[int, int]:
    """Both from 1."""
    line = text.count("\n", 0, position) + 1
    return line, position - (text.rfind("\n", 0, position) + 1) + 1


def syntax_error(text: str, position: int, description: str, found: str = "") -> SqlSyntaxError:
    """The error with its place and the text around it."""
    line, column = line_and_column(text, position)
    near = f" near {found!r}" if found else ""
    start = max(text.rfind("\n", 0, position) + 1, position - CONTEXT_CHARACTERS)
    around = text[start : position + CONTEXT_CHARACTERS].partition("\n")[0].strip()
    return SqlSyntaxError(
        f"syntax error at line {line}, column {column}{near}: {description}."
        f" The text there: {around!r}"
    )
