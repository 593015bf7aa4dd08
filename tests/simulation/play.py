"""One case from beginning to end: set up, play, heal, look at what is left."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from unittest.mock import patch

import msgspec

from actors.primary.indexes import FETCHES_MAX
from actors.primary.primary import Primary
from actors.virtual_warehouse import claim
from storage.errors import MobulaError
from storage.format import MAIN_BRANCH, DatabaseFormat
from storage.log.reader import LogReader
from storage.log.record import decode
from storage.names import CHECKPOINT_PREFIX, FORMAT, log_name
from storage.objects import ObjectStore
from storage.primary_key import plan
from storage.scrub import Finding, Severity, scrub
from storage.snapshot.apply import apply
from storage.snapshot.checkpoint import ROOT, decode_root, read_checkpoint
from storage.snapshot.model import Snapshot
from tests.property.index_check import check_indexes
from tests.property.isolation_checker import problems
from tests.simulation.clients import ACCOUNTS, BALANCE, REGISTERS, TABLES, Client
from tests.simulation.contents import fetched
from tests.simulation.loop import Stuck
from tests.simulation.model import Effect
from tests.simulation.node import Node
from tests.simulation.partitions import buried_alive, divided, is_divided
from tests.simulation.roles import candidate, opened, reader
from tests.simulation.store import LATE_S_MAX
from tests.simulation.witness import Violation
from tests.simulation.world import Case, World

__all__ = ["Report", "play"]

SCRUBBED = 4  # every so many seeds `mobula check` looks at the end too; it takes as long as a case
UNTIL_S = 3_600.0  # of simulated time, for all
MEMORY = "/dev/shm"  # where files go that last as long as a case, if there is such a place
ROUGH_S = 150.0  # how long things go wrong, at most
CLAIM_MS = 30_000
HEALED_S = 300.0  # in which everybody must come through once nothing fails


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a case came out.

    Attributes:
        violation: what was broken; None: nothing.
        faults: identities of the faults and events that happened.
        digest: of every change of the store and its moment: the same story has the same.
    """

    case: Case
    violation: BaseException | None
    happened: Counter[str] = field(default_factory=Counter)
    faults: tuple[str, ...] = ()
    digest: str = ""
    simulated_s: float = 0.0

    @property
    def kind(self) -> str | None:
        """Which promise was broken, in a word or two that two runs can have in common."""
        if isinstance(self.violation, Violation):
            return self.violation.invariant
        return None if self.violation is None else type(self.violation).__name__


def play(case: Case) -> Report:
    """Run a case. Never raises for what it finds."""
    return run(World(case))


def run(world: World) -> Report:
    """The same of a world."""
    case = world.case
    digest = hashlib.blake2b(digest_size=16)

    def note(method: str, name: str, before: bytes | None, after: bytes | None) -> None:
        digest.update(f"{world.loop.time():.6f} {method} {name} ".encode())
        digest.update(hashlib.blake2b(after or b"").digest())

    world.place.watchers.append(note)
    violation: BaseException | None = None
    memory = patch.object(tempfile, "tempdir", MEMORY if os.access(MEMORY, os.W_OK) else None)
    merges = patch.object(plan, "RUNS_MIN", 2)  # of an index: few files make few runs
    # Who died must not hold all there is; readers claim seldom, so each claim is written.
    claims = patch.multiple(claim, LASTS_MS=CLAIM_MS, RENEW_MS=0)
    memory.start()
    merges.start()
    claims.start()
    try:
        world.loop.run(world.director, _story(world), until_s=UNTIL_S)
        if world.loop.errors:
            raise Violation("no task fails unheard", world.loop.errors[0])
    except (AssertionError, MobulaError) as error:
        violation = error
    finally:
        _clean_up(world)
        claims.stop()
        merges.stop()
        memory.stop()
    world.happened.update(world.witness.seen)
    world.happened["commits"] = world.witness.lsn
    return Report(
        case=case,
        violation=violation,
        happened=world.happened,
        faults=tuple(world.ids),
        digest=digest.hexdigest(),
        simulated_s=world.loop.time(),
    )


async def _story(world: World) -> None:
    case = world.case
    clients = [
        Client(world, world.start(f"client-{i}", _nothing, mortal=False), i)
        for i in range(case.clients)
    ]
    for number in range(case.candidates):
        world.start(f"candidate-{number + 1}", partial(candidate, world), mortal=True)
    await _in(world, clients[0].node, _set_up(clients[0]))
    for number in range(case.readers):
        world.start(f"reader-{number + 1}", partial(reader, world), mortal=True)
    disturbing = [asyncio.create_task(work) for work in (world.disturb(), _heal_late(world))]
    try:
        async with asyncio.timeout(ROUGH_S + HEALED_S):
            await asyncio.gather(*(_in(world, c.node, c.play(case.steps)) for c in clients))
    except TimeoutError:
        raise Stuck(f"healed at {ROUGH_S:.0f} s, and clients are not through") from None
    world.heal()
    for task in disturbing:
        task.cancel()
    healed_s = world.loop.time()
    try:
        async with asyncio.timeout(HEALED_S):
            await _in(world, clients[0].node, clients[0].append())
            await _readers_catch_up(world)
    except TimeoutError:
        raise Stuck(f"healed at {healed_s:.0f} s, and not well since") from None
    world.freeze()
    await asyncio.sleep(2 * LATE_S_MAX)  # what is still on its way arrives
    await _aftermath(world, clients)


async def _heal_late(world: World) -> None:
    """Clients that have not come through by then do so in peace."""
    await asyncio.sleep(ROUGH_S)
    world.heal()


async def _in(world: World, node: Node, work: object) -> None:
    """Run in a process, which is not ours."""
    await world.loop.create_task(work, context=node.process.context.copy())


async def _nothing(node: Node) -> None:
    """A client does what it is told."""


async def _set_up(client: Client) -> None:
    tables = divided(TABLES) if is_divided(client.world.case.seed) else TABLES
    for table in tables:
        effect = Effect("create", table.name, keyed=bool(table.keys))

        async def create(table: object = table) -> Sequence[object]:
            return [table]

        assert await client.commit((effect,), create), client.refusal
    accounts = tuple((key, BALANCE) for key in ACCOUNTS)
    assert await client.write(("insert", "accounts", accounts)), client.refusal
    registers = tuple((key, 0) for key in REGISTERS)
    assert await client.write(("insert", "registers", registers)), client.refusal


async def _readers_catch_up(world: World) -> None:
    wanted = world.witness.acknowledged_lsn
    roles = [f"reader-{number + 1}" for number in range(world.case.readers)]
    while any(world.newest_seen(role) < wanted for role in roles):  # noqa: ASYNC110
        await asyncio.sleep(0.5)  # of simulated time


# --- the aftermath --------------------------------------------------------------------------------


async def _aftermath(world: World, clients: Sequence[Client]) -> None:
    """The whole database as it is left, by every way that leads to it."""
    witness = world.witness
    store = world.place.quiet()
    fetch = partial(fetched, store)
    log = _log(world, store)
    newest = _replayed(world, store)
    if alive := buried_alive(newest):
        witness.fail("what is there is not buried", f"{sorted(alive)}")
    retained = range(newest.horizon, newest.lsn, max((newest.lsn - newest.horizon) // 8, 1))
    for lsn in sorted({*retained, newest.lsn}):
        snapshot = await log.open(lsn)
        witness.read("auditor", snapshot, await world.contents.of(snapshot, fetch))
    found = await log.open()
    if found != newest:
        witness.fail("checkpoints equal the log", "the newest snapshot, opened and replayed")
    for name, data in sorted(world.place.objects().items()):
        if name.startswith(CHECKPOINT_PREFIX) and name.endswith(f"/{ROOT}"):
            if name in world.spoilt | witness.erased | witness.late:
                continue
            parts = {table.part.name for table in decode_root(data, name)[1].tables}
            if parts & world.spoilt:  # some are of earlier checkpoints
                continue
            found = await read_checkpoint(store, name)
            if found != _replayed(world, store, found.lsn):
                witness.fail("checkpoints equal the log", name)
    often = world.case.seed % SCRUBBED == 0 or is_divided(world.case.seed)
    if not world.spoilt and often:
        await _scrubbed(world, store)
    witness.check_end()
    _check_histories(world, clients)
    await _check_indexes(world, store)


async def _scrubbed(world: World, store: ObjectStore) -> None:
    """`mobula check` finds nothing."""
    found: list[Finding] = []
    report = await scrub(store, on_finding=found.append)
    if report.damages:
        damage = next(finding for finding in found if finding.severity is Severity.damage)
        world.witness.fail("a check finds no damage", str(damage))


def _log(world: World, store: ObjectStore) -> LogReader:
    found = msgspec.json.decode(world.place.objects()[FORMAT], type=DatabaseFormat)
    return LogReader(store, found.database_id, MAIN_BRANCH)


def _replayed(world: World, store: ObjectStore, lsn: int | None = None) -> Snapshot:
    """From the log alone, as it was written."""
    found = _log(world, store)._empty
    for number, group in enumerate(world.witness.groups[:lsn], 1):
        found = apply(found, decode(group, log_name(number)))
    return found


def _check_histories(world: World, clients: Sequence[Client]) -> None:
    witness = world.witness
    for lsn, state in enumerate(witness.states):
        accounts = state.tables.get("accounts")
        if (
            accounts
            and accounts.by_key
            and sum(accounts.by_key.values()) != BALANCE * len(ACCOUNTS)
        ):
            witness.fail("transfers keep the sum", f"at LSN {lsn}: {accounts.by_key}")
    history = [one for client in clients for one in client.recorded()]
    world.happened["histories"] += 1
    world.happened["transactions in histories"] += len(history)
    first = next(
        (
            n
            for n, s in enumerate(witness.states)
            if "registers" in s.tables and s.tables["registers"].by_key
        ),
        0,
    )
    for problem in problems(history, dict.fromkeys(map(str, REGISTERS), 0), first):
        witness.fail("transactions are isolated", problem)


async def _check_indexes(world: World, store: ObjectStore) -> None:
    """Those of every primary that still serves, and of one that would follow."""
    serving = [
        (n, p) for n, p in world.primaries if n.serves is p and p.snapshot.lsn == world.witness.lsn
    ]
    for _, primary in serving:
        await _checked(world, primary, store)
    successor = world.start("successor", _nothing, mortal=False)
    found = await opened(world, successor, force=True)
    if found is None:
        world.witness.fail("a successor can take over", "the last one could not")
    else:
        await _checked(world, found, store)


async def _checked(world: World, primary: Primary, store: ObjectStore) -> None:
    primary._indexes._store = store  # its own may have died with it, and with what it held
    primary._indexes._fetches = asyncio.Semaphore(FETCHES_MAX)
    try:
        await check_indexes(primary, store)
    except AssertionError as error:
        world.witness.fail("the index agrees with the data", repr(error))


def _clean_up(world: World) -> None:
    world.healed = world.over = True
    world.loop.bury()
    for _, primary in world.primaries:
        primary._indexes.close()
    for node in world.past:
        if node.scratch is not None:
            node.scratch.cleanup()
