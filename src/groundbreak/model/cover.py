"""Ground that looks new although nothing was built: cleared, ploughed or flooded plants."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from groundbreak.model.sample import Image, Sample, keep_no_data
from groundbreak.types import MaskValue


def change_cover(sample: Sample, rng: Generator) -> Sample:
    """Clear, plough or flood plants on one date: the ground looks new, and nothing was built.

    The patch is an irregular blob, or a field with straight edges; only its green pixels without
    a labelled change are touched, and they keep some of their texture. The label stays.
    """
    name = "before" if rng.random() < 0.5 else "after"
    image = getattr(sample, name)
    patch = (
        _blob(sample.label.shape, rng) if rng.random() < 0.6 else _field(sample.label.shape, rng)
    )
    quiet = cv2.dilate((sample.label != MaskValue.NONE).astype(np.uint8), np.ones((9, 9))) == 0
    # Plants are not told from single noisy pixels; a clearing has whole edges.
    green = cv2.medianBlur(_green(image).astype(np.uint8), 5) > 0
    patch = patch & quiet & green
    if patch.sum() < 0.01 * patch.size:
        return sample
    grey = min(220.0, float(image[..., :3].mean()) * float(np.exp(rng.uniform(-0.3, 0.9))))
    if rng.random() < 0.75:
        colour = grey * np.array([1.05, rng.uniform(0.8, 0.98), rng.uniform(0.6, 0.92), 1.25])
    else:
        colour = grey / 2 * np.array([1.0, rng.uniform(1.0, 1.4), rng.uniform(0.9, 1.6), 0.5])
    bands = image.shape[2]
    colour = np.pad(colour, (0, max(0, bands - 4)), mode="edge")[:bands]
    size = image.shape[:2]
    coarse = rng.normal(0, 1, (max(2, size[0] // 12), max(2, size[1] // 12))).astype(np.float32)
    mottle = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)[..., None]
    own = image.astype(np.float32) - image[patch].mean(axis=0)
    ground = colour * (1 + rng.uniform(0.02, 0.12) * mottle) + rng.uniform(0.1, 0.5) * own
    softness = float(rng.uniform(0.6, 2.0))
    share = cv2.GaussianBlur(patch.astype(np.float32), (0, 0), softness)[..., None]
    covered = np.clip(image * (1 - share) + ground * share, 1, 255).astype(np.uint8)
    return replace(sample, **{name: keep_no_data(covered, image)})


def _green(image: Image) -> NDArray[np.bool_]:
    """Pixels that look like plants; red in place of near infrared says nothing."""
    bands = image.astype(np.float32)
    red, green, blue = bands[..., 0], bands[..., 1], bands[..., 2]
    if image.shape[2] > 3 and (bands[..., 3] != red).any():
        return np.asarray(bands[..., 3] > 1.5 * red + 1)
    return np.asarray((green > 1.04 * red) & (green > 1.02 * blue))


def _blob(size: tuple[int, ...], rng: Generator) -> NDArray[np.bool_]:
    """Smooth noise above a quantile: one or several irregular patches."""
    cells = int(rng.integers(3, 9))
    noise = cv2.resize(
        rng.normal(0, 1, (cells, cells)).astype(np.float32),
        size[::-1],
        interpolation=cv2.INTER_CUBIC,
    )
    return np.asarray(noise > np.quantile(noise, rng.uniform(0.6, 0.95)))


def _field(size: tuple[int, ...], rng: Generator) -> NDArray[np.bool_]:
    """A turned rectangle."""
    centre = rng.uniform(0, size[0], 2)
    sides = np.exp(rng.uniform(np.log(12), np.log(size[0] * 0.8), 2))
    corners = cv2.boxPoints((centre.tolist(), sides.tolist(), float(rng.uniform(0, 90))))
    return cv2.fillPoly(np.zeros(size, np.uint8), [corners.astype(np.int32)], 1) > 0
