"""What looks and pairs show over the footprint of each object."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from groundbreak.events.checks import check_share
from groundbreak.events.geometry import burn, pixel_box, to_pixels
from groundbreak.events.looks import LookMeta, PairKey
from groundbreak.events.objects import TrackedObject
from groundbreak.types import BoolArray, Box, FloatArray

ReadPair = Callable[[PairKey, Box], "tuple[FloatArray, BoolArray] | None"]
"""Pair and window to (probabilities (3, h, w), observed (h, w)); None where not computed."""
ReadUsable = Callable[[str, Box], BoolArray]
"""Id of a look and window to the usable mask (h, w)."""

ReadPixels = Callable[[str, Box], "tuple[FloatArray, tuple[str, ...]]"]
"""Id of a look and window to (pixels (bands, h, w), names of the bands)."""

BLOCK_PX = 1024
"""Objects whose centres share a block of this size are read together."""


@dataclass(frozen=True)
class EvidenceConfig:
    """When a look counts for an object.

    Attributes:
        min_usable: least usable share of the footprint for a look to count.
        min_observed: least share of the footprint that a pair must have observed to be evidence.
    """

    min_usable: float = 0.5
    min_observed: float = 0.3

    def __post_init__(self) -> None:
        check_share("min_usable", self.min_usable)
        check_share("min_observed", self.min_observed)


@dataclass(frozen=True)
class ObjectEvidence:
    """What was seen of one object.

    ``usable`` is the usable share of the footprint at every look of the site, in their order;
    ``pairs`` the mean (none, new, demolition, slip) over the footprint's observed core.
    """

    usable: tuple[float, ...]
    pairs: Mapping[PairKey, tuple[float, float, float, float]] = field(default_factory=dict)


def gather_evidence(
    objects: Sequence[TrackedObject],
    looks: Sequence[LookMeta],
    pairs: Sequence[PairKey],
    geobox: GeoBox,
    read_pair: ReadPair,
    read_usable: ReadUsable,
    config: EvidenceConfig,
) -> list[ObjectEvidence]:
    """Average masks and probabilities over footprints, reading block by block.

    Args:
        objects: whose footprints are in the grid's CRS.
        looks: of the site.
        pairs: that were computed, at least in part.
        geobox: the site's grid.
        read_pair: probabilities and observed mask of a window.
        read_usable: usable mask of a window.
        config: see `EvidenceConfig`.

    Returns:
        One record for each object, in their order.
    """
    shape = (int(geobox.shape[0]), int(geobox.shape[1]))
    outlines = [to_pixels(tracked.footprint, geobox) for tracked in objects]
    blocks: dict[tuple[int, int], list[int]] = {}
    for number, outline in enumerate(outlines):
        centre = outline.centroid
        key = (int(centre.y // BLOCK_PX), int(centre.x // BLOCK_PX))
        blocks.setdefault(key, []).append(number)
    found: dict[int, ObjectEvidence] = {}
    for members in blocks.values():
        around = shapely.box(*shapely.total_bounds([outlines[n] for n in members]))
        box = pixel_box(around).grown(1, shape)
        whole, core = _Zones.of([_pixels(outlines[n], box, shape) for n in members])
        usable = np.array([whole.mean(read_usable(look.id, box)) for look in looks])
        evidence: list[dict[PairKey, tuple[float, float, float, float]]] = [{} for _ in members]
        for pair in pairs:
            block = read_pair(pair, box)
            if block is None or not block[1].any():
                continue
            probabilities, observed = block
            seen = core.mean(observed)
            means = np.stack([core.mean(np.where(observed, p, 0.0)) for p in probabilities])
            for m in (int(i) for i in np.flatnonzero(seen >= config.min_observed)):
                new, demolished, slip = (float(v) for v in means[:, m] / seen[m])
                none = max(1.0 - new - demolished - slip, 0.0)
                evidence[m][pair] = (none, new, demolished, slip)
        for m, number in enumerate(members):
            found[number] = ObjectEvidence(tuple(float(u) for u in usable[:, m]), evidence[m])
    return [found[number] for number in range(len(objects))]


class _Zones:
    """Pixels of several footprints in one window; footprints may overlap."""

    def __init__(self, zones: Sequence[NDArray[np.intp]]) -> None:
        self._pixels = np.concatenate(zones)
        sizes = np.array([len(zone) for zone in zones])
        self._starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        self._sizes = sizes

    @staticmethod
    def of(pixels: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]]) -> tuple[_Zones, _Zones]:
        return _Zones([whole for whole, _ in pixels]), _Zones([core for _, core in pixels])

    def mean(self, values: NDArray[np.generic]) -> NDArray[np.float64]:
        """Mean of a (height, width) array over each footprint."""
        picked = values.ravel()[self._pixels].astype(np.float64)
        return np.asarray(np.add.reduceat(picked, self._starts) / self._sizes)


def _pixels(
    outline: BaseGeometry, box: Box, shape: tuple[int, int]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Flat indices of a footprint in a window, and of its core without mixed border pixels.

    ``box`` holds the footprint with a margin of a pixel, as far as the grid of ``shape`` reaches.
    """
    from scipy import ndimage

    own = pixel_box(outline).grown(1, shape)
    mask = burn(outline, own)
    core = ndimage.binary_erosion(mask)
    if 2 * core.sum() < mask.sum():
        core = mask
    whole, inner = (_flat(np.nonzero(pixels), own, box) for pixels in (mask, core))
    return whole, inner


def _flat(at: tuple[NDArray[np.intp], ...], own: Box, box: Box) -> NDArray[np.intp]:
    """Indices of pixels of a window within it into the flat array of another one around it."""
    rows, columns = at
    return (rows + own.y0 - box.y0) * box.shape[1] + columns + own.x0 - box.x0
