"""What belongs to the server and not to a database's objects: databases, roles, settings.

There is one database, one role, which owns everything, and collation "C". Where PostgreSQL has
values that nothing here corresponds to, the ones that its own new server shows stand here, because
tools compare with them.
"""

from __future__ import annotations

from collections.abc import Mapping

from actors.messages import Session
from warehouse.catalogue_tables import oids
from warehouse.catalogue_tables.rows import Builder, Rows, Subject, rows_of

__all__ = ["BUILDERS", "DATABASE", "ENCODING", "OWNER", "SETTINGS", "VARYING", "setting"]

DATABASE = "mobula"
OWNER = "mobula"
ENCODING = 6  # UTF8, as PostgreSQL numbers encodings

SETTINGS: Mapping[str, str] = {
    "application_name": "",
    "bytea_output": "hex",
    "client_encoding": "UTF8",
    "client_min_messages": "notice",
    "datestyle": "ISO, MDY",
    "default_table_access_method": "heap",
    "default_tablespace": "",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "extra_float_digits": "1",
    "integer_datetimes": "on",
    "intervalstyle": "postgres",
    "is_superuser": "on",
    "lc_collate": "C",
    "lc_ctype": "C",
    "max_identifier_length": "63",
    "max_index_keys": "32",
    "query_priority": "0",
    "queue_timeout": "0",
    "server_encoding": "UTF8",
    "server_version": "16.0",
    "server_version_num": "160000",
    "standard_conforming_strings": "on",
    "statement_timeout": "10min",
    "timezone": "UTC",
    "transaction_isolation": "read committed",
    "transaction_read_only": "off",
    "warehouse": "",
}


def setting(name: str, session: Session) -> str | None:
    """The value of a setting that holds in a session; None if there is no such setting."""
    lowered = name.lower()
    if lowered == "search_path":
        return ", ".join(session.schema_path)
    if lowered in session.settings:
        return session.settings[lowered]
    return SETTINGS.get(lowered)


def _settings(subject: Subject) -> Rows:
    names = sorted({*SETTINGS, *subject.session.settings, "search_path"})
    return rows_of(
        ("name", "setting", "boot_val", "reset_val"),
        (
            (name, setting(name, subject.session), SETTINGS.get(name), SETTINGS.get(name))
            for name in names
        ),
        category="Mobula",
        context="user",
        vartype="string",
        source="default",
        pending_restart=False,
    )


def _databases(subject: Subject) -> Rows:
    return Rows(
        1,
        {
            "oid": oids.DATABASE_OID,
            "datname": DATABASE,
            "datdba": oids.OWNER_OID,
            "encoding": ENCODING,
            "datlocprovider": "c",
            "datistemplate": False,
            "datallowconn": True,
            "datconnlimit": -1,
            "datfrozenxid": 0,
            "datminmxid": 0,
            "dattablespace": 1663,
            "datcollate": "C",
            "datctype": "C",
        },
    )


_POWERS = dict.fromkeys(
    ("rolsuper", "rolinherit", "rolcreaterole", "rolcreatedb", "rolcanlogin", "rolreplication",
     "rolbypassrls"), True,
)  # fmt: skip


def _roles(subject: Subject) -> Rows:
    columns = {"oid": oids.OWNER_OID, "rolname": OWNER, "rolconnlimit": -1, **_POWERS}
    return Rows(1, {**columns, "rolpassword": "********"})


def _authorizations(subject: Subject) -> Rows:
    return Rows(1, {"oid": oids.OWNER_OID, "rolname": OWNER, "rolconnlimit": -1, **_POWERS})


def _users(subject: Subject) -> Rows:
    powers = dict.fromkeys(("usecreatedb", "usesuper", "userepl", "usebypassrls"), True)
    return Rows(1, {"usename": OWNER, "usesysid": oids.OWNER_OID, "passwd": "********", **powers})


def _shadows(subject: Subject) -> Rows:
    powers = dict.fromkeys(("usecreatedb", "usesuper", "userepl", "usebypassrls"), True)
    return Rows(1, {"usename": OWNER, "usesysid": oids.OWNER_OID, **powers})


def _collations(subject: Subject) -> Rows:
    found = [
        (100, "default", "d", -1, None),
        (950, "C", "c", -1, "C"),
        (951, "POSIX", "c", -1, "POSIX"),
        (962, "ucs_basic", "c", ENCODING, "C"),
    ]
    rows = rows_of(("oid", "collname", "collprovider", "collencoding", "collcollate"), found)
    constants = {
        "collnamespace": oids.CATALOGUE_SCHEMA,
        "collowner": oids.OWNER_OID,
        "collisdeterministic": True,
    }
    return Rows(rows.count, {**rows.columns, "collctype": rows.columns["collcollate"], **constants})


def _access_methods(subject: Subject) -> Rows:
    found = [(2, "heap", 3, "t"), (403, "btree", 330, "i")]
    return rows_of(("oid", "amname", "amhandler", "amtype"), found)


def _tablespaces(subject: Subject) -> Rows:
    found = [(1663, "pg_default"), (1664, "pg_global")]
    return rows_of(("oid", "spcname"), found, spcowner=oids.OWNER_OID)


def _languages(subject: Subject) -> Rows:
    columns = {"oid": 12, "lanname": "internal", "lanowner": oids.OWNER_OID, "lanispl": False}
    zeros = dict.fromkeys(("lanplcallfoid", "laninline", "lanvalidator"), 0)
    return Rows(1, {**columns, **zeros, "lanpltrusted": False})


BUILDERS: dict[str, Builder] = {
    "pg_am": _access_methods,
    "pg_authid": _authorizations,
    "pg_collation": _collations,
    "pg_database": _databases,
    "pg_language": _languages,
    "pg_roles": _roles,
    "pg_settings": _settings,
    "pg_shadow": _shadows,
    "pg_tablespace": _tablespaces,
    "pg_user": _users,
}
# Those that depend on the session.
VARYING = frozenset(("pg_settings",))
