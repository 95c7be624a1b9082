"""Pictures for the page: one stretch for all dates of a site, so that they compare."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from groundbreak.prepare.store import PreparedLook, unit
from groundbreak.types import FloatArray

JPEG_QUALITY = 82
HAZY = np.array([0.55, 0.58, 0.66], np.float32)
"""Laid over what could not be seen."""


@dataclass(frozen=True)
class Stretch:
    """Values shown as black and white, per band (3,)."""

    low: FloatArray
    high: FloatArray

    @cached_property
    def tables(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Brightness on the page by stored number, (3, 65536): seen, and under a grey veil."""
        values = unit(np.arange(1 << 16))[None]
        spread = np.maximum(self.high - self.low, np.float32(1e-3))
        shown = np.clip((values - self.low[:, None]) / spread[:, None], 0, 1)
        veiled = shown * np.float32(0.4) + HAZY[:, None] * np.float32(0.6)
        return _bytes(shown), _bytes(veiled)


def _bytes(values: FloatArray) -> NDArray[np.uint8]:
    return np.rint(values * 255).astype(np.uint8)


def find_stretch(samples: Sequence[FloatArray]) -> Stretch:
    """Percentiles 1 and 99 over samples (3, h, w) of several dates; fill (0) is not counted.

    One range for all three bands keeps the colours.
    """
    values = np.concatenate([s[:, s.max(axis=0) > 0].reshape(3, -1) for s in samples], axis=1)
    if values.shape[1] == 0:
        return Stretch(np.zeros(3, np.float32), np.ones(3, np.float32))
    low, high = np.percentile(values, (1, 99))
    return Stretch(np.full(3, low, np.float32), np.full(3, high, np.float32))


def rows_of(look: PreparedLook) -> list[int]:
    """Positions of red, green and blue in a look."""
    return [look.bands.index(name) for name in ("red", "green", "blue")]


def picture(look: PreparedLook, window: tuple[slice, slice], stretch: Stretch, side: int) -> str:
    """A window of a look as a JPEG data URI with a longer side of ``side`` pixels.

    What was not usable is veiled.
    """
    return data_uri(shown(look, window, stretch)[0], side)


def shown(
    look: PreparedLook, window: tuple[slice, slice], stretch: Stretch, step: int = 1
) -> tuple[NDArray[np.uint8], bool]:
    """Every ``step``-th pixel of a window (h, w, 3), and whether some are veiled: not usable."""
    numbers = look.numbers(window)[rows_of(look), ::step, ::step]
    usable = look.usable(window)[::step, ::step]
    seen, veiled = stretch.tables
    image = np.stack([t[band] for t, band in zip(seen, numbers, strict=True)], axis=-1)
    if usable.all():
        return image, False
    hidden = ~usable
    image[hidden] = np.stack([t[band[hidden]] for t, band in zip(veiled, numbers, strict=True)], -1)
    return image, True


def data_uri(image: NDArray[np.uint8], side: int) -> str:
    """(h, w, 3) as a JPEG data URI with a longer side of ``side`` pixels."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC
    # A picture much too large is averaged first: what differs cannot be seen.
    resized = Image.fromarray(image).resize(size, method, reducing_gap=2.0)
    buffer = io.BytesIO()
    resized.save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
