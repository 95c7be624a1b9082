"""A pair is read as one map, whatever made it: all of the chain, of longer pairs what counts."""

from dataclasses import dataclass

import numpy as np

from groundbreak.events.looks import PairKey
from groundbreak.pipeline.maps import SiteMaps
from groundbreak.types import Box

WHOLE = Box(0, 6, 0, 8)
PAIR = PairKey("a", "b")


@dataclass
class Stored:
    """A map of one probability, not observed in the first row."""

    value: float
    earlier_id: str = "a"
    later_id: str = "b"

    def read(self, rows, columns):
        height, width = rows.stop - rows.start, columns.stop - columns.start
        observed = np.ones((height, width), bool)
        observed[0 : max(0, 1 - rows.start)] = False
        return np.full((3, height, width), self.value, np.float32) * observed, observed


def test_of_a_longer_pair_only_what_lies_around_a_patch_counts():
    maps = SiteMaps()
    assert maps.add(Stored(0.5), (Box(0, 3, 1, 4), Box(4, 6, 6, 8))) == PAIR
    probabilities, observed = maps.read(PAIR, WHOLE)
    expected = np.zeros((6, 8), bool)
    expected[1:3, 1:4] = expected[4:6, 6:8] = True
    assert (observed == expected).all()
    assert (probabilities == 0.5 * expected).all()
    assert maps.read(PAIR, Box(3, 4, 0, 8)) is None
    assert maps.read(PAIR, Box(0, 1, 0, 8)) is None
    inner = maps.read(PAIR, Box(2, 5, 3, 7))[1]
    assert (inner == expected[2:5, 3:7]).all()


def test_where_two_maps_of_a_pair_meet_the_longer_one_counts():
    maps = SiteMaps()
    maps.add(Stored(0.25))
    maps.add(Stored(0.5), (Box(2, 4, 2, 4),))
    assert maps.pairs == [PAIR]
    probabilities, observed = maps.read(PAIR, WHOLE)
    assert observed[1:].all()
    assert not observed[0].any()
    assert (probabilities[:, 2:4, 2:4] == 0.5).all()
    assert (probabilities[:, 1, :] == 0.25).all()
