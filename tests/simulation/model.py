"""What the database must hold, as plain dictionaries: knows nothing of how Mobula stores anything.

A transaction is a sequence of `Effect`s. `State.after` carries them out in their order, or raises
`Refused`; the log says in which order transactions are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

__all__ = ["EMPTY", "Effect", "Key", "Refused", "Row", "State", "Table"]

Key = int | str
_LEFT_OUT = {"update": (False,), "ignore": (True,)}  # rows whose key is not there, or is
Row = tuple[Key, int]


class Refused(Exception):
    """The transaction cannot be done as things stand."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What one operation does: `kind` is create, drop, append, insert, ignore, upsert, update,
    delete, truncate, empty (of ids from the first of `rows` on, before the second), exchange (of
    these, with the table `other`), or cluster, which changes no row."""

    kind: str
    table: str
    rows: tuple[Row, ...] = ()
    keyed: bool = True  # of create
    other: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a table. `by_key`: of one with a primary key."""

    keyed: bool
    by_key: Mapping[Key, int] = field(default_factory=dict)
    bag: Counter[Row] = field(default_factory=Counter)

    def rows(self) -> Counter[Row]:
        return Counter(self.by_key.items()) if self.keyed else self.bag

    def within(self, effect: Effect) -> Counter[Row]:
        """The rows of a table without keys whose ids are in the range of an effect."""
        ((low, high),) = effect.rows
        return Counter({row: n for row, n in self.bag.items() if low <= row[0] < high})  # type: ignore[operator]

    def after(self, effect: Effect) -> tuple[Table, int | None]:
        """And how many rows it has done something to; None: nobody says."""
        if effect.kind == "truncate":
            return Table(self.keyed), None
        if effect.kind == "cluster":
            return self, None
        if effect.kind == "empty":
            return replace(self, bag=self.bag - self.within(effect)), None
        if not self.keyed:
            return replace(self, bag=self.bag + Counter(effect.rows)), len(effect.rows)
        rows, count = dict(self.by_key), 0
        for key, value in effect.rows:
            there = key in rows
            if effect.kind == "insert" and there:
                raise Refused(f"{effect.table}: {key!r} is there")
            if effect.kind == "delete":
                count += rows.pop(key, None) is not None
            elif there not in _LEFT_OUT.get(effect.kind, ()):
                rows[key] = value
                count += 1
        return replace(self, by_key=rows), count


@dataclass(frozen=True, slots=True)
class State:
    """All tables at one moment."""

    tables: Mapping[str, Table] = field(default_factory=dict)

    def after(self, effects: Sequence[Effect]) -> tuple[State, tuple[int | None, ...]]:
        """Raises Refused."""
        tables, counts = dict(self.tables), list[int | None]()
        for effect in effects:
            count: int | None = None
            if effect.kind == "create":
                if effect.table in tables:
                    raise Refused(f"{effect.table} is there")
                tables[effect.table] = Table(effect.keyed)
            elif effect.table not in tables:
                raise Refused(f"{effect.table} is not there")
            elif effect.kind == "exchange":
                own, its = tables[effect.table], tables[effect.other]
                inside = own.within(effect)
                tables[effect.table] = replace(own, bag=own.bag - inside + its.bag)
                tables[effect.other] = replace(its, bag=inside)
            elif effect.kind == "drop":
                del tables[effect.table]
            else:
                tables[effect.table], count = tables[effect.table].after(effect)
            counts.append(count)
        return State(tables), tuple(counts)


EMPTY = State()
