"""What chance does to a training pair: geometry for both dates alike, radiometry to each alone.

Every function takes its own random generator, so that a sample is decided by its seed alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from groundbreak.model.cover import change_cover
from groundbreak.model.sample import Image, Sample, keep_no_data
from groundbreak.types import MaskValue

SWAPPED = np.arange(256, dtype=np.uint8)
SWAPPED[[MaskValue.NEW_BUILDING, MaskValue.DEMOLITION]] = (
    MaskValue.DEMOLITION,
    MaskValue.NEW_BUILDING,
)
SWAPPED[MaskValue.DOCKING_SLIP] = MaskValue.NONE  # a berth that was filled in is no event


@dataclass(frozen=True)
class AugmentConfig:
    """How much chance there is; the figures are probabilities unless said.

    Attributes:
        swap: the dates change places, and new buildings and demolitions with them.
        still: both dates become the same picture, with nothing changed.
        shift: the earlier date is displaced by up to ``shift_px`` pixels.
        mix: a rectangle, or changed objects, of another pair are pasted in.
        hole: a part of one date has no data.
        cover: the vegetation of a patch of ground is bare soil, or under water, on one date.
        colour: each change of colour of a date.
        degrade: each of blur, noise and compression of a date.
        drop_nir: near infrared is replaced by red in both dates.
        shift_px: see ``shift``.
    """

    swap: float = 0.5
    still: float = 0.06
    shift: float = 0.5
    mix: float = 0.3
    hole: float = 0.1
    cover: float = 0.0
    colour: float = 0.4
    degrade: float = 0.25
    drop_nir: float = 0.0
    shift_px: int = 2


@dataclass(frozen=True)
class CropConfig:
    """Which part of a scene a sample is.

    Attributes:
        size: side of the sample in pixels.
        zoom: least and most magnification, drawn evenly in its logarithm.
        native: share of samples left at the scene's own pixel size.
        on_change: share of samples centred on a changed pixel.
    """

    size: int = 256
    zoom: tuple[float, float] = (0.5, 2.0)
    native: float = 0.3
    on_change: float = 0.6


def crop(
    scene: Sample, changed: NDArray[np.int32], config: CropConfig, shift_px: int, rng: Generator
) -> Sample:
    """Cut a sample out of a scene and bring it to the size of a sample.

    Args:
        scene: the whole pair.
        changed: (k, 2) rows and columns of some changed pixels; may be empty.
        config: what to cut.
        shift_px: displacement of the earlier date, at most, in pixels of the sample.
        rng: decides.

    Returns:
        A sample of ``size`` by ``size``; 0 where the scene ends, ``IGNORE`` where a date has no
        data.
    """
    low, high = np.log(config.zoom)
    zoom = 1.0 if rng.random() < config.native else float(np.exp(rng.uniform(low, high)))
    side = round(config.size / zoom)
    height, width = scene.label.shape
    if len(changed) and rng.random() < config.on_change:
        row, column = changed[rng.integers(len(changed))] - rng.integers(0, side, size=2)
    else:
        row, column = rng.integers(0, [max(1, height - side + 1), max(1, width - side + 1)])
    # A scene smaller than the window lies somewhere in it; else the window stays in the scene.
    row, column = (
        int(np.clip(at, min(0, total - side), max(0, total - side)))
        for at, total in ((row, height), (column, width))
    )
    step = np.round(rng.uniform(-shift_px, shift_px, size=2) / zoom).astype(int)
    size = (config.size, config.size)
    before = _zoomed(_window(scene.before, row + step[0], column + step[1], side, 0), size)
    after = _zoomed(_window(scene.after, row, column, side, 0), size)
    label = _nearest(_window(scene.label, row, column, side, MaskValue.IGNORE), size)
    blank = (before.max(axis=2) == 0) | (after.max(axis=2) == 0)
    return Sample(before, after, np.where(blank, np.uint8(MaskValue.IGNORE), label))


def mix(sample: Sample, donor: Sample, rng: Generator) -> Sample:
    """Paste a rectangle of another pair, or its changed objects with their surroundings."""
    inside = np.zeros(sample.label.shape, bool)
    if rng.random() < 0.5:
        size = sample.label.shape[0]
        height, width = rng.integers(size // 4, 3 * size // 4, size=2)
        row, column = rng.integers(0, [size - height, size - width])
        inside[row : row + height, column : column + width] = True
    else:
        changed = (donor.label != MaskValue.NONE) & (donor.label != MaskValue.IGNORE)
        reach = int(rng.integers(3, 12)) * 2 + 1
        inside = cv2.dilate(changed.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
    return Sample(
        before=np.where(inside[..., None], donor.before, sample.before),
        after=np.where(inside[..., None], donor.after, sample.after),
        label=np.where(inside, donor.label, sample.label),
    )


def swap_dates(sample: Sample) -> Sample:
    """The same pair told backwards."""
    return Sample(before=sample.after, after=sample.before, label=SWAPPED[sample.label])


def stand_still(sample: Sample, rng: Generator) -> Sample:
    """One of the dates twice: whatever differs later is not a change."""
    image = sample.before if rng.random() < 0.5 else sample.after
    label = np.where(sample.label == MaskValue.IGNORE, sample.label, np.uint8(MaskValue.NONE))
    return Sample(before=image, after=image.copy(), label=label)


def cut_hole(sample: Sample, rng: Generator) -> Sample:
    """Take the data of one date away in a rectangle, and the label with it."""
    size = sample.label.shape[0]
    height, width = rng.integers(size // 8, size // 2, size=2)
    row, column = rng.integers(0, [size - height, size - width])
    window = np.s_[row : row + height, column : column + width]
    label = sample.label.copy()
    label[window] = MaskValue.IGNORE
    name = "before" if rng.random() < 0.5 else "after"
    image = getattr(sample, name).copy()
    image[window] = 0
    return replace(sample, label=label, **{name: image})


class Augmenter:
    """Albumentations pipelines, built once: one for the pair's geometry, one for a date's look."""

    def __init__(self, config: AugmentConfig) -> None:
        import albumentations as alb

        self.config = config
        colour, degrade = config.colour, config.degrade
        # The same draw for both dates and the label.
        self._geometry = alb.Compose(
            [alb.SquareSymmetry(p=1.0)], additional_targets={"after": "image", "label": "mask"}
        )
        self._colour = alb.Compose(
            [
                alb.RandomBrightnessContrast(0.25, 0.3, p=colour),
                alb.RandomGamma((65, 150), p=colour),
                alb.HueSaturationValue(8, 35, 15, p=colour),
                alb.RGBShift(18, 18, 18, p=colour),
            ]
        )
        self._degrade = alb.Compose(
            [
                alb.OneOf(
                    [alb.GaussianBlur((3, 5)), alb.Downscale(scale_range=(0.5, 0.85))], p=degrade
                ),
                alb.GaussNoise(std_range=(0.01, 0.04), noise_scale_factor=0.5, p=degrade),
                alb.ImageCompression(quality_range=(40, 95), p=degrade),
            ]
        )

    def __call__(self, sample: Sample, rng: Generator) -> Sample:
        """Augment a cropped sample."""
        config = self.config
        still = rng.random() < config.still
        if still:
            sample = stand_still(sample, rng)
        if rng.random() < config.cover:
            sample = change_cover(sample, rng)
        if rng.random() < config.swap:
            sample = swap_dates(sample)
        sample = self._turn(sample, rng)
        before = self._look(sample.before, rng)
        after = self._look(sample.after, rng)
        if before.shape[2] > 3 and rng.random() < config.drop_nir:
            before, after = without_nir(before), without_nir(after)
        sample = Sample(
            before=keep_no_data(before, sample.before),
            after=keep_no_data(after, sample.after),
            label=sample.label,
        )
        return cut_hole(sample, rng) if rng.random() < config.hole else sample

    def _turn(self, sample: Sample, rng: Generator) -> Sample:
        self._geometry.set_random_seed(int(rng.integers(2**31)))
        out = self._geometry(image=sample.before, after=sample.after, label=sample.label)
        return Sample(before=out["image"], after=out["after"], label=out["label"])

    def _look(self, image: Image, rng: Generator) -> Image:
        """One date's own sun, haze, sensor and compression."""
        if rng.random() < self.config.colour:
            image = _haze(image, rng)
        extra = image[..., 3:]
        colours = _apply(self._colour, np.ascontiguousarray(image[..., :3]), rng)
        colours = _apply(self._degrade, colours, rng)
        if not extra.shape[2]:
            return colours
        gain, offset = rng.uniform(0.8, 1.25), rng.uniform(-15, 15)
        extra = np.clip(extra * gain + offset, 1, 255).astype(np.uint8)
        return np.concatenate([colours, extra], axis=2)


def without_nir(image: Image) -> Image:
    """Red in place of near infrared: what a reader does for imagery that has none."""
    image = image.copy()
    image[..., 3] = image[..., 0]
    return image


def _haze(image: Image, rng: Generator) -> Image:
    """Blend with a bright veil (or, the other way round, stretch one away)."""
    veil = rng.uniform(120, 255)
    share = rng.uniform(-0.15, 0.4)
    hazed = image.astype(np.float32) * (1 - share) + veil * max(share, 0.0)
    return np.clip(hazed, 0, 255).astype(np.uint8)


def _apply(transform: Any, image: Image, rng: Generator) -> Image:
    transform.set_random_seed(int(rng.integers(2**31)))
    return transform(image=image)["image"]


def _window(image: Image, row: int, column: int, side: int, fill: int) -> Image:
    """A square window, filled up where it leaves the image."""
    height, width = image.shape[:2]
    top, left = max(row, 0), max(column, 0)
    bottom, right = min(row + side, height), min(column + side, width)
    inner = image[top:bottom, left:right]
    if inner.shape[:2] == (side, side):
        return inner
    out = np.full((side, side, *image.shape[2:]), fill, dtype=image.dtype)
    out[top - row : bottom - row, left - column : right - column] = inner
    return out


def _zoomed(image: Image, size: tuple[int, int]) -> Image:
    """A picture of another size; the zeros of no data do not bleed into their neighbours."""
    if image.shape[:2] == size:
        return image.copy()
    shape = cv2.INTER_AREA if image.shape[0] > size[0] else cv2.INTER_LINEAR
    resized = cv2.resize(image, size, interpolation=shape)
    data = image.max(axis=2) > 0
    if not data.all():
        share = cv2.resize(data.astype(np.float32), size, interpolation=shape)[..., None]
        whole = np.clip(resized / np.maximum(share, 0.5), 1, 255).astype(np.uint8)
        resized = np.where(share >= 0.5, whole, np.uint8(0))
    return np.asarray(resized, np.uint8)


def _nearest(label: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A label of another size, in place: cv2's plain INTER_NEAREST moves it by half a pixel."""
    return np.asarray(cv2.resize(label, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
