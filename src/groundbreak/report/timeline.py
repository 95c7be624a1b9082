"""The dates of a site's looks, in words and along a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np

from groundbreak.events.phrases import share
from groundbreak.times import Precision, precision

NARROWEST = 320.0
"""Width in CSS pixels that the line has at least: what is apart then is so on any wider one."""
LANE = 11.0
"""Height of a row of looks in CSS pixels: that of the largest dot, with air."""
MOST_LANES = 8
LETTER, APART = 6.5, 10.0
"""Width of a letter below the line, and least space between two dates, in CSS pixels."""
STEPS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600)
"""Months between two dates below the line."""


def timeline(observed: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The looks of a site, in the order of time, with their places along a line.

    ``x`` is in per cent of its length, ``r`` in CSS pixels. ``lane`` counts from 0: looks that
    would lie on each other stand above each other.

    Args:
        observed: rows of ``observed.parquet``.
    """
    if not observed:
        return []
    places = [_place(row["start"], observed) for row in observed]
    radii = [round(2 + 3 * float(row["usable_share"]), 1) for row in observed]
    return [
        {
            "x": round(place, 2),
            "r": radius,
            "lane": lane,
            "used": bool(row["used"]),
            "date": look_date(row),
            "sensor": row["sensor"] or "",
            "share": share(row["usable_share"]),
            "shift": _shift(row),
            "reason": "yes" if row["used"] else row["reason"],
            "title": f"{look_date(row)}: {share(row['usable_share'])} seen",
        }
        for row, place, radius, lane in zip(
            observed, places, radii, _lanes(places, radii), strict=True
        )
    ]


def dates_below(observed: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Dates to write below the line of `timeline`: the first, the last, and some in between.

    None of them touches another. ``x`` is in per cent; ``at`` says which end of the text is there.

    Args:
        observed: rows of ``observed.parquet``.
    """
    if not observed:
        return []
    first, last = (look_date(row).split(" to ")[0] for row in (observed[0], observed[-1]))
    ends = [{"x": _place(observed[0]["start"], observed), "text": first, "at": "start"}]
    if last != first:
        ends.append({"x": _place(observed[-1]["start"], observed), "text": last, "at": "end"})
    for months in STEPS:
        between = _turns(observed, months)
        kept = [tick for tick in between if all(_apart(tick, end) for end in ends)]
        if all(_apart(one, other) for one, other in pairwise(kept)):
            return [ends[0], *kept, *ends[1:]]
    return ends


def _place(moment: datetime | str, observed: Sequence[Mapping[str, Any]]) -> float:
    """Per cent of the line at which a moment lies, dots of the first and last look inside."""
    first, last = (_seconds(observed[n]["start"]) for n in (0, -1))
    return 2 + 96 * (_seconds(moment) - first) / max(last - first, 1.0)


def _seconds(moment: datetime | str) -> float:
    return datetime.fromisoformat(str(moment)).timestamp()


def _lanes(places: Sequence[float], radii: Sequence[float]) -> list[int]:
    """The lowest lane in which each dot is free; of many in one place, some lie on others."""
    ends = [-np.inf] * MOST_LANES
    lanes = []
    for place, radius in zip(places, radii, strict=True):
        x = place / 100 * NARROWEST
        free = [lane for lane, end in enumerate(ends) if x - radius >= end]
        lane = free[0] if free else int(np.argmin(ends))
        ends[lane] = x + radius + 1
        lanes.append(lane)
    return lanes


def _turns(observed: Sequence[Mapping[str, Any]], months: int) -> list[dict[str, Any]]:
    """Beginnings of months between the first and the last look, each so many months apart."""
    first, last = (datetime.fromisoformat(str(observed[n]["start"])) for n in (0, -1))
    counted = range(12 * first.year + first.month, 12 * last.year + last.month)
    turns = [
        datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)
        for month in counted
        if month % months == 0  # of years the round ones
    ]
    return [
        {
            "x": _place(turn, observed),
            "text": f"{turn:%Y}" if months >= 12 else f"{turn:%b %Y}",
            "at": "middle",
        }
        for turn in turns
    ]


def _apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two dates have space between them on the narrowest line."""
    low, high = sorted((_reach(one), _reach(other)))
    return low[1] + APART <= high[0]


def _reach(tick: Mapping[str, Any]) -> tuple[float, float]:
    """From where to where a date reaches, in CSS pixels of the narrowest line."""
    x, width = tick["x"] / 100 * NARROWEST, LETTER * len(tick["text"])
    west = x - width * {"start": 0.0, "middle": 0.5, "end": 1.0}[tick["at"]]
    return west, west + width


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
