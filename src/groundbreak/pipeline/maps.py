"""The change maps of a site as its events are read from them: one a pair, whatever made it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from groundbreak.events.looks import PairKey
from groundbreak.pipeline.change import StoredChange
from groundbreak.types import BoolArray, Box, FloatArray


class SiteMaps:
    """Maps of the chained pairs, and of the longer ones around suspected change."""

    def __init__(self) -> None:
        self._layers: dict[PairKey, list[tuple[StoredChange, tuple[Box, ...] | None]]] = {}

    def add(self, stored: StoredChange, around: tuple[Box, ...] | None = None) -> PairKey:
        """Take in a map, of which only what lies in ``around`` counts; None: all of it."""
        pair = PairKey(stored.earlier_id, stored.later_id)
        self._layers.setdefault(pair, []).append((stored, around))
        return pair

    @property
    def pairs(self) -> list[PairKey]:
        """All pairs, in the order in which they came."""
        return list(self._layers)

    def layers(self, pair: PairKey) -> list[tuple[StoredChange, tuple[Box, ...] | None]]:
        """The maps of a pair, and what counts of each; see ``add``."""
        return list(self._layers[pair])

    def read(self, pair: PairKey, box: Box) -> tuple[FloatArray, BoolArray] | None:
        """A window of the map of a pair; where there are several, the last one added counts.

        Returns:
            Probabilities (3, h, w) and where the pair was observed (h, w), or None where nothing
            was.
        """
        found: tuple[FloatArray, BoolArray] | None = None
        for stored, around in self._layers[pair]:
            inside = None if around is None else _covered(around, box)
            block = None if inside is not None and not inside.any() else stored.read(*box.slices)
            if block is None:
                continue
            probabilities, observed = block
            if inside is not None:
                observed = observed & inside
            before = found or (np.zeros_like(probabilities), np.zeros_like(observed))
            found = np.where(observed, probabilities, before[0]), observed | before[1]
        return found if found is not None and found[1].any() else None


def _covered(around: Iterable[Box], box: Box) -> BoolArray:
    """Which pixels of a window lie in any of the boxes."""
    inside = np.zeros(box.shape, bool)
    for near in around:
        rows = slice(max(near.y0 - box.y0, 0), max(near.y1 - box.y0, 0))
        columns = slice(max(near.x0 - box.x0, 0), max(near.x1 - box.x0, 0))
        inside[rows, columns] = True
    return inside
