"""A look at a glance: a small picture from which clouds and references are judged.

A cloud is known by not being there on other days. The looks are therefore read once on a coarse
grid and judged against a background made of their neighbours in time; what was decided there is
enlarged to the site's grid when the look is prepared.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from odc.geo.geobox import GeoBox

from groundbreak.prepare.acquire import Acquired, in_common, of_other_scale
from groundbreak.prepare.looks import LookPlan
from groundbreak.prepare.network import clouds_by_network
from groundbreak.types import BoolArray
from groundbreak.usable.background import background_from
from groundbreak.usable.clouds import CloudConfig, detect_clouds

LONGEST_SIDE = 768
MOST_VALUES = 1.5e8
"""Of all overviews of a site together: 600 MB, kept compressed on disk and a few in memory."""

EARLIER, LATER = 5, 2
"""Neighbours that make the background of a look. Few later ones, so that a new acquisition
changes little of what was decided before it came."""

REFERENCE_SHARE = 0.7
"""The first look that shows this share of the site is the one that all others are aligned to."""

_network_turn = threading.Lock()
"""The cloud network has threads of its own."""


@dataclass(frozen=True)
class Glance:
    """A look on the coarse grid, judged by itself; masks are (height, width).

    ``told`` is True where the cloud network says cloud or shadow, ``clear`` where the look is
    usable and nothing speaks for cloud.
    """

    acquired: Acquired
    told: BoolArray
    clear: BoolArray


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
    """The grid of the overviews: that of the site, or a coarser one that bounds memory.

    Args:
        grid: of the site.
        looks: their number.
        bands: of a look at most. Not those of the looks that there are: one more look must not
            have all others judged anew on another grid.
    """
    # In steps: one more look must not have all others judged anew on another grid.
    room = 1 << max(0, looks - 1).bit_length()
    side = min(LONGEST_SIDE, math.isqrt(int(MOST_VALUES / max(1, room * bands))))
    longest = max(grid.shape)
    return grid if longest <= side else grid.zoom_to(side)


def take_glance(plan: LookPlan, acquired: Acquired, grid: GeoBox, network: bool) -> Glance:
    """Judge a look by itself.

    Args:
        plan: of the look.
        acquired: the look on the coarse grid.
        grid: the coarse grid.
        network: ask the trained cloud network as well, where it knows the sensor.
    """
    gsd_m = abs(float(grid.resolution.x))
    told = np.zeros_like(acquired.valid)
    if network:
        with _network_turn:
            told = clouds_by_network(plan, acquired, gsd_m)
    found = detect_clouds(acquired.pixels, acquired.valid, acquired.bands, gsd_m)
    return Glance(acquired, told, acquired.usable & ~(found.cloud | found.shadow | told))


def find_clouds(look: Glance, others: Sequence[Glance], grid: GeoBox) -> BoolArray:
    """Clouds and shadows (height, width) of a look against its neighbours in time.

    By the bands that all of them have, and by those that are of its kind, stretched for the screen
    or not, where there are any.
    """
    alike = [other for other in others if not of_other_scale(look.acquired, other.acquired)]
    config = CloudConfig(other_scale=bool(others) and not alike)
    others = alike or others
    bands = in_common(look.acquired, *(other.acquired for other in others))
    background, background_valid = None, None
    if others:
        background, background_valid = background_from(
            np.stack([other.acquired.select(bands) for other in others]),
            np.stack([other.clear for other in others]),
        )
    found = detect_clouds(
        look.acquired.select(bands),
        look.acquired.valid,
        bands,
        abs(float(grid.resolution.x)),
        background=background,
        background_valid=background_valid,
        config=config,
    )
    return look.told | found.cloud | found.shadow


def choose_reference(usable_shares: Sequence[float]) -> int:
    """The look all others are aligned to: the first one that shows most of the site.

    Args:
        usable_shares: of the site, by date.
    """
    good = [i for i, share in enumerate(usable_shares) if share >= REFERENCE_SHARE]
    return good[0] if good else int(np.argmax(usable_shares))


def neighbours(index: int, count: int) -> list[int]:
    """The looks whose pixels make the background of look ``index`` of ``count``."""
    return [i for i in range(index - EARLIER, index + LATER + 1) if 0 <= i < count and i != index]
