"""Which pairs of looks the network must see, and where.

Seen from one pixel the pairs form a chain: each usable look with the usable look before it. A
cloud in between makes a longer pair necessary, but only under the cloud. So longer pairs are
computed in the windows that need them and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from groundbreak.inference.stitch import Box, StitchConfig, lattice
from groundbreak.prepare.store import PreparedLook
from groundbreak.types import BoolArray

LEAST_PIXELS = 24
"""Fewer pixels that only a longer pair could judge do not make a building."""


@dataclass(frozen=True)
class PairPlan:
    """Two looks, and the windows of the lattice in which they are compared."""

    earlier: PreparedLook
    later: PreparedLook
    boxes: frozenset[Box]


class _Packed(Sequence[BoolArray]):
    """Masks of one shape, a bit a pixel: a thousand looks of a window fit into memory."""

    def __init__(self, masks: Iterable[BoolArray]) -> None:
        self._bits: list[NDArray[np.uint8]] = []
        self._shape: tuple[int, ...] = (0,)
        for mask in masks:
            self._shape = mask.shape
            self._bits.append(np.packbits(mask))

    def __len__(self) -> int:
        return len(self._bits)

    @overload
    def __getitem__(self, index: int) -> BoolArray: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[BoolArray]: ...

    def __getitem__(self, index: int | slice) -> BoolArray | Sequence[BoolArray]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        count = int(np.prod(self._shape))
        return np.unpackbits(self._bits[index], count=count).astype(bool).reshape(self._shape)


def plan_pairs(
    looks: Sequence[PreparedLook], shape: tuple[int, int], cut: StitchConfig
) -> list[PairPlan]:
    """All pairs of a site's looks (by date) and their windows, by the date of the later look.

    Args:
        looks: prepared looks in the order of their dates.
        shape: (height, width) of the site's grid.
        cut: the windows of the network.
    """
    windows: dict[tuple[int, int], set[Box]] = {}
    if len(looks) < 2:
        return []
    for row in lattice(shape, cut):
        for box in row:
            for pair in chained(_Packed(look.usable(box.slices) for look in looks)):
                windows.setdefault(pair, set()).add(box)
    return [
        PairPlan(looks[i], looks[j], frozenset(windows[i, j]))
        for i, j in sorted(windows, key=lambda pair: (pair[1], -pair[0]))
    ]


def chained(usable: Sequence[BoolArray]) -> list[tuple[int, int]]:
    """Pairs that link every pixel's usable looks, from a mask (height, width) of each look."""
    pairs = []
    for later in range(1, len(usable)):
        waiting = usable[later].copy()
        for earlier in range(later - 1, -1, -1):
            if np.count_nonzero(waiting) < min(LEAST_PIXELS, waiting.size):
                break
            met = waiting & usable[earlier]
            if np.count_nonzero(met) >= min(LEAST_PIXELS, met.size):
                pairs.append((earlier, later))
                waiting &= ~met
    return pairs
