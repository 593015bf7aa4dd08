"""Runs as files: every byte, what is refused, and searches in what was opened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xxhash
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.errors import CorruptData, InternalError, InvalidRequest
from storage.primary_key.entries import NO_FILES
from storage.primary_key.keys import Keys
from storage.primary_key.locations import MISSING
from storage.primary_key.run import open_run
from storage.primary_key.run_writer import RunWriter, entry_rows, write_run
from storage.primary_key.words import Words
from tests.unit.storage.primary_key.entries_of import (
    HIGH,
    LOW,
    Pair,
    keys_of_pairs,
    looked_up,
    run_of,
)

EXACT_BYTES = (
    "4d4f424944583031"  # magic
    "0000000000000000"  # exact
    "0100000000000000" "0700a00000000000"
    "00000000000000f0" "0000600000000000"
    "ffffffffffffffff"
    "00000000" "01000000" "02000000" "00000000"  # directory, padding
    "0200000000000000" "01000000" "01000000"  # 2 entries, 1 bit, 1 in the largest bucket
    "0300000000000000" "0500000000000000"  # file ids
)  # fmt: skip
HASHED_BYTES = (
    "4d4f424944583031" "0100000000000000"
    "0100000000000000" "0900000000000000" "0700a00000000000"
    "ffffffffffffffff"
    "00000000" "01000000" "01000000" "00000000"
    "0100000000000000" "01000000" "01000000"
    "0500000000000000" "0500000000000000"
)  # fmt: skip


def words(*values: int) -> Words:
    return np.array(values, np.uint64)


def with_checksum(hexadecimal: str) -> bytes:
    """A run's bytes with the checksum of header and trailer at their end."""
    data = bytes.fromhex(hexadecimal)
    return data + xxhash.xxh3_128_digest(data[:16] + data[-32:])


def exact_run(path: Path) -> bytes:
    keys = Keys(words(0xF0 << 56, 1))
    written = write_run(path, keys, words(3 << 21, (5 << 21) + 7))
    data = path.read_bytes()
    assert written.checksum == xxhash.xxh3_128_hexdigest(data)
    assert (written.size_bytes, written.key_count) == (len(data), 2)
    return data


def test_the_bytes_of_a_run_of_exact_keys_never_change(tmp_path: Path) -> None:
    assert exact_run(tmp_path / "run") == with_checksum(EXACT_BYTES)


def test_the_bytes_of_a_run_of_hashed_keys_never_change(tmp_path: Path) -> None:
    write_run(tmp_path / "run", Keys(words(1), words(9)), words((5 << 21) + 7))
    assert (tmp_path / "run").read_bytes() == with_checksum(HASHED_BYTES)


def test_bytes_of_old_are_read(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.write_bytes(with_checksum(EXACT_BYTES))
    run = open_run(path)
    assert run.find(Keys(words(1, 2, 0xF0 << 56))).tolist() == [
        (5 << 21) + 7,
        int(MISSING),
        3 << 21,
    ]
    path.write_bytes(with_checksum(HASHED_BYTES))
    run = open_run(path)
    assert run.find(Keys(words(1, 1), words(9, 8))).tolist() == [(5 << 21) + 7, int(MISSING)]


WORD = st.integers(0, 2**64 - 1)
ANY_PAIR = st.tuples(st.sampled_from(HIGH) | WORD, st.sampled_from(LOW))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.dictionaries(ANY_PAIR, st.integers(0, 2**60)), st.lists(ANY_PAIR), st.booleans())
def test_what_was_written_is_found(
    tmp_path: Path, pairs: dict[Pair, int], others: list[Pair], exact: bool
) -> None:
    pairs = {(high, 0 if exact else low): at for (high, low), at in pairs.items()}
    wanted = [*pairs, *((high, 0 if exact else low) for high, low in others)]
    run = run_of(tmp_path / "run", pairs, exact)
    assert len(run) == len(pairs)
    assert run.find(keys_of_pairs(wanted, exact)).tolist() == looked_up(pairs, wanted)


def test_file_ids_are_counted_from_the_first(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", {(1, 0): 3, (2, 0): (2 << 21) + 4}, True, first_file_id=10)
    assert run.find(Keys(words(1, 2, 3))).tolist() == [
        (10 << 21) + 3,
        (12 << 21) + 4,
        int(MISSING),
    ]
    assert run.file_ids == (10, 12)


def test_an_empty_run_finds_nothing(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", {}, False, first_file_id=10)
    assert run.file_ids == NO_FILES
    assert run.find(Keys(words(0, 2**64 - 1), words(0, 2**64 - 1))).tolist() == [int(MISSING)] * 2


def test_slices_make_the_same_run_as_all_at_once(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    keys = Keys(*random.integers(0, 2**64 - 1, (2, 5000), np.uint64, True))
    locations = random.integers(0, 2**60, 5000, np.uint64)
    write_run(tmp_path / "whole", keys, locations)
    rows = entry_rows(keys, locations)
    # far more room than there are entries: the directory is narrowed in the end
    with RunWriter(tmp_path / "sliced", False, 400_000) as writer:
        for start in range(0, 5000, 777):
            writer.append(rows[start : start + 777])
        writer.append(rows[:0])
        written = writer.finish()
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "sliced").read_bytes()
    run = open_run(tmp_path / "sliced")
    run.verify(written.checksum)
    run.release(2500)
    assert run.find(keys).tolist() == locations.tolist()


@pytest.mark.parametrize("exact", [True, False])
def test_keys_out_of_order_are_a_mistake_of_ours(tmp_path: Path, exact: bool) -> None:
    path = tmp_path / "run"
    last = [5, 5] if exact else [5, 7, 5]
    for row in ([5, 5], [4, 5]) if exact else ([5, 7, 5], [5, 6, 5], [4, 9, 5]):
        with pytest.raises(InternalError, match="not ascending"), RunWriter(path, exact, 9) as w:
            w.append(words(*last, *row).reshape(2, -1))
        with RunWriter(path, exact, 9) as writer:
            writer.append(words(*last).reshape(1, -1))
            with pytest.raises(InternalError, match="not ascending"):
                writer.append(words(*row).reshape(1, -1))


def test_a_file_that_was_not_finished_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with pytest.raises(InternalError), RunWriter(path, True, 9) as writer:
        writer.append(words(2, 0, 1, 0).reshape(2, -1))
    assert not path.exists()


def test_a_path_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="no such file"):
        write_run(tmp_path / "absent" / "run", Keys(words(1)), words(1))
    with pytest.raises(InvalidRequest, match="no such file"):
        open_run(tmp_path / "absent")


def test_every_changed_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "run"
    good = exact_run(path)
    checksum = xxhash.xxh3_128_hexdigest(good)
    open_run(path, "index/1").verify(checksum)
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x40]) + good[at + 1 :])
        with pytest.raises(CorruptData, match="index/1"):
            open_run(path, "index/1").verify(checksum)


def test_damage_of_header_trailer_and_size_is_noticed_on_opening(tmp_path: Path) -> None:
    path = tmp_path / "run"
    good = exact_run(path)
    for at in (*range(16), *range(len(good) - 48, len(good))):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with pytest.raises(CorruptData, match="index/1"):
            open_run(path, "index/1")
    for data in (b"", good[:40], good[:-1], good[:-48], good + b"\0", good[:16] + good[24:]):
        path.write_bytes(data)
        with pytest.raises(CorruptData, match="index/1"):
            open_run(path, "index/1")


def test_a_newer_format_asks_for_an_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.write_bytes(exact_run(path).replace(b"MOBIDX01", b"MOBIDX02"))
    with pytest.raises(CorruptData, match="upgrade Mobula"):
        open_run(path)


def test_a_directory_of_impossible_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run"
    for bits in ("00000000", "40000000"):
        hexadecimal = EXACT_BYTES.replace("020000000000000001000000", f"0200000000000000{bits}")
        path.write_bytes(with_checksum(hexadecimal))
        with pytest.raises(CorruptData, match="bits, expected 1 to"):
            open_run(path)
