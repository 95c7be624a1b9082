"""Make the network's probabilities mean what they say, and choose where an event begins.

Both are fitted on validation windows. The temperature is that of Guo et al. 2017, "On
Calibration of Modern Neural Networks": one number that the logits are divided by.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import minimize_scalar
from torch import Tensor

from groundbreak.labels import pixel_label
from groundbreak.model.losses import partial_cross_entropy
from groundbreak.model.network import SiameseUNet, class_probabilities
from groundbreak.model.precision import cpu_has_bfloat16
from groundbreak.model.scores import confusion, summary
from groundbreak.types import KINDS, FloatArray, Kind, MaskValue

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99)
LOW_RATIO = 0.6
"""An object reaches as far as this share of the threshold, as in ``events.vectorize``."""

PIXEL_THRESHOLDS = (0.5, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1, 0.55, 0.6, 0.65, 0.7)
"""Thresholds of change tried for scores of pixels; of equals the first."""

MIN_AREAS_PX = (4, 8, 16, 32, 64, 128, 192, 256, 384, 512)
"""Least areas tried, in pixels of the image: at 0.5 m small houses lie between the last few."""


@dataclass(frozen=True)
class Answer:
    """What the network says to one window, and the truth."""

    logits: NDArray[np.float16]  # (classes, h, w)
    label: NDArray[np.uint8]
    set: str
    quality: str
    gsd_m: float | None


@dataclass(frozen=True)
class OperatingPoint:
    """Where an event begins.

    ``recall`` is the share of true objects that a kept object touches, ``false_per_km2`` counts
    kept objects that touch no change.
    """

    threshold: float
    min_area_m2: float
    recall: float
    false_per_km2: float


@torch.inference_mode()
def answer(network: SiameseUNet, windows: Iterable[dict[str, Any]]) -> list[Answer]:
    """Run the network over validation windows (``data.ValidationWindows``).

    With the statistics of the scene, and the decoder alone in bfloat16 where the CPU multiplies it:
    as detection does.
    """
    network.eval()
    reduced = cpu_has_bfloat16()
    answers = []
    for window in windows:
        before, after, *statistics = (
            window[name][None] for name in ("before", "after", "mean", "spread")
        )
        features = network.encode(before, after, (statistics[0], statistics[1]))
        with torch.autocast("cpu", torch.bfloat16, enabled=reduced):
            logits = network.decode(features)
        height, width = window["label"].shape
        logits = torch.nn.functional.avg_pool2d(logits, window["zoom"])[0, :, :height, :width]
        gsd = None if math.isnan(window["gsd_m"]) else float(window["gsd_m"])
        label = window["label"].numpy().astype(np.uint8)
        answers.append(Answer(logits.half().numpy(), label, window["set"], window["quality"], gsd))
    return answers


def fit_temperature(answers: Sequence[Answer], pixels_per_set: int = 400_000) -> float:
    """The temperature with the least cross-entropy, every data set weighing the same."""
    rng = np.random.default_rng(0)
    samples = []
    for name in sorted({item.set for item in answers}):
        logits = np.concatenate(
            [a.logits.reshape(len(a.logits), -1) for a in answers if a.set == name], 1
        )
        label = np.concatenate([a.label.ravel() for a in answers if a.set == name])
        keep = rng.choice(label.size, min(label.size, pixels_per_set), replace=False)
        samples.append((_rows(logits[:, keep]), torch.from_numpy(label[keep]).long()[None, None]))

    def cost(log_temperature: float) -> float:
        scale = float(np.exp(-log_temperature))
        return sum(float(partial_cross_entropy(x * scale, label)) for x, label in samples)

    found = minimize_scalar(cost, bounds=(np.log(0.2), np.log(5.0)), method="bounded")
    return float(np.exp(found.x))


def expected_calibration_error(answers: Sequence[Answer], temperature: float) -> float:
    """Mean gap between the probability of change and its frequency, over 15 equal bins."""
    said, true = [], []
    for item in answers:
        known = item.label != MaskValue.IGNORE
        said.append(1 - probabilities(item, temperature)[0][known])
        true.append((item.label != MaskValue.NONE)[known])
    probability, truth = np.concatenate(said), np.concatenate(true)
    bins = np.minimum((probability * 15).astype(int), 14)
    count = np.bincount(bins, minlength=15)
    gap = np.bincount(bins, probability, 15) - np.bincount(bins, truth, 15)
    return float(np.abs(gap).sum() / max(1, count.sum()))


def probabilities(item: Answer, temperature: float) -> FloatArray:
    """(4, h, w) probabilities of a window."""
    logits = torch.from_numpy(item.logits.astype(np.float32))[None]
    return class_probabilities(logits, temperature)[0].numpy()


def pixel_matrix(
    answers: Sequence[Answer], temperature: float, threshold: float
) -> NDArray[np.int64]:
    """Confusion (5, 4) of all pixels, called changed from that probability of any change on."""
    matrix = np.zeros((5, 4), np.int64)
    for item in answers:
        said = pixel_label(probabilities(item, temperature), threshold)
        matrix += confusion(said, item.label)
    return matrix


def choose_pixel_threshold(answers: Sequence[Answer], temperature: float) -> float:
    """The threshold of change with the best F1, averaged over its targets and then over the sets.

    With calibrated probabilities the best F1 lies at half its own value (Lipton et al. 2014,
    "Optimal thresholding of classifiers to maximize F1 measure"): below 0.5 where it is hard.
    """
    sets = sorted({item.set for item in answers})

    def score(threshold: float) -> float:
        means = []
        for name in sets:
            items = [item for item in answers if item.set == name]
            figures = summary(pixel_matrix(items, temperature, threshold))
            figures.pop("wrong_direction", None)
            means.append(sum(figures.values()) / max(1, len(figures)))
        return sum(means) / max(1, len(means))

    return max(PIXEL_THRESHOLDS, key=score)


def choose_point(
    answers: Sequence[Answer], kind: Kind, temperature: float, limit: float
) -> OperatingPoint | None:
    """The point with the best recall among those within ``limit`` false events per km².

    If none is, the one with the fewest. Objects are looked for in every window; false ones are
    counted where the labels are good, if they are anywhere: elsewhere a false object may be a
    change that nobody labelled. Windows without a GSD are left out.

    Returns:
        None if there is no object of that kind to be found.
    """
    shown = [item for item in answers if (item.label != MaskValue.IGNORE).any()]
    placed = [item for item in shown if item.gsd_m is not None]
    any_good = any(item.quality == "good" for item in placed)
    points = []
    for threshold in THRESHOLDS:
        false: list[float] = []  # areas of objects that touch no change
        found: list[float] = []  # per true object, the area of the largest object that touches it
        km2 = 0.0
        for item in placed:
            pixel = float(item.gsd_m or 1.0) ** 2
            trusted = item.quality == "good" or not any_good
            known = np.count_nonzero(item.label != MaskValue.IGNORE)
            km2 += known * pixel / 1e6 if trusted else 0.0
            wrong, hits = _objects(probabilities(item, temperature), threshold, item.label, kind)
            false += [area * pixel for area in wrong] if trusted else []
            found += [area * pixel for area in hits]
        if not found:
            return None
        smallest = min(float(item.gsd_m or 1.0) for item in placed) ** 2
        for area in MIN_AREAS_PX:
            least = area * smallest
            points.append(
                OperatingPoint(
                    threshold,
                    least,
                    recall=float(np.mean(np.array(found) >= least)),
                    false_per_km2=float(np.sum(np.array(false) >= least)) / km2,
                )
            )
    within = [point for point in points if point.false_per_km2 <= limit]
    if within:
        return max(within, key=lambda point: (point.recall, point.threshold))
    return min(points, key=lambda point: (point.false_per_km2, -point.recall))


def choose_points(
    answers: Sequence[Answer], temperature: float, limit: float
) -> dict[Kind, OperatingPoint]:
    """``choose_point`` for every kind that has a truth."""
    points = {kind: choose_point(answers, kind, temperature, limit) for kind in KINDS}
    return {kind: point for kind, point in points.items() if point is not None}


def _objects(
    answer: FloatArray, threshold: float, label: NDArray[np.uint8], kind: Kind
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Areas of false objects; per true object the area of what touches it, 0 if nothing does.

    An object is a patch above ``LOW_RATIO`` of the threshold in which the kind is the likeliest
    one, and that reaches the threshold somewhere; pixels that share a side are one patch, as in
    ``events.vectorize``, which also splits patches that hold several buildings.
    """
    probability = answer[kind.value_in_mask]
    likeliest = answer[1 : len(KINDS) + 1].argmax(axis=0) + 1 == kind.value_in_mask
    objects, count = ndimage.label(likeliest & (probability >= LOW_RATIO * threshold))
    area = np.bincount(objects.ravel(), minlength=count + 1)
    peak = ndimage.maximum(probability, objects, np.arange(count + 1))
    area[np.asarray(peak) < threshold] = 0
    area[0] = 0
    changed = np.unique(objects[label != MaskValue.NONE])
    false = np.delete(area, np.append(changed, 0))
    truths, number = ndimage.label(label == kind.value_in_mask, np.ones((3, 3), bool))
    if not number:
        return false, np.zeros(0, np.int64)
    hits = ndimage.maximum(area[objects], truths, np.arange(1, number + 1))
    return false, np.asarray(hits, dtype=np.int64)


def _rows(logits: NDArray[np.float16]) -> Tensor:
    """(classes, k) to (1, classes, 1, k), the shape of an image of one row."""
    return torch.from_numpy(logits.astype(np.float32))[None, :, None]
