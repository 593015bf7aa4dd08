"""One key of one table: no two live rows have it, and its index says where each of them is.

Part by part of the space of keys (`key_words.py`), the live rows' keys stand beside the entries
that the index's runs have there:

1. Two neighbours with the same key: it is not unique.
2. An entry that leads past the end of a file, or to a file that does not exist yet, is wrong. One
   that leads to a row that is gone says nothing.
3. An entry that leads to a live row must have that row's key: a search believes it.
4. A live row of a file must have an entry. Keys of deltas are in no run.

So what is found is exactly what a search finds, in both directions, since a search takes the first
entry whose row is live. What cannot be read is left out: rows of unreadable files in both
directions, and the fourth if a run is unreadable.

A wrong entry is told of the run that has it, a missing one of the run whose files are those where
the row is, if there is only one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from storage.primary_key import MISSING, Keys, Run, Words, file_ids_of
from storage.primary_key.entries import Entries
from storage.primary_key.words import Mask, Positions
from storage.scrub.key_words import KeyWords
from storage.scrub.places import Places

__all__ = ["KeyFault", "KeyToCheck", "check_part", "faults"]


@dataclass(slots=True)
class _Tally:
    """So many of a kind, and one of them: its location, and maybe another."""

    count: int = 0
    first: int = 0
    other: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFault:
    """Something wrong with a key.

    Attributes:
        run: the run to blame; None: no single one, or it is about the rows.
        location: of a row that it is about.
        in_rows: the rows are wrong, not the index.
    """

    run: str | None
    location: int
    expected: str
    found: str
    in_rows: bool = False


@dataclass(slots=True, kw_only=True)
class KeyToCheck:
    """What is compared, and what was found so far.

    Attributes:
        words: of the live rows.
        runs: those that are readable.
        complete: they are all that there are.
        places: the table's files and deltas.
    """

    name: str
    words: KeyWords
    runs: Sequence[Run]
    complete: bool
    places: Places
    twice: _Tally = field(default_factory=_Tally)
    beyond: dict[str, _Tally] = field(default_factory=dict)
    wrong: dict[str, _Tally] = field(default_factory=dict)
    missing: dict[str, _Tally] = field(default_factory=dict)  # by run; "": no single one
    bounds: list[Positions] = field(default_factory=list)  # of each run: entries before each part


def check_part(key: KeyToCheck, number: int) -> None:
    """Compare one of the 2^bits parts."""
    if not key.bounds:
        key.bounds = [_bounds(run, key.words.bits) for run in key.runs]
    known = _unique(key, key.words.part(number))
    has_entry = np.zeros(len(known.entries), np.bool_)
    for run, bounds in zip(key.runs, key.bounds, strict=True):
        entries = run.entries.rows[bounds[number] : bounds[number + 1]]
        has_entry |= _compare(key, run, entries, known)
        run.release(int(bounds[number + 1]))
    if key.complete:
        locations = known.entries.rows[:, -1].copy()
        in_files = key.places.in_files(file_ids_of(locations))
        _note_missing(key, locations[in_files & ~has_entry & ~known.repeated])


def faults(key: KeyToCheck) -> list[KeyFault]:
    """What was found, once all parts are compared."""
    where, found = key.places.text, list[KeyFault]()
    if key.twice.count:
        first, other = where(key.twice.first), where(key.twice.other)
        found.append(
            KeyFault(
                run=None,
                location=key.twice.other,
                expected=f'no two live rows with the same key "{key.name}"',
                found=f"{key.twice.count} keys are there twice, one in {first} and in {other}",
                in_rows=True,
            )
        )
    kinds = (
        (key.beyond, "entries that lead to rows", "{} lead past the end, one to {}"),
        (key.wrong, "entries that lead to the row with their key", "{} lead to others, one to {}"),
        (key.missing, "an entry for each live row of a file", "{} rows have none, one is {}"),
    )
    for tallies, expected, text in kinds:
        for run, tally in tallies.items():
            found.append(
                KeyFault(
                    run=run or None,
                    location=tally.first,
                    expected=f'{expected}, key "{key.name}"',
                    found=text.format(tally.count, where(tally.first)),
                )
            )
    return found


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Known:
    """The live rows of a part.

    Attributes:
        entries: one for each key.
        repeated: for each of them, whether other rows have the key too.
        others: locations of those, ascending.
    """

    entries: Entries
    repeated: Mask
    others: Words


def _unique(key: KeyToCheck, rows: Words) -> _Known:
    """Sorted rows, those with the same key made one and told."""
    equal = (rows[1:, :-1] == rows[:-1, :-1]).all(axis=1)
    at = np.flatnonzero(equal)
    if len(at):
        tally = key.twice
        if not tally.count:
            tally.first, tally.other = int(rows[at[0], -1]), int(rows[at[0] + 1, -1])
        tally.count += len(at)
    kept = np.append(np.ones(min(len(rows), 1), np.bool_), ~equal)
    more = np.append(equal, np.zeros(min(len(rows), 1), np.bool_))
    return _Known(
        entries=Entries.from_rows(rows[kept]),
        repeated=more[kept],
        others=np.sort(rows[~kept, -1]),
    )


def _compare(key: KeyToCheck, run: Run, entries: Words, known: _Known) -> Mask:
    """Tell what is wrong with a run's entries; for each known row, whether one leads to it."""
    found = np.zeros(len(known.entries), np.bool_)
    locations = run.moved(entries[:, -1].copy())
    is_beyond = key.places.beyond(locations)
    _note(key.beyond, run.name, locations[is_beyond])
    leads = ~is_beyond
    leads[leads] = key.places.live(locations[leads])
    entries, locations = entries[leads], locations[leads]
    exact = key.words.exact
    keys = Keys(entries[:, 0].copy(), None if exact else entries[:, 1].copy())
    there = known.entries.find(keys)
    right = there == locations
    found[known.entries.lower_bound(keys)[right]] = True
    right |= (there != MISSING) & np.isin(locations, known.others)
    _note(key.wrong, run.name, locations[~right])
    return found


def _note_missing(key: KeyToCheck, locations: Words) -> None:
    ids = file_ids_of(locations)
    for file_id in np.unique(ids).tolist():
        mine = [run.name for run in key.runs if run.file_ids[0] <= file_id <= run.file_ids[1]]
        _note(key.missing, mine[0] if len(mine) == 1 else "", locations[ids == file_id])


def _note(tallies: dict[str, _Tally], name: str, found: Words) -> None:
    if len(found):
        tally = tallies.setdefault(name, _Tally(first=int(found[0])))
        tally.count += len(found)


def _bounds(run: Run, bits: int) -> Positions:
    """How many entries lie before each part, and how many there are."""
    starts = np.arange(1 << bits, dtype=np.uint64)
    if bits:
        starts <<= np.uint64(64 - bits)
    low = None if run.entries.exact else np.zeros(1 << bits, np.uint64)
    return np.append(run.entries.lower_bound(Keys(starts, low)), len(run))
