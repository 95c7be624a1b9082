"""How far the looks of a site can be trusted, learned from all of its objects together.

Snow, haze or a bad alignment shows many buildings wrongly in one look: they seem to come and go
again. Each object tells how likely it was misled by each look between its first and its last
(where a wrong state shows, because it is reversed). The sums scale the probability to be misled,
for each look and for the site as a whole, both drawn towards what was assumed before: a gamma
prior of a Poisson rate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from groundbreak.events.history import History

SITE_WEIGHT = 1.0
"""Misled looks that the assumption about a site is worth."""
LOOK_WEIGHT = 0.5
"""Misled looks that a site's mean is worth against what one look shows."""


def learn_doubt(histories: Sequence[History], looks: int) -> NDArray[np.float64]:
    """Factor of the probability to be misled, for each look of the site.

    Args:
        histories: of all objects, decoded with the assumed probabilities.
        looks: number of looks.

    Returns:
        (looks,): 1 where nothing was learned, larger where a look misled more than assumed.
    """
    found, expected = np.zeros(looks), np.zeros(looks)
    for history in histories:
        if history.chain is None:
            continue
        inner = history.counted[1:-1]
        found[inner] += history.chain.misled()[1:-1]
        expected[inner] += [history.misled(number) for number in inner]
    site = (SITE_WEIGHT + found.sum()) / (SITE_WEIGHT + expected.sum())
    return np.asarray((LOOK_WEIGHT * site + found) / (LOOK_WEIGHT + expected))
