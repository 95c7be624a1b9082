"""Finds opaque cloud and its shadow in a look that came without a mask.

Works on three visible bands alone, from 0.5 to 30 m, reflectance or 8-bit pictures. A missed cloud
costs a false alarm and a port called cloud costs a silent miss, so only strong evidence counts. A
patch is cloud when

- it is white and much brighter than the ground there in the site's other looks: of the way from
  the ground to the brightness of an opaque cloud, it has gone more than half;
- it is larger than some tens of metres, and nothing of the ground shows through;
- its edge is soft. This is what tells a cloud from a new roof, a concrete yard or fresh bare
  ground: the edge of a cloud is tens of metres wide, that of a thing on the ground as wide as the
  sensor's blur (measured on real Sentinel-2 scenes: clouds rise by 0.03 to 0.23 of their height
  per 10 m pixel, roofs and yards by 0.3 to 0.45).

Clouds come in groups: near one that was found, smaller and thinner patches count as well. Haze
that only lowers contrast is no cloud. A shadow is a dark patch at the one offset at which the
clouds of the look fall on dark ground: without a cloud there is no shadow. Snow over most of the
site, fog and a closed cloud deck look alike here and are treated alike: the whole look is
unusable, with a reason. A little snow stays usable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import ndimage

from groundbreak.types import BoolArray, FloatArray
from groundbreak.usable.blocks import block_mean, unblock
from groundbreak.usable.patches import Evidence, PatchRule, soft_patches, widened
from groundbreak.usable.shadows import find_shadows

_VISIBLE = ("red", "green", "blue")
_WHITE_RANGE = (0.42, 0.9)  # of an opaque cloud: in reflectance, in a stretched 8-bit picture
_GENERAL = 0.15  # opacity that brightening all over the site may account for
_NOISE_M = 2.0  # trees and cars roughen the thin edge of a cloud, and not so the wall of a house
_LEAST_STEP = 0.15  # from ground to white; ground that is nearly white already hides a cloud


@dataclass(frozen=True)
class CloudConfig:
    """When a bright patch is a cloud. Lengths on the ground in metres, opacities 0 to 1."""

    working_gsd_m: float = 2.0
    """Finer looks are averaged to this pixel size first: it still tells soft from sharp."""
    white: float | None = None
    """Brightness of an opaque cloud: about 0.5 in reflectance, 0.9 in 8-bit pictures. None
    estimates it from the brightest of both looks, which is right where something is white."""
    found: PatchRule = field(
        default=PatchRule(core=0.6, rim=0.3, width_m=40.0, reach_m=60.0, likeness=0.4)
    )
    """With other looks to compare with."""
    nearby: PatchRule = field(
        default=PatchRule(core=0.4, rim=0.2, width_m=25.0, reach_m=40.0, likeness=0.4)
    )
    """The same, within ``group_m`` of a cloud that was found."""
    single: PatchRule = field(
        default=PatchRule(
            core=0.6, rim=0.3, width_m=80.0, reach_m=60.0, likeness=1.0, edge=0.2, fine_edge=0.16
        )
    )
    """Without another look."""
    group_m: float = 500.0
    body_opacity: float = 0.2
    """What was found to be cloud reaches as far as this, but at most ``reach_m`` further,"""
    reach_m: float = 60.0
    smooth_m: float = 4.0
    """The opacity is smoothed by so much: a bright street or house is no part of a cloud."""
    margin_m: float = 20.0
    """and is widened by this: thin edges blur what is below."""
    max_tint: float = 0.35
    """Greatest (max - min) / max of the visible bands; pictures stretched band by band have
    slightly coloured clouds."""
    single_max_tint: float = 0.12
    """The same without another look."""
    white_out_share: float = 0.6
    """If more of the site turned white than this, the whole look is unusable."""


@dataclass(frozen=True)
class CloudMask:
    """Cloud and cloud shadow of one look, (height, width) each, True where they are.

    ``reason`` is not empty when so much turned white that the whole look is marked as cloud.
    """

    cloud: BoolArray
    shadow: BoolArray
    reason: str = ""


def detect_clouds(
    pixels: FloatArray,
    valid: BoolArray,
    bands: Sequence[str],
    gsd_m: float,
    background: FloatArray | None = None,
    background_valid: BoolArray | None = None,
    config: CloudConfig | None = None,
) -> CloudMask:
    """Find opaque cloud and its shadow in one look.

    Give it the whole site, at 4 to 10 m where the site is large, rather than tile by tile: the
    shares, shadows and sizes are those of the site.

    Args:
        pixels: (bands, height, width) in [0, 1].
        valid: (height, width), True inside the image.
        bands: names of the bands; red, green and blue are looked at, or all if none is there.
        gsd_m: pixel size on the ground in metres.
        background: the same ground without cloud and *in the radiometry of this look*, as
            ``background_from`` and ``radiometry.match`` give it; None if there is no other look.
        background_valid: where there is a background.
        config: thresholds; the defaults when None.

    Returns:
        The masks at the size of the input. Without a background no shadow is told from dark
        ground, and only large, white, soft-edged clouds are found.

    Raises:
        ValueError: if shapes and bands do not fit.
    """
    _check(pixels, valid, bands, background, background_valid)
    config = config or CloudConfig()
    factor = max(1, round(config.working_gsd_m / gsd_m))
    gsd = gsd_m * factor
    visible = [i for i, name in enumerate(bands) if name in _VISIBLE] or list(range(len(bands)))
    look, seen = block_mean(pixels[visible], valid, factor)
    ground = None
    if background is not None and background_valid is not None:
        ground, known = block_mean(background[visible], background_valid, factor)
        seen = seen & known
    nothing = np.zeros(valid.shape, np.bool_)
    if not seen.any():
        return CloudMask(nothing, nothing)

    evidence = _evidence(look, ground, seen, gsd, config)
    shadow = np.zeros_like(seen)
    if ground is None:
        body = _whole_bodies(soft_patches(evidence, gsd, config.single), evidence, gsd, config)
    else:
        share = _white_share(evidence, seen, config)
        if share > config.white_out_share:
            reason = f"{share:.0%} of the site turned white: cloud, fog or snow"
            return CloudMask(valid.copy(), nothing, reason)
        body = soft_patches(evidence, gsd, config.found)
        near = evidence.candidates & widened(body, config.group_m / gsd)
        body |= soft_patches(replace(evidence, candidates=near), gsd, config.nearby)
        body = _whole_bodies(body, evidence, gsd, config)
        opaque = body & (evidence.opacity > 0.5)
        shadow = find_shadows(look, ground, seen, opaque, gsd)
    body, shadow = (widened(m, max(1.0, config.margin_m / gsd)) for m in (body, shadow))
    cloud = unblock(body, factor, valid.shape) & valid
    return CloudMask(cloud, unblock(shadow, factor, valid.shape) & valid & ~cloud)


def _check(
    pixels: FloatArray,
    valid: BoolArray,
    bands: Sequence[str],
    background: FloatArray | None,
    background_valid: BoolArray | None,
) -> None:
    if pixels.ndim != 3 or pixels.shape[1:] != valid.shape or len(bands) != len(pixels):
        raise ValueError(
            f"expected (b, h, w), (h, w) and b bands, got {pixels.shape}, {valid.shape}, {bands}"
        )
    if (background is None) != (background_valid is None):
        raise ValueError("expected background and background_valid together")
    if background is not None and background.shape != pixels.shape:
        raise ValueError(f"expected a background of {pixels.shape}, got {background.shape}")
    if background_valid is not None and background_valid.shape != valid.shape:
        raise ValueError(f"expected background_valid {valid.shape}, got {background_valid.shape}")


def _evidence(
    look: FloatArray,
    ground: FloatArray | None,
    seen: BoolArray,
    gsd_m: float,
    config: CloudConfig,
) -> Evidence:
    white = config.white
    if white is None:
        darkest = [v.min(axis=0)[seen] for v in (look, ground) if v is not None]
        brightest = max(float(np.percentile(v, 99.9)) for v in darkest)
        white = float(np.clip(brightest, *_WHITE_RANGE))
    # Of the ground, when it is unknown, only that much of it is darker than cloud.
    usual = ground
    if usual is None:
        usual = np.minimum(np.percentile(look[:, seen], 25, axis=1), 0.4 * white)[:, None, None]
    gained = (look - usual) / np.maximum(white - usual, _LEAST_STEP)
    # The band that gained least decides: cloud is bright in all of them, sand and soil are not.
    opacity = np.where(seen, gained.min(axis=0), 0.0)
    if ground is not None:
        # A look that is brighter everywhere (dry season, another stretch) is not cloudy.
        general = float(np.clip(np.percentile(opacity[seen], 10), 0.0, _GENERAL))
        opacity = np.where(seen, (opacity - general) / (1.0 - general), 0.0)
    mean = look.mean(axis=0)
    grain = np.abs(mean - ndimage.gaussian_filter(mean, 1.0)) / white
    tint = np.ptp(look, axis=0) / np.maximum(look.max(axis=0), 0.02)
    most = config.single_max_tint if ground is None else config.max_tint
    return Evidence(
        opacity=_smooth(opacity, config.smooth_m / gsd_m),
        height=_smooth(np.where(seen, gained.mean(axis=0), 0.0), _NOISE_M / gsd_m),
        grain=grain.astype(np.float32),
        tint=tint.astype(np.float32),
        likeness=None if ground is None else _likeness(mean, ground.mean(axis=0), seen),
        candidates=seen & (tint < most),
    )


def _smooth(values: FloatArray, sigma_px: float) -> FloatArray:
    return np.asarray(ndimage.gaussian_filter(values.astype(np.float32), sigma_px))


def _likeness(now: FloatArray, usual: FloatArray, seen: BoolArray) -> FloatArray:
    """Local correlation of the fine structure of look and ground, 0 where there is none."""

    def fine(values: FloatArray) -> FloatArray:
        return np.where(seen, values - ndimage.gaussian_filter(values, 2.0), np.float32(0.0))

    def local(values: FloatArray) -> FloatArray:
        return np.asarray(ndimage.uniform_filter(values, 9))

    a, b = fine(now), fine(usual)
    return local(a * b) / np.sqrt(np.maximum(local(a * a) * local(b * b), np.float32(1e-12)))


def _white_share(evidence: Evidence, seen: BoolArray, config: CloudConfig) -> float:
    """Share of the site that turned white and shows nothing of its ground."""
    turned = evidence.candidates & (evidence.opacity > config.found.rim)
    likeness = evidence.likeness
    if likeness is None or not turned.any() or likeness[turned].mean() > config.found.likeness:
        return 0.0
    return float(turned.sum() / seen.sum())


def _whole_bodies(
    body: BoolArray, evidence: Evidence, gsd_m: float, config: CloudConfig
) -> BoolArray:
    """Clouds out to their thin edges."""
    near = widened(body, config.reach_m / gsd_m)
    mask = body | (near & (evidence.opacity > config.body_opacity))
    return np.asarray(ndimage.binary_propagation(body, mask=mask))
