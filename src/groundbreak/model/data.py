"""Training pairs by the thousand from a few scenes, and validation windows.

Scenes are decoded once and kept as uint8. A training sample is decided by (seed, its number)
alone: the same run gives the same samples on any number of workers, and resumes where it was if
that was the end of an epoch. (Within one, its first samples come again in place of the others.)
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from groundbreak.errors import ConfigError, DataError
from groundbreak.model.augment import (
    AugmentConfig,
    Augmenter,
    CropConfig,
    crop,
    mix,
    without_nir,
)
from groundbreak.model.card import magnify
from groundbreak.model.network import measure
from groundbreak.model.sample import Sample
from groundbreak.model.shape import STRIDE
from groundbreak.pairs.index import CHANGES, PairRecord, read_index, read_pair
from groundbreak.pairs.splits import Fingerprint, fingerprint, refuse_leaks
from groundbreak.types import FloatArray, MaskValue

CHANGED_PIXELS_KEPT = 4000


@dataclass(frozen=True)
class FolderSource:
    """Pairs of a data set (``pairs.index``).

    Attributes:
        folder: holds ``index.csv``.
        sets: names in its column ``set``.
        split: name in its column ``split``.
        weight: share of the samples, relative to the other sources.
        crop: which parts of the scenes are taken.
        only: scenes to take, all if empty.
        without: scenes to leave out, as for a validation set of one's own.
    """

    folder: Path
    sets: tuple[str, ...]
    split: str = "train"
    weight: float = 1.0
    crop: CropConfig = field(default_factory=CropConfig)
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scene:
    """A decoded pair; ``changed`` (k, 2) holds rows and columns of some changed pixels."""

    record: PairRecord
    pair: Sample
    changed: NDArray[np.int32]
    print: Fingerprint


def select(source: FolderSource) -> list[PairRecord]:
    """The records of a source.

    Raises:
        DataError: there is none, or a set or scene is named that is not there.
    """
    records = [
        record
        for record in read_index(source.folder)
        if record.set in source.sets and record.split == source.split and record.label is not None
    ]
    for name in source.sets:
        if not any(record.set == name for record in records):
            problem = f"has no labelled pair of {name} in {source.split}"
            raise DataError(str(source.folder), problem)
    scenes = {record.scene for record in records}
    for name in (*source.only, *source.without):
        if name not in scenes:
            near = difflib.get_close_matches(name, scenes, n=1)
            problem = f"has no scene {name} in {source.split} of {', '.join(source.sets)}"
            raise DataError(str(source.folder), problem, f"did you mean {near[0]}?" if near else "")
    records = [
        record
        for record in records
        if (not source.only or record.scene in source.only) and record.scene not in source.without
    ]
    if not records:
        raise DataError(str(source.folder), f"nothing is left of {', '.join(source.sets)}")
    return records


def load_scene(record: PairRecord, bands: Sequence[str], part: str) -> Scene:
    """Decode a pair to uint8, its own brightest hundredth near white.

    A factor common to both dates changes nothing for the network, which standardises; it keeps
    dark reflectance from being rounded to a few grey levels. Without near infrared, red takes
    its place, as in detection. ``part`` is "train" or "val", whatever the index calls its split.
    """
    pair = read_pair(record)
    identity = fingerprint(record, pair, part)
    wanted = [band if band in pair.bands else "red" if band == "nir" else band for band in bands]
    pair = pair.select(wanted)
    top = np.quantile(np.concatenate([pair.before[:, ::4, ::4], pair.after[:, ::4, ::4]]), 0.995)
    gain = 255.0 if top > 0.6 else 235.0 / max(float(top), 1e-3)
    sample = Sample(_to_bytes(pair.before, gain), _to_bytes(pair.after, gain), pair.label)
    return Scene(record, sample, _changed(pair.label), identity)


def _to_bytes(image: FloatArray, gain: float) -> NDArray[np.uint8]:
    scaled = np.clip(np.moveaxis(image, 0, 2) * gain + 0.5, 0, 255).astype(np.uint8)
    data = image.max(axis=0)[..., None] > 0
    return np.ascontiguousarray(np.where(data, np.maximum(scaled, 1), 0).astype(np.uint8))


def _changed(label: NDArray[np.uint8]) -> NDArray[np.int32]:
    rows = np.argwhere((label != MaskValue.NONE) & (label != MaskValue.IGNORE)).astype(np.int32)
    step = max(1, len(rows) // CHANGED_PIXELS_KEPT)
    return rows[::step]


def to_tensor(image: NDArray[np.uint8]) -> Tensor:
    """(h, w, bands) uint8 to (bands, h, w) float32 in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(image, 2, 0))).float() / 255


class TrainingPairs(Dataset[dict[str, Any]]):
    """Sample number i of an endless run."""

    def __init__(
        self,
        groups: Sequence[tuple[Sequence[Scene], float, CropConfig]],
        augment: AugmentConfig,
        seed: int,
    ) -> None:
        self.groups = groups
        self.augment = Augmenter(augment)
        self.seed = seed
        weights = np.array([weight for _, weight, _ in groups], dtype=float)
        self.share = weights / weights.sum()

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Everything about the sample follows from the seed and its number."""
        rng = np.random.default_rng((self.seed, number))
        group = int(rng.choice(len(self.groups), p=self.share))
        sample = self._crop(group, rng)
        if rng.random() < self.augment.config.mix:
            sample = mix(sample, self._crop(group, rng), rng)
        sample = self.augment(sample, rng)
        return {
            "before": to_tensor(sample.before),
            "after": to_tensor(sample.after),
            "label": torch.from_numpy(sample.label.astype(np.int64)),
        }

    def _crop(self, group: int, rng: Generator) -> Sample:
        scenes, _, config = self.groups[group]
        # Large scenes hold more to be seen: they are drawn in proportion to their area.
        area = np.array([scene.pair.label.size for scene in scenes], dtype=float)
        scene = scenes[int(rng.choice(len(scenes), p=area / area.sum()))]
        augment = self.augment.config
        shift = augment.shift_px if rng.random() < augment.shift else 0
        return crop(scene.pair, scene.changed, config, shift, rng)


class RunSampler(Sampler[int]):
    """Sample numbers of one epoch; the next epoch goes on where it ended.

    Each process of a distributed run takes every ``world``-th number.
    """

    def __init__(self, samples: int, rank: int, world: int) -> None:
        self.samples, self.rank, self.world = samples, rank, world
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.samples // self.world

    def __iter__(self) -> Iterator[int]:
        start = self.epoch * self.samples + self.rank
        return iter(range(start, start + len(self) * self.world, self.world))


class ValidationWindows(Dataset[dict[str, Any]]):
    """Scenes cut into windows side by side, padded to whole strides with no data.

    Args:
        scenes: to cut.
        window: side of a window as the network sees it.
        magnification: factor for an image of a pixel size, as ``Card.magnification``.
        drop_nir: red in place of near infrared.
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        window: int,
        magnification: Callable[[float | None], int],
        *,
        drop_nir: bool = False,
    ) -> None:
        self.scenes, self.drop_nir = scenes, drop_nir
        self.windows = []
        self.statistics = []
        for k, scene in enumerate(scenes):
            dates = (to_tensor(image)[None] for image in self._dates(scene, np.s_[:, :]))
            self.statistics.append(measure(*dates))
            zoom = magnification(scene.record.gsd_m)
            side = window // zoom
            height, width = scene.pair.label.shape
            for row, column in product(range(0, height, side), range(0, width, side)):
                self.windows.append((k, row, column, side, zoom))

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, i: int) -> dict[str, Any]:
        """Window i: the images magnified, the label as it is, mean and spread of the scene."""
        k, row, column, side, zoom = self.windows[i]
        scene = self.scenes[k]
        inside = np.s_[row : row + side, column : column + side]
        before, after = self._dates(scene, inside)
        mean, spread = self.statistics[k]
        return {
            "before": _padded(before, zoom),
            "after": _padded(after, zoom),
            "mean": mean[0],
            "spread": spread[0],
            "label": torch.from_numpy(scene.pair.label[inside].astype(np.int64)),
            "set": scene.record.set,
            "quality": scene.record.label_quality,
            "gsd_m": scene.record.gsd_m or math.nan,
            "zoom": zoom,
        }

    def _dates(
        self, scene: Scene, inside: tuple[slice, slice]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        before, after = scene.pair.before[inside], scene.pair.after[inside]
        return (without_nir(before), without_nir(after)) if self.drop_nir else (before, after)


def _padded(image: NDArray[np.uint8], zoom: int) -> Tensor:
    tensor = to_tensor(image)[None]
    if zoom > 1:
        tensor = torch.nn.functional.interpolate(
            tensor, scale_factor=zoom, mode="bilinear", align_corners=False
        )
    height, width = tensor.shape[-2:]
    return torch.nn.functional.pad(tensor, (0, -width % STRIDE, 0, -height % STRIDE))[0]


class PairsData(LightningDataModule):
    """Lightning's view of the sources.

    Args:
        train: folders to train on.
        val: folders to validate on; ``crop`` counts for nothing there.
        bands: common names, in the order the network takes them: red, green, blue, then near
            infrared if there is one, then others.
        augment: how much chance there is.
        batch_size: samples a step, on each device.
        steps: steps an epoch.
        window: side of a validation window in pixels, as the network sees it.
        zoom: as ``Card.upsample``.
        zoom_from_gsd_m: as ``Card.upsample_from_gsd_m``.
        workers: processes that prepare samples.
        seed: decides every sample.
        touching: sets of which training and validation may lie side by side; others are refused.

    Raises:
        ConfigError: the bands are in another order.
    """

    def __init__(
        self,
        train: list[FolderSource],
        val: list[FolderSource],
        bands: list[str],
        augment: AugmentConfig | None = None,
        batch_size: int = 8,
        steps: int = 100,
        window: int = 512,
        zoom: int = 1,
        zoom_from_gsd_m: float = 0.0,
        workers: int = 0,
        seed: int = 0,
        touching: list[str] | None = None,
    ) -> None:
        super().__init__()
        self.train, self.val, self.bands = train, val, tuple(bands)
        self.augment = augment or AugmentConfig()
        if self.bands[:3] != ("red", "green", "blue") or "nir" in self.bands[4:]:
            named = ", ".join(bands)
            raise ConfigError("data.bands", f"is {named}", "begin with red, green, blue, then nir")
        if self.augment.drop_nir and "nir" not in self.bands:
            raise ConfigError("data.augment.drop_nir", "there is no band nir")
        self.batch_size, self.steps, self.window = batch_size, steps, window
        self.zoom, self.zoom_from_gsd_m = zoom, zoom_from_gsd_m
        self.workers, self.seed = workers, seed
        self.touching = tuple(touching or ())

    def setup(self, stage: str) -> None:
        """Decode everything once.

        Raises:
            DataError: a picture cannot be read, training and validation share ground, or nothing
                that is to be trained on changes.
        """
        if stage == "fit":
            self.groups: list[tuple[Sequence[Scene], float, CropConfig]] = [
                (self._load(source, "train"), source.weight, source.crop) for source in self.train
            ]
        self.val_scenes = [scene for source in self.val for scene in self._load(source, "val")]
        if stage == "fit":
            seen = [scene.print for scenes, _, _ in self.groups for scene in scenes]
            if not any(len(scene.changed) for scenes, _, _ in self.groups for scene in scenes):
                folders = ", ".join(sorted({str(source.folder) for source in self.train}))
                raise DataError(folders, "no label to train on holds a change", CHANGES)
            refuse_leaks(seen + [scene.print for scene in self.val_scenes], self.touching)

    def _load(self, source: FolderSource, part: str) -> list[Scene]:
        return [load_scene(record, self.bands, part) for record in select(source)]

    def train_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Endless samples, ``steps`` batches an epoch."""
        rank, world = self._place()
        pairs = TrainingPairs(self.groups, self.augment, self.seed)
        sampler = RunSampler(self.steps * self.batch_size * world, rank, world)
        return DataLoader(
            pairs,
            batch_size=self.batch_size,
            sampler=sampler,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            drop_last=True,
        )

    def val_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Every window of every validation scene, one at a time since sizes differ."""
        rank, world = self._place()
        windows = self.val_windows()
        return DataLoader(windows, batch_size=1, sampler=range(rank, len(windows), world))

    def val_windows(self, *, drop_nir: bool = False) -> ValidationWindows:
        """The windows of the validation scenes."""

        def magnification(gsd_m: float | None) -> int:
            return magnify(self.zoom, self.zoom_from_gsd_m, gsd_m)

        return ValidationWindows(self.val_scenes, self.window, magnification, drop_nir=drop_nir)

    def _place(self) -> tuple[int, int]:
        """Which of how many processes this is."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def test_dataloader(self) -> DataLoader[dict[str, Any]]:
        """``test`` scores the folders of ``val``; point them at another split to score that."""
        return self.val_dataloader()
