"""The format of `tests/data/sql/**/*.test`, read and written; `tests/data/sql/README.md` says it.

A file is a list of records in paragraphs. Reading a file and writing it again gives the same text,
so that the recorder can replace answers without touching anything else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["DIRECTORY", "Answer", "LogicFile", "Record", "files", "read", "written"]

DIRECTORY = Path(__file__).parents[1] / "data" / "sql"

_PLAIN_NAME = re.compile(r"[^\s|\":#]+( [^\s|\":#]+)*")
_QUOTED_PIECE = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^|]*?)\s*(?:\||$)')
_HEADER_PIECE = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^:"|]+): ([^|]+?)\s*(?:\||$)')
_KIND = re.compile(
    r"(?P<kind>statement|query)(?: (?P<mode>ok|rowsort))?(?: error (?P<error>[0-9A-Z]{5}))?"
)


_CHANGING = ("insert", "update", "delete", "merge")


@dataclass(frozen=True)
class Answer:
    """What a statement gives: an error's SQLSTATE, or columns (name, type) and rows of texts."""

    error: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()
    message: str = field(default="", compare=False)  # of the error, where the system was asked


@dataclass
class Record:
    """One statement.

    Attributes:
        comments: the lines above it, with their `#`.
        query: it gives rows; else only success or an error is compared.
        rowsort: the order of rows is not the statement's to decide.
        answer: PostgreSQL's; None before the first recording.
        differs: why Mobula answers otherwise, on purpose; `ours` is then what it answers.
    """

    sql: str
    query: bool
    line: int = 0
    comments: list[str] = field(default_factory=list)
    rowsort: bool = False
    parameters: list[Any] = field(default_factory=list)
    answer: Answer | None = None
    differs: str | None = None
    ours: Answer | None = None

    @property
    def changes(self) -> bool:
        """May later statements depend on it? Of queries, on those that change rows."""
        words = self.sql.lower().split()
        return not self.query or words[0] in _CHANGING or "returning" in words


@dataclass
class LogicFile:
    """A file: `included` records come first and are not written back."""

    path: Path
    heading: list[str]
    includes: list[str]
    included: list[Record]
    records: list[Record]

    @property
    def name(self) -> str:
        return self.path.relative_to(DIRECTORY).as_posix().removesuffix(".test")

    @property
    def all_records(self) -> list[Record]:
        return [*self.included, *self.records]


def files() -> list[Path]:
    """Every file of the corpus; those in `tables/` are only for inclusion."""
    found = sorted(DIRECTORY.glob("*/*.test"))
    return [path for path in found if path.parent.name != "tables"]


def read(path: Path) -> LogicFile:
    """Raises ValueError with file and line for what is not of the format."""
    heading: list[str] = []
    includes: list[str] = []
    records: list[Record] = []
    for line, paragraph in _paragraphs(path.read_text(encoding="utf-8")):
        if all(text.startswith(("#", "include ")) for text in paragraph):
            if records:
                raise ValueError(f"{path}:{line}: a comment that belongs to no record")
            for text in paragraph:
                known = includes if text.startswith("include ") else heading
                known.append(text.removeprefix("include "))
            continue
        try:
            records.append(_record(paragraph, line))
        except ValueError as error:
            raise ValueError(f"{path}:{line}: {error}") from None
    included = [record for name in includes for record in read(DIRECTORY / name).all_records]
    return LogicFile(path, heading, includes, included, records)


def _paragraphs(text: str) -> Iterator[tuple[int, list[str]]]:
    """Runs of lines without an empty one, each with the number of its first line."""
    run: list[str] = []
    for number, line in enumerate([*text.split("\n"), ""], 1):
        if line:
            run.append(line)
        elif run:
            yield number - len(run), run
            run = []


def _record(lines: Sequence[str], first: int) -> Record:
    rest = list(lines)
    comments = _taken(rest, "#")
    differs = _taken(rest, "differs ")
    parameters = _taken(rest, "parameters ")
    found = _KIND.fullmatch(rest[0]) if rest else None
    if found is None:
        raise ValueError(f"neither `statement` nor `query`: {rest[:1]}")
    line = first + len(lines) - len(rest)
    sections = _sections(rest[1:])
    (_, sql), answers = sections[0], dict(sections[1:])
    record = Record(
        sql="\n".join(sql),
        query=found["kind"] == "query",
        line=line,
        comments=comments,
        rowsort=found["mode"] == "rowsort",
        parameters=json.loads(parameters[0].removeprefix("parameters ")) if parameters else [],
        differs=differs[0].removeprefix("differs ") if differs else None,
        ours=_ours(answers),
    )
    if found["error"]:
        record.answer = Answer(error=found["error"])
    elif "----" in answers:
        record.answer = _answer(answers["----"])
    elif not record.query:
        record.answer = Answer()
    if (record.differs is None) != (record.ours is None):
        raise ValueError("`differs` and `---- ours` come together")
    return record


def _taken(lines: list[str], start: str) -> list[str]:
    """The leading lines that begin with `start`, removed."""
    taken: list[str] = []
    while lines and lines[0].startswith(start):
        taken.append(lines.pop(0))
    return taken


def _sections(lines: Sequence[str]) -> list[tuple[str, list[str]]]:
    sections: list[tuple[str, list[str]]] = [("", [])]
    for line in lines:
        if line.startswith("----"):
            sections.append((line, []))
        else:
            sections[-1][1].append(line)
    return sections


def _ours(answers: dict[str, list[str]]) -> Answer | None:
    for title, lines in answers.items():
        if title == "---- ours ok":
            return Answer()
        if title == "---- ours":
            return _answer(lines)
        if title.startswith("---- ours error "):
            return Answer(error=title.removeprefix("---- ours error "))
        if title != "----":
            raise ValueError(f"unknown section {title!r}")
    return None


def _answer(lines: Sequence[str]) -> Answer:
    if not lines:
        return Answer()
    columns = tuple(
        (_unquoted(found[1]) or "", found[2]) for found in _HEADER_PIECE.finditer(lines[0])
    )
    rows = tuple(tuple(map(_unquoted, _pieces(line))) for line in lines[1:])
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"{len(row)} values for {len(columns)} columns: {row}")
    return Answer(columns=columns, rows=rows)


def _pieces(line: str) -> list[str]:
    pieces: list[str] = []
    position = 0
    while position <= len(line):
        found = _QUOTED_PIECE.match(line, position)
        assert found is not None
        pieces.append(found[1])
        if found.end() == len(line) and not found[0].endswith("|"):
            break
        position = found.end()
    return pieces


def _unquoted(piece: str) -> str | None:
    if piece.startswith('"'):
        return str(json.loads(piece))
    return None if piece == "NULL" else piece


# --- writing --------------------------------------------------------------------------------------


def written(file: LogicFile) -> str:
    """The text of a file."""
    heading = [*file.heading, *(f"include {name}" for name in file.includes)]
    paragraphs = ["\n".join(heading)] if heading else []
    paragraphs += ["\n".join(_lines(record)) for record in file.records]
    return "\n\n".join(paragraphs) + "\n"


def _lines(record: Record) -> Iterator[str]:
    yield from record.comments
    if record.differs is not None:
        yield f"differs {record.differs}"
    if record.parameters:
        yield f"parameters {json.dumps(record.parameters, ensure_ascii=False)}"
    error = record.answer.error if record.answer else None
    kind = "query" if record.query else "statement" if error else "statement ok"
    mode = " rowsort" if record.rowsort and not error else ""
    yield kind + mode + (f" error {error}" if error else "")
    yield record.sql
    if record.query and record.answer is not None and not error:
        yield "----"
        yield from _answer_lines(record.answer)
    if record.ours is not None:
        if record.ours.error:
            yield f"---- ours error {record.ours.error}"
        elif record.ours.columns:
            yield "---- ours"
            yield from _answer_lines(record.ours)
        else:
            yield "---- ours ok"


def _answer_lines(answer: Answer) -> Iterator[str]:
    yield " | ".join(f"{_name(name)}: {kind}" for name, kind in answer.columns)
    for row in answer.rows:
        yield " | ".join("NULL" if text is None else _quoted(text) for text in row)


def _name(name: str) -> str:
    plain = _PLAIN_NAME.fullmatch(name) and name.isprintable() and not name.startswith("----")
    return name if plain and name != "NULL" else json.dumps(name, ensure_ascii=False)


def _quoted(text: str) -> str:
    strange = (
        text in ("", "NULL")
        or text != text.strip()
        or text.startswith(('"', "----"))
        or "|" in text
        or not text.isprintable()
    )
    return json.dumps(text, ensure_ascii=False) if strange else text
