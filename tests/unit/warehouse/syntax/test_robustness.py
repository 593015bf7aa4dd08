"""Whatever the text: a tree, or one of our errors. Never another exception, never a crash."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest

from storage.errors import InvalidRequest, MobulaError
from warehouse.planning.parse import TEXT_CHARACTERS_MAX, parse_text
from warehouse.syntax.keywords import NOT_FUNCTIONS, RESERVED, TYPE_OR_FUNCTION
from warehouse.syntax.session_statements import SessionGrammar
from warehouse.syntax.tokens import scan

CASES = 3_000
MORE_CASES = 100_000
DIRECTORY = Path(__file__).parents[3] / "data" / "syntax"
CORPUS = [
    paragraph.partition("\n=> ")[0]
    for path in sorted(DIRECTORY.glob("*.txt"))
    for paragraph in path.read_text(encoding="utf-8").strip().split("\n\n")
]
WORDS = sorted(
    RESERVED | TYPE_OR_FUNCTION | NOT_FUNCTIONS
    | {"lsn", "zorder", "rollup", "sets", "insert", "drop", "copy", "explain", "show", "tables"}
)  # fmt: skip
MARKS = [
    "(", ")", ",", ".", "*", "+", "-", "=", "<>", "<", "::", ":", "[", "]", ";", "'x'", '"y"', "1",
    "2.5", "$1", ":n", "a", "b", "t.a", "E'\\n'", "$$z$$", "X'41'", "=>", ":=", "..", "||", "@>",
]  # fmt: skip


def soup(rng: random.Random) -> str:
    pool = MARKS if rng.random() < 0.3 else [*WORDS, *MARKS, *MARKS]
    found = " ".join(rng.choice(pool) for _ in range(rng.randint(1, 25)))
    start = rng.choice(
        ["", "SELECT ", "SELECT a FROM ", "WITH q AS (", "CREATE TABLE t (", "COPY "]
    )
    return start + found


def damaged(rng: random.Random) -> str:
    """A good statement with a token taken out, doubled, moved or replaced, or cut short."""
    text = rng.choice(CORPUS)
    pieces = [text[token.start : token.end] for token in scan(text)[:-1]]
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(pieces))
        match rng.randrange(5):
            case 0 if len(pieces) > 1:
                pieces.pop(at)
            case 1:
                pieces.insert(at, pieces[at])
            case 2:
                pieces.insert(at, rng.choice(pieces))
            case 3:
                pieces[at] = rng.choice([*WORDS, *MARKS])
            case _:
                pieces = pieces[: at + 1]
    return " ".join(pieces)


def check(text: str) -> bool:
    """Did it parse? Raises whatever is not an error of ours."""
    with contextlib.suppress(MobulaError):
        SessionGrammar(text).session_statement()
    refused: MobulaError | None = None
    try:
        parse_text(text)
    except MobulaError as error:
        refused = error
    if refused is not None and refused.sqlstate not in ("42601", "0A000", "54001", "22023"):
        raise refused
    return refused is None


def run(seeds: range) -> int:
    parsed = 0
    for seed in seeds:
        rng = random.Random(seed)
        text = damaged(rng) if seed % 2 else soup(rng)
        try:
            parsed += check(text)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {text!r}") from error
    return parsed


def test_random_texts_parse_or_raise_our_errors() -> None:
    assert run(range(CASES)) > CASES // 50


@pytest.mark.slow
def test_many_random_texts_parse_or_raise_our_errors() -> None:
    run(range(10_000, 10_000 + MORE_CASES))


@pytest.mark.parametrize(
    ("start", "middle", "end"),
    [
        ("(", "1", ")"),
        ("- ", "a", ""),
        ("not ", "true", ""),
        ("f(", "1", ")"),
        ("case when true then ", "1", " end"),
        ("(select ", "1", ")"),
        ("array[", "1", "]"),
        ("a[", "1", "]"),
        ("1 in (", "1", ")"),
        ("exists (select ", "1", ")"),
        ("cast(", "1", " as int)"),
        ("1 + (", "1", ")"),
    ],
)
def test_deep_nesting_is_refused(start: str, middle: str, end: str) -> None:
    with pytest.raises(InvalidRequest, match="nested too deeply") as caught:
        parse_text("SELECT " + start * 5_000 + middle + end * 5_000)
    assert caught.value.sqlstate == "54001"


def test_deep_queries_are_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_text("SELECT * FROM (" * 5_000 + "SELECT 1" + ") q" * 5_000)
    assert caught.value.sqlstate == "54001"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT " + " + ".join(["1"] * 20_000),
        "SELECT " + " AND ".join(["a"] * 20_000),
        "SELECT " + " || ".join(["'x'"] * 20_000),
        "SELECT a IN (" + ", ".join(["1"] * 50_000) + ")",
        "VALUES " + ", ".join(["(1, 'a')"] * 20_000),
        "SELECT 1" + " UNION ALL SELECT 1" * 5_000,
        "SELECT " + ", ".join(f"c{i}" for i in range(20_000)),
    ],
    ids=["sum", "and", "concat", "in", "values", "union", "columns"],
)
def test_long_flat_statements_are_not_deep(text: str) -> None:
    assert check(text)


def test_a_10_mb_statement_is_refused_before_it_is_read() -> None:
    text = "SELECT '" + "x" * (10 * 1024 * 1024) + "'"
    with pytest.raises(InvalidRequest, match="characters") as caught:
        parse_text(text)
    assert caught.value.sqlstate == "54000"
    longest = "SELECT '" + "x" * (TEXT_CHARACTERS_MAX - len("SELECT ''")) + "'"
    assert len(longest) == TEXT_CHARACTERS_MAX
    assert check(longest)
