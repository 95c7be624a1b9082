"""``dates.csv``: what the user says about the files of a folder.

Columns: ``file`` (relative to the folder), ``date``; optional ``bands`` (names in the order of
the file, between semicolons, blanks or commas, or letters such as ``RGBN``), ``crs``, ``west``,
``south``, ``east``, ``north`` (the corners of the picture in ``crs``, degrees if not said),
``id``, ``sensor``, ``note``. A note that calls the date assumed is carried to the events.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from groundbreak import times
from groundbreak.errors import CatalogError
from groundbreak.tables import Row, read_table
from groundbreak.times import Span

CORNERS = ("west", "south", "east", "north")
NAME = "dates.csv"

_ASSUMED = re.compile(r"\b(assum|guess|estimat|approx|unknown|unsure|uncertain)", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """One line of ``dates.csv``. ``problem`` says why the line cannot be used."""

    line: int
    span: Span | None = None
    bands: tuple[str, ...] = ()
    crs: str | None = None
    corners: tuple[float, float, float, float] | None = None
    id: str | None = None
    sensor: str | None = None
    note: str | None = None
    problem: str | None = None

    @property
    def assumed(self) -> bool:
        """Whether the note calls the date assumed."""
        return bool(self.note and _ASSUMED.search(self.note))


def read_listing(path: Path, folder: Path) -> dict[str, Entry]:
    """Read ``dates.csv``: what is said of each file, by its path relative to ``folder``.

    A file that does not exist is kept: it costs its own scene only.

    Raises:
        CatalogError: it cannot be read, a column is missing, a file is listed twice or lies
            outside of the folder, or none of the files exists.
    """
    entries: dict[str, Entry] = {}
    for row in read_table(path, ("file", "date"), CatalogError).rows:
        where = f"{path}, line {row.line}"
        name = row.cells.get("file", "").replace("\\", "/")
        relative = str(PurePosixPath(name))
        if not name:
            raise CatalogError(where, "names no file")
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise CatalogError(
                where, f"{name} is not below the folder", f"write paths relative to {folder}"
            )
        if relative in entries:
            raise CatalogError(where, f"{name} is listed already in line {entries[relative].line}")
        entries[relative] = _entry(row)
    if entries and not any((folder / name).is_file() for name in entries):
        first, entry = next(iter(entries.items()))
        raise CatalogError(
            f"{path}, line {entry.line}",
            f"{first} does not exist in {folder}, nor does any other file that is listed",
            f"write paths relative to {folder}",
        )
    return entries


def _entry(row: Row) -> Entry:
    if row.misfit:
        return Entry(row.line, problem=row.misfit)
    cells = row.cells
    if "date" not in cells:
        return Entry(row.line, problem="has no date")
    try:
        span = times.parse_time(cells["date"])
        corners = _corners(row)
    except ValueError as error:
        return Entry(row.line, problem=str(error))
    return Entry(
        row.line,
        span,
        band_names(cells.get("bands", "")),
        cells.get("crs"),
        corners,
        cells.get("id"),
        cells.get("sensor"),
        cells.get("note"),
    )


def _corners(row: Row) -> tuple[float, float, float, float] | None:
    given = [name for name in CORNERS if name in row.cells]
    if not given:
        return None
    if len(given) < 4:
        missing = ", ".join(name for name in CORNERS if name not in given)
        raise ValueError(f"has {given[0]}, but no {missing}")
    west, south, east, north = (_number(name, row.cells[name]) for name in CORNERS)
    if not (west < east and south < north):
        raise ValueError("has corners in the wrong order: west < east and south < north")
    return west, south, east, north


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"has {name} {text!r}, which is not a number")
    return number


def band_names(text: str) -> tuple[str, ...]:
    """Names of bands in the order of the file.

    >>> band_names("B04;B03;B02"), band_names("RGBN"), band_names("red, -, blue")
    (('B04', 'B03', 'B02'), ('R', 'G', 'B', 'N'), ('red', '-', 'blue'))
    """
    text = text.strip()
    if re.fullmatch(r"[RGBNA]{3,5}", text):
        return tuple(text)
    separator = r"\s*[;,|+]\s*" if re.search(r"[;,|+]", text) else r"\s+"
    return tuple(name for name in re.split(separator, text) if name)
