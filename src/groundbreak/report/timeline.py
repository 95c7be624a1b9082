"""The dates of a site's looks, in words and along a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from groundbreak.events.phrases import share
from groundbreak.times import Precision, precision


def timeline(observed: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The looks of a site, in the order of time, with their places on a line of 1000 units.

    Args:
        observed: rows of ``observed.parquet``.
    """
    if not observed:
        return []
    times = [datetime.fromisoformat(str(row["start"])).timestamp() for row in observed]
    first, span = min(times), max(max(times) - min(times), 1.0)
    return [
        {
            "x": round(12 + 976 * (time - first) / span, 1),
            "r": round(3 + 6 * float(row["usable_share"]), 1),
            "used": bool(row["used"]),
            "date": look_date(row),
            "sensor": row["sensor"] or "",
            "share": share(row["usable_share"]),
            "shift": _shift(row),
            "reason": "yes" if row["used"] else row["reason"],
            "title": f"{look_date(row)}: {share(row['usable_share'])} seen",
        }
        for row, time in zip(observed, times, strict=True)
    ]


def period(observed: Sequence[Mapping[str, Any]]) -> str:
    """First and last date of the rows of ``observed.parquet``, in words."""
    if not observed:
        return ""
    return f"{look_date(observed[0])} to {look_date(observed[-1])}"


def look_date(row: Mapping[str, Any]) -> str:
    """The date of a row of ``observed.parquet``, as exactly as it is known."""
    return day(row["start"], row["end"])


def day(start: datetime | str, end: datetime | None = None) -> str:
    """A date as a person writes it: ``3 Jan 2024``, ``May 2018``, ``2018``.

    Args:
        start: a moment, or the first one of a time that is not known to the day.
        end: the last one of it.
    """
    start = datetime.fromisoformat(start) if isinstance(start, str) else start
    known = Precision.INSTANT if end is None else precision((start, end))
    if known is Precision.YEAR:
        return f"{start:%Y}"
    if known is Precision.MONTH:
        return f"{start:%b %Y}"
    first = f"{start.day} {start:%b %Y}"
    return first if end is None or end.date() == start.date() else f"{first} to {day(end)}"


def unchecked(row: Mapping[str, Any]) -> bool:
    """Whether a look was used although it is not known how far it is shifted."""
    return bool(row["used"]) and row.get("aligned") is False


def _shift(row: Mapping[str, Any]) -> str:
    if row["shift_x"] is None:
        return ""
    if unchecked(row):
        why = row.get("alignment_note")  # runs of earlier versions have none
        return f"not known: {why}" if why else "not known"
    x, y = (round(row[name], 1) + 0.0 for name in ("shift_x", "shift_y"))  # + 0.0: no -0.0
    return f"{x:.1f}, {y:.1f}"
