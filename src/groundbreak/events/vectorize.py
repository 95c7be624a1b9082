"""Change maps to polygons, block by block.

Pixels of one kind at or above a low threshold form a component if one of them reaches the high
threshold (hysteresis); components that a block's border cuts are joined again, so the result does
not depend on the blocks. Pixel outlines have whole-number corners, hence joining them is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.affinity import translate
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from groundbreak.events.checks import check_share
from groundbreak.events.geometry import burn, pixel_box, to_ground
from groundbreak.events.looks import PairKey
from groundbreak.events.split import split_component
from groundbreak.types import KINDS, BoolArray, Box, ChangeMap, FloatArray, Kind

Labels = NDArray[np.int64]

ReadChange = Callable[[Box], "tuple[FloatArray, BoolArray] | None"]
"""Window to (probabilities (3, h, w), observed (h, w)); None where nothing was computed."""


SPLIT_LIMIT_PX = 4_000_000
"""Larger components (a whole quarter) are not searched for valleys."""


@dataclass(frozen=True)
class VectorConfig:
    """When a patch of a change map is worth a polygon.

    Attributes:
        thresholds: probability that at least one pixel of the patch must reach, per kind.
        low_ratio: the patch grows to pixels of at least this share of the threshold.
        min_area_m2: smaller patches are dropped, per kind.
        simplify_px: how far the outline may move when it is simplified, in pixels.
    """

    thresholds: Mapping[Kind, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 0.5))
    low_ratio: float = 0.6
    min_area_m2: Mapping[Kind, float] = field(
        default_factory=lambda: {
            Kind.NEW_BUILDING: 30.0,
            Kind.DEMOLITION: 30.0,
            Kind.DOCKING_SLIP: 200.0,
        }
    )
    simplify_px: float = 0.5

    def __post_init__(self) -> None:
        check_share("thresholds", *self.thresholds.values())
        check_share("low_ratio", self.low_ratio)


@dataclass(frozen=True)
class Candidate:
    """A patch of change in one pair.

    ``polygon`` is in the grid's CRS, ``box`` in its pixels; ``mean`` and ``peak`` are the
    probability of the kind over the patch. ``at_edge`` tells that the patch touches the border
    of the grid.
    """

    kind: Kind
    pair: PairKey
    polygon: Polygon
    box: Box
    mean: float
    peak: float
    at_edge: bool = False


@dataclass
class _Part:
    """One component inside one block; ``outline`` has whole-pixel corners."""

    kind: Kind
    outline: BaseGeometry
    pixels: int
    total: float
    peak: float


class _Merger:
    """Union-find over parts that meet at the borders of blocks, read row by row."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.parts: list[_Part] = []
        self._parent: list[int] = []
        height, width = shape
        # Part number and end coordinate of what was last seen above each column, left of each row.
        self._above = np.full((2, width), -1, dtype=np.int64)
        self._left = np.full((2, height), -1, dtype=np.int64)

    def add(self, part: _Part) -> int:
        self.parts.append(part)
        self._parent.append(len(self._parent))
        return len(self._parent) - 1

    def join(self, box: Box, numbers: Labels) -> None:
        """Join a block's parts (``numbers``, -1 for none) with those above and to the left."""
        rows, columns = box.slices
        for seen, span, at, near, far in (
            (self._above, columns, box.y0, numbers[0], numbers[-1]),
            (self._left, rows, box.x0, numbers[:, 0], numbers[:, -1]),
        ):
            touching = (seen[1, span] == at) & (seen[0, span] >= 0) & (near >= 0)
            for one, other in np.unique(
                np.stack([seen[0, span][touching], near[touching]]), axis=1
            ).T:
                if self.parts[one].kind == self.parts[other].kind:
                    self._unite(int(one), int(other))
            seen[0, span] = far
        self._above[1, columns] = box.y1
        self._left[1, rows] = box.x1

    def groups(self) -> Iterator[list[_Part]]:
        members: dict[int, list[_Part]] = {}
        for number, part in enumerate(self.parts):
            members.setdefault(self._root(number), []).append(part)
        yield from members.values()

    def _root(self, number: int) -> int:
        while self._parent[number] != number:
            self._parent[number] = self._parent[self._parent[number]]
            number = self._parent[number]
        return number

    def _unite(self, one: int, other: int) -> None:
        low, high = sorted((self._root(one), self._root(other)))
        self._parent[high] = low


def candidates(change: ChangeMap, config: VectorConfig) -> list[Candidate]:
    """Polygons of a change map that is in memory; see `candidates_streamed`."""
    height, width = change.geobox.shape

    def read(box: Box) -> tuple[FloatArray, BoolArray]:
        rows, columns = box.slices
        return change.probabilities[:, rows, columns], change.observed[rows, columns]

    pair = PairKey(change.earlier_id, change.later_id)
    return candidates_streamed(read, [Box(0, height, 0, width)], change.geobox, pair, config)


def candidates_streamed(
    read: ReadChange,
    windows: Iterable[Box],
    geobox: GeoBox,
    pair: PairKey,
    config: VectorConfig,
) -> list[Candidate]:
    """Polygons of a change map that is read block by block.

    Args:
        read: gives the probabilities (3, h, w) and the observed mask (h, w) of a window.
        windows: blocks that cover the grid without overlap, row by row from the north-west.
        geobox: the site's grid.
        pair: ids of the two looks.
        config: thresholds, least areas.

    Returns:
        Candidates from north to south, then west to east; the same for every choice of blocks.
    """
    shape = (int(geobox.shape[0]), int(geobox.shape[1]))
    pixel_m2 = abs(geobox.affine.determinant)
    least = {kind: config.min_area_m2[kind] / pixel_m2 for kind in KINDS}
    merger = _Merger(shape)
    for box in windows:
        block = read(box)
        if block is not None:
            merger.join(box, _components(merger, box, *block, config, least))
    found: list[Candidate] = []
    for parts in merger.groups():
        kind, peak = parts[0].kind, max(part.peak for part in parts)
        pixels = sum(part.pixels for part in parts)
        if peak < config.thresholds[kind] or pixels < least[kind]:
            continue
        whole = _Part(
            kind,
            shapely.union_all([part.outline for part in parts]),
            pixels,
            sum(part.total for part in parts),
            peak,
        )
        for part in _split(whole, read, config, least[kind]):
            found += _finish(part, geobox, pair, config, least[kind])
    return sorted(found, key=lambda c: (c.box, c.kind.value_in_mask))


def _components(
    merger: _Merger,
    box: Box,
    probabilities: FloatArray,
    observed: BoolArray,
    config: VectorConfig,
    least: Mapping[Kind, float],
) -> Labels:
    """Add a block's components to the merger; part number per pixel, -1 where there is none."""
    from rasterio.features import shapes
    from scipy import ndimage

    numbers = np.full(observed.shape, -1, dtype=np.int64)
    strongest = probabilities.argmax(axis=0)
    for channel, kind in enumerate(KINDS):
        values = probabilities[channel]
        low = config.thresholds[kind] * config.low_ratio
        mask = observed & (strongest == channel) & (values >= low)
        if not mask.any():
            continue
        labels, count = ndimage.label(mask)
        pixels, totals, peaks = _measured(labels, values, count)
        cut = np.zeros(count + 1, dtype=bool)
        for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
            cut[edge] = True
        keep = cut | ((peaks >= config.thresholds[kind]) & (pixels >= least[kind]))
        keep[0] = False
        kept = np.where(keep[labels], labels, 0).astype(np.int32)
        # One label is one 4-connected component, so it yields exactly one polygon.
        part_of = np.full(count + 1, -1, dtype=np.int64)
        for geometry, value in shapes(kept, mask=kept > 0, connectivity=4):
            label = int(value)
            outline = translate(shapely.geometry.shape(geometry), box.x0, box.y0)
            part_of[label] = merger.add(
                _Part(kind, outline, int(pixels[label]), float(totals[label]), float(peaks[label]))
            )
        numbers = np.where(kept > 0, part_of[kept], numbers)
    return numbers


def _measured(
    labels: NDArray[np.signedinteger[Any]], values: FloatArray, count: int
) -> tuple[Labels, NDArray[np.float64], FloatArray]:
    """Pixels, sum and maximum of each label, by label; 0 for label 0."""
    inside = np.flatnonzero(labels)
    order = inside[np.argsort(labels.ravel()[inside], kind="stable")]
    pixels = np.bincount(labels.ravel()[order], minlength=count + 1)
    starts = np.concatenate([[0], np.cumsum(pixels[1:])[:-1]])
    sorted_values = values.ravel()[order]
    totals = np.zeros(count + 1)
    totals[1:] = np.add.reduceat(sorted_values.astype(np.float64), starts)
    peaks = np.zeros(count + 1, np.float32)
    peaks[1:] = np.maximum.reduceat(sorted_values, starts)
    return pixels, totals, peaks


def _split(part: _Part, read: ReadChange, config: VectorConfig, least_px: float) -> Iterable[_Part]:
    """The buildings in a patch that is clearly several of them, else the patch itself."""
    from rasterio.features import shapes

    box = pixel_box(part.outline)
    height, width = box.shape
    too_small = part.pixels < 2 * least_px
    if part.kind is Kind.DOCKING_SLIP or too_small or height * width > SPLIT_LIMIT_PX:
        return [part]
    block = read(box)
    if block is None:
        return [part]
    mask = burn(part.outline, box)
    values = block[0][KINDS.index(part.kind)]
    labels = split_component(values, mask, least_px)
    if labels is None:
        return [part]
    pieces = []
    for geometry, value in shapes(labels, mask=labels > 0, connectivity=4):
        own = labels == int(value)
        outline = translate(shapely.geometry.shape(geometry), box.x0, box.y0)
        pieces.append(
            _Part(
                part.kind,
                outline,
                int(outline.area),
                float(values[own].mean() * outline.area),
                float(values[own].max()),
            )
        )
    return pieces


def _finish(
    part: _Part, geobox: GeoBox, pair: PairKey, config: VectorConfig, least_px: float
) -> list[Candidate]:
    if part.pixels < least_px or part.peak < config.thresholds[part.kind]:
        return []
    box = pixel_box(part.outline)
    height, width = geobox.shape
    # Normalised first: what simplification keeps depends on where the ring begins.
    pixels = part.outline.normalize().simplify(0.0)
    outline = pixels.simplify(config.simplify_px, preserve_topology=True)
    if not (isinstance(outline, Polygon) and outline.is_valid):
        outline = pixels
    return [
        Candidate(
            kind=part.kind,
            pair=pair,
            polygon=to_ground(outline, geobox),
            box=box,
            mean=part.total / part.pixels,
            peak=part.peak,
            at_edge=box.y0 == 0 or box.x0 == 0 or box.y1 == height or box.x1 == width,
        )
    ]
