"""The states of a plot, how fast they change, and what a pair shows of it. See docs/dates.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from math import lgamma

import numpy as np
from numpy.typing import NDArray

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


ABSENT, CLEARED, PRESENT = 0, 1, 2
"""States of a building's plot. CLEARED is bare ground or a building site."""
SLIP_ABSENT, SLIP_PRESENT = 0, 1
"""States of a berth."""

TRANSITIONS: dict[Kind, tuple[tuple[int, int], ...]] = {
    Kind.NEW_BUILDING: ((ABSENT, PRESENT), (CLEARED, PRESENT)),
    Kind.DEMOLITION: ((PRESENT, ABSENT), (PRESENT, CLEARED)),
    Kind.DOCKING_SLIP: ((SLIP_ABSENT, SLIP_PRESENT),),
}
"""The steps between states that are an event of each kind."""


@dataclass(frozen=True)
class Rates:
    """Transitions per year of a plot *at which change was suspected* (not of the average plot).

    Half of the suspected plots are taken to change once in about two years; of the building
    rates, those out of CLEARED follow from building times of some months to a year. `disturbed`
    is the rate of lasting changes that are none of the kinds (a ploughed field, a new car park):
    what a false alarm that stays is made of.
    """

    build: float = 0.5
    clear: float = 0.05
    finish: float = 1.5
    overgrow: float = 0.2
    demolish_to_cleared: float = 0.25
    demolish_to_absent: float = 0.25
    dredge: float = 0.5
    fill: float = 0.02
    disturbed: float = 0.10


Concentration = tuple[float, float, float, float]
"""Dirichlet parameters of the mean (none, new, demolition, slip) over a footprint."""


@dataclass(frozen=True)
class Emission:
    """What a pair shows of two states, and how often a look misleads.

    The first five are the densities of a pair's evidence when nothing happened, when one of the
    kinds happened, and when the ground changed otherwise.

    Attributes:
        tempering: exponent of the densities: pairs share looks, weather and the network's
            habits, so several of them say less than independent ones would.
        missed: probability that a change leaves the evidence of no change.
        spurious: probability that no change leaves the evidence of some change, whatever the
            time between the looks.
        misled: probability that one look shows another state than the true one although it is
            counted (remnants of cloud, shadow, snow, a ship, high tide), per family.
        misled_clouded: added in proportion to the unusable share of the footprint.
        misled_shifted: added when the look's shift could not be corrected.
    """

    none: Concentration = (20.0, 0.35, 0.35, 0.15)
    new: Concentration = (1.6, 4.5, 0.35, 0.25)
    demolition: Concentration = (1.6, 0.35, 4.5, 0.25)
    slip: Concentration = (1.6, 0.40, 0.40, 4.5)
    disturbed: Concentration = (1.5, 0.8, 0.8, 0.4)
    tempering: float = 0.8
    missed: float = 0.03
    spurious: float = 0.002
    misled: Mapping[Family, float] = field(
        default_factory=lambda: {Family.BUILDING: 0.02, Family.SLIP: 0.03}
    )
    misled_clouded: float = 0.2
    misled_shifted: float = 0.1


def state_count(family: Family) -> int:
    """Number of states of a family."""
    return 3 if family is Family.BUILDING else 2


def first_state(family: Family) -> Matrix:
    """Probability of each state at the first usable look."""
    return np.array([0.47, 0.06, 0.47] if family is Family.BUILDING else [0.75, 0.25])


def transition_matrix(family: Family, rates: Rates, days: float) -> Matrix:
    """Probability of each state (column) ``days`` after each state (row).

    A continuous-time Markov chain: exp(generator * time), so that a gap seen through one more
    look gives the same odds as the whole gap.
    """
    return _transition_matrix(family, rates, round(max(days, SAME_DAY), 2))


@lru_cache(maxsize=4096)
def _transition_matrix(family: Family, rates: Rates, days: float) -> Matrix:
    from scipy.linalg import expm

    generator = np.zeros((state_count(family),) * 2)
    if family is Family.BUILDING:
        generator[ABSENT, PRESENT] = rates.build
        generator[ABSENT, CLEARED] = rates.clear
        generator[CLEARED, PRESENT] = rates.finish
        generator[CLEARED, ABSENT] = rates.overgrow
        generator[PRESENT, CLEARED] = rates.demolish_to_cleared
        generator[PRESENT, ABSENT] = rates.demolish_to_absent
    else:
        generator[SLIP_ABSENT, SLIP_PRESENT] = rates.dredge
        generator[SLIP_PRESENT, SLIP_ABSENT] = rates.fill
    np.fill_diagonal(generator, -generator.sum(axis=1))
    matrix = np.asarray(expm(generator * (days / DAYS_PER_YEAR)), dtype=np.float64)
    matrix.setflags(write=False)
    return matrix


LEAST = 0.004
"""Mean probabilities are not taken to be smaller than this: the network is not that sure."""


def pair_likelihood(
    family: Family,
    probabilities: Sequence[float],
    days: float,
    rates: Rates,
    emission: Emission,
) -> Matrix:
    """Likelihood of a pair's evidence for each (earlier state, later state).

    Args:
        family: what is followed.
        probabilities: the network's (none, new, demolition, slip), averaged over the footprint.
        days: time between the looks; the longer, the likelier a lasting change of another sort.
        rates: see `Rates`.
        emission: see `Emission`.

    Returns:
        (states, states), scaled to a maximum of 1.
    """
    evidence = np.maximum(np.asarray(probabilities, dtype=np.float64), LEAST)
    logs = np.log(evidence / evidence.sum())
    concentrations = (
        emission.none,
        emission.new,
        emission.demolition,
        emission.slip,
        emission.disturbed,
    )
    scores = emission.tempering * np.array([_log_dirichlet(c, logs) for c in concentrations])
    none, new, torn, slip, other = np.exp(scores - scores.max())
    disturbed = 1 - np.exp(-rates.disturbed * max(days, SAME_DAY) / DAYS_PER_YEAR)
    silent = 1 - disturbed - emission.spurious * (1 - disturbed)
    unchanged = silent * none + (1 - silent) * other
    # Bare ground and building sites come and go without a class of their own.
    works = 0.5 * none + 0.5 * other
    kept = 1 - emission.missed
    if family is Family.BUILDING:
        built, razed = (kept * c + emission.missed * none for c in (new, torn))
        table = [
            [unchanged, works, built],
            [works, unchanged, built],
            [razed, razed, unchanged],
        ]
    else:
        opened = kept * slip + emission.missed * none
        table = [[unchanged, opened], [works, unchanged]]
    likelihood = np.array(table)
    return np.asarray(likelihood / likelihood.max())


def _log_dirichlet(concentration: Concentration, logs: Matrix) -> float:
    """Log-density of a composition whose logarithms are given."""
    normaliser = lgamma(sum(concentration)) - sum(lgamma(c) for c in concentration)
    return normaliser + float((np.array(concentration) - 1) @ logs)
