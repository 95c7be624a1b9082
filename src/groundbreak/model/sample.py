"""A pair as training sees it.

Images are (h, w, bands) uint8, as OpenCV and Albumentations want them; the label is (h, w) uint8 of
``types.MaskValue``. 0 in every band means no data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Sample:
    """A pair to train on."""

    before: Image
    after: Image
    label: Image


def keep_no_data(image: Image, original: Image) -> Image:
    """0 in every band means no data, and nothing else does."""
    data = original.max(axis=2, keepdims=True) > 0
    return np.where(data, np.maximum(image, 1), 0).astype(np.uint8)
