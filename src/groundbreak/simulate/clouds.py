"""Clouds with soft edges and the shadows that they cast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from groundbreak.simulate.conditions import Conditions
from groundbreak.simulate.noise import spectral
from groundbreak.types import BoolArray, FloatArray


@dataclass(frozen=True)
class CloudLayer:
    """Opacity of the clouds and strength of their shadows, (h, w) each, 0 to 1."""

    opacity: FloatArray
    shadow: FloatArray

    @property
    def cloudy(self) -> BoolArray:
        """Where the ground is visibly veiled."""
        return self.opacity > 0.15

    @property
    def shaded(self) -> BoolArray:
        """Where the ground is visibly darkened and not veiled."""
        return (self.shadow > 0.25) & ~self.cloudy


def draw_clouds(
    rng: np.random.Generator,
    shape: tuple[int, int],
    gsd_m: float,
    share: float,
    conditions: Conditions,
) -> CloudLayer:
    """Draw a field of cumulus that covers about ``share`` of the picture.

    Args:
        rng: source of chance.
        shape: (h, w) of the picture.
        gsd_m: ground size of a pixel.
        share: part of the ground under cloud, 0 to 1.
        conditions: where the sun stands.
    """
    if share <= 0:
        nothing = np.zeros(shape, np.float32)
        return CloudLayer(nothing, nothing)
    side = 1 << int(np.ceil(np.log2(max(shape) * 1.5)))
    field = spectral(rng, side, 1.9) + np.float32(0.1) * spectral(rng, side, 1.3)
    thick = np.clip((field - np.quantile(field, 1 - share * 1.12)) / 0.6, 0, 1)
    opacity = (thick * thick * (3 - 2 * thick)).astype(np.float32)
    opacity = ndimage.gaussian_filter(opacity, 0.8)
    base_m = float(rng.uniform(0.15, 0.45) * max(shape) * gsd_m)
    sun_x, sun_y, _ = conditions.sun
    reach = base_m * conditions.shadow_per_metre / gsd_m / np.hypot(sun_x, sun_y)
    moved = np.roll(opacity, (round(-sun_y * reach), round(-sun_x * reach)), axis=(0, 1))
    shadow = ndimage.gaussian_filter(moved, 1.5 + 2.0 / gsd_m)
    crop = (slice(0, shape[0]), slice(0, shape[1]))
    return CloudLayer(opacity[crop].copy(), shadow[crop].astype(np.float32))


def cover_with(
    light: FloatArray, layer: CloudLayer, rng: np.random.Generator, sky: float
) -> FloatArray:
    """Light of the ground seen through clouds and under their shadows, (h, w, bands)."""
    if not layer.opacity.any() and not layer.shadow.any():
        return light
    dark = 1 - (1 - np.float32(1.3 * sky)) * 0.85 * layer.shadow[..., None]
    billows = spectral(rng, 1 << int(np.ceil(np.log2(max(light.shape[:2])))), 1.6)
    billows = billows[: light.shape[0], : light.shape[1]]
    top = np.float32(0.42) + np.float32(0.16) * layer.opacity + np.float32(0.045) * billows
    tint = np.array([1.0, 1.0, 1.03, 1.0], np.float32)[: light.shape[2]]
    white = top[..., None] * tint * np.float32(rng.uniform(0.9, 1.1))
    seen = layer.opacity[..., None]
    return light * dark * (1 - seen) + white * seen
