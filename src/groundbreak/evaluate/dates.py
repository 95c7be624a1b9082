"""Intervals of events against the dates that are true.

A prediction says "between this look and that look"; the truth is the span in which the change
was under way (begun ... done), a single instant if it happened at once. Its dates are all
*admissible*: nobody can say which day of a construction is its date. An interval (start, end]
is open at its start, since that look was still without; a missing end is infinite.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from shapely.geometry.base import BaseGeometry

from groundbreak.types import Event, Interval, Kind

DAY = timedelta(days=1)
ALPHA = 0.1
"""Winkler scores are of intervals meant to miss this share of the dates."""


FAR = datetime.max.replace(tzinfo=UTC)

Look = tuple[datetime, datetime]
"""First and last instant at which a look may have been taken; equal if its time is known."""


@dataclass(frozen=True)
class TrueEvent:
    """What happened: under way from ``begun`` to ``done`` (equal if it happened at once).

    ``done`` is ``FAR`` for what was not finished at the last look. ``geometry`` is in the planar
    CRS, in metres, that the predictions are in too; ``replaces`` holds ids of other true events.
    """

    id: str
    site_id: str
    kind: Kind
    geometry: BaseGeometry
    begun: datetime
    done: datetime
    replaces: tuple[str, ...] = ()


@dataclass(frozen=True)
class SaidEvent:
    """What was said: the fields of an event that can be right or wrong about time."""

    id: str
    site_id: str
    kind: Kind
    geometry: BaseGeometry
    interval: Interval
    confidence: float
    date_confidence: float
    replaces: tuple[str, ...] = ()
    provisional: bool = False

    @classmethod
    def of(cls, event: Event) -> SaidEvent:
        """What the scores look at of an event."""
        return cls(
            event.id,
            event.site_id,
            event.kind,
            event.geometry,
            event.interval,
            event.confidence,
            event.date_confidence,
            event.replaces,
            event.provisional,
        )


Timing = Literal["early", "covered", "late"]


def days(later: datetime, earlier: datetime) -> float:
    """Signed days from ``earlier`` to ``later``."""
    return (later - earlier) / DAY


def timing(interval: Interval, true: TrueEvent) -> Timing:
    """Whether an interval (start, end] holds an admissible date, or lies before or after them."""
    if interval.end is not None and interval.end < true.begun:
        return "early"
    if interval.start is not None and interval.start >= true.done:
        return "late"
    return "covered"


def missed_by_days(interval: Interval, true: TrueEvent) -> float:
    """Days between an interval and the nearest admissible date; 0 if it holds one."""
    if interval.end is not None and interval.end < true.begun:
        return days(true.begun, interval.end)
    if interval.start is not None and interval.start > true.done:
        return days(interval.start, true.done)
    return 0.0


def shortest_interval(moment: datetime, looks: Sequence[Look]) -> Interval:
    """The narrowest interval anyone could state for a moment: from one usable look to the next.

    Args:
        moment: when something happened.
        looks: usable looks over its footprint, sorted.
    """
    before = [start for start, end in looks if end < moment]
    after = [end for start, end in looks if start >= moment]
    return Interval(before[-1] if before else None, after[0] if after else None)


def finest_steps(true: TrueEvent, looks: Sequence[Look]) -> list[Interval]:
    """All intervals between neighbouring usable looks that hold an admissible date.

    The steps before the first and after the last look have an open end.
    """
    starts = [None, *(start for start, _ in looks)]
    ends = [*(end for _, end in looks), None]
    steps = [Interval(start, end) for start, end in zip(starts, ends, strict=True)]
    return [step for step in steps if timing(step, true) == "covered"]


def width_days(interval: Interval) -> float | None:
    """Width in days; None if an end is open."""
    if interval.start is None or interval.end is None:
        return None
    return days(interval.end, interval.start)


def midpoint_error(interval: Interval, true: TrueEvent) -> float | None:
    """Signed days from the nearest admissible date to the middle of the interval.

    Positive: dated too late. None if an end is open.
    """
    if interval.start is None or interval.end is None:
        return None
    middle = interval.start + (interval.end - interval.start) / 2
    return days(middle, min(max(middle, true.begun), true.done))


def winkler(interval: Interval, date: datetime, alpha: float = ALPHA) -> float | None:
    """Winkler's interval score in days: the width, and 2/alpha a day that the date lies outside.

    Source: Winkler 1972, "A decision-theoretic approach to interval estimation"; Gneiting and
    Raftery 2007, eq. 43; ``msis`` of gluonts without its scaling. None if an end is open.
    """
    if interval.start is None or interval.end is None:
        return None
    below = max(days(interval.start, date), 0.0)
    above = max(days(date, interval.end), 0.0)
    return days(interval.end, interval.start) + 2 / alpha * (below + above)


def winkler_bounds(interval: Interval, true: TrueEvent) -> tuple[float, float] | None:
    """Winkler's score of the best and of the worst admissible date; None if an end is open."""
    if interval.start is None or interval.end is None or true.done == FAR:
        return None
    nearest = [interval.start, interval.end, true.begun, true.done]
    inside = [date for date in nearest if true.begun <= date <= true.done]
    scores = [winkler(interval, date) or 0.0 for date in inside]
    return min(scores), max(scores)


def date_gap(said: datetime, admissible: Interval) -> tuple[float, float]:
    """Days from a stated date to the nearest and to the farthest date that could be true.

    The best and worst case of the IARPA SMART metrics (``ac_temporal_error``), whose truth is a
    gap between two observations. Signed: positive if stated too late. An open end is infinite.

    >>> from datetime import datetime as d
    >>> date_gap(d(2024, 1, 12), Interval(d(2024, 1, 5), d(2024, 1, 10)))
    (2.0, 7.0)
    """
    from_start = math.inf if admissible.start is None else days(said, admissible.start)
    from_end = -math.inf if admissible.end is None else days(said, admissible.end)
    return min(from_start, max(from_end, 0.0)), max(from_start, from_end, key=abs)


def is_observable(true: TrueEvent, looks: Sequence[Look]) -> bool:
    """Whether the usable looks show both the ground before and the finished change."""
    before = any(end < true.begun for _, end in looks)
    return before and any(start >= true.done for start, _ in looks)


def is_observable_link(old: TrueEvent, new: TrueEvent, looks: Sequence[Look]) -> bool:
    """Whether usable looks show the old building, the plot without any, and the new building.

    Without a look between the two the plot is built on in every look, and nobody can tell.
    """
    before = any(end < old.begun for _, end in looks)
    without = any(start >= old.done and end < new.done for start, end in looks)
    return before and without and any(start >= new.done for start, _ in looks)
