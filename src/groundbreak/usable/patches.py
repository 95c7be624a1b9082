"""Tells patches with a cloud's edge from patches with a roof's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from groundbreak.types import BoolArray, FloatArray

_FINE_M = 5.0  # below, clouds are smooth inside, and roofs and yards are not
_GRAIN_WEIGHT = 10.0  # grain of cloud is 0.001 to 0.006 at 2 m, of the ground 0.003 to 0.05
_TINT_WEIGHT = 0.5
_COARSE_M = 15.0  # above, the edge of a cloud is as sharp as that of a roof
_MARGIN_PX = 4  # looked at around a patch


@dataclass(frozen=True)
class PatchRule:
    """What makes a bright patch a cloud: a wide core, a soft edge, and no ground in it."""

    core: float
    """Least opacity of the core."""
    rim: float
    """The patch reaches from the core down to this opacity."""
    width_m: float
    """The core is at least so wide somewhere."""
    reach_m: float
    """The rim is at most so far from the core."""
    likeness: float
    """Of the fine structure to that of the ground, at most: above, the ground shows through."""
    edge: float = 0.28
    """Greatest rise of the edge per pixel, as a share of the whole step, at 5 to 15 m."""
    fine_edge: float = 0.25
    """The same at finer pixels, with ten times the grain and half the tint of the core added."""


@dataclass(frozen=True)
class Evidence:
    """What patches are judged by, (height, width) each.

    ``opacity`` is 0 for ground and 1 for opaque cloud, smoothed; ``height`` the same for the mean
    of the bands, nearly as sharp as it is; ``grain`` the size of the fine structure of
    the look relative to white; ``likeness`` (-1 to 1) how much that structure is the ground's,
    None where the ground is not known; ``candidates`` is where a core may be.
    """

    opacity: FloatArray
    height: FloatArray
    grain: FloatArray
    tint: FloatArray
    likeness: FloatArray | None
    candidates: BoolArray

    def cut(self, box: tuple[slice, ...]) -> Evidence:
        """The part of it in a box."""
        return Evidence(
            opacity=self.opacity[box],
            height=self.height[box],
            grain=self.grain[box],
            tint=self.tint[box],
            likeness=None if self.likeness is None else self.likeness[box],
            candidates=self.candidates[box],
        )


@dataclass(frozen=True)
class Patch:
    """One patch within a box: where it is, its core, and what is no patch at all."""

    body: BoolArray
    core: BoolArray
    outside: BoolArray
    evidence: Evidence


def soft_patches(evidence: Evidence, gsd_m: float, rule: PatchRule) -> BoolArray:
    """The patches, from core to rim, that look like cloud: (height, width)."""
    opacity = evidence.opacity
    core = opened(evidence.candidates & (opacity > rule.core), rule.width_m / 2 / gsd_m)
    patches = ndimage.binary_propagation(core, mask=core | (opacity > rule.rim))
    labels, _ = ndimage.label(patches)
    # A patch may run on along bright streets; only what is near its core is judged and kept.
    kept: BoolArray = patches & widened(core, rule.reach_m / gsd_m)
    across, down = ndimage.sobel(evidence.height, 0), ndimage.sobel(evidence.height, 1)
    slope = (np.hypot(across, down) / 8.0).astype(np.float32)
    for index, found in enumerate(ndimage.find_objects(labels), start=1):
        box = tuple(slice(max(0, s.start - _MARGIN_PX), s.stop + _MARGIN_PX) for s in found)
        patch = Patch(
            body=kept[box] & (labels[box] == index),
            core=core[box] & (labels[box] == index),
            outside=~patches[box],
            evidence=evidence.cut(box),
        )
        if not _is_soft(patch, slope[box], gsd_m, rule) or _ground_shows(patch, rule):
            kept[box] &= ~patch.body
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


def _ground_shows(patch: Patch, rule: PatchRule) -> bool:
    likeness = patch.evidence.likeness
    return likeness is not None and float(likeness[patch.core].mean()) > rule.likeness


def _is_soft(patch: Patch, slope: FloatArray, gsd_m: float, rule: PatchRule) -> bool:
    if gsd_m > _COARSE_M:
        return True
    edge = _edge_slope(patch, slope)
    if gsd_m >= _FINE_M:
        return edge <= rule.edge
    inner = ndimage.binary_erosion(patch.core, iterations=2, border_value=1)
    inner = inner if inner.any() else patch.core
    grain = float(np.median(patch.evidence.grain[inner]))
    tint = float(np.median(patch.evidence.tint[inner]))
    return edge + _GRAIN_WEIGHT * grain + _TINT_WEIGHT * tint <= rule.fine_edge


def _edge_slope(patch: Patch, slope: FloatArray) -> float:
    """Rise per pixel of the edge of a patch, as a share of its whole step.

    It is the median along the line half-way up, or along that three quarters up where this is
    steeper: a white roof may stand on bright ground. 0 for a patch without an edge in the picture.
    """
    height = patch.evidence.height
    ring = ndimage.binary_dilation(patch.body, iterations=3) & patch.outside
    if not ring.any():
        return 0.0
    top, bottom = float(np.median(height[patch.core])), float(np.median(height[ring]))
    around = ndimage.binary_dilation(patch.body)
    steepest = 0.0
    for share in (0.5, 0.75):
        above = height > bottom + share * (top - bottom)
        edge = ndimage.binary_dilation(above) & ~ndimage.binary_erosion(above, border_value=1)
        edge &= around
        if edge.any():
            steepest = max(steepest, float(np.median(slope[edge])))
    return steepest / max(top - bottom, 0.1)
