"""Pixel scores, calibration and bootstrap intervals, from counts that add up over scenes.

Everything here is a small array of counts per scene, so that any number of pixels is scored in
bounded memory and scenes can be drawn again for the bootstrap.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from groundbreak.types import KINDS, BoolArray, FloatArray, MaskValue

IntArray = NDArray[np.int64]
FloatVector = NDArray[np.float64]

TRUTH_ROWS = (0, 1, 2, 3, MaskValue.UNKNOWN_DIRECTION)
"""Label values by row of a confusion matrix; its columns are predicted labels 0 to 3."""

TARGETS = ("change", *KINDS)
"""What is scored: any change, and each kind."""

SCORES = ("precision", "recall", "f1", "iou")

Score = dict[str, float | None]

_ROW = np.full(256, -1, np.int8)
_ROW[list(TRUTH_ROWS)] = range(len(TRUTH_ROWS))


def confusion(truth: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> IntArray:
    """Count pixels by truth and prediction; pixels labelled 255 are left out.

    Args:
        truth: labels of any shape, values of ``types.MaskValue``.
        predicted: labels 0 to 3 of the same shape.

    Returns:
        (5, 4) counts: rows ``TRUTH_ROWS``, columns the predicted label.

    Raises:
        ValueError: shapes differ, or a value has no meaning.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"truth is {truth.shape}, the prediction {predicted.shape}")
    known = truth != MaskValue.IGNORE
    rows = _ROW[truth[known]]
    columns = predicted[known]
    if rows.size and (rows.min() < 0 or columns.max() > 3):
        raise ValueError("truth must hold 0 to 3, 254 or 255, and the prediction 0 to 3")
    cells = rows.astype(np.int64) * 4 + columns
    return np.bincount(cells, minlength=20).reshape(5, 4).astype(np.int64)


def target_counts(matrices: IntArray) -> dict[str, IntArray]:
    """True positives, false positives and false negatives of every target.

    Change of unknown direction counts for ``change`` and is left out for the kinds.

    Args:
        matrices: (..., 5, 4) confusion matrices.

    Returns:
        Per target (..., 3): true positives, false positives, false negatives.
    """
    counts = {
        "change": np.stack(
            [
                matrices[..., 1:, 1:].sum(axis=(-2, -1)),
                matrices[..., 0, 1:].sum(axis=-1),
                matrices[..., 1:, 0].sum(axis=-1),
            ],
            axis=-1,
        )
    }
    directed = matrices[..., :4, :]
    for kind in KINDS:
        value = kind.value_in_mask
        hits = directed[..., value, value]
        counts[kind] = np.stack(
            [
                hits,
                directed[..., :, value].sum(axis=-1) - hits,
                directed[..., value, :].sum(axis=-1) - hits,
            ],
            axis=-1,
        )
    return counts


def score(counts: IntArray) -> Score:
    """Precision, recall, F1 and IoU from (true positives, false positives, false negatives).

    Without truth all are None; with truth but without prediction precision is 0.

    >>> score(np.array([6, 2, 4]))
    {'precision': 0.75, 'recall': 0.6, 'f1': 0.6666666666666666, 'iou': 0.5}
    """
    hits, false, missed = (int(n) for n in counts)
    if hits + missed == 0:
        return dict.fromkeys(SCORES)
    return {
        "precision": hits / (hits + false) if hits + false else 0.0,
        "recall": hits / (hits + missed),
        "f1": 2 * hits / (2 * hits + false + missed),
        "iou": hits / (hits + false + missed),
    }


def wrong_direction(matrix: IntArray) -> float | None:
    """Share of the changed pixels found that were given the opposite class.

    Args:
        matrix: (5, 4) confusion matrix.

    Returns:
        New buildings called demolitions and the reverse, over all pixels of new buildings and
        demolitions that were called any change; None if there are none.
    """
    found = int(matrix[1:3, 1:].sum())
    return int(matrix[1, 2] + matrix[2, 1]) / found if found else None


@dataclass
class ProbabilityHistogram:
    """Counts of probabilities, split by truth: precision-recall curves and calibration.

    ``counts`` (2, bins): pixels whose truth is no and yes; ``sums`` (bins,): summed
    probability. The bins have equal width on [0, 1]; their number is a multiple of 15.
    """

    bins: int = 1500
    counts: IntArray = field(init=False)
    sums: FloatVector = field(init=False)

    def __post_init__(self) -> None:
        self.counts = np.zeros((2, self.bins), np.int64)
        self.sums = np.zeros(self.bins)

    def update(self, probability: FloatArray, truth: BoolArray, known: BoolArray) -> None:
        """Add pixels (arrays of one shape); those not ``known`` are left out."""
        values = probability[known].astype(np.float64)
        cell = np.minimum((values * self.bins).astype(np.int64), self.bins - 1)
        positive = truth[known]
        self.counts[0] += np.bincount(cell[~positive], minlength=self.bins)
        self.counts[1] += np.bincount(cell[positive], minlength=self.bins)
        self.sums += np.bincount(cell, weights=values, minlength=self.bins)

    def merge(self, other: ProbabilityHistogram) -> None:
        """Add the counts of another histogram with as many bins."""
        self.counts += other.counts
        self.sums += other.sums

    def curve(self) -> dict[str, FloatVector] | None:
        """Thresholds with the precision and recall of saying yes from there on; None if no truth.

        Precision is 1 where nothing is said.
        """
        above = np.cumsum(self.counts[:, ::-1], axis=1)[:, ::-1]
        if above[1, 0] == 0:
            return None
        said = above.sum(axis=0)
        return {
            "threshold": np.arange(self.bins) / self.bins,
            "precision": np.where(said > 0, above[1] / np.maximum(said, 1), 1.0),
            "recall": above[1] / above[1, 0],
        }

    def average_precision(self) -> float | None:
        """Area under the curve as a sum of steps of recall times precision; None if no truth."""
        curve = self.curve()
        if curve is None:
            return None
        steps = -np.diff(np.append(curve["recall"], 0.0))
        return float((steps * curve["precision"]).sum())

    def reliability(self, bins: int = 15) -> list[dict[str, float | int | None]]:
        """Mean probability against observed frequency in ``bins`` bins of equal width."""
        yes, total, sums = (
            a.reshape(bins, -1).sum(axis=1) for a in (self.counts[1], self.counts.sum(0), self.sums)
        )
        return [
            {
                "from": i / bins,
                "to": (i + 1) / bins,
                "count": int(total[i]),
                "probability": float(sums[i] / total[i]) if total[i] else None,
                "observed": float(yes[i] / total[i]) if total[i] else None,
            }
            for i in range(bins)
        ]

    def calibration_error(self, bins: int = 15) -> float | None:
        """Expected calibration error: the mean over pixels of |observed - said|, by bin.

        As ``binary_calibration_error`` of torchmetrics (L1, equal-width bins); None if empty.
        """
        total = int(self.counts.sum())
        if total == 0:
            return None
        yes, sums = (a.reshape(bins, -1).sum(axis=1) for a in (self.counts[1], self.sums))
        return float(np.abs(yes - sums).sum() / total)


def bootstrap(
    counts: IntArray, resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> dict[str, list[float] | None]:
    """Percentile intervals of F1 and IoU when the scenes are drawn again with replacement.

    Scenes, not pixels, are the independent units: neighbouring pixels fail together.

    Args:
        counts: (scenes, 3) true positives, false positives, false negatives.
        resamples: how often to draw.
        level: mass of the interval.
        seed: of the draws.

    Returns:
        [low, high] for ``f1`` and ``iou``; None with fewer than two scenes or without truth.
    """
    scenes = len(counts)
    if scenes < 2 or counts[:, [0, 2]].sum() == 0:
        return {"f1": None, "iou": None}
    draws = np.random.default_rng(seed).multinomial(scenes, np.full(scenes, 1 / scenes), resamples)
    hits, false, missed = (draws @ counts).T.astype(np.float64)
    some = hits + missed > 0  # a draw may hold no truth: it says nothing
    hits, false, missed = hits[some], false[some], missed[some]
    tails = [50 * (1 - level), 50 * (1 + level)]
    f1 = 2 * hits / (2 * hits + false + missed)
    iou = hits / (hits + false + missed)
    return {
        "f1": [float(v) for v in np.percentile(f1, tails)],
        "iou": [float(v) for v in np.percentile(iou, tails)],
    }
