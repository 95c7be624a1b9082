"""Change maps on disk: bands of rows, each written whole, so that work resumes where it ended.

``PAIR/key.json`` names what the map was made from, ``PAIR/rows_Y.tif`` holds the probabilities of
the three kinds as uint16 * 1e-4 (65535 = not observed), ``PAIR/rows_Y.json`` says that they are
complete, with the size of the file, or that there are none since nothing was observed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox

from groundbreak.atomic import write_json
from groundbreak.errors import InternalError
from groundbreak.inference.checked import arithmetic
from groundbreak.inference.engine import Engine, Statistics
from groundbreak.inference.stitch import StitchConfig, lattice, predict_blocks
from groundbreak.kept import kept_json, kept_whole
from groundbreak.model.shape import CLEAR, SHOWS
from groundbreak.pipeline.pairs import PairPlan
from groundbreak.prepare.store import PreparedLook
from groundbreak.raster.read import read_window
from groundbreak.raster.write import RasterSink
from groundbreak.types import KINDS, BoolArray, Box, FloatArray

PROBABILITY_SCALE = 10000.0
NOT_OBSERVED = 65535


@dataclass(frozen=True)
class StoredChange:
    """A finished change map of a pair."""

    earlier_id: str
    later_id: str
    folder: Path
    edges: tuple[int, ...]  # first rows of the bands, and the height
    empty: frozenset[int] = frozenset()  # first rows of bands where nothing was observed
    key: str = ""  # digest of all that the map depends on

    def read(self, rows: slice, columns: slice) -> tuple[FloatArray, BoolArray] | None:
        """A window of the map.

        Returns:
            Probabilities (3, h, w) in the order of ``KINDS`` and where the pair was observed
            (h, w), or None where nothing at all was observed.
        """
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        stored = np.full((len(KINDS), *shape), NOT_OBSERVED, np.uint16)
        for top, bottom in zip(self.edges, self.edges[1:], strict=False):
            y0, y1 = max(rows.start, top), min(rows.stop, bottom)
            path = self.folder / f"rows_{top}.tif"
            if y0 < y1 and top not in self.empty:
                window = (slice(y0 - top, y1 - top), columns)
                stored[:, y0 - rows.start : y1 - rows.start] = read_window(path, window)
        observed = stored[0] != NOT_OBSERVED
        if not observed.any():
            return None
        probabilities = stored.astype(np.float32) / np.float32(PROBABILITY_SCALE)
        probabilities[:, ~observed] = 0
        return probabilities, observed


@dataclass(frozen=True)
class ChangeJob:
    """What makes the change maps of a site."""

    engine: Engine
    cut: StitchConfig
    grid: GeoBox
    folder: Path


def compute_change(job: ChangeJob, plan: PairPlan) -> StoredChange:
    """Predict a pair where it is planned to be, or take what an earlier run left.

    Raises:
        InternalError: the network answers with what is no number.
        OutputError: the folder cannot be written.
    """
    folder = job.folder / f"{plan.earlier.id}__{plan.later.id}"
    height, width = job.grid.shape
    rows = lattice((height, width), job.cut)
    key = _key(job, plan)
    if kept_json(folder / "key.json", dict[str, str]) != key:
        shutil.rmtree(folder, ignore_errors=True)
        write_json(folder / "key.json", key)
    tops = [row[0].y0 for row in rows]
    empty = {top: note for top in tops if (note := _empty(folder, top)) is not None}
    first = next((i for i, top in enumerate(tops) if top not in empty), len(rows))
    if first < len(rows):
        bands = groupby(_predict(job, plan, first), key=lambda part: (part[0].y0, part[0].y1))
        for (top, bottom), parts in bands:
            grid = job.grid[top:bottom, :]
            path = folder / f"rows_{top}.tif"
            empty[top] = _write_band(path, grid, top, parts)
            size = None if empty[top] else path.stat().st_size
            told = {"rows": bottom - top, "empty": empty[top], "bytes": size}
            write_json(folder / f"rows_{top}.json", told)
    empty_bands = frozenset(top for top in tops if empty[top])
    edges, digest = (*tops, height), hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
    return StoredChange(plan.earlier.id, plan.later.id, folder, edges, empty_bands, digest)


def _empty(folder: Path, top: int) -> bool | None:
    """Whether nothing was observed in a band of rows, None where it must be computed."""

    def understand(note: dict[str, Any]) -> bool | None:
        if not isinstance(note["empty"], bool):
            raise TypeError(f"empty is {note['empty']!r}")
        if note["empty"]:
            return True
        return False if kept_whole(folder / f"rows_{top}.tif", note.get("bytes")) else None

    return kept_json(folder / f"rows_{top}.json", understand)


def _predict(job: ChangeJob, plan: PairPlan, first_band: int) -> Iterator[tuple[Box, np.ndarray]]:
    looks = plan.earlier, plan.later
    bands = _bands(job, plan)
    statistics = Statistics(
        mean=np.stack([_arranged(look, look.mean, bands) for look in looks]),
        spread=np.stack([_arranged(look, look.spread, bands) for look in looks]),
    )

    def read(box: Box) -> tuple[FloatArray, FloatArray]:
        return _filled(plan, bands, box)

    zoom = job.engine.card.magnification(float(abs(job.grid.resolution.x)))

    def predict(before: FloatArray, after: FloatArray) -> FloatArray:
        return job.engine.predict(before, after, statistics, zoom)

    # A processor computes one window after the other; more at once would fill memory only.
    cut = replace(job.cut, batch=1) if job.engine.device == "cpu" else job.cut
    shape = (int(job.grid.shape[0]), int(job.grid.shape[1]))
    for block in predict_blocks(predict, read, shape, cut, plan.boxes.__contains__, first_band):
        if not np.isfinite(block.probabilities).all():
            # Rounded to whole numbers it would read as "observed, no change".
            raise InternalError(
                f"{job.engine.description} gave no number for a probability: take another --engine"
            )
        window = block.box.slices
        observed = plan.earlier.usable(window) & plan.later.usable(window)
        values = np.rint(block.probabilities[1:] * PROBABILITY_SCALE).astype(np.uint16)
        values[:, ~(observed & block.predicted)] = NOT_OBSERVED
        yield block.box, values


def _filled(plan: PairPlan, bands: Sequence[str], box: Box) -> tuple[FloatArray, FloatArray]:
    """Pixels of both dates in some bands; what one could not see is filled from the other.

    A cloud would otherwise be a change that its surroundings answer to.
    """
    before, after = (
        _arranged(look, look.pixels(box.slices), bands) for look in (plan.earlier, plan.later)
    )
    seen_before, seen_after = plan.earlier.usable(box.slices), plan.later.usable(box.slices)
    if seen_before.all() and seen_after.all():
        return before, after
    return (
        np.where(seen_before, before, np.where(seen_after, after, np.float32(0))),
        np.where(seen_after, after, np.where(seen_before, before, np.float32(0))),
    )


def _bands(job: ChangeJob, plan: PairPlan) -> list[str]:
    """The bands of both looks that the network is given, in the order of the card.

    Red takes the place of an optional band that one of them does not have, as in training: in both,
    since near infrared against red would be a change.
    """
    both = set(plan.earlier.bands) & set(plan.later.bands)
    return [band if band in both else "red" for band in job.engine.card.bands]


def _arranged(look: PreparedLook, values: object, bands: Sequence[str]) -> FloatArray:
    """Values by band of a look, of some bands in their order."""
    given = np.asarray(values, np.float32)
    rows = [look.bands.index(band) for band in bands]
    return given if rows == [*range(len(given))] else given[rows]


def _write_band(
    path: Path, grid: GeoBox, top: int, parts: Iterable[tuple[Box, np.ndarray]]
) -> bool:
    """Write the parts of a band of rows; without any pixel observed there is no file.

    Returns:
        whether nothing was observed.
    """
    names = tuple(kind.value for kind in KINDS)
    sink: RasterSink | None = None
    empty: list[Box] = []
    with ExitStack() as stack:
        for box, values in parts:
            place = Box(box.y0 - top, box.y1 - top, box.x0, box.x1)
            if sink is None and (values == NOT_OBSERVED).all():
                empty.append(place)
                continue
            if sink is None:
                band = RasterSink(path, grid, len(KINDS), "uint16", NOT_OBSERVED, names, fast=True)
                sink = stack.enter_context(band)
                for gap in empty:
                    sink.write(gap, np.full((len(KINDS), *gap.shape), NOT_OBSERVED, np.uint16))
            sink.write(place, values)
    return sink is None


def _key(job: ChangeJob, plan: PairPlan) -> dict[str, str]:
    boxes = sorted((box.y0, box.x0) for box in plan.boxes)
    basis = {
        "earlier": plan.earlier.digest,
        "later": plan.later.digest,
        "weights": job.engine.card.sha256 or job.engine.card.name,
        "temperature": repr(job.engine.card.temperature),
        "zoom": str(job.engine.card.magnification(float(abs(job.grid.resolution.x)))),
        "cut": {k: v for k, v in asdict(job.cut).items() if k != "batch"},
        "boxes": hashlib.sha256(repr(boxes).encode()).hexdigest()[:16],
    }
    both = job.engine.card.network.both_orders
    basis["orders"] = f"both from {SHOWS}" if both else "one"
    if job.engine.card.network.other:
        basis["other"] = repr(CLEAR)  # maps from before left it aside
    if how := arithmetic(job.engine):
        basis["arithmetic"] = how  # maps from before, and of all other engines, say nothing of it
    return {k: v if isinstance(v, str) else json.dumps(v, sort_keys=True) for k, v in basis.items()}
