"""Tells patches with a cloud's edge from patches with a roof's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from groundbreak.types import BoolArray, FloatArray
from groundbreak.usable.evidence import Evidence

_FINE_M = 5.0  # below, clouds are smooth inside, and roofs and yards are not
_COARSE_M = 15.0  # above, the edge of a cloud is as sharp as that of a roof
_GRAIN_WEIGHT = 10.0  # grain is 0.001 to 0.006 in clouds at 2 m, 0.003 to 0.05 on the ground
_TINT_WEIGHT = 0.5
_CUT_OFF = (
    0.001,
    0.01,
)  # grain and tint below which the picture cut off the brightness of a patch;
_STEEPENED = (
    0.04  # so much steeper looks what is left of a cloud's edge, if it is as uneven as theirs:
)
_SOFTEST = 0.22  # its softest tenth; at 2 m that of blurred roofs rises by 0.23 to 0.30
_GROUP_GROWTH = 2.0  # a patch beside clouds is at most so many times as large as they are
_MARGIN_PX = 4  # looked at around a patch

_Box = tuple[slice, ...]


@dataclass(frozen=True)
class PatchRule:
    """What makes a bright patch a cloud: a wide core, a soft edge, and no ground in it."""

    core: float
    """Least opacity of the core."""
    rim: float
    """The patch reaches from the core down to this opacity,"""
    reach_m: float
    """but at most so far."""
    width_m: float
    """The core is at least so wide somewhere."""
    max_tint: float
    """Greatest (max - min) / max of the bands in the core. Pictures that were stretched band by
    band have slightly coloured clouds."""
    group_m: float = 500.0
    """How far clouds of a group are from each other."""
    likeness: float = 0.4
    """Of the fine structure to that of the ground, at most: above, the ground shows through."""
    edge: float = 0.28
    """Greatest rise of the edge per pixel, as a share of the whole step, at 5 to 15 m."""
    fine_edge: float = 0.25
    """The same at finer pixels, with ten times the grain and half the tint of the core added."""


def soft_patches(
    evidence: Evidence, gsd_m: float, rule: PatchRule, beside: BoolArray | None = None
) -> BoolArray:
    """The patches, from core to rim, that look like cloud: (height, width).

    Args:
        evidence: of the look.
        gsd_m: pixel size in metres.
        rule: thresholds.
        beside: clouds that were found already. If given, a core lies within ``rule.group_m`` of
            them, and a patch is at most twice as large as all of them together.
    """
    opacity = evidence.opacity
    core = evidence.seen & (opacity > rule.core) & (evidence.tint < rule.max_tint)
    if beside is not None:
        core &= widened(beside, rule.group_m / gsd_m)
    core = opened(core, rule.width_m / 2 / gsd_m)
    if not core.any():
        return core
    patches = ndimage.binary_propagation(core, mask=core | (opacity > rule.rim))
    # A patch may run on along bright streets; only what is near its core is judged and kept.
    kept: BoolArray = patches & widened(core, rule.reach_m / gsd_m)
    rise = [ndimage.sobel(evidence.height, axis) for axis in (0, 1)]
    slope = (np.hypot(*rise) / 8.0).astype(np.float32)
    labels, _ = ndimage.label(patches)
    for index, found in enumerate(ndimage.find_objects(labels), start=1):
        box = tuple(slice(max(0, s.start - _MARGIN_PX), s.stop + _MARGIN_PX) for s in found)
        own = labels[box] == index
        patch = _Patch(kept[box] & own, core[box] & own, ~patches[box], box)
        if beside is not None and patch.body.sum() > _GROUP_GROWTH * beside.sum():
            kept[box] &= ~own
            continue
        ground_shows = float(evidence.likeness[box][patch.core].mean()) > rule.likeness
        if ground_shows or not _is_soft(patch, evidence, slope[box], gsd_m, rule):
            kept[box] &= ~own
    return kept


def opened(mask: BoolArray, radius_px: float) -> BoolArray:
    """Opening by a disk; by distances, so that its cost does not grow with the radius."""
    if not mask.any():
        return mask
    padded = np.pad(mask, 1, mode="edge")
    kept = ndimage.distance_transform_edt(padded) > radius_px
    if kept.any():
        kept = padded & (ndimage.distance_transform_edt(~kept) <= radius_px)
    return kept[1:-1, 1:-1]


def widened(mask: BoolArray, radius_px: float) -> BoolArray:
    """Everything within ``radius_px`` of the mask."""
    if not mask.any():
        return mask
    return np.asarray(ndimage.distance_transform_edt(~mask) <= radius_px)


@dataclass(frozen=True)
class _Patch:
    """One patch in a box: where it is, its core, and what is no patch at all."""

    body: BoolArray
    core: BoolArray
    outside: BoolArray
    box: _Box


def _is_soft(
    patch: _Patch, evidence: Evidence, slope: FloatArray, gsd_m: float, rule: PatchRule
) -> bool:
    if gsd_m > _COARSE_M:
        return True
    edge = _edge_slope(patch, evidence.height[patch.box], slope)
    if gsd_m >= _FINE_M:
        return edge <= rule.edge
    inner = ndimage.binary_erosion(patch.core, iterations=2, border_value=1)
    inner = inner if inner.any() else patch.core
    grain = float(np.median(evidence.grain[patch.box][inner]))
    tint = float(np.median(evidence.tint[patch.box][inner]))
    limit = rule.fine_edge
    if grain < _CUT_OFF[0] and tint < _CUT_OFF[1]:
        uneven = _edge_slope(patch, evidence.height[patch.box], slope, share=10) <= _SOFTEST
        limit += _STEEPENED * uneven
    return edge + _GRAIN_WEIGHT * grain + _TINT_WEIGHT * tint <= limit


def _edge_slope(patch: _Patch, height: FloatArray, slope: FloatArray, share: float = 50) -> float:
    """Rise per pixel of the edge of a patch, as a share of its whole step.

    It is the median (or another percentile ``share``) along the line half-way up, or along that
    three quarters up where this is steeper: a white roof may stand on bright ground. 0 for a patch
    without an edge in the picture.
    """
    ring = ndimage.binary_dilation(patch.body, iterations=3) & patch.outside
    if not ring.any():
        return 0.0
    top, bottom = float(np.median(height[patch.core])), float(np.median(height[ring]))
    around = ndimage.binary_dilation(patch.body)
    steepest = 0.0
    for level in (0.5, 0.75):
        above = height > bottom + level * (top - bottom)
        edge = ndimage.binary_dilation(above) & ~ndimage.binary_erosion(above, border_value=1)
        edge &= around
        if edge.any():
            steepest = max(steepest, float(np.percentile(slope[edge], share)))
    return steepest / max(top - bottom, 0.1)
