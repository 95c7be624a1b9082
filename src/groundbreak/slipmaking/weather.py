"""What makes two pictures of an unchanged port differ: sea, light, haze, optics."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from groundbreak.slipmaking.noise import smooth_noise
from groundbreak.types import BoolArray, FloatArray

MOST_COVERED = 0.15
"""Share of the water under ice or sandbanks, at most."""


def tide(
    rng: np.random.Generator, pixels: FloatArray, water: BoolArray, px: float
) -> tuple[FloatArray, BoolArray]:
    """Move the waterline by up to ``px`` pixels, landward if positive.

    Land that is flooded takes the colour of the nearest water, ground that falls dry a darker
    tone of the nearest land. Quays move less than beaches, so the shift varies along the shore.

    Returns:
        The picture and where its water is now.
    """
    if not water.any() or water.all():
        return pixels, water
    reach = abs(px) * np.clip(0.5 + 0.5 * smooth_noise(rng, water.shape, 30.0), 0, 1)
    source = ndimage.binary_erosion(water, iterations=2) if px > 0 else ~water
    if not source.any():
        return pixels, water
    distance = ndimage.distance_transform_edt(~water if px > 0 else water)
    weight = np.clip(reach - distance + 1, 0, 1) * (distance > 0)
    nearest = ndimage.distance_transform_edt(~source, return_distances=False, return_indices=True)
    smooth = ndimage.gaussian_filter(pixels, (0, 0.8, 0.8))
    tone = 1.0 if px > 0 else rng.uniform(0.75, 1.0)
    moved = pixels + weight * (tone * smooth[:, nearest[0], nearest[1]] - pixels)
    changed = weight > 0.5
    return moved.astype(np.float32), (water | changed) if px > 0 else (water & ~changed)


def turbidity(rng: np.random.Generator, pixels: FloatArray, water: BoolArray) -> FloatArray:
    """Plumes of sediment: smooth brown or green patches on the water."""
    field = smooth_noise(rng, water.shape, rng.uniform(25, 90))
    field += 0.3 * smooth_noise(rng, water.shape, 8.0)
    plume = np.clip((field - rng.uniform(-0.5, 1.2)) / rng.uniform(0.8, 2.5), 0, 1)
    colour = np.array([0.06, 0.065, 0.045, 0.015]) * rng.uniform(0.1, 1.0)
    colour = colour * rng.uniform(0.8, 1.2, 4)
    inside = ndimage.gaussian_filter(water.astype(np.float32), 0.7)
    added = colour[: pixels.shape[0], None, None] * (plume * inside)
    return (pixels + added).astype(np.float32)


def cover(rng: np.random.Generator, pixels: FloatArray, water: BoolArray) -> FloatArray:
    """Ice or sandbanks over a small part of the water, with a sharp and ragged edge."""
    field = smooth_noise(rng, water.shape, rng.uniform(30, 120))
    field += 0.25 * smooth_noise(rng, water.shape, 6.0)
    # Both begin at the shore more often than in the open.
    shore = np.exp(-ndimage.distance_transform_edt(water) / rng.uniform(5, 40))
    height = field + 2.0 * shore
    level = rng.uniform(1.0, 2.2)
    # More of them would make a basin of the harbour that lies between.
    level = max(level, float(np.quantile(height[water], 1 - MOST_COVERED))) if water.any() else 0
    lies = water & (height > level)
    ice, sand = np.array([0.55, 0.58, 0.62, 0.5]), np.array([0.24, 0.20, 0.15, 0.27])
    colour = (ice if rng.random() < 0.4 else sand) * rng.uniform(0.7, 1.2)
    grain = (
        1 + 0.06 * smooth_noise(rng, water.shape, 2.0) + 0.1 * smooth_noise(rng, water.shape, 12.0)
    )
    weight = ndimage.gaussian_filter(lies.astype(np.float32), 0.6) * rng.uniform(0.6, 1.0)
    return (pixels + weight * (colour[: len(pixels), None, None] * grain - pixels)).astype(
        np.float32
    )


def glint(rng: np.random.Generator, pixels: FloatArray, water: BoolArray) -> FloatArray:
    """Sun on the waves: a slow gradient and a fine ripple, the same in all bands."""
    slow = np.clip(smooth_noise(rng, water.shape, 150.0), -1, 2) * rng.uniform(0, 0.015)
    ripple = smooth_noise(rng, water.shape, rng.uniform(1.5, 5.0)) * rng.uniform(0, 0.006)
    inside = ndimage.gaussian_filter(water.astype(np.float32), 0.7)
    return (pixels + (rng.uniform(0, 0.02) + slow + ripple) * inside).astype(np.float32)


def expose(rng: np.random.Generator, pixels: FloatArray, noise: float = 0.003) -> FloatArray:
    """Radiometry, haze, blur and noise of one date.

    Args:
        rng: source of randomness.
        pixels: (bands, height, width) in [0, 1].
        noise: largest deviation of the sensor's noise.

    Returns:
        (bands, height, width) in [0, 1].
    """
    bands, *shape = pixels.shape
    gain = rng.normal(1.0, 0.09) * rng.normal(1.0, 0.035, (bands, 1, 1))
    offset = rng.normal(0.0, 0.008) + rng.normal(0.0, 0.004, (bands, 1, 1))
    out = np.clip(pixels, 0, 1) ** rng.normal(1.0, 0.04) * gain
    # Real water is dark, but never 0 over whole bays.
    darkest = np.percentile(out, 1, axis=(1, 2))[:, None, None]
    out = out + np.maximum(offset, -0.7 * darkest)
    if rng.random() < 0.4:
        veil = np.clip(0.5 + 0.5 * smooth_noise(rng, (shape[0], shape[1]), 120.0), 0, 1)
        alpha = rng.uniform(0, 0.18) * veil
        sky = np.array([0.30, 0.32, 0.36, 0.26])[:bands, None, None]
        out = out + alpha * (sky - out)
    sigma = max(0.0, rng.normal(0.25, 0.3))
    if sigma > 0.15:
        out = ndimage.gaussian_filter(out, (0, sigma, sigma))
    out = out + rng.uniform(0, noise) * rng.standard_normal(out.shape)
    return np.clip(out, 0, 1).astype(np.float32)


def misregister(pixels: FloatArray, shift: tuple[float, float]) -> FloatArray:
    """Move the content by a fraction of a pixel (dy, dx)."""
    return ndimage.shift(pixels, (0, *shift), order=1, mode="nearest").astype(np.float32)
