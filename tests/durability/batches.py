"""What each token writes, as a pure function of a seed, and what a database holds after that.

A writer that was killed in the middle of a batch repeats it, and whoever verifies knows what it had
to be: nothing needs to be remembered but tokens. Clients have numbers; each counts its batches.

    kv         keys that all clients share: upserts, updates, deletes, now and then a large frame.
               Updates are of rows that are always there: one that changes nothing is not in the
               log, and one that a statement's snapshot does not have yet it rightly leaves alone
    events     appends without a key; each batch is (client, sequence, 0 .. n-1)
    accounts   transfers between accounts: the sum of all balances never changes
    scratch_…  a table of one batch, dropped by the next one
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from warehouse import IngestToken

__all__ = [
    "ACCOUNTS",
    "ALWAYS",
    "BALANCE",
    "KINDS",
    "SETUP",
    "Batch",
    "Digest",
    "Model",
    "accounts",
    "planned",
]

ACCOUNTS = 20
BALANCE = 1_000  # of each account in the beginning
ALWAYS = 10  # keys of kv, -10 to -1, that are never deleted: of statements that change rows
SHARED_KEYS = 300
LARGE_KEYS = 12_000
LARGE_ROWS = 6_000  # more than goes into the log with the settings of the writer

# By kind, how often it is drawn. A table that one batch creates is dropped by the next one.
KINDS: Mapping[str, int] = {
    "upsert": 24,
    "append": 20,
    "both": 14,
    "transfer": 20,
    "update": 8,
    "delete": 5,
    "large": 3,
    "large_upsert": 2,
    "create": 6,
}
_FLUSH_EVERY, _CHECKPOINT_EVERY = 25, 40  # batches, on average

# Statements before all others, with the tokens of a writer of their own.
SETUP = (
    "CREATE TABLE kv (k BIGINT PRIMARY KEY, client BIGINT, sequence BIGINT, v BIGINT)",
    "CREATE TABLE events (client BIGINT, sequence BIGINT, i BIGINT, v BIGINT)",
    "CREATE TABLE accounts (id BIGINT PRIMARY KEY, balance BIGINT)",
    f"INSERT INTO kv SELECT -n, -1, -1, 0 FROM generate_series(1, {ALWAYS}) g (n)",
    f"INSERT INTO accounts SELECT id, {BALANCE} FROM generate_series(1, {ACCOUNTS}) g (id)",
)

Digest = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one token writes. Made by `planned`.

    Attributes:
        kind: one of `KINDS`, or "drop".
        maintenance: "flush" or "checkpoint" where the client asks for that first, else empty.
        rows: of kv, as k -> v; the other columns say whose batch it is.
        values: of events, in the order of `i`.
        transfers: (from, to, amount).
        keys: of kv: those to delete, or first and last of those to update.
        change: what an update adds to v.
    """

    client: int
    sequence: int
    kind: str
    maintenance: str = ""
    rows: Mapping[int, int] = field(default_factory=dict)
    values: tuple[int, ...] = ()
    transfers: tuple[tuple[int, int, int], ...] = ()
    keys: tuple[int, ...] = ()
    change: int = 0

    @property
    def token(self) -> IngestToken:
        return IngestToken(writer=f"client-{self.client}", sequence=self.sequence)

    @property
    def scratch(self) -> str:
        """The table that it creates, or drops."""
        return f"scratch_{self.client}_{self.sequence - (self.kind == 'drop')}"

    def kv_frame(self) -> pl.DataFrame:
        """Rows for kv."""
        found = {"k": list(self.rows), "v": list(self.rows.values())}
        frame = pl.DataFrame(found, schema={"k": pl.Int64, "v": pl.Int64})
        return frame.with_columns(client=pl.lit(self.client), sequence=pl.lit(self.sequence))

    def events_frame(self) -> pl.DataFrame:
        """Rows for events."""
        frame = pl.DataFrame({"v": self.values}, schema={"v": pl.Int64}).with_row_index("i")
        return frame.with_columns(client=pl.lit(self.client), sequence=pl.lit(self.sequence))


def planned(seed: int, client: int, sequence: int) -> Batch:
    """The batch of a token, always the same."""
    source = np.random.default_rng([seed, client, sequence])
    kind = _kind(seed, client, sequence)
    draw = source.integers
    maintenance = ""
    if draw(_FLUSH_EVERY) == 0:
        maintenance = "flush"
    elif draw(_CHECKPOINT_EVERY) == 0:
        maintenance = "checkpoint"
    made = Batch(client=client, sequence=sequence, kind=kind, maintenance=maintenance)
    return _filled(made, source)


def _kind(seed: int, client: int, sequence: int) -> str:
    """Tables come with odd numbers, so that it is known what the one before was."""
    if sequence % 2 == 0 and _drawn(seed, client, sequence - 1) == "create":
        return "drop"
    kind = _drawn(seed, client, sequence)
    return kind if kind != "create" or sequence % 2 else "append"


def _drawn(seed: int, client: int, sequence: int) -> str:
    source = np.random.default_rng([seed, client, sequence, 1])
    weights = np.array(list(KINDS.values()))
    return str(source.choice(list(KINDS), p=weights / weights.sum()))


def _filled(batch: Batch, source: np.random.Generator) -> Batch:
    def some_rows(count: int, keys: int) -> dict[int, int]:
        chosen = source.choice(keys, count, replace=False) - ALWAYS
        values = source.integers(1 << 31, size=count)
        return dict(zip(chosen.tolist(), values.tolist(), strict=True))

    def some_values(count: int) -> tuple[int, ...]:
        return tuple(source.integers(1 << 31, size=count).tolist())

    few = int(source.integers(1, 50))
    match batch.kind:
        case "upsert":
            return replace(batch, rows=some_rows(few, SHARED_KEYS))
        case "append":
            return replace(batch, values=some_values(few))
        case "both":
            return replace(batch, rows=some_rows(few, SHARED_KEYS), values=some_values(few))
        case "transfer":
            pairs = [source.choice(ACCOUNTS, 2, replace=False) + 1 for _ in range(few % 3 + 1)]
            transfers = [(int(a), int(b), int(source.integers(1, 100))) for a, b in pairs]
            return replace(batch, transfers=tuple(transfers))
        case "update":
            first, last = sorted((source.integers(-ALWAYS, 0, size=2)).tolist())
            return replace(batch, keys=(first, last), change=few)
        case "delete":
            gone = source.choice(SHARED_KEYS, few % 10 + 1, replace=False)
            return replace(batch, keys=tuple(gone.tolist()))
        case "large":
            return replace(batch, values=some_values(LARGE_ROWS + few))
        case "large_upsert":
            return replace(batch, rows=some_rows(LARGE_ROWS + few, LARGE_KEYS))
    return batch


def accounts() -> dict[int, int]:
    """Every account with its first balance."""
    return dict.fromkeys(range(1, ACCOUNTS + 1), BALANCE)


@dataclass(slots=True)
class Model:
    """All tables as plain values. `events`: by batch, how many rows and the sum of their v."""

    kv: dict[int, tuple[int, int, int]] = field(default_factory=dict)  # k -> client, sequence, v
    events: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    balances: dict[int, int] = field(default_factory=accounts)
    scratch: set[str] = field(default_factory=set)
    _kv_sums: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    _event_sums: list[int] = field(default_factory=lambda: [0, 0])

    def __post_init__(self) -> None:
        for key in range(-ALWAYS, 0):
            self._put(key, (-1, -1, 0))

    def apply(self, batch: Batch) -> None:
        """The batch is committed."""
        for key, v in batch.rows.items():
            self._put(key, (batch.client, batch.sequence, v))
        if batch.values:
            found = (len(batch.values), sum(batch.values))
            self.events[batch.client, batch.sequence] = found
            self._event_sums[0] += found[0]
            self._event_sums[1] += found[1]
        for giver, taker, amount in batch.transfers:
            self.balances[giver] -= amount
            self.balances[taker] += amount
        match batch.kind:
            case "delete":
                for key in batch.keys:
                    self._put(key, None)
            case "update":
                for key in range(batch.keys[0], batch.keys[1] + 1):
                    client, sequence, v = self.kv[key]
                    self._put(key, (client, sequence, v + batch.change))
            case "create":
                self.scratch.add(batch.scratch)
            case "drop":
                self.scratch.remove(batch.scratch)

    def digest(self) -> Digest:
        """Counts and sums of everything, as the query of `audit.py` has them."""
        weighted = sum(number * balance for number, balance in self.balances.items())
        return (*self._kv_sums, *self._event_sums, sum(self.balances.values()), weighted)

    def _put(self, key: int, row: tuple[int, int, int] | None) -> None:
        old = self.kv.pop(key, None)
        for at, sign in ((old, -1), (row, 1)):
            if at is not None:
                for position, value in enumerate((1, key, at[1], at[2])):
                    self._kv_sums[position] += sign * value
        if row is not None:
            self.kv[key] = row
