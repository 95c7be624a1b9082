"""Which pairs of looks the network must see, and where.

Seen from one pixel the pairs form a chain: each usable look with the usable look before it. A
cloud in between makes a longer pair necessary, but only under the cloud. So longer pairs are
computed in the windows that need them and nowhere else.

Where the chain shows a patch of change, one of its looks may have misled. The pairs that leave
out one of them, and reach one look farther, tell: they are planned once the chain is computed.
Which they are depends on nothing that is later than their later look, so a run that is extended
computes what one from scratch does, and computes it once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from groundbreak.events.geometry import burn, to_pixels
from groundbreak.events.vectorize import Candidate
from groundbreak.inference.stitch import StitchConfig, lattice
from groundbreak.prepare.store import PreparedLook
from groundbreak.types import BoolArray, Box

LEAST_PIXELS = 4
"""Fewer pixels that only a longer pair could judge make no event, not even at 10 m, and are too few
to show in the shares of a site that were compared."""

AROUND_PX = 8
"""A footprint may be that much larger than the patch in which it was suspected."""


@dataclass(frozen=True)
class PairsConfig:
    """How far looks are compared.

    ``reach``: 1 compares each usable look with the usable look before it; 2 also with the one
    before that, where a patch of change was found.
    """

    reach: int = 2

    def __post_init__(self) -> None:
        if self.reach not in (1, 2):
            raise ValueError(f"reach is {self.reach}: expected 1 or 2")


@dataclass(frozen=True)
class PairPlan:
    """Two looks, and the windows of the lattice in which they are compared.

    Of what the windows show, only what lies in ``around`` counts; None: all of it.
    """

    earlier: PreparedLook
    later: PreparedLook
    boxes: frozenset[Box]
    around: tuple[Box, ...] | None = None


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


def plan_longer(
    looks: Sequence[PreparedLook],
    suspects: Iterable[Candidate],
    grid: GeoBox,
    cut: StitchConfig,
    min_usable: float,
) -> list[PairPlan]:
    """The pairs that reach one look farther than those in which change was suspected.

    Args:
        looks: prepared looks in the order of their dates.
        suspects: patches of change of the chained pairs.
        grid: of the site.
        cut: the windows of the network.
        min_usable: share of a patch that a look must show to count there.

    Returns:
        Plans by the date of the later look.
    """
    place = {look.id: number for number, look in enumerate(looks)}
    shape = (int(grid.shape[0]), int(grid.shape[1]))
    around: dict[tuple[int, int], set[Box]] = {}
    for patch in suspects:
        inside = burn(to_pixels(patch.polygon, grid), patch.box)
        near = patch.box.grown(AROUND_PX, shape)
        a, b = place[patch.pair.earlier], place[patch.pair.later]
        for before in _first_shown(looks, range(a - 1, -1, -1), patch.box, inside, min_usable):
            around.setdefault((before, b), set()).add(near)
        for after in _first_shown(looks, range(b + 1, len(looks)), patch.box, inside, min_usable):
            around.setdefault((a, after), set()).add(near)
    windows = [box for row in lattice(shape, cut) for box in row]
    return [
        PairPlan(
            looks[i],
            looks[j],
            frozenset(box for box in windows if any(_meet(box, near) for near in around[i, j])),
            tuple(sorted(around[i, j])),
        )
        for i, j in sorted(around, key=lambda pair: (pair[1], -pair[0]))
    ]


def _first_shown(
    looks: Sequence[PreparedLook],
    numbers: Iterable[int],
    box: Box,
    inside: BoolArray,
    min_usable: float,
) -> list[int]:
    """The first of the looks that shows enough of a patch, if any does."""
    for number in numbers:
        if np.count_nonzero(looks[number].usable(box.slices) & inside) >= min_usable * inside.sum():
            return [number]
    return []


def _meet(one: Box, other: Box) -> bool:
    rows = one.y0 < other.y1 and other.y0 < one.y1
    return rows and one.x0 < other.x1 and other.x0 < one.x1
