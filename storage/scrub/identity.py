"""The object `format`, and which database this is.

`format` may be lost or spoiled, and the first ones have no checksum; the log has. So the id that
`format` says is compared with that of a few log objects, and where they differ the majority is
believed: what is found then names the one object that is wrong, and not all the others.
"""

from __future__ import annotations

from collections import Counter

import msgspec

from storage.errors import CorruptData, ObjectMissing
from storage.format import FORMAT_VERSION, MAIN_BRANCH, DatabaseFormat, read_format
from storage.log.reader import LogReader
from storage.names import FORMAT
from storage.scrub.findings import Finding, Part, Severity, Teller
from storage.scrub.source import NOT_THERE, Source
from storage.scrub.survey import Survey

__all__ = ["database_id"]

VOTES = 3
HEADERS_MAX = 64  # that are looked at for them


async def database_id(source: Source, found: Survey, teller: Teller) -> str:
    """The id of the database; empty if nothing says it.

    Raises InvalidRequest: there is no database, or one of a newer format.
    """
    if not found.is_database:
        await read_format(source.store)  # raises: nothing was listed
    said, fault = await _said(source)
    votes = Counter(await _votes(source, found))
    if said is not None:
        votes[said.database_id] += 1
    most = _most(votes, "" if said is None else said.database_id)
    if said is not None and said.database_id != most:
        fault = f"the id {said.database_id}"
    if fault is not None:
        teller.tell(_finding(fault, most))
    return most


def _most(votes: Counter[str], weak: str) -> str:
    """The id with the most votes; of two with as many, the one that is not `weak`."""
    return max(votes, key=lambda vote: (votes[vote], vote != weak), default="")


def _finding(fault: str, known_id: str) -> Finding:
    whole = msgspec.json.encode(DatabaseFormat.of(known_id))
    return Finding(
        severity=Severity.damage,
        part=Part.format,
        object=FORMAT,
        expected=f"format {FORMAT_VERSION} of database {known_id}, as the log says",
        found=fault,
        next_step=f"put the object {FORMAT} with these bytes: {whole.decode()}",
    )


async def _said(source: Source) -> tuple[DatabaseFormat | None, str | None]:
    """What `format` says, or what is wrong with it."""
    data = await source.get(FORMAT)
    if data is None:
        return None, NOT_THERE
    try:
        said = await read_format(source.store)
    except (CorruptData, ObjectMissing) as error:
        return None, error.message.rpartition("of Mobula's: ")[2]
    if said.mobula < 1:
        return said, f"format version {said.mobula}"
    return said, None


async def _votes(source: Source, found: Survey) -> list[str]:
    """The ids that the first log objects say whose header is whole."""
    reader = LogReader(source.store, "", MAIN_BRANCH)
    votes: list[str] = []
    for lsn in found.lsns[:HEADERS_MAX]:
        try:
            header = await reader.header(lsn)
        except (CorruptData, ObjectMissing):
            continue
        if header.lsn == lsn:
            votes.append(header.database_id)
        if len(votes) == VOTES:
            break
    return votes
