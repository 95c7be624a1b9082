"""Events as a CSV table that spreadsheets open: a line for each event."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from groundbreak.atomic import atomic_path
from groundbreak.types import Event
from groundbreak.writers.plain import AFTER, PLACE, plain_values
from groundbreak.writers.table import LISTS, TEXTS, TIMES, columns

FORMULA = tuple("=+-@\t\r\n＝＋－＠")
"""Spreadsheets run what begins so; some read the wide forms of East Asia as the plain ones."""


def write_csv(events: Sequence[Event], path: Path) -> None:
    """Write a table for spreadsheets: UTF-8 with a byte order mark, commas, decimal points.

    The columns are the properties of the schema, with ``lon`` and ``lat`` of a point inside the
    outline after the kind. Times are written so that spreadsheets take them for times:
    ``2024-07-09 02:15:00``, in UTC. Text that a spreadsheet would run as a formula begins with an
    apostrophe: names of sites and files are other people's.

    Raises:
        OutputError: the file cannot be written.
    """
    with (
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8-sig", newline="") as file,
    ):
        table = csv.writer(file)
        table.writerow(csv_columns())
        for event in events:
            values = plain_values(event)
            values |= {name: _moment(values[name]) for name in TIMES}
            values |= {name: _harmless(values[name]) for name in (*TEXTS, *LISTS)}
            table.writerow(values.values())


def csv_columns() -> tuple[str, ...]:
    """The columns of the table in order."""
    names = columns()
    place = names.index(AFTER) + 1
    return (*names[:place], *PLACE, *names[place:])


def _moment(iso: str) -> str:
    return iso[:19].replace("T", " ")


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text
