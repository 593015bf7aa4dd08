"""Statements and clauses of the design that this version refuses by name.

Whatever is listed here is recognised, so that it is never read as something else, and raises
`NotYet`. A statement leaves these lists when it gets its rule in `dialect.py`.
"""

from __future__ import annotations

from storage.errors import NotYet

__all__ = [
    "COLUMN_CLAUSES",
    "NOUNS",
    "QUALIFIED",
    "STATEMENTS",
    "TABLE_CLAUSES",
    "WRITES",
    "not_yet",
]

# The first words of statements that the design has and this version does not, with what to do.
STATEMENTS: dict[str, str] = {
    "ALTER": "ALTER",
    "ANALYZE": "ANALYZE",
    "ARCHIVE": "ARCHIVE",
    "ATTACH": "ATTACH",
    "BEGIN": "BEGIN … COMMIT",
    "CLONE": "CLONE",
    "CLUSTER": "CLUSTER",
    "COMMENT": "COMMENT ON",
    "COMMIT": "BEGIN … COMMIT",
    "COPY": "COPY",
    "DEALLOCATE": "DEALLOCATE",
    "DECLARE": "DECLARE",
    "DELETE": "DELETE",
    "DETACH": "DETACH",
    "DIFF": "DIFF BRANCH",
    "DISCARD": "DISCARD",
    "DO": "DO",
    "END": "BEGIN … COMMIT",
    "EXECUTE": "EXECUTE",
    "FETCH": "FETCH",
    "FROM": "FROM without SELECT",
    "GRANT": "GRANT",
    "LISTEN": "LISTEN",
    "LOCK": "LOCK",
    "MERGE": "MERGE",
    "NOTIFY": "NOTIFY",
    "PREPARE": "PREPARE",
    "REFRESH": "REFRESH",
    "REINDEX": "REINDEX",
    "RELEASE": "RELEASE SAVEPOINT",
    "RESET": "RESET",
    "RESTORE": "RESTORE",
    "REVOKE": "REVOKE",
    "ROLLBACK": "BEGIN … COMMIT",
    "SAVEPOINT": "SAVEPOINT",
    "SET": "SET",
    "START": "BEGIN … COMMIT",
    "TRUNCATE": "TRUNCATE",
    "UNDROP": "UNDROP",
    "UPDATE": "UPDATE",
    "UPSERT": "UPSERT",
    "USE": "USE",
    "VACUUM": "VACUUM",
}
# Those of them (and CREATE, DROP of anything but tables) that change the database.
WRITES = {
    "ALTER",
    "ANALYZE",
    "ARCHIVE",
    "ATTACH",
    "CLONE",
    "CLUSTER",
    "COMMENT",
    "COPY",
    "DELETE",
    "DETACH",
    "GRANT",
    "MERGE",
    "REFRESH",
    "REINDEX",
    "RESTORE",
    "REVOKE",
    "TRUNCATE",
    "UNDROP",
    "UPDATE",
    "UPSERT",
    "VACUUM",
}
QUALIFIED = ("ALTER", "CREATE", "DROP", "USE", "DIFF", "MERGE", "CLONE", "UNDROP", "ARCHIVE")
NOUNS = {
    "WAREHOUSE",
    "BRANCH",
    "STREAM",
    "TABLE",
    "VIEW",
    "INDEX",
    "SCHEMA",
    "SEQUENCE",
    "TYPE",
    "FUNCTION",
    "PROCEDURE",
    "TRIGGER",
    "DATABASE",
    "ROLE",
    "USER",
    "EXTENSION",
    "DOMAIN",
    "TAG",
    "POLICY",
    "TABLESPACE",
    "MATERIALIZED",
    "TEMPORARY",
    "TEMP",
    "UNLOGGED",
    "UNIQUE",
    "OR",
    "PARTITION",
}
COLUMN_CLAUSES = (
    ("PRIMARY", "PRIMARY KEY"),
    ("DEFAULT", "DEFAULT"),
    ("CHECK", "CHECK"),
    ("UNIQUE", "UNIQUE"),
    ("REFERENCES", "REFERENCES"),
    ("GENERATED", "GENERATED"),
    ("COLLATE", "COLLATE"),
    ("CONSTRAINT", "CONSTRAINT"),
)
TABLE_CLAUSES = (
    ("PRIMARY", "PRIMARY KEY"),
    ("FOREIGN", "FOREIGN KEY"),
    ("UNIQUE", "UNIQUE"),
    ("CHECK", "CHECK"),
    ("CONSTRAINT", "CONSTRAINT"),
    ("EXCLUDE", "EXCLUDE"),
    ("LIKE", "LIKE"),
)


def not_yet(what: str) -> NotYet:
    """The error for a part of the language that comes later."""
    return NotYet(f"{what} is not available yet; docs/sql.md lists what is supported")
