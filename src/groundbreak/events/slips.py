"""The geometry of a berth: axes, mouth, and the vessel that fits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry import LineString, Point, Polygon

from groundbreak.events.geometry import largest_polygon
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


@dataclass(frozen=True)
class Berth:
    """Axes of a berth in metres and degrees clockwise from grid north.

    ``orientation_deg`` of the long axis lies in [0, 180); ``mouth_azimuth_deg`` in [0, 360)
    points out of the mouth, None when the open side is not known.
    """

    length_m: float
    width_m: float
    orientation_deg: float
    mouth_azimuth_deg: float | None
    vessel_length_m: float


def measure_berth(outline: Polygon, is_water: Callable[[Point], bool] | None = None) -> Berth:
    """Measure a berth by its minimum rotated rectangle.

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
        vessel_length_m=vessel_length_m(length, width),
    )


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
    """Overall length of the longest vessel that the berth takes.

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
