"""Scores of two evaluations of the same scenes, and whether they differ by more than chance."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from groundbreak.atomic import atomic_path
from groundbreak.errors import DataError
from groundbreak.evaluate.metrics import TARGETS, IntArray, score, target_counts
from groundbreak.evaluate.tally import SceneCounts
from groundbreak.writers.spreadsheet import harmless

COUNTS = ("found_px", "invented_px", "missed_px")
COLUMNS = tuple(f"{target}_{count}" for target in TARGETS for count in COUNTS)

Scenes = Mapping[tuple[str, str], IntArray]
"""(set, scene) → (targets, 3) pixel counts."""


def scene_counts(scenes: Sequence[SceneCounts]) -> dict[tuple[str, str], IntArray]:
    """Pixel counts by scene."""
    table = {}
    for scene in scenes:
        counts = target_counts(scene.matrix)
        table[scene.set, scene.scene] = np.stack([counts[target] for target in TARGETS])
    return table


def write_scenes(path: Path, scenes: Sequence[SceneCounts]) -> None:
    """Write the pixel counts of every scene as CSV; no name is a formula to a spreadsheet."""
    table = scene_counts(scenes)
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as text:
        writer = csv.writer(text)
        writer.writerow(("set", "scene", *COLUMNS))
        rows = ((*_as_written(name), *counts.ravel()) for name, counts in table.items())
        writer.writerows(rows)


def read_scenes(path: Path) -> dict[tuple[str, str], IntArray]:
    """Read what ``write_scenes`` wrote, names as it wrote them.

    Args:
        path: the output folder of an evaluation, or a file in it.

    Raises:
        DataError: there is none, or it cannot be read.
    """
    folder = path if path.is_dir() else path.parent
    file = folder / "scenes.csv"
    try:
        with file.open(newline="", encoding="utf-8") as text:
            return {
                (row["set"], row["scene"]): np.array(
                    [int(row[column]) for column in COLUMNS], np.int64
                ).reshape(len(TARGETS), 3)
                for row in csv.DictReader(text)
            }
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            str(path), f"has no readable scenes.csv ({error})", "give the folder of an evaluation"
        ) from error


def compare(ours: Scenes, theirs: Scenes, resamples: int = 1000) -> dict[str, Any]:
    """F1 of both on the scenes that both have, by set and target.

    The interval is that of the difference when the common scenes are drawn again (paired: hard
    scenes are hard for both). ``theirs`` may have names as ``write_scenes`` writes them.

    Returns:
        Per set the number of common scenes and, by target, ``ours``, ``theirs``, ``difference``
        and ``interval`` (95 %); None without truth. Sets without a common scene are left out.
    """
    theirs = {_as_written(name): counts for name, counts in theirs.items()}
    common = [name for name in ours if _as_written(name) in theirs]
    result: dict[str, Any] = {}
    for set_name in dict.fromkeys(name for name, _ in common):
        names = [name for name in common if name[0] == set_name]
        both = [[ours[name], theirs[_as_written(name)]] for name in names]
        pair = np.stack(both)  # (scenes, 2, targets, 3)
        result[set_name] = {"scenes": len(names)} | {
            target: _difference(pair[:, :, index], resamples)
            for index, target in enumerate(TARGETS)
        }
    return result


def not_compared(ours: Scenes, compared: Mapping[str, Any]) -> list[str]:
    """What ``compare`` could say nothing of, and why; ``compared`` is what it returned."""
    if not compared:
        return ["nothing is compared: no scene was judged by both"]
    notes = [
        f"{name} is not compared: no scene of it was judged by both"
        for name in dict.fromkeys(name for name, _ in ours)
        if name not in compared
    ]
    for name, row in compared.items():
        if all(row[target]["difference"] is None for target in TARGETS):
            notes.append(f"{name} is not compared: nothing is labelled in the scenes of both")
    return notes


HOW = {"engine": "engine", "tta": "mirror images averaged", "pixel_threshold": "pixels from"}
"""What should be the same on both sides, as ``metrics.json`` calls it and in words."""


def judged_otherwise(ours: Mapping[str, Any], path: Path) -> list[str]:
    """What of the way that both were judged differs, beside the weights.

    Args:
        ours: the document of this evaluation.
        path: the output folder of the other one, or a file in it. One without a readable
            ``metrics.json`` says nothing.
    """
    folder = path if path.is_dir() else path.parent
    try:
        theirs = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        pairs = [(text, ours[key], theirs[key]) for key, text in HOW.items()]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [
        f"judged otherwise: {text} {_plain(here)} here, {_plain(there)} there"
        for text, here, there in pairs
        if here != there
    ]


def _plain(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _as_written(name: tuple[str, str]) -> tuple[str, str]:
    """Set and scene without formulas; names that were written once stay as they are."""
    return harmless(name[0]), harmless(name[1])


def _difference(counts: IntArray, resamples: int) -> dict[str, Any]:
    ours, theirs = (score(total)["f1"] for total in counts.sum(axis=0))
    interval = None
    if ours is not None and theirs is not None and len(counts) > 1:
        rng = np.random.default_rng(0)
        draws = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), resamples)
        drawn = np.einsum("rs,sik->rik", draws, counts).astype(np.float64)
        drawn = drawn[(drawn[..., 0] + drawn[..., 2] > 0).all(axis=1)]
        f1 = 2 * drawn[..., 0] / (2 * drawn[..., 0] + drawn[..., 1] + drawn[..., 2])
        if len(f1):
            low, high = np.percentile(f1[:, 0] - f1[:, 1], [2.5, 97.5])
            interval = [float(low), float(high)]
    return {
        "ours": ours,
        "theirs": theirs,
        "difference": None if ours is None or theirs is None else ours - theirs,
        "interval": interval,
    }
