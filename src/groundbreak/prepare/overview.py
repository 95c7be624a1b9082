"""All looks of a site at a glance: small pictures from which clouds and references are judged.

A cloud is known by not being there on other days. The looks are therefore read once on a coarse
grid and judged against a background made of their neighbours in time; what was decided there is
enlarged to the site's grid when the look is prepared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from odc.geo.geobox import GeoBox

from groundbreak.prepare.acquire import Acquired, Source, acquire
from groundbreak.prepare.looks import LookPlan
from groundbreak.prepare.network import clouds_by_network
from groundbreak.types import BoolArray, FloatArray
from groundbreak.usable.background import background_from
from groundbreak.usable.clouds import detect_clouds

LONGEST_SIDE = 768
MOST_VALUES = 1.5e8
"""Of all overviews of a site together: 600 MB."""

EARLIER, LATER = 5, 2
"""Neighbours that make the background of a look. Few later ones, so that a new acquisition
changes little of what was decided before it came."""

REFERENCE_SHARE = 0.7
"""The first look that shows this share of the site is the one that all others are aligned to."""


@dataclass(frozen=True)
class Overview:
    """A look on the coarse grid. ``clouds`` (height, width) is True under cloud or its shadow."""

    plan: LookPlan
    acquired: Acquired
    clouds: BoolArray

    @property
    def usable(self) -> BoolArray:
        """(height, width): valid, and neither masked nor found to be cloud."""
        return self.acquired.usable & ~self.clouds


def coarse_grid(grid: GeoBox, looks: int, bands: int) -> GeoBox:
    """The grid of the overviews: that of the site, or a coarser one that bounds memory."""
    # In steps: one more look must not have all others judged anew on another grid.
    room = 1 << max(0, looks - 1).bit_length()
    side = min(LONGEST_SIDE, math.isqrt(int(MOST_VALUES / max(1, room * bands))))
    longest = max(grid.shape)
    return grid if longest <= side else grid.zoom_to(side)


def take_overviews(
    plans: Sequence[LookPlan],
    grid: GeoBox,
    source: Source,
    network: bool = False,
    threads: int = 1,
    held: Mapping[str, Acquired] | None = None,
) -> list[Overview]:
    """Read and judge every look on the coarse grid.

    Args:
        plans: of the looks.
        grid: the coarse grid.
        source: how scenes are read.
        network: ask the trained cloud network as well, where it knows the sensor.
        threads: looks that are worked on at once.
        held: looks, by id, that are not read but taken as they are.

    Raises:
        SceneLostError: a file is damaged.
    """
    held = held or {}
    gsd_m = abs(float(grid.resolution.x))
    bands = source.bands
    with ThreadPoolExecutor(threads) as pool:
        acquired = list(pool.map(lambda p: held.get(p.id) or acquire(p, grid, source), plans))
        stack = np.stack([look.pixels for look in acquired])
        usable = np.stack([look.usable for look in acquired])
        told = np.zeros_like(usable)
        if network:
            for i, (plan, look) in enumerate(zip(plans, acquired, strict=True)):
                told[i] = clouds_by_network(plan, look, bands, gsd_m)
        alone = pool.map(lambda a: detect_clouds(a.pixels, a.valid, bands, gsd_m), acquired)
        for i, found in enumerate(alone):
            usable[i] &= ~(found.cloud | found.shadow | told[i])
        clouds = pool.map(
            lambda i: _clouds(i, stack, usable, acquired, bands, gsd_m), range(len(plans))
        )
        return [
            Overview(plan, look, by_network | found)
            for plan, look, by_network, found in zip(plans, acquired, told, clouds, strict=True)
        ]


def choose_reference(overviews: Sequence[Overview], inside: BoolArray) -> int:
    """The look all others are aligned to: the first one that shows most of the site.

    Args:
        overviews: by date.
        inside: (height, width), True inside the site's outline.
    """
    shares = [float(view.usable[inside].mean()) for view in overviews]
    good = [i for i, share in enumerate(shares) if share >= REFERENCE_SHARE]
    return good[0] if good else int(np.argmax(shares))


def neighbours(index: int, count: int) -> list[int]:
    """The looks whose pixels make the background of look ``index`` of ``count``."""
    return [i for i in range(index - EARLIER, index + LATER + 1) if 0 <= i < count and i != index]


def _clouds(
    index: int,
    stack: FloatArray,
    usable: BoolArray,
    acquired: Sequence[Acquired],
    bands: Sequence[str],
    gsd_m: float,
) -> BoolArray:
    others = neighbours(index, len(stack))
    background, background_valid = None, None
    if others:
        background, background_valid = background_from(stack[others], usable[others])
    found = detect_clouds(
        stack[index],
        acquired[index].valid,
        bands,
        gsd_m,
        background=background,
        background_valid=background_valid,
    )
    return found.cloud | found.shadow
