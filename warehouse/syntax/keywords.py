"""Which words may be names, by position.

Source: PostgreSQL 16 documentation, appendix C, and its grammar (gram.y): reserved words are no
names at all; "type or function" words may name functions and types, not columns or tables; words
that may not stand as a bare output name (`SELECT a word`) need AS.
"""

from __future__ import annotations

__all__ = [
    "FILE_FUNCTIONS",
    "NOT_BARE",
    "NOT_FUNCTIONS",
    "OWN_SCHEMA",
    "RESERVED",
    "TYPE_OR_FUNCTION",
    "own_function",
]

RESERVED = frozenset(
    (
        "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "both",
        "case", "cast", "check", "collate", "column", "constraint", "create", "current_catalog",
        "current_date", "current_role", "current_time", "current_timestamp", "current_user",
        "default", "deferrable", "desc", "distinct", "do", "else", "end", "except", "false",
        "fetch", "for", "foreign", "from", "grant", "group", "having", "in", "initially",
        "intersect", "into", "lateral", "leading", "limit", "localtime", "localtimestamp", "not",
        "null", "offset", "on", "only", "or", "order", "placing", "primary", "references",
        "returning", "select", "session_user", "some", "symmetric", "system_user", "table", "then",
        "to", "trailing", "true", "union", "unique", "user", "using", "variadic", "when", "where",
        "window", "with",
    )
)  # fmt: skip

TYPE_OR_FUNCTION = frozenset(
    (
        "authorization", "binary", "collation", "concurrently", "cross", "current_schema", "freeze",
        "full", "ilike", "inner", "is", "isnull", "join", "left", "like", "natural", "notnull",
        "outer", "overlaps", "right", "similar", "tablesample", "verbose",
    )
)  # fmt: skip

# Special syntax, never an ordinary function's or column's bare call.
NOT_FUNCTIONS = frozenset(
    (
        "between", "bigint", "bit", "boolean", "char", "character", "coalesce", "dec", "decimal",
        "exists", "extract", "float", "greatest", "grouping", "inout", "int", "integer", "interval",
        "json_array", "json_arrayagg", "json_object", "json_objectagg", "least", "national",
        "nchar", "none", "normalize", "nullif", "numeric", "out", "overlay", "position",
        "precision", "real", "row", "setof", "smallint", "substring", "time", "timestamp", "treat",
        "trim", "values", "varchar", "xmlattributes", "xmlconcat", "xmlelement", "xmlexists",
        "xmlforest", "xmlnamespaces", "xmlparse", "xmlpi", "xmlroot", "xmlserialize", "xmltable",
    )
)  # fmt: skip

NOT_BARE = frozenset(
    (
        "array", "as", "char", "character", "create", "day", "except", "fetch", "filter", "for",
        "from", "grant", "group", "having", "hour", "intersect", "into", "isnull", "limit",
        "minute", "month", "notnull", "offset", "on", "order", "over", "overlaps", "precision",
        "returning", "second", "to", "union", "varying", "where", "window", "with", "within",
        "without", "year",
    )
)  # fmt: skip

# Functions in FROM whose rows come from files; not PostgreSQL's.
FILE_FUNCTIONS = ("read_parquet", "read_csv", "read_ndjson", "read_json")

OWN_SCHEMA = "mobula"  # its functions in FROM tell what a running database does


def own_function(name: tuple[str, ...]) -> str | None:
    """The function of our own schema that a name means (also behind the name of the database, which
    is the same); None if it means none."""
    return name[-1] if name[:-1] in ((OWN_SCHEMA,), (OWN_SCHEMA, OWN_SCHEMA)) else None
