"""Temporary tables: each session that makes one has a schema of its own, named by its id.

The schema comes with the session's first temporary table and goes, with all in it, when the session
ends. It is the first of the session's search path and hidden from all others.

A session may end without saying so. Its id begins with the time it began, and it writes with
its id as its token's writer, so the newest receipt tells when it last wrote. Sessions that have
been silent for `SILENT_MS` are taken as ended: a primary that opens drops what they left, and so
does `CALL mobula.drop_temporary()` at any time.
"""

from __future__ import annotations

from actors.messages import Session
from actors.operations import DropSchema
from storage.snapshot.apply import tso_ms
from storage.snapshot.model import Snapshot

__all__ = [
    "SILENT_MS",
    "TEMPORARY",
    "TEMPORARY_PREFIX",
    "drop_temporary",
    "is_foreign",
    "left_behind",
    "new_session_id",
    "temporary_schema",
]

TEMPORARY = "pg_temp"  # what statements call the schema of their session
TEMPORARY_PREFIX = "pg_temp_"
SILENT_MS = 24 * 3600 * 1000
_TIME_DIGITS = 12  # hexadecimal digits of milliseconds since 1970


def new_session_id(now_ms: int, unique: str) -> str:
    """An id for a session that begins now; `unique` is 32 hexadecimal characters."""
    return f"{now_ms:0{_TIME_DIGITS}x}{unique[:16]}"


def temporary_schema(session: Session) -> str | None:
    """The schema of the session's temporary tables, whether it exists or not."""
    return f"{TEMPORARY_PREFIX}{session.id}" if session.id else None


def is_foreign(schema: str, session: Session) -> bool:
    """Is it the schema of another session's temporary tables?"""
    return schema.startswith(TEMPORARY_PREFIX) and schema != temporary_schema(session)


def drop_temporary(session: Session) -> DropSchema | None:
    """What the end of a session comes to."""
    schema = temporary_schema(session)
    return DropSchema(name=schema, if_exists=True, cascade=True) if schema else None


def left_behind(
    snapshot: Snapshot, now_ms: int, silent_ms: int, session: Session | None = None
) -> list[DropSchema]:
    """Drops the temporary tables of every session that has not written for so long, but not those
    of `session`."""
    own = temporary_schema(session) if session else None
    return [
        DropSchema(name=schema, if_exists=True, cascade=True)
        for schema in sorted(snapshot.schemas.values())
        if schema.startswith(TEMPORARY_PREFIX)
        and schema != own
        and now_ms - _last_seen_ms(snapshot, schema.removeprefix(TEMPORARY_PREFIX)) >= silent_ms
    ]


def _last_seen_ms(snapshot: Snapshot, session_id: str) -> int:
    try:
        began_ms = int(session_id[:_TIME_DIGITS], 16)
    except ValueError:
        began_ms = 0
    receipts = snapshot.tokens.get(session_id, {}).values()
    return max((tso_ms(receipt.tso) for receipt in receipts), default=began_ms)
