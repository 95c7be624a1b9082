"""What a look shows of a state, and what a pair says of two looks. See docs/dates.md.

Every look shows a *level*: about 0 where nothing stands, about 1 where the object does, something
between while works are under way. The level errs, with haze, shadows, season and shift, and once
in a while a look shows anything (a remnant of cloud, a ship, high tide). A pair's evidence tells
the step from the level of its earlier look to that of its later one. So the error of a look is
shared by all pairs that contain it, with opposite signs before and after it, and several pairs
are not taken for independent witnesses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from groundbreak.events.checks import check_positive, check_share
from groundbreak.events.states import LEVELS, Family, Matrix

GRID = np.arange(-0.75, 1.76, 0.25)
"""Levels that are told apart."""
LEAST = 0.004
"""Mean probabilities are not taken to be smaller than this: the network is not that sure."""
STEPS = (-1.5, 1.5)
"""Larger steps of the level are cut off."""


@dataclass(frozen=True)
class Emission:
    """How looks and pairs err. Levels and steps are in units of the whole object.

    Attributes:
        unchanged: log-odds of a change against none, over the footprint, if nothing changed.
        changed: the same if the object came or went. The shipped weights say 1.9 in the middle,
            0.8 to 3.4 in nine of ten, over what they find of the labelled changes of mshs_bcd's
            validation tiles (154).
        look_spread: standard deviation of the level of a good look.
        works_spread: of the level while works are under way.
        shifted_spread: added, as a variance, if the look's shift could not be corrected.
        residual_spread: added likewise, per pixel of residual shift.
        pair_spread: standard deviation of the step that a pair tells.
        stray: probability that a pair tells anything.
        misled: probability that a look without any cloud shows anything, per family.
        misled_clouded: added in proportion to the unusable share of the footprint.
        misled_apart: added for a look of which nothing lies where the others show it: it is placed
            wrongly, or all of the ground changed.
        unmasked: share of the cloud that no mask finds: what an overcast look shows as clear
            ground is likely to be cloud.
    """

    unchanged: float = -4.0
    changed: float = 2.0
    look_spread: float = 0.20
    works_spread: float = 0.30
    shifted_spread: float = 0.15
    residual_spread: float = 0.15
    pair_spread: float = 0.15
    stray: float = 0.01
    misled: Mapping[Family, float] = field(
        default_factory=lambda: {Family.BUILDING: 0.018, Family.SLIP: 0.025}
    )
    misled_clouded: float = 0.1
    misled_apart: float = 0.2
    unmasked: float = 0.05

    def __post_init__(self) -> None:
        if self.unchanged >= self.changed:
            raise ValueError("unchanged must be less than changed")
        check_positive("look_spread", self.look_spread)
        check_positive("works_spread", self.works_spread)
        check_positive("pair_spread", self.pair_spread)
        check_share("stray", self.stray)
        check_share("misled", *self.misled.values())
        check_share("misled_clouded", self.misled_clouded)
        check_share("misled_apart", self.misled_apart)
        check_share("unmasked", self.unmasked)
        if self.unmasked == 1:
            raise ValueError("unmasked must be less than 1")


def look_table(family: Family, misled: float, spread: float, works_spread: float) -> Matrix:
    """Probability of each level shown (column) for each true state (row).

    Args:
        family: what is followed.
        misled: probability that the look shows anything.
        spread: standard deviation of the level.
        works_spread: the same while works are under way.
    """
    levels = np.array([level for level, _ in LEVELS[family]])
    spreads = np.array([works_spread if works else spread for _, works in LEVELS[family]])
    density = np.exp(-0.5 * ((GRID - levels[:, None]) / spreads[:, None]) ** 2)
    density /= density.sum(axis=1, keepdims=True)
    return np.asarray((1 - misled) * density + misled / len(GRID))


def told_steps(family: Family, probabilities: Matrix, emission: Emission) -> Matrix:
    """The step that each pair tells: 1 the object came, -1 it went, 0 nothing changed.

    Args:
        family: what is followed.
        probabilities: (pairs, 4), the network's (none, new, demolition, slip), averaged over
            the footprint.
        emission: see `Emission`.

    Returns:
        (pairs,), within `STEPS`. A berth that goes has no class: it tells 0.
    """
    none, new, torn, slip = np.maximum(probabilities, LEAST).T
    if family is Family.BUILDING:
        up, down = np.log(new / (none + slip)), np.log(torn / (none + slip))
    else:
        up = np.log(slip / (none + new + torn))
        down = np.full_like(up, emission.unchanged)
    scale = emission.changed - emission.unchanged
    steps = np.where(up >= down, up - emission.unchanged, emission.unchanged - down) / scale
    # Surer of no change than usual is still no change.
    forward = up >= down
    steps = np.where(forward, np.maximum(steps, 0.0), np.minimum(steps, 0.0))
    return np.asarray(np.clip(steps, *STEPS))


def pair_tables(family: Family, steps: Matrix, disturbed: Matrix, emission: Emission) -> Matrix:
    """Likelihood of the step each pair tells, for each (level shown earlier, level shown later).

    Args:
        family: what is followed.
        steps: (pairs,), see `told_steps`.
        disturbed: (pairs,), probability that the ground changed otherwise, for good: then a pair
            tells anything.
        emission: see `Emission`.

    Returns:
        (pairs, levels, levels), each pair scaled to a maximum of 1.
    """
    # A berth that goes has no class, so what a look shows beyond "none" must not matter: else
    # two small errors, of which only the rise is told, would make a berth.
    levels = np.clip(GRID, 0.0, 1.0) if family is Family.SLIP else GRID
    true = levels[None, :] - levels[:, None]
    if family is Family.SLIP:
        true = np.maximum(true, 0.0)
    low, high = STEPS
    expected = np.clip(true, low, high)
    off = (steps[:, None, None] - expected) / emission.pair_spread
    density = np.exp(-0.5 * off**2) / (emission.pair_spread * np.sqrt(2 * np.pi))
    anything = (disturbed + (1 - disturbed) * emission.stray)[:, None, None]
    tables = (1 - anything) * density + anything / (high - low)
    return np.asarray(tables / tables.max(axis=(1, 2), keepdims=True))
