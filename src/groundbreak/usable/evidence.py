"""What speaks for cloud, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from groundbreak.types import BoolArray, FloatArray

_WHITE_RANGE = (0.42, 0.9)  # of an opaque cloud: in reflectance, in a stretched 8-bit picture
_OUTSHINES = 3.0  # an opaque cloud is at least so many times as bright as ordinary ground
_GENERAL = 0.15  # opacity that brightening all over the site may account for
_LEAST_STEP = 0.15  # from ground to white; ground that is nearly white already hides a cloud
_SHAPE_M = 4.0  # smoothing of the opacity: a bright street or house is no part of a cloud
_NOISE_M = 2.0  # smoothing of edges: trees and cars roughen a cloud's, and not so a house's
_FINE_PX = 2.0  # structure below this size is compared with that of the ground


@dataclass(frozen=True)
class Evidence:
    """What patches are judged by, (height, width) each.

    ``opacity`` is 0 for ground and 1 for opaque cloud, smoothed; ``height`` the same for the mean
    of the bands, nearly as sharp as it is; ``grain`` the size of the fine structure of the look,
    relative to white; ``tint`` (max - min) / max of the bands. ``ground`` is the mean of the bands
    of the ground and None where that is not known.
    """

    opacity: FloatArray
    height: FloatArray
    grain: FloatArray
    tint: FloatArray
    look: FloatArray
    ground: FloatArray | None
    seen: BoolArray

    @cached_property
    def likeness(self) -> FloatArray:
        """Local correlation, -1 to 1, of the fine structure of look and ground; 0 if unknown."""
        if self.ground is None:
            return np.zeros_like(self.look)
        a, b = _fine(self.look, self.seen), _fine(self.ground, self.seen)
        power = _local(a * a) * _local(b * b)
        return _local(a * b) / np.sqrt(np.maximum(power, np.float32(1e-12)))


def gather(
    look: FloatArray,
    ground: FloatArray | None,
    seen: BoolArray,
    gsd_m: float,
    white: float | None = None,
) -> Evidence:
    """Compare a look with its ground.

    Args:
        look: visible bands (bands, height, width).
        ground: the same without cloud, in the radiometry of the look; None if unknown.
        seen: (height, width), True where both are known.
        gsd_m: pixel size in metres.
        white: brightness of an opaque cloud; None estimates it from the brightest of both.
    """
    if white is None:
        darkest = [v.min(axis=0)[seen] for v in (look, ground) if v is not None]
        brightest = max(float(np.percentile(v, 99.9)) for v in darkest)
        # A dull picture has nothing white in it: cloud would still outshine its ordinary ground.
        ordinary = float(np.median(darkest[-1]))
        white = float(np.clip(max(brightest, _OUTSHINES * ordinary), *_WHITE_RANGE))
    # Of unknown ground no more is known than that much of it is darker than cloud.
    usual: NDArray[np.floating] = (
        np.minimum(np.percentile(look[:, seen], 25, axis=1), 0.4 * white)[:, None, None]
        if ground is None
        else ground
    )
    gained = (look - usual) / np.maximum(white - usual, _LEAST_STEP)
    # The band that gained least decides: cloud is bright in all of them, sand and soil are not.
    opacity = gained.min(axis=0)
    if ground is not None:
        # A look that is brighter everywhere (dry season, another stretch) is not cloudy.
        general = float(np.clip(np.percentile(opacity[seen], 10), 0.0, _GENERAL))
        opacity = (opacity - general) / (1.0 - general)
    mean = look.mean(axis=0)
    grain = np.abs(mean - ndimage.gaussian_filter(mean, 1.0)) / white
    return Evidence(
        opacity=_smooth(np.where(seen, opacity, 0.0), _SHAPE_M / gsd_m),
        height=_smooth(np.where(seen, gained.mean(axis=0), 0.0), _NOISE_M / gsd_m),
        grain=grain.astype(np.float32),
        tint=(np.ptp(look, axis=0) / np.maximum(look.max(axis=0), 0.02)).astype(np.float32),
        look=mean,
        ground=None if ground is None else ground.mean(axis=0),
        seen=seen,
    )


def _smooth(values: NDArray[np.floating], sigma_px: float) -> FloatArray:
    return np.asarray(ndimage.gaussian_filter(values.astype(np.float32), sigma_px))


def _fine(values: FloatArray, seen: BoolArray) -> FloatArray:
    return np.where(seen, values - ndimage.gaussian_filter(values, _FINE_PX), np.float32(0.0))


def _local(values: FloatArray) -> FloatArray:
    return np.asarray(ndimage.uniform_filter(values, 9))
