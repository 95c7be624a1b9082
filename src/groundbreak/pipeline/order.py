"""Looks whose order is known: an event lies between two of them, so one must be the earlier."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

from groundbreak.prepare.looks import LookPlan
from groundbreak.prepare.site import PreparedSite, Unused
from groundbreak.prepare.store import PreparedLook
from groundbreak.times import describe

A_LOOK = 1e-3
"""What a look is worth that shows next to nothing of the site."""


def in_sure_order(prepared: PreparedSite, plans: Sequence[LookPlan]) -> PreparedSite:
    """Set aside looks of which nobody can say whether they are earlier or later than another.

    Where only the day, year or range of a date is known, two looks may overlap in time. Compared
    with each other in the wrong order they would turn a new building into a demolition, and
    intervals that end at one of them might not hold the event.

    Args:
        prepared: the looks of a site.
        plans: of these looks.

    Returns:
        The site with looks in the order of time that do not overlap; the others are unused.
    """
    kept = apart(prepared.looks)
    planned = {plan.id: plan for plan in plans}
    aside = [
        Unused(planned[look.id], look.usable_share, _reason(look, kept))
        for look in prepared.looks
        if look not in kept
    ]
    unused = sorted((*prepared.unused, *aside), key=lambda entry: (entry.plan.start, entry.plan.id))
    return replace(prepared, looks=tuple(kept), unused=tuple(unused))


def apart(looks: Sequence[PreparedLook]) -> list[PreparedLook]:
    """The looks, none of which overlap in time, that together show most of the site.

    Of equal ones, those whose dates are known better. This is weighted interval scheduling: the
    best choice among the looks that end first is extended by the next one, or is not.
    """
    by_end = sorted(looks, key=lambda look: (look.end, look.start, look.id))
    ends = [look.end for look in by_end]
    best: list[tuple[float, float, list[PreparedLook]]] = [(0.0, 0.0, [])]
    for look in by_end:
        shown, vague, before = best[bisect_left(ends, look.start)]
        length = (look.end - look.start).total_seconds()
        extended = (shown + look.usable_share + A_LOOK, vague - length, [*before, look])
        best.append(max(best[-1], extended, key=lambda choice: choice[:2]))
    return best[-1][2]


def _reason(look: PreparedLook, kept: Sequence[PreparedLook]) -> str:
    other = next(k for k in kept if k.start <= look.end and look.start <= k.end)
    own, others = (describe((k.start, k.end)) for k in (look, other))
    return (
        f"its date ({own}) overlaps that of another look ({others}), which shows more or is dated "
        "better: which of them is the earlier one is not known"
    )
