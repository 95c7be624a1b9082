"""Water in a single picture of a port, by colour; good enough to edit by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from groundbreak.types import BoolArray, FloatArray

SMALLEST_PX = 60
"""Bodies of water smaller than this are shadows and dark roofs."""


def find_water(
    pixels: FloatArray, bands: Sequence[str], valid: BoolArray, berths: BoolArray
) -> BoolArray:
    """Pixels of water, without ships.

    Args:
        pixels: (bands, height, width) in [0, 1].
        bands: common names; with green and near infrared the water index decides, else the
            likeness to the darker half of the berths.
        valid: pixels with data.
        berths: pixels that are mostly water.

    Returns:
        (height, width).
    """
    by_index = "nir" in bands
    water = _by_index(pixels, bands) if by_index else _by_colour(pixels, berths & valid)
    bodies, count = ndimage.label(water & valid)
    sizes = np.bincount(bodies.ravel(), minlength=count + 1)
    keep = sizes >= SMALLEST_PX
    keep[0] = False
    return keep[bodies]


def _by_index(pixels: FloatArray, bands: Sequence[str]) -> BoolArray:
    """McFeeters' index of green and near infrared; bright short-wave infrared is no water.

    Sun on the waves lifts all bands alike, so dark pixels need less of an index.
    """
    green, nir = pixels[list(bands).index("green")], pixels[list(bands).index("nir")]
    swir = pixels[list(bands).index("swir16")] if "swir16" in bands else nir
    index = (green - nir) / np.maximum(green + nir, 1e-3)
    clear = (index > 0.02) & (nir < 0.16) & (swir < 0.12)
    return clear | ((index > -0.12) & (nir < 0.09) & (swir < 0.09))


def _by_colour(pixels: FloatArray, berths: BoolArray) -> BoolArray:
    """Smooth pixels within a few deviations of the colour of berth water."""
    smooth = ndimage.gaussian_filter(pixels, (0, 1.0, 1.0))
    sample = smooth[:, berths] if berths.any() else _darkest(smooth)
    brightness = sample.mean(axis=0)
    sample = sample[:, brightness <= np.median(brightness)]
    centre = np.median(sample, axis=1)
    spread = np.maximum(1.4826 * np.median(np.abs(sample.T - centre), axis=0), 0.012)
    distance = np.abs(smooth - centre[:, None, None]) / spread[:, None, None]
    near = (distance < 6.0).all(axis=0)
    # Dark roofs and shadows are narrow and rough, water is wide and smooth.
    grey = smooth.mean(axis=0)
    rough = np.sqrt(np.maximum(ndimage.uniform_filter((pixels.mean(axis=0) - grey) ** 2, 5), 0))
    return ndimage.binary_opening(near & (rough < 0.03), iterations=2)


def _darkest(smooth: FloatArray) -> FloatArray:
    grey = smooth.mean(axis=0)
    return smooth[:, grey <= np.quantile(grey, 0.3)]
