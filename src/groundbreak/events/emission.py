"""What a look shows of a state, and what a pair says of two looks. See docs/dates.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import lgamma

import numpy as np

from groundbreak.events.checks import check_positive, check_share
from groundbreak.events.states import SHOWN, Family, Matrix

Concentration = tuple[float, float, float, float]
"""Dirichlet parameters of the mean (none, new, demolition, slip) over a footprint."""

DENSITIES = ("none", "new", "demolition", "slip", "building", "razing", "digging", "disturbed")
"""Names of the densities of a pair's evidence."""
LEAST = 0.004
"""Mean probabilities are not taken to be smaller than this: the network is not that sure."""


@dataclass(frozen=True)
class Emission:
    """What a pair shows of two states, and how often a look misleads.

    The first are the densities of a pair's evidence when nothing happened, when one of the kinds
    happened, when works for one of the kinds are under way at one of the looks (anything between
    nothing and the kind), and when the ground changed otherwise.

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
    building: Concentration = (1.3, 1.3, 0.4, 0.2)
    razing: Concentration = (1.3, 0.4, 1.3, 0.2)
    digging: Concentration = (1.3, 0.4, 0.4, 1.3)
    disturbed: Concentration = (1.5, 0.8, 0.8, 0.4)
    tempering: float = 0.9
    missed: float = 0.03
    spurious: float = 0.002
    misled: Mapping[Family, float] = field(
        default_factory=lambda: {Family.BUILDING: 0.01, Family.SLIP: 0.015}
    )
    misled_clouded: float = 0.2
    misled_shifted: float = 0.1

    def __post_init__(self) -> None:
        for name in DENSITIES:
            check_positive(name, *getattr(self, name))
        check_positive("tempering", self.tempering)
        check_share("missed", self.missed)
        check_share("spurious", self.spurious)
        check_share("misled", *self.misled.values())
        check_share("misled_clouded", self.misled_clouded)
        check_share("misled_shifted", self.misled_shifted)


def look_table(family: Family, misled: float) -> Matrix:
    """Probability of each shown state (column) for each true state (row)."""
    shown = SHOWN[family]
    count = max(shown) + 1
    table = np.full((len(shown), count), misled / (count - 1))
    table[np.arange(len(shown)), shown] = 1 - misled
    return table


def pair_tables(
    family: Family, probabilities: Matrix, disturbed: Matrix, emission: Emission
) -> Matrix:
    """Likelihood of each pair's evidence for each (state shown earlier, state shown later).

    Args:
        family: what is followed.
        probabilities: (pairs, 4), the network's (none, new, demolition, slip), averaged over
            the footprint.
        disturbed: (pairs,), probability that the ground changed otherwise, for good.
        emission: see `Emission`.

    Returns:
        (pairs, shown states, shown states), each pair scaled to a maximum of 1.
    """
    none, new, torn, slip, building, razing, digging, other = _densities(probabilities, emission)
    silent = (1 - disturbed) * (1 - emission.spurious)
    same = silent * none + (1 - silent) * other

    def shown(whole: Matrix, part: Matrix, partly: float) -> Matrix:
        """Density of a change of which a share shows only in part, and some not at all."""
        seen = (1 - partly) * whole + partly * part
        return (1 - emission.missed) * seen + emission.missed * none

    if family is Family.BUILDING:
        begun, built = shown(none, building, 0.9), shown(new, building, 0.0)
        finished, razed = shown(new, building, 0.5), shown(torn, razing, 0.2)
        left = 0.5 * none + 0.5 * other
        rows = [[same, begun, built], [left, same, finished], [razed, razed, same]]
    else:
        begun, opened = shown(none, digging, 0.9), shown(slip, digging, 0.0)
        finished, filled = shown(slip, digging, 0.5), 0.5 * none + 0.5 * other
        rows = [[same, begun, opened], [filled, same, finished], [filled, filled, same]]
    tables = np.moveaxis(np.array(rows), -1, 0)
    return np.asarray(tables / tables.max(axis=(1, 2), keepdims=True))


def _densities(probabilities: Matrix, emission: Emission) -> Matrix:
    """Tempered densities of the evidence, (8, pairs), each pair scaled to a maximum of 1."""
    evidence = np.maximum(probabilities, LEAST)
    logs = np.log(evidence / evidence.sum(axis=1, keepdims=True))
    concentrations = np.array([getattr(emission, name) for name in DENSITIES])
    normalisers = [lgamma(sum(c)) - sum(map(lgamma, c)) for c in concentrations]
    scores = np.array(normalisers)[:, None] + (concentrations - 1) @ logs.T
    return np.asarray(np.exp(emission.tempering * (scores - scores.max(axis=0))))
