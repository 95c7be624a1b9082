"""Scores of a confusion matrix: what validation watches while training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from groundbreak.types import MaskValue

TRUTHS = (0, 1, 2, 3, int(MaskValue.UNKNOWN_DIRECTION))
"""Rows of the matrix; its columns are the four classes."""


def confusion(predicted: NDArray[np.integer], label: NDArray[np.integer]) -> NDArray[np.int64]:
    """(5, 4) counts of truth (``TRUTHS``) by predicted class; ignored pixels are left out."""
    counted = label != MaskValue.IGNORE
    truth = np.where(label == MaskValue.UNKNOWN_DIRECTION, 4, label)[counted].astype(np.int64)
    cells = truth * 4 + predicted[counted]
    return np.bincount(cells, minlength=20).reshape(5, 4)


def f1_change(matrix: NDArray[np.int64]) -> float | None:
    """F1 of change of any kind; None without truth."""
    hit = matrix[1:, 1:].sum()
    return _f1(hit, matrix[0, 1:].sum(), matrix[1:, 0].sum())


def f1_kind(matrix: NDArray[np.int64], kind: int) -> float | None:
    """F1 of one class where the direction is known; None without truth."""
    known = matrix[:4]
    hit = known[kind, kind]
    return _f1(hit, known[:, kind].sum() - hit, known[kind].sum() - hit)


def wrong_direction(matrix: NDArray[np.int64]) -> float | None:
    """Of new and demolished pixels called any change, the share given the opposite class."""
    found = int(matrix[1:3, 1:].sum())
    return int(matrix[1, 2] + matrix[2, 1]) / found if found else None


def summary(matrix: NDArray[np.int64]) -> dict[str, float]:
    """Every score that has a truth."""
    scores = {
        "change": f1_change(matrix),
        "new_building": f1_kind(matrix, 1),
        "demolition": f1_kind(matrix, 2),
        "docking_slip": f1_kind(matrix, 3),
        "wrong_direction": wrong_direction(matrix),
    }
    return {name: score for name, score in scores.items() if score is not None}


def _f1(hit: int, false: int, missed: int) -> float | None:
    return 2 * float(hit) / float(2 * hit + false + missed) if hit + missed else None
