"""The evaluation job: labelled pairs of a split → metrics.json, plots, worst tiles, a page."""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from groundbreak import __version__
from groundbreak.atomic import write_json
from groundbreak.errors import DataError
from groundbreak.evaluate.compare import compare as compare_scenes
from groundbreak.evaluate.compare import (
    judged_otherwise,
    not_compared,
    read_scenes,
    scene_counts,
    write_scenes,
)
from groundbreak.evaluate.gallery import WorstTiles, save_picture, wrong_pixels
from groundbreak.evaluate.page import write_page
from groundbreak.evaluate.place import check_place
from groundbreak.evaluate.plots import plot_curves, plot_reliability
from groundbreak.evaluate.run_temporal import evaluate_temporal
from groundbreak.evaluate.tally import Tally, count_scene, curves, summarise
from groundbreak.events.vectorize import VectorConfig
from groundbreak.labels import PIXEL_THRESHOLD, pixel_label
from groundbreak.pairs.index import (
    CHANGES,
    PairArrays,
    PairRecord,
    only_ignored,
    read_index,
    read_pair,
)
from groundbreak.types import FloatArray

__all__ = ["evaluate", "evaluate_temporal"]

log = logging.getLogger(__name__)

UNKNOWN_GSD = "the size of the pixels is unknown: evaluated as they are, without a least area"


Tell = Callable[[str, float], None]
"""What is being done, and which share of all work is finished."""

JUDGING = 0.95
"""Share of the work that the scenes are; scores and plots are the rest."""


class Judged(Protocol):
    """What is judged: a predictor of whole scenes (``evaluate.predict.Predictor``)."""

    def __call__(self, pair: PairArrays) -> FloatArray:
        """Probabilities (4, height, width)."""


Refusal = Callable[[Sequence[str], float | None], str | None]
"""Bands and GSD of a pair → why the weights cannot be used on it, None if they can."""


@dataclass
class SetResult:
    """One data set, judged as far as it could be."""

    tally: Tally = field(default_factory=Tally)
    worst: WorstTiles = field(default_factory=WorstTiles)
    refused: dict[str, list[str]] = field(default_factory=dict)  # reason → scenes
    notes: list[str] = field(default_factory=list)
    values: set[int] = field(default_factory=set)  # of the labels


def evaluate(
    data: Path,
    split: str,
    weights: str,
    out: Path,
    sets: Sequence[str] | None = None,
    device: str = "auto",
    compare: Path | None = None,
    tta: bool = False,
    engine: str = "torch",
    tell: Tell = lambda _message, _share: None,
) -> dict[str, Any]:
    """Judge weights on the labelled pairs of a split.

    Writes ``metrics.json`` (what is returned), ``curves.json``, ``scenes.csv``, ``page.html``,
    ``plots/`` and ``worst/`` to ``out``.

    Args:
        data: folder with an ``index.csv``.
        split: any name in the index's ``split`` column.
        weights: name of shipped weights, or a path.
        out: folder to write to.
        sets: only these sets.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        compare: output folder of an earlier evaluation of the same scenes.
        tta: average over the mirror images of a scene.
        engine: see ``inference.choose``.
        tell: told which scene is judged, and which share of the work is done.

    Returns:
        ``sets``, ``overall`` (None if no set could be judged), ``skipped`` and what was asked.

    Raises:
        DataError: no such data, split or set, or a pair that cannot be read.
        WeightsError: the weights cannot be used.
        OutputError: the folder holds something else, or cannot be written.
    """
    from groundbreak.evaluate.predict import open_predictor, refusal

    check_place(out)
    records = choose_records(read_index(data), data, split, sets)
    theirs = None if compare is None else read_scenes(compare)
    predictor = open_predictor(weights, device, flips=tta, engine=engine)
    card = predictor.card
    config = VectorConfig(thresholds=card.thresholds, min_area_m2=card.min_area_m2)

    def refuses(bands: Sequence[str], gsd_m: float | None) -> str | None:
        return refusal(card, bands, gsd_m)

    results, done, scenes = {}, 0, sum(map(len, records.values()))
    for name, members in records.items():
        part = _part(tell, JUDGING * done / scenes, JUDGING * len(members) / scenes)
        results[name] = judge_set(members, predictor, refuses, config, card.pixel_threshold, part)
        done += len(members)
    tell("scores and plots", JUDGING)
    document = {
        "data": str(data),
        "split": split,
        "weights": {"name": card.name, "sha256": card.sha256},
        "engine": predictor.engine.description,
        "tta": tta,
        "pixel_threshold": card.pixel_threshold,
        "version": __version__,
    } | assemble(results)
    if compare is not None and theirs is not None:
        ours = scene_counts([s for r in results.values() for s in r.tally.scenes])
        compared = compare_scenes(ours, theirs)
        document["compare"] = {
            "with": str(compare),
            "sets": compared,
            "notes": [*not_compared(ours, compared), *judged_otherwise(document, compare)],
        }
    points: dict[str, float] = {"change": card.pixel_threshold} | {
        str(kind): threshold for kind, threshold in card.thresholds.items()
    }
    write_results(out, document, results, points)
    return document


def _part(tell: Tell, start: float, size: float) -> Tell:
    """Tell the share of a set as that of the whole."""
    return lambda message, share: tell(message, start + size * share)


def choose_records(
    records: Sequence[PairRecord], data: Path, split: str, sets: Sequence[str] | None
) -> dict[str, list[PairRecord]]:
    """The records of a split by set, in the order of the index.

    Raises:
        DataError: there is no such split or set.
    """
    in_split = [record for record in records if record.split == split]
    if not in_split:
        known = ", ".join(sorted({record.split for record in records}))
        raise DataError(str(data), f"has no split '{split}'", f"it has {known or 'no scenes'}")
    by_set: dict[str, list[PairRecord]] = {}
    for record in in_split:
        by_set.setdefault(record.set, []).append(record)
    for name in sets or ():
        if name not in by_set:
            near = difflib.get_close_matches(name, by_set, n=1)
            mend = f"did you mean {near[0]}?" if near else f"it has {', '.join(sorted(by_set))}"
            raise DataError(str(data), f"has no set '{name}' in {split}", mend)
    return {name: members for name, members in by_set.items() if not sets or name in sets}


def judge_set(
    records: Sequence[PairRecord],
    judged: Judged,
    refusal: Refusal,
    config: VectorConfig,
    pixel_threshold: float = PIXEL_THRESHOLD,
    tell: Tell = lambda _message, _share: None,
) -> SetResult:
    """Predict and count every scene of a set, one at a time.

    Pixels are called changed from ``pixel_threshold`` on, objects are cut as ``config`` says.
    """
    result = SetResult()
    for index, record in enumerate(records):
        tell(record.name, index / len(records))
        pair = _open(record, refusal)
        if isinstance(pair, str):
            result.refused.setdefault(pair, []).append(record.scene)
            continue
        probabilities = judged(pair)
        said = pixel_label(probabilities, pixel_threshold)
        name = (record.set, record.scene)
        scene = count_scene(name, pair.label, probabilities, said, config, pair.gsd_m)
        result.values.update(np.unique(pair.label).tolist())
        result.tally.add(scene, pair.label, probabilities)
        result.worst.add(record.scene, pair, said, wrong_pixels(pair.label, said))
        log.info("%s judged", record.name)
    if any(scene.gsd_m is None for scene in result.tally.scenes):
        result.notes.append(UNKNOWN_GSD)
    if only_ignored(result.values):
        result.notes.append(f"the labels hold only 0 and 255: {CHANGES}")
    for reason, scenes in result.refused.items():
        result.notes.append(f"{len(scenes)} of {len(records)} scenes left out: {reason}")
    return result


def _open(record: PairRecord, refusal: Refusal) -> PairArrays | str:
    """The pixels of a pair, or why it cannot be judged."""
    if record.label is None:
        return "has no labels"
    # Where the index names the bands, a scene that cannot be used is not even opened.
    if record.bands and (reason := refusal(record.bands, record.gsd_m)):
        return reason
    pair = read_pair(record)
    return refusal(pair.bands, pair.gsd_m) or pair


def assemble(results: Mapping[str, SetResult]) -> dict[str, Any]:
    """Scores by set and overall, and why sets were skipped."""
    judged = {name: result for name, result in results.items() if result.tally.scenes}
    overall = Tally()
    for result in judged.values():
        overall.merge(result.tally)
    return {
        "sets": {
            name: summarise(result.tally) | {"notes": result.notes}
            for name, result in judged.items()
        },
        "overall": summarise(overall) if judged else None,
        "skipped": {
            name: "; ".join(result.refused)
            for name, result in results.items()
            if not result.tally.scenes
        },
    }


def write_results(
    out: Path,
    document: Mapping[str, Any],
    results: Mapping[str, SetResult],
    points: Mapping[str, float],
) -> None:
    """Write everything an evaluation leaves; ``points`` are the thresholds in use, by target.

    Raises:
        OutputError: the folder cannot be written.
    """
    judged = {name: result for name, result in results.items() if result.tally.scenes}
    plots: dict[str, list[Path]] = {}
    tiles: dict[str, list[tuple[str, int, Path]]] = {}
    all_curves = {name: curves(result.tally) for name, result in judged.items()}
    for name, result in judged.items():
        stem = re.sub(r"[^\w.-]", "_", name)
        plots[name] = [out / "plots" / f"{stem}_{what}.png" for what in ("curves", "reliability")]
        title = f"{name}: precision and recall"
        plot_curves(plots[name][0], all_curves[name], title, points)
        bins = document["sets"][name]["reliability"]
        plot_reliability(plots[name][1], bins, f"{name}: reliability of change", "pixels")
        tiles[name] = []
        for rank, tile in enumerate(result.worst.worst_first(), start=1):
            path = out / "worst" / f"{stem}_{rank}.png"
            save_picture(path, tile.picture)
            tiles[name].append((tile.name, tile.wrong_px, path))
    write_json(out / "curves.json", all_curves, indent=None)
    write_scenes(out / "scenes.csv", [s for r in judged.values() for s in r.tally.scenes])
    write_page(out / "page.html", document, plots, tiles)
    write_json(out / "metrics.json", document)
