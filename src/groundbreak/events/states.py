"""The states of a plot and how fast they change. See docs/dates.md."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from groundbreak.events.checks import check_positive, check_share
from groundbreak.types import Kind

Matrix = NDArray[np.float64]

DAYS_PER_YEAR = 365.25
SAME_DAY = 0.5
"""Days that are taken to lie between two looks of one day."""


class Family(Enum):
    """What is followed through the looks."""

    BUILDING = "building"
    SLIP = "slip"

    @staticmethod
    def of(kind: Kind) -> Family:
        """The family that a kind of event happens to."""
        return Family.SLIP if kind is Kind.DOCKING_SLIP else Family.BUILDING


ABSENT, CLEARED, WORKS, STANDING, BUILT = range(5)
"""States of a building's plot: never built on, bare ground, building site, a building that was
there before the first look, a building that came after it."""
CLOSED, DIGGING, OPEN = range(3)
"""States of a berth: none, being dug, in use."""

LEVELS: dict[Family, tuple[tuple[float, bool], ...]] = {
    Family.BUILDING: ((0.0, False), (0.1, True), (0.2, True), (1.0, False), (1.0, False)),
    Family.SLIP: ((0.0, False), (0.2, True), (1.0, False)),
}
"""How much of the object each state shows, and whether works are under way."""

THERE: dict[Family, tuple[int, ...]] = {Family.BUILDING: (STANDING, BUILT), Family.SLIP: (OPEN,)}
"""The states in which the object is there."""

UNDER_WAY: dict[Kind, int] = {Kind.NEW_BUILDING: WORKS, Kind.DOCKING_SLIP: DIGGING}
"""The state in which an event has begun and is not finished."""

TRANSITIONS: dict[Kind, tuple[tuple[int, int], ...]] = {
    Kind.NEW_BUILDING: ((ABSENT, BUILT), (CLEARED, BUILT), (WORKS, BUILT)),
    Kind.DEMOLITION: tuple(
        (there, gone) for there in (STANDING, BUILT) for gone in (CLEARED, WORKS, ABSENT)
    ),
    Kind.DOCKING_SLIP: ((CLOSED, OPEN), (DIGGING, OPEN)),
}
"""The steps between states that are an event of each kind."""

BEGINNINGS: dict[Kind, tuple[tuple[int, int], ...]] = {
    Kind.NEW_BUILDING: ((ABSENT, WORKS), (CLEARED, WORKS), (STANDING, WORKS)),
    Kind.DOCKING_SLIP: ((CLOSED, DIGGING),),
}
"""The steps with which an event begins that is not finished."""

FIRST: dict[Family, tuple[float, ...]] = {
    Family.BUILDING: (0.46, 0.04, 0.03, 0.47, 0.0),
    Family.SLIP: (0.85, 0.03, 0.12),
}
"""Probability of each state at the first usable look."""


@dataclass(frozen=True)
class Rates:
    """How often plots change *at which change was suspected*; the average plot changes far less.

    A plot gets here because some pair shows change. Whether it is true is for the evidence to
    say, so the expected number of first changes, true or not, is given for the whole time from
    the first to the last look and not for a year: more looks, or more time, make no plot more
    suspect. What follows a first change is as rare as elsewhere: of new buildings a few per cent
    are torn down in a year, and a plot lies bare for a year or two before works begin. Otherwise
    a look that misleads would pass for a building that came and went. Works take four months on
    average.

    Attributes:
        changed: first changes of a suspected plot, over all looks.
        disturbed: lasting changes that are none of the kinds (a ploughed field, a car park),
            over all looks: what a false alarm that stays is made of.
        at_once: share of new buildings and berths that no look shows unfinished.
        finish: works come to an end, per year.
        greened: share of demolitions after which the plot looks as if nothing had stood there;
            without it a plot that stays silent for many looks would speak against the demolition.
        rebuild: a building appears at once on bare ground, per year.
        rebegin: works begin on bare ground, per year.
        clear: ground is cleared of whatever grew there, per year.
        overgrow: bare ground looks natural again, per year.
        demolish_new: a building that came since the first look is torn down, per year.
        fill: a berth is filled in, per year.
    """

    changed: float = 0.7
    disturbed: float = 0.04
    at_once: float = 0.7
    finish: float = 3.0
    greened: float = 0.5
    rebuild: float = 0.2
    rebegin: float = 0.4
    clear: float = 0.05
    overgrow: float = 0.2
    demolish_new: float = 0.03
    fill: float = 0.02

    def __post_init__(self) -> None:
        shares = ("at_once", "greened")
        for name in shares:
            check_share(name, getattr(self, name))
        for rate in fields(self):
            if rate.name not in shares:
                check_positive(rate.name, getattr(self, rate.name))


def state_count(family: Family) -> int:
    """Number of states of a family."""
    return len(LEVELS[family])


def transition_matrix(family: Family, rates: Rates, days: float, span_days: float) -> Matrix:
    """Probability of each state (column) ``days`` after each state (row).

    A continuous-time Markov chain: exp(generator * time), so that a gap seen through one more
    look gives the same odds as the whole gap.

    Args:
        family: of the object.
        rates: see `Rates`.
        days: between the two looks.
        span_days: from the first to the last look.
    """
    shortest = max(days, SAME_DAY)
    return _transition_matrix(family, rates, round(shortest, 2), round(max(span_days, shortest), 1))


@lru_cache(maxsize=8192)
def _transition_matrix(family: Family, rates: Rates, days: float, span_days: float) -> Matrix:
    from scipy.linalg import expm

    changed = rates.changed / span_days * DAYS_PER_YEAR
    at_once, in_stages = changed * rates.at_once, changed * (1 - rates.at_once)
    generator = np.zeros((state_count(family),) * 2)
    moves = (
        {
            (ABSENT, BUILT): at_once,
            (ABSENT, WORKS): in_stages,
            (WORKS, BUILT): rates.finish,
            (CLEARED, BUILT): rates.rebuild,
            (CLEARED, WORKS): rates.rebegin,
            (ABSENT, CLEARED): rates.clear,
            (CLEARED, ABSENT): rates.overgrow,
            (STANDING, CLEARED): changed * (1 - rates.greened),
            (STANDING, ABSENT): changed * rates.greened,
            (BUILT, CLEARED): rates.demolish_new,
        }
        if family is Family.BUILDING
        else {
            (CLOSED, OPEN): at_once,
            (CLOSED, DIGGING): in_stages,
            (DIGGING, OPEN): rates.finish,
            (OPEN, CLOSED): rates.fill,
        }
    )
    for move, rate in moves.items():
        generator[move] = rate
    np.fill_diagonal(generator, -generator.sum(axis=1))
    matrix = np.asarray(expm(generator * (days / DAYS_PER_YEAR)), dtype=np.float64)
    matrix.setflags(write=False)
    return matrix
