"""Events as a CSV table that spreadsheets open: a line for each event."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from groundbreak.atomic import atomic_path
from groundbreak.events.numbers import numbered
from groundbreak.types import Event
from groundbreak.writers.plain import plain_columns, plain_values
from groundbreak.writers.table import LISTS, TEXTS, TIMES

FORMULA = re.compile(r'(?:^|[;\t\r\n])[\s"]*(?=[=+\-@＝＋－＠])')
"""What comes before the sign that begins a formula; some spreadsheets read the wide forms of East
Asia as the plain ones. Where a spreadsheet expects semicolons or tabs, quotes within a line mean
nothing to it, and a cell begins after each of them."""


def write_csv(events: Sequence[Event], path: Path) -> None:
    """Write a table for spreadsheets: UTF-8 with a byte order mark, commas, decimal points.

    The columns are the properties of the schema, with the number after the site, and ``lon`` and
    ``lat`` of a point inside the outline after the kind; each site's lines are in the order of the
    numbers. Times are written so that spreadsheets take them for times:
    ``2024-07-09 02:15:00``, in UTC. Text is quoted; what a spreadsheet would run as a formula has
    an apostrophe before it: names of sites and files are other people's.

    Raises:
        OutputError: the file cannot be written.
    """
    lines = [plain_columns(), *(_cells(event, number) for number, event in numbered(events))]
    text = "".join(",".join(line) + "\r\n" for line in lines)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8-sig", newline="")


def harmless(text: str) -> str:
    """Text that no spreadsheet runs as a formula: an apostrophe stands before what would be one."""
    return FORMULA.sub(r"\g<0>'", text)


def _cells(event: Event, number: int) -> tuple[str, ...]:
    # By hand: csv quotes either all cells, and some readers take quoted numbers for text, or only
    # those that hold a comma, and a program that splits at semicolons too would split the lists.
    values = plain_values(event, number)
    values |= {name: _moment(values[name]) for name in TIMES}
    values |= {name: _quoted(values[name]) for name in (*TEXTS, *LISTS)}
    return tuple(values.values())


def _moment(iso: str) -> str:
    return iso[:19].replace("T", " ")


def _quoted(text: str) -> str:
    return '"' + harmless(text).replace('"', '""') + '"'
