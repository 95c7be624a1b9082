"""Pictures for the page: one stretch for all dates of a site, so that they compare."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from groundbreak.prepare.store import PreparedLook
from groundbreak.types import FloatArray

JPEG_QUALITY = 82
HAZY = np.array([0.55, 0.58, 0.66], np.float32)
"""Laid over what could not be seen."""


@dataclass(frozen=True)
class Stretch:
    """Values shown as black and white, per band (3,)."""

    low: FloatArray
    high: FloatArray

    def apply(self, pixels: FloatArray) -> FloatArray:
        """(3, h, w) reflectance to (h, w, 3) in [0, 1]."""
        spread = np.maximum(self.high - self.low, 1e-3)
        shown = (pixels - self.low[:, None, None]) / spread[:, None, None]
        return np.moveaxis(np.clip(shown, 0, 1), 0, -1)


def find_stretch(samples: Sequence[FloatArray]) -> Stretch:
    """Percentiles 1 and 99 over samples (3, h, w) of several dates; fill (0) is not counted.

    One range for all three bands keeps the colours.
    """
    values = np.concatenate([s[:, s.max(axis=0) > 0].reshape(3, -1) for s in samples], axis=1)
    if values.shape[1] == 0:
        return Stretch(np.zeros(3, np.float32), np.ones(3, np.float32))
    low, high = np.percentile(values, 1), np.percentile(values, 99)
    return Stretch(np.full(3, low, np.float32), np.full(3, high, np.float32))


def rows_of(look: PreparedLook) -> list[int]:
    """Positions of red, green and blue in a look."""
    return [look.bands.index(name) for name in ("red", "green", "blue")]


def picture(look: PreparedLook, window: tuple[slice, slice], stretch: Stretch, side: int) -> str:
    """A window of a look as a JPEG data URI, at most ``side`` pixels high and wide.

    What was not usable is veiled.
    """
    pixels = look.pixels(window)[rows_of(look)]
    usable = look.usable(window)
    return data_uri(veiled(stretch.apply(pixels), usable), side)


def veiled(image: FloatArray, usable: np.ndarray) -> FloatArray:
    """(h, w, 3) with a grey veil where not usable."""
    share = np.where(usable[..., None], np.float32(0), np.float32(0.6))
    mixed: FloatArray = image * (1 - share) + HAZY * share
    return mixed


def data_uri(image: FloatArray, side: int) -> str:
    """(h, w, 3) in [0, 1] as a JPEG data URI with a longer side of ``side`` pixels."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC
    shown = Image.fromarray(np.rint(image * 255).astype(np.uint8)).resize(size, method)
    buffer = io.BytesIO()
    shown.save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
