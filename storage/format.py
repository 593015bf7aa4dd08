"""The object `format`: that a root is a database, which one, and in which format version.

Created once, with create-if-absent, before anything else; never changed.
"""

from __future__ import annotations

import msgspec
import xxhash

from storage.clock import Clock
from storage.errors import CorruptData, InvalidRequest, ObjectMissing
from storage.ids import Ids
from storage.names import FORMAT
from storage.objects import Exists, ObjectStore, create_settled

__all__ = ["FORMAT_VERSION", "MAIN_BRANCH", "DatabaseFormat", "open_or_create", "read_format"]

FORMAT_VERSION = 1
MAIN_BRANCH = "main"


class DatabaseFormat(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `format`, JSON. Later versions may add fields."""

    mobula: int  # format version
    database_id: str
    checksum: str = ""  # of the two; the first databases have none

    @classmethod
    def of(cls, database_id: str) -> DatabaseFormat:
        """Of a database in this version's format."""
        checksum = _checksum(FORMAT_VERSION, database_id)
        return cls(mobula=FORMAT_VERSION, database_id=database_id, checksum=checksum)


async def read_format(store: ObjectStore) -> DatabaseFormat:
    """Which database this root is. 1 GET.

    Raises:
        InvalidRequest: no database here, or one of a newer format.
        CorruptData: `format` is not ours.
    """
    try:
        data = await store.get(FORMAT)
    except ObjectMissing as error:
        raise InvalidRequest(
            f"{store.url} is no Mobula database: it has no object 'format'. "
            "Check the root, or create one with connect(root) on an empty place",
            "3D000",
        ) from error
    return _decode(store, data)


async def open_or_create(store: ObjectStore, ids: Ids, clock: Clock) -> DatabaseFormat:
    """The database at this root, made if the root is empty. 1 GET; to create also 1 LIST, 2 PUT
    and a GET, the second PUT proving that the store refuses it.

    Raises:
        InvalidRequest: the root holds other things, or a newer format.
    """
    if (found := await _found(store)) is not None:
        return found
    async for entry in store.list("", page_size=1):
        # Somebody else may have made the database, and begun to use it, since we looked.
        if (found := await _found(store)) is not None:
            return found
        raise InvalidRequest(
            f"{store.url} is no Mobula database and not empty (it holds {entry.name!r}); "
            "choose an empty place for a new database",
            "3D000",
        )
    mine = DatabaseFormat.of(ids.new())
    outcome = await create_settled(store, FORMAT, msgspec.json.encode(mine), clock=clock)
    if isinstance(outcome, Exists):
        return _decode(store, outcome.data)
    await _prove_conditional(store, clock)
    return mine


async def _found(store: ObjectStore) -> DatabaseFormat | None:
    try:
        return _decode(store, await store.get(FORMAT))
    except ObjectMissing:
        return None


async def _prove_conditional(store: ObjectStore, clock: Clock) -> None:
    """Create `format` once more with other bytes: a store that lets us has no create-if-absent,
    and two primaries on it would overwrite each other's commits."""
    outcome = await create_settled(store, FORMAT, b"probe", clock=clock)
    if not isinstance(outcome, Exists):
        await store.delete(FORMAT)
        raise InvalidRequest(
            f"{store.url}: this store ignores If-None-Match on PUT, so commits on it would not be "
            "safe; use a store (or a version of it) with conditional writes"
        )


def _decode(store: ObjectStore, data: bytes) -> DatabaseFormat:
    """Raises CorruptData: what we read may have lost a bit on its way, and whoever believed another
    id would begin a log that nobody else reads."""
    try:
        found = msgspec.json.decode(data, type=DatabaseFormat)
        fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw]).keys()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptData(
            f"{store.url}: the object 'format' is not one of Mobula's: {error}"
        ) from error
    if found.mobula > FORMAT_VERSION:
        raise InvalidRequest(
            f"{store.url} has format version {found.mobula}, this Mobula reads up to "
            f"{FORMAT_VERSION}; upgrade Mobula"
        )
    expected = _checksum(found.mobula, found.database_id)
    if found.checksum != expected and fields != {"mobula", "database_id"}:
        raise CorruptData(
            f"{store.url}: the object 'format' is not one of Mobula's: it has the checksum "
            f"{found.checksum!r}, expected {expected!r}"
        )
    return found


def _checksum(version: int, database_id: str) -> str:
    return xxhash.xxh3_64_hexdigest(f"{version} {database_id}".encode())
