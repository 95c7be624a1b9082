"""Finds the shadows of known clouds on ground that is known from other looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from groundbreak.types import BoolArray, FloatArray

_DARK = 0.75  # of its usual brightness: where a shadow may be
_DARKEST = 0.6  # of its usual brightness: nothing more to gain below
_MAX_DISTANCE_M = 5000.0  # of a shadow from its cloud, on the ground
_MIN_INSIDE = 0.3  # share of the shifted clouds that must lie on ground that is seen
_MIN_SCORE = 0.33  # of the offset; clouds without shadows, pasted into 20 scenes, stay below 0.31
_MAX_BRIGHTNESS = 0.88  # of the shifted clouds' ground, relative to the ground around it
_SMOOTH_M = 20.0  # streets and trees vary more than a shadow does
_GAP_M = 20.0  # from a cloud to the ring that it is compared with, at least
_RING_M = 60.0  # width of that ring, at least
_SPREAD_M = 60.0  # clouds differ in height, so shadows stray from the common offset


@dataclass(frozen=True)
class _Scene:
    """What is compared, (height, width) each; 0 where no ground is open to view."""

    darkness: FloatArray
    brightness: FloatArray
    open_ground: BoolArray


def find_shadows(
    look: FloatArray,
    ground: FloatArray,
    seen: BoolArray,
    cloud: BoolArray,
    opaque: BoolArray,
    gsd_m: float,
) -> BoolArray:
    """Find the one offset at which the clouds fall on darkened ground, and the shadows there.

    Args:
        look: visible bands of the look (bands, height, width).
        ground: the same ground without cloud, in the radiometry of the look.
        seen: (height, width), True where both are known.
        cloud: (height, width), the clouds out to their thin edges.
        opaque: (height, width), what of them surely casts a shadow.
        gsd_m: pixel size in metres.

    Returns:
        The shadows (height, width); none where no offset stands out.
    """
    open_ground = seen & ~cloud
    if not opaque.any() or not open_ground.any():
        return np.zeros_like(cloud)
    now, usual = (_without_air(a, open_ground) for a in (look, ground))
    ratio = _smooth(_ratio(now, usual, open_ground), open_ground, max(1.0, _SMOOTH_M / gsd_m))
    darkness = np.clip((1.0 - ratio) / (1.0 - _DARKEST), 0.0, 1.0) * open_ground
    scene = _Scene(darkness, now * open_ground, open_ground)
    offset = _common_offset(scene, opaque, _ring(cloud, gsd_m), gsd_m)
    if offset is None:
        return np.zeros_like(cloud)
    expected = _shifted(cloud, offset)
    around = ndimage.binary_dilation(expected, iterations=max(1, round(_SPREAD_M / gsd_m)))
    dark = open_ground & (ratio < _DARK) & around
    shadow: BoolArray = ndimage.binary_propagation(dark & expected, mask=dark)
    return shadow


def _without_air(bands: FloatArray, open_ground: BoolArray) -> FloatArray:
    """Mean of the bands less what the darkest ground shows.

    That is the light of the air, which lies on shadow and sun alike and hides the difference.
    """
    air = np.percentile(bands[:, open_ground], 1, axis=1)[:, None, None]
    return np.clip(bands - air, 0.0, None).mean(axis=0).astype(np.float32)


def _ratio(now: FloatArray, usual: FloatArray, open_ground: BoolArray) -> FloatArray:
    """Brightness relative to the usual one, 1 where nothing happened."""
    floor = max(0.25 * float(np.median(usual[open_ground])), 1e-3)
    ratio = (now + floor) / (usual + floor)
    return (ratio / max(float(np.median(ratio[open_ground])), 1e-3)).astype(np.float32)


def _smooth(values: FloatArray, mask: BoolArray, sigma: float) -> FloatArray:
    """Gaussian mean of the masked values."""
    weight = ndimage.gaussian_filter(mask.astype(np.float32), sigma)
    total = ndimage.gaussian_filter(np.where(mask, values, 0.0).astype(np.float32), sigma)
    return np.where(mask, total / np.maximum(weight, 1e-3), 1.0).astype(np.float32)


def _ring(cloud: BoolArray, gsd_m: float) -> BoolArray:
    """A ring around the clouds, beyond the fringe of a shadow."""
    size = float(np.sqrt(cloud.sum())) * gsd_m
    near = max(_GAP_M, 0.2 * size)
    distance_m = ndimage.distance_transform_edt(~cloud) * gsd_m
    return (distance_m > near) & (distance_m <= near + max(_RING_M, 0.4 * size))


def _common_offset(
    scene: _Scene, opaque: BoolArray, ring: BoolArray, gsd_m: float
) -> tuple[int, int] | None:
    """(rows, cols) from the clouds to their shadows, None when no offset stands out.

    At every offset the ground below the shifted clouds is compared with the shifted ring: it must
    have darkened more than the ring, which a ploughed plain does not, and be darker than the ring,
    which ground that was merely bright in the other looks is not.
    """
    height, width = opaque.shape
    area_in, area_out = (_correlate(scene.open_ground, shape) for shape in (opaque, ring))

    def means(field: FloatArray) -> tuple[FloatArray, FloatArray]:
        inside = _correlate(field, opaque) / np.maximum(area_in, 1.0)
        around = _correlate(field, ring) / np.maximum(area_out, 1.0)
        return inside.astype(np.float32), around.astype(np.float32)

    darkness_in, darkness_out = means(scene.darkness)
    brightness_in, brightness_out = means(scene.brightness)
    rows, cols = np.ogrid[-(height - 1) : height, -(width - 1) : width]
    allowed = (
        (area_in >= _MIN_INSIDE * opaque.sum())
        & (area_out >= _MIN_INSIDE * ring.sum())
        & (np.hypot(rows, cols) * gsd_m <= _MAX_DISTANCE_M)
        & (brightness_in <= _MAX_BRIGHTNESS * brightness_out)
    )
    share = np.sqrt(np.clip(area_in / opaque.sum(), 0.0, 1.0))  # little ground, little evidence
    score = np.where(allowed, (darkness_in - darkness_out) * share, -1.0)
    row, col = np.unravel_index(int(score.argmax()), score.shape)
    if score[row, col] < _MIN_SCORE:
        return None
    return int(row) - (height - 1), int(col) - (width - 1)


def _correlate(field: NDArray[np.generic], shape: BoolArray) -> FloatArray:
    """Sum of ``field`` below ``shape`` shifted by (-(h-1)..h-1, -(w-1)..w-1)."""
    kernel = shape[::-1, ::-1].astype(np.float32)
    from scipy.signal import fftconvolve

    return fftconvolve(field.astype(np.float32), kernel, mode="full").astype(np.float32)


def _shifted(mask: BoolArray, offset: tuple[int, int]) -> BoolArray:
    """The mask moved by whole (rows, cols); what leaves the picture is lost."""
    moved = np.zeros_like(mask)
    (dy, dx), (height, width) = offset, mask.shape
    if abs(dy) < height and abs(dx) < width:
        moved[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)] = mask[
            max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)
        ]
    return moved
