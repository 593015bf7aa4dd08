"""Every object of a database, damaged in every way: it is found, by its name, and nothing else is.

What cannot be seen is written down here: an object that no version names, the sign of life of an
owner, the words of an owner that stand nowhere else, and that the log once had a group more.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import msgspec
import pytest

from storage.errors import InvalidRequest
from storage.format import DatabaseFormat
from storage.names import FORMAT
from storage.scrub import Severity
from tests.unit.storage.scrub.database import (
    Objects,
    checked,
    last_log,
    newest,
    small_database,
)

SEED = 20261130
FLIPS = 2
KINDS = ("format", "epoch", "root", "part", "log", "data", "index")
Damage = Callable[[bytes, random.Random], Iterator[tuple[str, bytes]]]


def kind_of(name: str) -> str:
    if name.startswith("checkpoint/"):
        return "root" if name.endswith("/root") else "part"
    return name.partition("/")[0]


def flipped(data: bytes, source: random.Random) -> Iterator[tuple[str, bytes]]:
    for _ in range(FLIPS):
        at, bits = source.randrange(len(data)), source.randrange(1, 256)
        yield f"byte {at} ^ {bits}", data[:at] + bytes([data[at] ^ bits]) + data[at + 1 :]


def cut(data: bytes, source: random.Random) -> Iterator[tuple[str, bytes]]:
    length = source.choice([source.randrange(1, len(data)), len(data) - 1])
    yield f"cut to {length}", data[:length]


def emptied(data: bytes, source: random.Random) -> Iterator[tuple[str, bytes]]:
    yield "empty", b""


def replaced(data: bytes, source: random.Random) -> Iterator[tuple[str, bytes]]:
    yield "rubbish", source.randbytes(source.choice([7, len(data)]))


def grown(data: bytes, source: random.Random) -> Iterator[tuple[str, bytes]]:
    yield "a byte more", data + b"x"


DAMAGES = {d.__name__: d for d in (flipped, cut, emptied, replaced, grown)}


def named(objects: Objects, kind: str) -> list[str]:
    """The objects of a kind that a version names."""
    snapshot = newest(objects)
    live = {run.name for table in snapshot.tables.values() for run in table.index_runs}
    unnamed = {n for n in objects if n.startswith("index/") and n not in live}
    unnamed |= {n for n in objects if "abandoned" in n or n.endswith("/alive")}
    found = sorted(n for n in objects if kind_of(n) == kind and n not in unnamed)
    assert found
    return found


def in_silence(name: str, old: bytes, new: bytes) -> bool:
    """Whether damage is in what stands nowhere else: address and lease of an owner."""
    if not name.startswith("epoch/"):
        return False
    at = next(i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b)
    return at >= old.index(b'"address":') + len(b'"address":"')


def is_newer(data: bytes) -> bool:
    """Whether these are the bytes of a `format` that claims to be newer."""
    try:
        return msgspec.json.decode(data, type=DatabaseFormat).mobula > 1
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def source_of(*words: str) -> random.Random:
    seed = f"{SEED} {' '.join(words)}"
    print(f"seed {seed!r}")  # noqa: T201 - shown when a test fails
    return random.Random(seed)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_found_by_name_and_nothing_else_is(kind: str, damage: str) -> None:
    objects, source = small_database(), source_of(kind, damage)
    count = 0
    for name in named(objects, kind):
        data = objects[name]
        for what, broken in DAMAGES[damage](data, source):
            if damage == "flipped" and in_silence(name, data, broken):
                continue
            if name == FORMAT and is_newer(broken):
                with pytest.raises(InvalidRequest, match="upgrade Mobula"):
                    checked({**objects, name: broken})
                continue
            found, report = checked({**objects, name: broken})
            assert {f.object for f in found} == {name}, (name, what, found)
            assert len(found) == 1, (name, what, found)
            severity = Severity.damage
            if kind == "epoch" and "nonce" in found[0].expected:
                severity = Severity.warning
            assert found[0].severity is severity, (name, what, found)
            assert report.clean == (severity is not Severity.damage)
            count += 1
    assert count


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_object_is_found_by_name_and_nothing_else_is(kind: str) -> None:
    objects = small_database()
    for name in named(objects, kind):
        found, report = checked({n: data for n, data in objects.items() if n != name})
        if name == last_log(objects):
            assert not found  # nothing tells that there was a group behind the newest checkpoint
            assert report.lsn == newest(objects).lsn - 1
            continue
        assert [f.object for f in found] == [name], (name, found)
        severity = Severity.note if kind == "root" else Severity.damage
        assert found[0].severity is severity, (name, found)
        assert "not there" in found[0].found


@pytest.mark.parametrize("kind", KINDS[1:])
def test_objects_in_each_others_place_are_both_found(kind: str) -> None:
    objects, source = small_database(), source_of(kind, "swapped")
    names = named(objects, kind)
    for name in names:
        other = source.choice([n for n in names if n != name])
        swapped = {**objects, name: objects[other], other: objects[name]}
        found, _ = checked(swapped)
        assert sorted(f.object for f in found) == sorted((name, other)), (name, other, found)
        assert {f.severity for f in found} == {Severity.damage}


def test_damage_of_one_object_hides_no_other() -> None:
    """One of each kind. What is behind a damaged log object is in `test_log.py`."""
    objects, source = small_database(), source_of("all kinds")
    for _ in range(10):
        chosen = {source.choice(named(objects, kind)) for kind in KINDS if kind != "log"}
        directories = [n.rpartition("/")[0] for n in chosen if n.startswith("checkpoint/")]
        if len(set(directories)) == 1:  # a part says nothing without its root
            continue
        broken = {name: source.randbytes(60) for name in sorted(chosen)}
        found, _ = checked({**objects, **broken})
        assert {f.object for f in found} == chosen, found


def test_the_sign_of_life_is_of_no_weight() -> None:
    objects = small_database()
    names = [name for name in objects if name.endswith("/alive")]
    for name in names:
        for data in (b"", b"rubbish"):
            found, report = checked({**objects, name: data})
            assert [(f.object, f.severity) for f in found] == [(name, Severity.note)]
            assert report.clean
        found, report = checked({n: data for n, data in objects.items() if n != name})
        assert not found
