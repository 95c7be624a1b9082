"""Finds opaque cloud and its shadow in a look that came without a mask.

Works on three visible bands alone, from 0.5 to 30 m, reflectance or 8-bit pictures. A missed cloud
costs a false alarm and a port called cloud costs a silent miss, so only strong evidence counts. A
patch is cloud when

- it is white and much brighter than the ground there in the site's other looks: of the way from
  the ground to the brightness of an opaque cloud, its core has gone more than half;
- it is larger than some tens of metres, and nothing of the ground shows through;
- its edge is soft. This is what tells a cloud from a new roof, a concrete yard or fresh bare
  ground: the edge of a cloud is tens of metres wide, that of a thing on the ground as wide as the
  sensor's blur. On real Sentinel-2 scenes clouds rise by 0.09 to 0.30 of their height per pixel,
  roofs and yards by 0.31 to 0.46. Below 5 m a cloud is also smoother inside.

Clouds come in groups: near one that was found, smaller and thinner patches count as well. Haze
that only lowers contrast is no cloud. A shadow is a dark patch at the one offset at which the
clouds of the look fall on dark ground: without a cloud there is no shadow. Snow over most of the
site, fog and a closed cloud deck look alike here and are treated alike: the whole look is
unusable, with a reason. A little snow stays usable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from groundbreak.radiometry import RadiometryConfig, apply, match
from groundbreak.types import BoolArray, FloatArray
from groundbreak.usable.blocks import block_mean, unblock
from groundbreak.usable.evidence import Evidence, gather
from groundbreak.usable.patches import PatchRule, soft_patches, widened
from groundbreak.usable.shadows import find_shadows

_VISIBLE = ("red", "green", "blue")
_FOUND = PatchRule(core=0.6, rim=0.3, reach_m=60.0, width_m=40.0, max_tint=0.35)
# No roof, yard or boat of levir, sejong_k3a or joplin comes nearer than 0.32 to `fine_edge` there;
# at 2 m, where the sensor's blur is part of the edge, they come to 0.255.
_SHARP = PatchRule(core=0.6, rim=0.3, reach_m=60.0, width_m=25.0, max_tint=0.35, fine_edge=0.28)
_NEARBY = PatchRule(core=0.4, rim=0.2, reach_m=40.0, width_m=25.0, max_tint=0.35)
_SINGLE = PatchRule(
    core=0.6, rim=0.3, reach_m=60.0, width_m=80.0, max_tint=0.12, edge=0.2, fine_edge=0.16
)


@dataclass(frozen=True)
class CloudConfig:
    """When a bright patch is a cloud. Lengths on the ground in metres, opacities 0 to 1."""

    working_gsd_m: float = 2.0
    """Finer looks are averaged to this pixel size first: it still tells soft from sharp."""
    white: float | None = None
    """Brightness of an opaque cloud: about 0.5 in reflectance, 0.9 in 8-bit pictures. None
    estimates it from the brightest of both looks, which is right where something is white."""
    found: PatchRule = _FOUND
    """With other looks to compare with,"""
    sharp: PatchRule = _SHARP
    """and the same for pictures of at most"""
    sharp_gsd_m: float = 1.25
    """of a pixel: averaged to 2 m nothing of the sensor's blur is left in their edges."""
    nearby: PatchRule = _NEARBY
    """The same, beside a cloud that was found."""
    single: PatchRule = _SINGLE
    """Without another look."""
    body_opacity: float = 0.2
    """What was found to be cloud reaches as far as this,"""
    reach_m: float = 60.0
    """but at most so far,"""
    margin_m: float = 20.0
    """and is widened by this: thin edges blur what is below."""
    white_out_share: float = 0.6
    """If more of the site turned white than this, the whole look is unusable."""
    other_scale: bool = False
    """Whether the background is of another scale, as reflectance is beside a picture for the
    screen: then it is brought to that of the look, which otherwise would hide cloud and snow."""


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

    Give it the whole site, on a coarser grid where the site is large, rather than tile by tile:
    the shares, shadows and sizes are those of the site.

    Args:
        pixels: (bands, height, width) in [0, 1].
        valid: (height, width), True inside the image.
        bands: names of the bands; red, green and blue are looked at, or all if none is there.
        gsd_m: pixel size on the ground in metres.
        background: the same ground without cloud, as ``background_from`` gives it; its radiometry
            is matched here. None if there is no other look.
        background_valid: where there is a background.
        config: thresholds; the defaults when None.

    Returns:
        The masks at the size of the input. Without a background, or in shades of grey, no shadow
        is told from dark ground, and only large, white, soft-edged clouds are found.

    Raises:
        ValueError: if shapes and bands do not fit.
    """
    _check(pixels, valid, bands, background, background_valid)
    config = config or CloudConfig()
    if gsd_m <= config.sharp_gsd_m:
        config = replace(config, found=config.sharp)
    factor = max(1, round(config.working_gsd_m / gsd_m))
    visible = [i for i, name in enumerate(bands) if name in _VISIBLE] or list(range(len(bands)))
    look, seen = block_mean(pixels[visible], valid, factor)
    if background is None or background_valid is None or _in_grey(look, seen):
        body, shadow, reason = _alone(look, seen, gsd_m * factor, config)
    else:
        ground, known = block_mean(background[visible], background_valid, factor)
        body, shadow, reason = _compared(look, ground, seen & known, gsd_m * factor, config)
    if reason:
        return CloudMask(valid.copy(), np.zeros_like(valid), reason)
    cloud = unblock(body, factor, valid.shape) & valid
    return CloudMask(cloud, unblock(shadow, factor, valid.shape) & valid & ~cloud)


def _in_grey(look: FloatArray, seen: BoolArray) -> bool:
    """Whether a look is panchromatic: nothing tells cloud from ground that became as bright."""
    return len(look) > 1 and not np.ptp(look[:, seen], axis=0).any()


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


def _alone(
    look: FloatArray, seen: BoolArray, gsd_m: float, config: CloudConfig
) -> tuple[BoolArray, BoolArray, str]:
    """Clouds, no shadows, no reason: a look by itself."""
    nothing = np.zeros_like(seen)
    if not seen.any():
        return nothing, nothing, ""
    evidence = gather(look, None, seen, gsd_m, config.white)
    body = _whole_bodies(soft_patches(evidence, gsd_m, config.single), evidence, gsd_m, config)
    return _with_margin(body, gsd_m, config), nothing, ""


def _compared(
    look: FloatArray, ground: FloatArray, seen: BoolArray, gsd_m: float, config: CloudConfig
) -> tuple[BoolArray, BoolArray, str]:
    """Clouds, shadows, and why the whole look is cloud: a look against its ground."""
    nothing = np.zeros_like(seen)
    if not seen.any():
        return nothing, nothing, ""
    clear = seen
    radiometry = RadiometryConfig() if config.other_scale else RadiometryConfig(rescale_from=None)
    for _ in range(2):  # clouds disturb the radiometry that they are judged by
        ground = apply(ground, match(look, ground, clear, radiometry))
        evidence = gather(look, ground, seen, gsd_m, config.white)
        share = _white_share(evidence, config)
        if share > config.white_out_share:
            return (
                nothing,
                nothing,
                f"{100 * share:.0f} % of the site turned white: cloud, fog or snow",
            )
        body = soft_patches(evidence, gsd_m, config.found)
        if not body.any():
            return nothing, nothing, ""
        clear = seen & ~_with_margin(body, gsd_m, config)
    body |= soft_patches(evidence, gsd_m, config.nearby, beside=body)
    body = _whole_bodies(body, evidence, gsd_m, config)
    opaque = body & (evidence.opacity > (config.found.core + config.nearby.core) / 2)
    shadow = find_shadows(look, ground, seen, body, opaque, gsd_m)
    return _with_margin(body, gsd_m, config), _with_margin(shadow, gsd_m, config), ""


def _white_share(evidence: Evidence, config: CloudConfig) -> float:
    """Share of the site that turned white and shows nothing of its ground."""
    rule = config.found
    white = evidence.seen & (evidence.opacity > rule.rim) & (evidence.tint < rule.max_tint)
    share = float(white.sum() / evidence.seen.sum())
    if share > config.white_out_share and evidence.likeness[white].mean() > rule.likeness:
        return 0.0
    return share


def _whole_bodies(
    body: BoolArray, evidence: Evidence, gsd_m: float, config: CloudConfig
) -> BoolArray:
    """Clouds out to their thin edges."""
    if not body.any():
        return body
    near = widened(body, config.reach_m / gsd_m) & (evidence.opacity > config.body_opacity)
    return np.asarray(ndimage.binary_propagation(body, mask=body | near))


def _with_margin(mask: BoolArray, gsd_m: float, config: CloudConfig) -> BoolArray:
    return widened(mask, max(1.0, config.margin_m / gsd_m))
