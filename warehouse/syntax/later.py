"""Statements of the design that this version refuses by name.

Whatever is listed here is recognised, so that it is never read as something else. A statement
leaves these lists when it gets its rule in `statements.py`.
"""

from __future__ import annotations

from storage.errors import NotYet

__all__ = ["NOUNS", "QUALIFIED", "READS", "WRITES", "not_yet"]

# First words of statements that change nothing in the database, with what to call them.
READS: dict[str, str] = {
    "begin": "BEGIN … COMMIT",
    "commit": "BEGIN … COMMIT",
    "declare": "DECLARE",
    "diff": "DIFF BRANCH",
    "discard": "DISCARD",
    "do": "DO",
    "end": "BEGIN … COMMIT",
    "fetch": "FETCH",
    "listen": "LISTEN",
    "lock": "LOCK",
    "notify": "NOTIFY",
    "release": "RELEASE SAVEPOINT",
    "rollback": "BEGIN … COMMIT",
    "savepoint": "SAVEPOINT",
    "start": "BEGIN … COMMIT",
    "use": "USE",
}
WRITES = frozenset(
    (
        "alter", "archive", "attach", "clone", "cluster", "detach", "grant", "merge",
        "refresh", "reindex", "restore", "revoke", "undrop", "upsert",
    )
)  # fmt: skip
QUALIFIED = frozenset(("alter", "create", "drop", "use", "diff", "merge", "clone", "undrop"))
NOUNS = frozenset(
    (
        "warehouse", "branch", "stream", "table", "view", "index", "schema", "sequence", "type",
        "function", "procedure", "trigger", "database", "role", "user", "extension", "domain",
        "tag", "policy", "tablespace", "materialized", "unlogged", "unique", "partition",
    )
)  # fmt: skip


def not_yet(what: str) -> NotYet:
    """The error for a part of the language that comes later."""
    return NotYet(f"{what} is not available yet; docs/sql.md lists what is supported")
