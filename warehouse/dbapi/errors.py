"""PEP 249's exceptions, and which of them an error of ours becomes.

    Exception
    |- Warning                    never raised
    `- Error
       |- InterfaceError          a closed connection or cursor, a fetch without rows
       `- DatabaseError
          |- DataError            22: a value is wrong
          |- OperationalError     08, 28, 40, 53 to 58, …: the database cannot, now
          |- IntegrityError       23: a constraint
          |- InternalError        XX: a mistake of ours, or data that is corrupt
          |- ProgrammingError     42, 3F, …: the statement is wrong
          `- NotSupportedError    0A: a later version brings it

The class of the SQLSTATE decides, as it does in psycopg; `__cause__` is the error of ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from storage.errors import MobulaError

__all__ = [
    "DataError",
    "DatabaseError",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "Warning",
    "translated",
]


class Warning(Exception):  # noqa: A001 (PEP 249 names it)
    """Something important that is no error; never raised."""


class Error(Exception):
    """Base of all errors. `sqlstate`: five characters, or None for errors of this module."""

    def __init__(self, message: str = "", sqlstate: str | None = None) -> None:
        super().__init__(message, sqlstate)
        self.sqlstate = sqlstate

    def __str__(self) -> str:
        return str(self.args[0])


class InterfaceError(Error):
    """This module is used in a wrong way."""


class DatabaseError(Error):
    """The database refused or failed."""


class DataError(DatabaseError):
    """A value is out of range, or no value of its type."""


class OperationalError(DatabaseError):
    """The database cannot do it now: unavailable, out of resources, cancelled, in conflict."""


class IntegrityError(DatabaseError):
    """A constraint does not hold."""


class InternalError(DatabaseError):
    """A mistake of the database, or corrupt data."""


class ProgrammingError(DatabaseError):
    """The statement is wrong: its syntax, a name, a type, its parameters."""


class NotSupportedError(DatabaseError):
    """Not available."""


_BY_STATE: dict[str, type[DatabaseError]] = {
    "08P01": ProgrammingError,  # parameters that the statement does not use
}
_BY_CLASS: dict[str, type[DatabaseError]] = {
    "0A": NotSupportedError,
    "22": DataError,
    "23": IntegrityError,
    "XX": InternalError,
    **dict.fromkeys(("08", "28", "40", "53", "54", "55", "57", "58"), OperationalError),
    **dict.fromkeys(
        ("0B", "0L", "0P", "20", "21", "24", "25", "26", "34", "3B", "3D", "3F", "42", "44", "P0"),
        ProgrammingError,
    ),
}


@contextmanager
def translated() -> Iterator[None]:
    """Raise PEP 249's error in place of ours."""
    try:
        yield
    except MobulaError as error:
        state = error.sqlstate
        kind = _BY_STATE.get(state) or _BY_CLASS.get(state[:2], DatabaseError)
        raise kind(str(error), state) from error
