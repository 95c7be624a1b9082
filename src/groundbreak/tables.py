"""CSV files as people write them: any usual separator, a byte order mark, blanks in the header."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from groundbreak.errors import InputError


@dataclass(frozen=True)
class Row:
    """One row: its line in the file, its cells by column, and how many cells were too many."""

    line: int
    cells: Mapping[str, str]
    surplus: int = 0

    @property
    def misfit(self) -> str | None:
        """Why the row does not fit the header, in words that read on from its name."""
        if not self.surplus:
            return None
        return (
            f"has {self.surplus} more fields than the header: write decimals with a point, "
            "and quote fields that hold the separator"
        )


@dataclass(frozen=True)
class Table:
    """A CSV file. Columns are in lower case with ``_`` for blanks; cells are stripped."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_text(path: Path, error: type[InputError]) -> str:
    """The text of a UTF-8 file, with or without a byte order mark.

    Raises:
        InputError: of the given kind; the file cannot be read, or is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        raise error(str(path), "is not UTF-8 text", "save it as UTF-8") from cause
    except OSError as cause:
        raise error(str(path), f"cannot be read ({cause.strerror})") from cause


def read_table(
    path: Path,
    required: tuple[str, ...],
    error: type[InputError],
    synonyms: Mapping[str, str] | None = None,
) -> Table:
    """Read a CSV file with commas, semicolons or tabs between its fields.

    Args:
        path: the file.
        required: columns that must be there.
        error: the kind of error to raise.
        synonyms: other names that columns may have.

    Raises:
        InputError: of the given kind; the file is empty, or a column is missing or there twice.
    """
    text = read_text(path, error)
    header = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    columns: tuple[str, ...] | None = None
    rows = []
    for fields in reader:
        cells = [field.strip() for field in fields]
        if not any(cells):
            continue
        if columns is None:
            columns = _columns(path, cells, required, error, synonyms or {})
            continue
        surplus = len(cells) - len(columns) if any(cells[len(columns) :]) else 0
        filled = {k: c for k, c in zip(columns, cells, strict=False) if k and c}
        rows.append(Row(reader.line_num, filled, surplus))
    if columns is None:
        raise error(str(path), "is empty", f"it needs the columns {', '.join(required)}")
    return Table(columns, tuple(rows))


def _columns(
    path: Path,
    header: list[str],
    required: tuple[str, ...],
    error: type[InputError],
    synonyms: Mapping[str, str],
) -> tuple[str, ...]:
    names = ["_".join(cell.lower().split()) for cell in header]
    columns = tuple(synonyms.get(name, name) for name in names)
    missing = [name for name in required if name not in columns]
    if missing:
        raise error(
            str(path),
            f"has no column {' and '.join(missing)}",
            f"its first line must name the columns, among them {', '.join(required)}",
        )
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        raise error(str(path), f"has the column {twice[0]} twice")
    return columns
