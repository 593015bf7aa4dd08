"""PostgreSQL's reading of CSV, character by character: exact, slow, and the judge of what is wrong.

- A quote outside quotes opens them, anywhere in a field; inside, it closes them.
- Inside quotes, an escape before a quote or an escape makes it plain; elsewhere it is itself.
- Lines end with LF or CR LF, or, where the first does, with CR. The others are errors outside
  quotes.
- A field that never had a quote and is the NULL text is NULL.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from storage.sources_format import SourceFormat
from storage.sources_text import bad_file

__all__ = ["CsvRow", "csv_rows", "first_line_end"]

_LF, _CR = 0x0A, 0x0D


@dataclass(frozen=True, slots=True)
class CsvRow:
    """A row. `line`: where it begins; `end`: the bytes up to behind it; `next_line`: the line
    behind it."""

    fields: list[str | None]
    line: int
    end: int
    next_line: int


def csv_rows(
    data: bytes,
    url: str,
    options: SourceFormat,
    *,
    final: bool,
    first_line: int,
    returns: bool | None = None,
) -> Iterator[CsvRow]:
    """The rows of some bytes that begin with a row.

    Args:
        final: whether the file ends with the bytes; else a row that is cut off is left out.
        returns: whether lines end with CR alone; None: as the first one does.
    Raises InvalidRequest with file and line.
    """
    if returns is None:
        quote = options.quote.encode()
        found = first_line_end(data, quote)
        returns = found == b"\r" or (found is None and data.endswith(b"\r"))
    reader = _Reader(data, url, options, first_line, returns)
    while (row := reader.row(final)) is not None:
        blank = row.fields in ([""], [None]) and not reader.quoted
        if blank and options.skip_blank and reader.width > 1:
            continue
        yield row


class _Reader:
    def __init__(
        self, data: bytes, url: str, options: SourceFormat, first_line: int, returns: bool
    ) -> None:
        self._data = data
        self._url = url
        self._delimiter = ord(options.delimiter)
        self._quote = ord(options.quote) if options.quote else -1
        self._escape = ord(options.escape) if options.escape else self._quote
        self._null = options.null
        self._at = 0
        self._line = first_line
        self._returns = returns
        self.width = 0  # of the widest row so far, or to come
        self.quoted = False  # whether the newest row has quotes
        self._widen()

    def _widen(self) -> None:
        """An empty line at the very beginning is judged by what follows."""
        rest = self._data.lstrip(b"\r\n")
        line = rest.partition(b"\n")[0].partition(b"\r")[0]
        self.width = line.count(bytes([self._delimiter])) + 1

    def row(self, final: bool) -> CsvRow | None:
        data, size = self._data, len(self._data)
        start, line = self._at, self._line
        if start >= size:
            return None
        fields: list[str | None] = []
        field = bytearray()
        inside = seen = False
        self.quoted = False
        at = start
        while at < size:
            code = data[at]
            if inside:
                if code == self._escape and at + 1 < size and data[at + 1] in self._plain():
                    field.append(data[at + 1])
                    at += 2
                    continue
                if code == self._quote:
                    inside = False
                else:
                    self._line += code == (_CR if self._returns else _LF)
                    field.append(code)
            elif code == self._quote:
                inside = seen = self.quoted = True
            elif code == self._delimiter:
                fields.append(self._text(field, seen, line))
                field, seen = bytearray(), False
            elif code in (_LF, _CR):
                length = self._line_end_at(at)
                fields.append(self._text(field, seen, line))
                self._at = at + length
                self._line += 1
                self.width = max(self.width, len(fields))
                return CsvRow(fields, line, self._at, self._line)
            else:
                field.append(code)
            at += 1
        if not final:
            self._line = line
            return None
        if inside:
            raise bad_file(self._url, line, "unterminated CSV quoted field")
        fields.append(self._text(field, seen, line))
        self._at = size
        self.width = max(self.width, len(fields))
        return CsvRow(fields, line, size, self._line)

    def _plain(self) -> tuple[int, int]:
        return (self._quote, self._escape)

    def _line_end_at(self, at: int) -> int:
        """The length of the line end there. Raises for a character that ends no line."""
        found = self._data[at]
        if self._returns == (found == _CR):
            return 1
        if not self._returns and self._data[at + 1 : at + 2] == b"\n":
            return 2
        what = "carriage return" if found == _CR else "newline"
        raise bad_file(self._url, self._line, f"unquoted {what} found in data; quote the field")

    def _text(self, field: bytearray, seen: bool, line: int) -> str | None:
        if 0 in field:
            message = 'invalid byte sequence for encoding "UTF8": 0x00'
            raise bad_file(self._url, line, message, "22021")
        try:
            text = field.decode()
        except UnicodeDecodeError as error:
            byte = field[error.start]
            message = f'invalid byte sequence for encoding "UTF8": 0x{byte:02x}'
            raise bad_file(self._url, line, message, "22021") from None
        return None if not seen and text == self._null else text


def first_line_end(data: bytes, quote: bytes) -> bytes | None:
    """The first line end outside quotes: LF, CR LF or CR; None if there is none, or one that the
    next byte may make longer."""
    inside = False
    for at, code in enumerate(data):
        if quote and code == quote[0]:
            inside = not inside
        elif not inside and code == _LF:
            return b"\n"
        elif not inside and code == _CR:
            if at + 1 == len(data):
                return None
            return b"\r\n" if data[at + 1] == _LF else b"\r"
    return None
