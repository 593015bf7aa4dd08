"""What clients do to the database, again and again, until they know how it came out.

Each transaction has a token. An unknown outcome (no answer, the store is away, the primary was
replaced) is repeated with it, at whichever candidate answers; a refusal ends it. Clients only use
what every client of Mobula has: operations, tokens, open transactions.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from actors.messages import TableInfo, Transaction
from actors.operations import (
    ClusterTable,
    DropTable,
    NewColumn,
    NewKey,
    NewTable,
    Operation,
    TruncateTable,
    WriteMode,
)
from actors.primary.primary import Primary
from actors.write import delete_operation, files_operation, rows_operation
from storage.errors import Conflict, CorruptData, Fenced, InvalidRequest, ObjectMissing, Unavailable
from storage.ingest import IngestedFile, write_table
from storage.schema import Kind, ScalarType, arrow_schema
from storage.snapshot.model import IngestToken, Receipt
from tests.property.isolation_checker import Recorded
from tests.simulation.model import Effect, Key, Row
from tests.simulation.node import Node
from tests.simulation.partitions import EDGES, SPARE, emptied, exchanged, is_divided, range_of

if TYPE_CHECKING:
    from tests.simulation.world import World

__all__ = [
    "ACCOUNTS",
    "BALANCE",
    "BIGINT",
    "REGISTERS",
    "TABLES",
    "Client",
    "new_table",
    "operation_of",
]

T = TypeVar("T")

ACCOUNTS = range(5)
BALANCE = 100
REGISTERS = ("a", "b", "c", "")
ITEMS = 12
DAWDLE_MS = 8_000
KEPT = 8  # calls that a client may repeat
BIGINT, TEXT = ScalarType(Kind.BIGINT), ScalarType(Kind.TEXT)
_MODES = {mode.value: mode for mode in WriteMode}
Operations = Callable[[], Awaitable[Sequence[Operation]]]


def new_table(name: str, key: ScalarType | None, *, unique: bool = False) -> NewTable:
    """Columns id and value. Args: key: the type of the primary key; None: there is none."""
    keys = [NewKey(name=f"{name}_pkey", columns=("id",), primary=True)] if key else []
    if unique:
        keys.append(NewKey(name=f"{name}_value_key", columns=("value",), primary=False))
    return NewTable(
        schema="public",
        name=name,
        columns=(
            NewColumn(name="id", type=key or BIGINT, nullable=key is None),
            NewColumn(name="value", type=BIGINT, nullable=False),
        ),
        keys=tuple(keys),
        options={"micropartition_rows": 16},
    )


ORDERS = ("lexical", "lexical", "zorder")
TABLES = (
    new_table("accounts", BIGINT),
    new_table("registers", TEXT),
    new_table("events", None),
    new_table("items", BIGINT, unique=True),
)


class Client:
    """One client; it is a process of its own that never dies, so that it can tell."""

    def __init__(self, world: World, node: Node, index: int) -> None:
        self.world = world
        self.node = node
        self.index = index
        self.rng = node.rng
        self.sequence = 0
        self.failure: Exception | None = None  # why the last call was not answered
        self.refusal: Exception | None = None  # the last one
        self.numbers = 0
        self.done: list[tuple[IngestToken, Operations]] = []  # the last that were acknowledged
        self.history: list[tuple[IngestToken, int, dict[Key, int]]] = []

    async def play(self, steps: int) -> None:
        mix = self.mix()
        for _ in range(steps):
            await self.node.clock.sleep_ms(self.world.case.think_ms * self.rng.random())
            (step,) = self.rng.choices(list(mix), weights=list(mix.values()))
            await step()

    def mix(self) -> dict[Callable[[], Awaitable[object]], int]:
        """How often each workload comes: every case has its own mixture, some without this or that
        (Groce and others, "Swarm Testing", 2012)."""
        workloads = (
            self.transfer,
            self.registers,
            self.append,
            self.items,
            self.several,
            self.bulk,
            self.own_table,
            self.maintenance,
        )
        rng = random.Random(f"mixture {self.world.case.seed}")
        weights = [rng.choice([0, 1, 1, 4]) for _ in workloads]
        mixed = dict(zip(workloads, weights if any(weights) else [1] * len(weights), strict=True))
        return mixed | ({self.partitions: 3} if is_divided(self.world.case.seed) else {})

    # --- workloads ------------------------------------------------------------------------------

    async def transfer(self) -> None:
        """Moves money between two accounts, having read both."""
        giver, taker = self.rng.sample(ACCOUNTS, 2)
        amount = self.rng.randrange(1, 9)

        def writes(found: dict[Key, int]) -> dict[Key, int]:
            return {giver: found[giver] - amount, taker: found[taker] + amount}

        await self.read_and_write("accounts", writes)

    async def registers(self) -> None:
        """Reads some registers and writes some, each time a value never seen before."""
        targets = self.rng.sample(REGISTERS, self.rng.choice([0, 1, 2]))
        await self.read_and_write("registers", lambda found: dict.fromkeys(targets, self.number()))

    async def append(self) -> None:
        rows = self.rows(range(50), self.rng.choice([1, 2, 8]))
        await self.write(("append", "events", rows))

    async def items(self) -> None:
        """One or two operations by key in one transaction."""
        await self.write(*(self.of_items() for _ in range(self.rng.choice([1, 1, 2]))))

    async def several(self) -> None:
        """Several tables, together or not at all."""
        rows = self.rows(range(50), 2)
        await self.write(self.of_items(), ("append", "events", rows), self.of_items())

    async def bulk(self) -> None:
        """Files that the client has uploaded."""
        if self.rng.random() < 0.25:
            await self.write(("append", "events", self.rows(range(50), 20)), files=True)
        else:
            kind = self.rng.choice(["insert", "upsert", "ignore"])
            await self.write((kind, "items", self.items_rows(range(ITEMS), 10)), files=True)

    async def own_table(self) -> None:
        """CREATE, write, perhaps TRUNCATE, DROP: each a transaction."""
        name = f"own_{self.index}_{self.number()}"
        key = self.rng.choice([None, BIGINT])
        create = Effect("create", name, keyed=key is not None)
        if not await self.commit((create,), _same(new_table(name, key))):
            return
        await self.write(("insert" if key else "append", name, self.rows(range(90), 5)))
        if self.rng.random() < 0.5:
            await self.write(("truncate", name, ()))
            await self.write(("upsert" if key else "append", name, self.rows(range(90), 3)))
        collects = self.world.case.seed % 5 == 3
        if collects:  # of a table with files, also those that only the past reads
            await self.tried(lambda primary: primary.flush())
        drop = DropTable(schema="public", name=name)
        await self.commit((Effect("drop", name),), _same(drop))
        if collects:
            vacuum = {"uploads_ms": 0, "dry_run": False}
            await self.tried(lambda primary: primary.collector.vacuum(**vacuum))

    async def partitions(self) -> None:
        """A partition is emptied, or exchanged; or there are more rows to exchange."""
        roll = self.rng.random()
        if roll < 0.4:
            await self.write(("append", SPARE, self.rows(range(*EDGES), 3)))
        elif roll < 0.7:
            number = self.rng.randrange(len(EDGES) + 1)

            async def operations() -> Sequence[Operation]:
                info = await self.asked(lambda primary: primary.find_table("public", "events"))
                return emptied(info, number)

            emptying = Effect("empty", "events", (range_of(number),))
            await self.commit((emptying, Effect("cluster", "events")), operations)
        else:
            await self.exchange()

    async def exchange(self) -> None:
        """As one statement: prepared and committed where it is heard."""
        token = self.token()
        effect = Effect("exchange", "events", (range_of(1),), other=SPARE)
        self.world.witness.intends(token, (effect,))

        async def work(primary: Primary) -> Receipt:
            return await exchanged(primary, token)

        try:
            receipt = await self.asked(lambda primary: _in_turn(primary, token, work))
            self.world.witness.acknowledged(token, receipt)
        except (Conflict, InvalidRequest) as error:
            self.refused(token, error, False)
        except (Unavailable, Fenced, CorruptData):
            await self.came_out(token)

    async def maintenance(self) -> None:
        """Asks for what the primary also does by itself, or for another order of the rows."""
        if self.rng.random() < 0.2:
            table, order = self.rng.choice(["items", "events"]), self.rng.choice(ORDERS)
            columns = self.rng.choice([("value",), ("value", "id"), ()])
            change = ClusterTable(schema="public", name=table, cluster_by=columns, order=order)
            await self.commit((Effect("cluster", table),), _same(change))
            return
        chosen = self.rng.choice(["flush", "compact", "recluster", "checkpoint", "vacuum"])
        if chosen == "vacuum":
            policy = {
                "retention_ms": self.rng.choice([None, 0, 1_000]),
                "uploads_ms": self.rng.choice([None, 0]),
                "dry_run": self.rng.random() < 0.1,
            }
            await self.tried(lambda primary: primary.collector.vacuum(**policy))
        else:
            await self.tried(lambda primary: getattr(primary, chosen)())

    def of_items(self) -> tuple[str, str, tuple[Row, ...]]:
        kind = self.rng.choice(["insert", "upsert", "upsert", "update", "delete", "ignore"])
        return kind, "items", self.items_rows(range(ITEMS), self.rng.choice([1, 2, 4]))

    def rows(self, keys: Sequence[int], count: int) -> tuple[Row, ...]:
        return tuple((key, self.rng.randrange(1000)) for key in self.rng.sample(keys, count))

    def items_rows(self, keys: Sequence[int], count: int) -> tuple[Row, ...]:
        """Values are UNIQUE."""
        return tuple((key, self.number()) for key in self.rng.sample(keys, count))

    def number(self) -> int:
        """That nobody else has."""
        self.numbers += 1
        return self.numbers * 1000 + self.index + 1

    # --- sending --------------------------------------------------------------------------------

    async def write(
        self, *writes: tuple[str, str, tuple[Row, ...]], files: bool = False
    ) -> Receipt | None:
        """Operations as (kind, table, rows), as one transaction."""
        effects = tuple(Effect(kind, table, rows) for kind, table, rows in writes)
        made: list[Operation] = []

        async def operations() -> Sequence[Operation]:
            """Files are uploaded once, unless they are spoilt; rows are made for the table as it
            is now."""
            if not files or not made or isinstance(self.failure, CorruptData):
                made[:] = [await self.operation(effect, files) for effect in effects]
                if files:
                    await self.dawdle()
            return made

        return await self.commit(effects, operations)

    async def operation(self, effect: Effect, files: bool) -> Operation:
        info = await self.asked(lambda primary: primary.find_table("public", effect.table))
        if not files:
            return operation_of(info, effect)
        rows = rows_of(info, effect)

        def upload(node: Node) -> Awaitable[list[IngestedFile]]:
            return write_table(node.store, rows, info.target, ids=node.ids)

        if self.world.case.directory:  # that of the primary's machine
            node, _ = self.world.believed(self.rng)
            found = await self.world.call(node, lambda: upload(node), self.rng)
        else:
            found = await upload(self.node)
        mode = WriteMode.INSERT if effect.kind == "append" else _MODES[effect.kind]
        return files_operation(info, found, mode)

    async def commit(self, effects: Sequence[Effect], operations: Operations) -> Receipt | None:
        """Until the outcome is known. Returns None: it was refused."""
        token = self.token()
        self.world.witness.intends(token, effects)
        doubtful, self.failure = False, None
        while True:
            try:
                receipt = await self.submitted(token, operations)
            except (Unavailable, Fenced, CorruptData) as error:
                doubtful, self.failure = True, error
                await self.pause()
                continue
            except (InvalidRequest, Conflict) as error:
                self.refused(token, error, doubtful)
                return None
            self.world.witness.acknowledged(token, receipt)
            self.done = [*self.done[1 - KEPT :], (token, operations)]
            if self.rng.random() < 0.15:
                await self.repeat(*self.rng.choice(self.done))
            return receipt

    async def repeat(self, token: IngestToken, operations: Operations) -> None:
        """A call that was answered is made again: the same answer, or none."""
        try:
            receipt = await self.submitted(token, operations)
        except (Unavailable, Fenced, CorruptData):
            return
        except (InvalidRequest, Conflict) as error:
            self.world.witness.fail("a repeated call gets the first receipt", f"{token}: {error}")
            return
        self.world.witness.acknowledged(token, receipt)

    async def submitted(self, token: IngestToken, operations: Operations) -> Receipt:
        try:
            made = tuple(await operations())
        except InvalidRequest:  # the table is gone: without operations, only the outcome is asked
            made = ()
        transaction = Transaction(operations=made, token=token)
        return await self.asked(lambda primary: primary.submit(transaction))

    async def asked(self, work: Callable[[Primary], Awaitable[T]]) -> T:
        """What a primary answers, whichever it is. Raises Unavailable: none does."""
        node, primary = self.world.believed(self.rng)
        return await self.world.call(node, lambda: work(primary), self.rng)

    def refused(self, token: IngestToken, error: Exception, doubtful: bool) -> None:
        if doubtful:
            self.world.witness.seen["refused after a doubtful attempt"] += 1
        self.refusal = error
        self.world.witness.refused(token, error)

    async def read_and_write(
        self, table: str, writes: Callable[[dict[Key, int]], dict[Key, int]]
    ) -> None:
        """One open transaction: all of a table is read, and some of it written."""
        world, token, known = self.world, self.token(), self.world.witness.acknowledged_lsn
        found: dict[Key, int] = {}
        if table == "registers":
            self.history.append((token, known, found))  # the call may go on when we do not wait

        async def work(primary: Primary) -> Receipt | None:
            transaction = await primary.transactions.begin("repeatable read")
            state = (await transaction.snapshot()).find_table(table)
            assert state is not None
            await self.dawdle()
            await self.overtaken(primary, token)
            try:
                world.refuse_missing([state])
                rows = await world.contents.rows(state, world.node_of(primary).fetched)
            except ObjectMissing as error:
                world.check_missing(primary, error)
                raise
            found.update(rows)
            effect = Effect("upsert", table, tuple(writes(found).items()))
            world.witness.intends(token, (effect,) if effect.rows else ())
            if effect.rows:
                await transaction.write([operation_of(primary.table("public", table), effect)])
            return (await primary.commit(transaction.id, token))[0]

        try:
            receipt = await self.asked(lambda primary: _in_turn(primary, token, work))
            if receipt is not None:
                world.witness.acknowledged(token, receipt)
        except (Conflict, InvalidRequest) as error:
            self.refused(token, error, False)
        except (Unavailable, Fenced, CorruptData):
            await self.came_out(token)

    async def came_out(self, token: IngestToken) -> None:
        """Ask for the outcome of a commit that was not answered, until a primary says."""
        while self.world.witness.is_known(token):
            try:
                receipt = await self.asked(lambda primary: primary.outcome(token))
            except (Unavailable, Fenced, CorruptData):
                await self.pause()
            else:
                if receipt is not None:
                    self.world.witness.acknowledged(token, receipt)
                else:
                    self.world.witness.refused(token, Conflict("it is not in the log"))
                return

    async def tried(self, work: Callable[[Primary], Awaitable[object]]) -> None:
        try:
            await self.asked(work)
        except (Unavailable, Fenced, CorruptData, Conflict):
            self.world.witness.seen["maintenance failed"] += 1

    def recorded(self) -> list[Recorded]:
        """For the checker of isolation: each transaction with where the log has it."""
        witness, made = self.world.witness, list[Recorded]()
        for token, known, found in self.history:
            if not found:
                continue
            lsn, written = witness.placed(token)
            made.append(
                Recorded(
                    name=f"{token.writer}/{token.sequence}",
                    known_lsn=known if lsn is not None else 0,  # a replaced primary reads the past
                    statements=[{str(key): value for key, value in found.items()}],
                    writes={str(key): value for key, value in written},
                    lsn=lsn,
                )
            )
        return made

    def token(self) -> IngestToken:
        self.sequence += 1
        return IngestToken(writer=f"client-{self.index}", sequence=self.sequence)

    async def overtaken(self, primary: Primary, token: IngestToken) -> None:
        """In some worlds everything is rewritten and collected while a transaction is open."""
        seed = self.world.case.seed
        if seed % 5 == 2 and random.Random(f"{seed} {token}").random() < 0.3:
            await primary.flush()
            await primary.compact()
            await primary.recluster()
            await primary.collector.vacuum(retention_ms=0, dry_run=False)

    async def dawdle(self) -> None:
        """Now and then something takes long that others do not wait for."""
        if self.rng.random() < 0.2:
            await self.node.clock.sleep_ms(self.rng.uniform(0, DAWDLE_MS))

    async def pause(self) -> None:
        await self.node.clock.sleep_ms(self.rng.uniform(10, 2_000))


def operation_of(info: TableInfo, effect: Effect) -> Operation:
    """With its rows in it."""
    if effect.kind == "truncate":
        return TruncateTable(table_id=info.table_id)
    rows = rows_of(info, effect)
    if effect.kind == "delete":
        return delete_operation(info, rows.select(["id"]))
    mode = WriteMode.INSERT if effect.kind == "append" else _MODES[effect.kind]
    return rows_operation(info, rows, mode)


def rows_of(info: TableInfo, effect: Effect) -> pa.Table:
    schema = arrow_schema(info.target.schema.columns)
    columns = [list(column) for column in zip(*effect.rows, strict=True)]
    return pa.table(dict(zip(schema.names, columns, strict=True)), schema=schema)


async def _in_turn(
    primary: Primary, token: IngestToken, work: Callable[[Primary], Awaitable[T]]
) -> T:
    """As the primary's service runs a statement that may be repeated."""
    async with primary.attempts.turn(token):
        return await work(primary)


def _same(operation: Operation) -> Operations:
    async def operations() -> Sequence[Operation]:
        return [operation]

    return operations
