"""The geometry of a berth: axes, mouth, and the vessel that fits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
import shapely.affinity
from numpy.typing import NDArray
from shapely.geometry import LineString, Point, Polygon

from groundbreak.events.geometry import burn, largest_polygon, pixel_box
from groundbreak.types import BoolArray, FloatArray

SPUR_SHARE = 0.3
"""What is narrower than this share of the berth's width, on both sides, is a spur."""
LENGTH_SHARE = 0.90
"""Overall length of the longest vessel as a share of the berth's length."""
LEAST_SPREAD = 0.015
"""Water is not taken to be smoother than this, in units of full brightness."""
BEAM_SHARE = 0.80
"""Beam of the widest vessel as a share of the berth's width."""
LENGTH_PER_BEAM = 6.5
"""Overall length per beam of merchant and naval vessels; see `vessel_length_m`."""


FIT_SHARE = 0.95
"""Of the room that a vessel needs, so much must lie in the outline, which pixels make ragged."""
FIT_STEP = 0.95
"""Lengths that are tried, as a share of the next longer one."""
FIT_TURNS = 36
"""Directions that are tried, over half a turn from the long axis on."""
FIT_CELLS = (8, 256)
"""Cells across the mean width of a berth, and at most along the frame, when room is sought."""


@dataclass(frozen=True)
class Berth:
    """Axes of a berth in metres and degrees clockwise from grid north.

    ``length_m`` and ``width_m`` are sides of the frame (see `measure_berth`); the vessel fits the
    outline itself. ``orientation_deg`` of the long axis lies in [0, 180); ``mouth_azimuth_deg`` in
    [0, 360) points out of the mouth, None when the open side is not known.
    """

    length_m: float
    width_m: float
    orientation_deg: float
    mouth_azimuth_deg: float | None
    vessel_length_m: float


def measure_berth(outline: Polygon, is_water: Callable[[Point], bool] | None = None) -> Berth:
    """Measure a berth by its frame, the minimum rotated rectangle; the vessel by its outline.

    Args:
        outline: footprint of the berth in a metric CRS.
        is_water: tells of a point beside the berth whether it is water; without it the mouth
            is not known.
    """
    corners = np.asarray(shapely.minimum_rotated_rectangle(_opened(outline)).exterior.coords)[:4]
    sides = [(corners[n], corners[(n + 1) % 4]) for n in range(4)]
    lengths = [float(np.hypot(*(b - a))) for a, b in sides[:2]]
    long = int(lengths[1] > lengths[0])
    along = (sides[long][1] - sides[long][0]) / max(lengths[long], 1e-9)
    length, width = max(lengths), min(lengths)
    azimuth = math.degrees(math.atan2(along[0], along[1])) % 180.0
    return Berth(
        length_m=length,
        width_m=width,
        orientation_deg=0.0 if round(azimuth, 6) == 180.0 else azimuth,
        mouth_azimuth_deg=None if is_water is None else _mouth(outline, sides, is_water),
        vessel_length_m=_fitting(outline, vessel_length_m(length, width), azimuth),
    )


def _fitting(outline: Polygon, longest: float, azimuth: float) -> float:
    """The length of the longest vessel, up to ``longest``, for which a berth has room.

    The frame of a bent berth is much wider than its water: a straight piece as long and as wide
    as the vessel needs must lie in the outline.
    """
    mean_width = outline.area / max(outline.length / 2, 1e-9)
    turned = [
        shapely.affinity.rotate(outline, azimuth + 180.0 * turn / FIT_TURNS, origin=(0, 0))
        for turn in range(FIT_TURNS)
    ]
    across, most = FIT_CELLS
    cell = max(mean_width / across, max(outline.bounds[2:] - np.asarray(outline.bounds[:2])) / most)
    masks = [_counted(shape, cell) for shape in turned]
    length = longest
    while length > 2 * cell:
        # The inverse of `vessel_length_m`: what the vessel needs to have free around it.
        room = length / LENGTH_SHARE / cell, length / LENGTH_PER_BEAM / BEAM_SHARE / cell
        rows, columns = (max(1, round(side)) for side in room)
        if any(_fullest(mask, rows, columns) >= FIT_SHARE * rows * columns for mask in masks):
            break
        length *= FIT_STEP
    return length


def _counted(outline: Polygon, cell: float) -> NDArray[np.int64]:
    """Cells of an outline, north up, counted from the corner: sums over windows are differences."""
    west, _, _, north = outline.bounds
    small = shapely.transform(outline, lambda xy: (xy - (west, north)) / (cell, -cell))
    mask = np.pad(burn(small, pixel_box(small)), ((1, 0), (1, 0)))
    return np.asarray(mask.cumsum(axis=0, dtype=np.int64).cumsum(axis=1))


def _fullest(counted: NDArray[np.int64], rows: int, columns: int) -> int:
    """The most cells of the outline that a window of that size holds."""
    height, width = (side - 1 for side in counted.shape)
    # A window that is larger than the picture holds no more than its part within.
    rows, columns = min(rows, height), min(columns, width)
    below, above = counted[rows:], counted[: height + 1 - rows]
    sums = below[:, columns:] - below[:, : width + 1 - columns]
    sums -= above[:, columns:] - above[:, : width + 1 - columns]
    return int(sums.max())


def _opened(outline: Polygon) -> Polygon:
    """The outline without spurs, which would lengthen its rectangle."""
    reach = SPUR_SHARE * outline.area / max(outline.length / 2, 1e-9)
    inner = outline.buffer(-reach, join_style="mitre")
    opened = largest_polygon(inner.buffer(reach, join_style="mitre", mitre_limit=2))
    return outline if opened.area < 0.5 * outline.area else opened


def water_like(pixels: FloatArray, bands: Sequence[str], berth: BoolArray) -> BoolArray:
    """Pixels that look like the water of a berth, in the look that shows it.

    With green and near infrared, McFeeters' water index decides; else likeness to the median
    colour of the berth itself, which is mostly water.

    Args:
        pixels: (bands, height, width) in [0, 1].
        bands: common names.
        berth: (height, width), pixels of the berth.

    Returns:
        (height, width).
    """
    if "green" in bands and "nir" in bands:
        green, nir = (pixels[list(bands).index(name)] for name in ("green", "nir"))
        return np.asarray(green > nir)
    sample = pixels[:, berth]
    centre = np.median(sample, axis=1)
    spread = 1.4826 * np.median(np.abs(sample - centre[:, None]), axis=1)
    distance = np.abs(pixels - centre[:, None, None])
    return np.asarray((distance < 4 * np.maximum(spread, LEAST_SPREAD)[:, None, None]).all(axis=0))


def vessel_length_m(length_m: float, width_m: float) -> float:
    """Overall length of the longest vessel that a straight berth takes.

    The lesser of two limits: a tenth of the berth's length and a fifth of its width stay free.
    Port guidance asks for clearances of that order. UNCTAD's *Port Development* (1985) gives a
    quay 1.1 times the vessel's length and some metres; Lloyd's Register's rules for floating
    docks take ships of 0.8 to 0.92 of the dock's length. Merchant vessels are five to eight
    times as long as wide (PIANC MarCom report 235, 2022, gives tables); 6.5 is the middle.
    """
    return min(LENGTH_SHARE * length_m, BEAM_SHARE * width_m * LENGTH_PER_BEAM)


def _mouth(
    outline: Polygon,
    sides: list[tuple[np.ndarray, np.ndarray]],
    is_water: Callable[[Point], bool],
) -> float | None:
    """Azimuth out of the side with most water before it; None if no side is mostly water."""
    centre = np.asarray(outline.centroid.coords[0])
    best, best_share = None, 0.5
    for a, b in sides:
        middle = (a + b) / 2
        outward = middle - centre
        outward = outward / max(float(np.hypot(*outward)), 1e-9)
        reach = 0.5 * min(float(np.hypot(*(b - a))), math.sqrt(outline.area))
        probe = LineString([a + outward * reach, b + outward * reach])
        points = [
            probe.interpolate(share, normalized=True) for share in (0.2, 0.35, 0.5, 0.65, 0.8)
        ]
        water = sum(is_water(point) for point in points) / len(points)
        if water > best_share:
            best = math.degrees(math.atan2(outward[0], outward[1])) % 360.0
            best_share = water
    return best
