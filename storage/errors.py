"""Every error that Mobula raises on purpose, named by what the caller does next.

    MobulaError
    |- InvalidRequest      the call is wrong: mend it
    |  |- NotYet           a later version brings this
    |  |- UnknownObject    no such table, column, virtual warehouse
    |  `- SqlSyntaxError   the statement does not parse; has a position
    |- Conflict            somebody else was first: read again, retry
    |  `- ObjectExists     create-if-absent found an object
    |- Fenced              this writer has been replaced: stop it
    |- Unavailable         nothing wrong with the call: retry later
    |- OutOfMemory         do not retry as is
    |  `- WorkerExhausted  the process took more than it may, and ends
    |- Cancelled           the caller asked for it
    |- CorruptData         an object is not what it must be; named
    |  |- NewerFormat      a later version of Mobula wrote it
    |  `- ObjectMissing    an object that must be there is not
    `- InternalError       a mistake of ours: report it

Each class carries the SQLSTATE that the PostgreSQL protocol will send. All arguments are positional
and reach `Exception.__init__`, so every error survives pickling on its way between Ray processes.
"""

from __future__ import annotations

__all__ = [
    "Cancelled",
    "Conflict",
    "CorruptData",
    "Fenced",
    "InternalError",
    "InvalidRequest",
    "MobulaError",
    "NewerFormat",
    "NotYet",
    "ObjectExists",
    "ObjectMissing",
    "OutOfMemory",
    "SqlSyntaxError",
    "Unavailable",
    "UnknownObject",
    "WorkerExhausted",
]


class MobulaError(Exception):
    """Base of the tree. `message` names the object, what was found, and the next step, unless that
    is `next_step` for all errors of a class. As a string both."""

    sqlstate = "XX000"
    next_step = ""

    def __init__(self, message: str, sqlstate: str | None = None) -> None:
        """Args: message for people; sqlstate where it is finer than the class's own."""
        super().__init__(message, sqlstate)
        self.message = message
        if sqlstate is not None:
            self.sqlstate = sqlstate

    def __str__(self) -> str:
        return f"{self.message}; {self.next_step}" if self.next_step else self.message


class InvalidRequest(MobulaError):
    """The call cannot succeed as it stands. Mend it; nothing was changed."""

    sqlstate = "22023"


class NotYet(InvalidRequest):
    """A part of the design that this version does not have."""

    sqlstate = "0A000"


class UnknownObject(InvalidRequest):
    """A table, column or virtual warehouse of that name does not exist."""

    sqlstate = "42704"


class SqlSyntaxError(InvalidRequest):
    """The statement does not parse. The message holds line, column and the text around them."""

    sqlstate = "42601"


class Conflict(MobulaError):
    """Somebody else changed the same thing first. Read again and retry."""

    sqlstate = "40001"


class ObjectExists(Conflict):
    """Create-if-absent met an object of that name (ambiguous until read back)."""


class Fenced(MobulaError):
    """A newer primary reigns. This writer must stop for good."""

    sqlstate = "57P01"


class Unavailable(MobulaError):
    """Store, primary or cluster cannot serve now. The same call may succeed later."""

    sqlstate = "57P03"


class OutOfMemory(MobulaError):
    """The work does not fit its memory budget. Do not retry it as it is."""

    sqlstate = "53200"


class WorkerExhausted(OutOfMemory):
    """The process that did the work took more memory than it may, or died of that. A refusal by one
    that is well is a plain `OutOfMemory`."""


class Cancelled(MobulaError):
    """The caller, or a timeout of the caller's, ended the work."""

    sqlstate = "57014"


class CorruptData(MobulaError):
    """An object's bytes are not what the format or a checksum says. The message names it."""

    sqlstate = "XX001"
    next_step = (
        "restore the object from a copy, then connect again; `mobula check` lists all that is "
        "damaged"
    )


class NewerFormat(CorruptData):
    """An object that a later version of Mobula has written."""

    next_step = "upgrade Mobula"


class ObjectMissing(CorruptData):
    """An object that something refers to, or that was asked for, is not in the store."""


class InternalError(MobulaError):
    """An invariant of ours does not hold. Please report it."""
