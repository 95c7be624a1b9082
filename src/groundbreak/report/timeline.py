"""The dates of a site's looks, in words and along a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any


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
            "date": day(row["start"]),
            "sensor": row["sensor"] or "",
            "share": f"{row['usable_share']:.0%}",
            "shift": _shift(row),
            "reason": "yes" if row["used"] else row["reason"],
            "title": f"{day(row['start'])}: {row['usable_share']:.0%} seen",
        }
        for row, time in zip(observed, times, strict=True)
    ]


def period(observed: Sequence[Mapping[str, Any]]) -> str:
    """First and last date of the rows of ``observed.parquet``, in words."""
    if not observed:
        return ""
    return f"{day(observed[0]['start'])} to {day(observed[-1]['start'])}"


def day(moment: datetime | str) -> str:
    """A date as a person writes it."""
    moment = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{moment.day} {moment:%b %Y}"


def _shift(row: Mapping[str, Any]) -> str:
    return "" if row["shift_x"] is None else f"{row['shift_x']:.1f}, {row['shift_y']:.1f}"
