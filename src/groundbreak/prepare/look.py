"""One look: aligned, made comparable, written to disk in bounded memory.

This is the order of things: read, mask, align, radiometry. It lives here only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from groundbreak.align import AlignConfig, Alignment, Piece, estimate_shift, shift_image
from groundbreak.align.windows import find_edges
from groundbreak.prepare.acquire import Acquired, Source, acquire, in_common, of_other_scale
from groundbreak.prepare.looks import LookPlan
from groundbreak.prepare.overview import Overview
from groundbreak.prepare.store import LOOK, PIXEL_SCALE, PIXELS, USABLE, PreparedLook, save_look
from groundbreak.radiometry import Radiometry, RadiometryConfig, apply, match
from groundbreak.raster.grid import blocks, site_mask
from groundbreak.raster.write import RasterSink
from groundbreak.types import Box, Site

SOME_HIDDEN = 0.05
"""A pixel of an overview of which this share is hidden does not count."""

BLOCK = 1024
"""Side of the windows that are read at once, by each thread."""

SAMPLE = 1024
"""Alignment is measured on all of a site that has at most the square of so many pixels."""

PIECES = 4
"""Of a larger site it is measured on so many pieces of half that side, or less."""


@dataclass(frozen=True)
class Reference:
    """The look that others are aligned to and made comparable with.

    ``samples`` is what it shows in the ``windows`` that alignment is measured on.
    """

    overview: Overview
    samples: tuple[Acquired, ...]
    windows: tuple[Box, ...]


@dataclass(frozen=True)
class LookKey:
    """Digests by which a prepared look is known; see ``PreparedLook``."""

    key: str
    told: str
    state: str


@dataclass(frozen=True)
class SiteGrid:
    """A site and its grids: full, and coarse for the overviews."""

    site: Site
    full: GeoBox
    coarse: GeoBox


def sample_windows(grid: SiteGrid, overview: Overview) -> tuple[Box, ...]:
    """The pieces of the site that alignment is measured on.

    In every quarter of a large site those in which the reference look shows most: a single piece
    may be all water, or lie under the other look's clouds. None overlaps another, so that no place
    has more than one say.
    """
    height, width = grid.full.shape
    if height * width <= SAMPLE**2:
        return (Box(0, height, 0, width),)
    edges = find_edges(overview.acquired.pixels, overview.usable, AlignConfig().blur_px)
    step = max(1, max(height, width) // max(grid.coarse.shape))

    def shown(window: Box) -> float:
        rows, columns = _coarse_index(grid, window)
        return float(edges.strength[np.ix_(rows[::step], columns[::step])].sum())

    quarters: dict[tuple[bool, bool], list[Box]] = {}
    for y0, y1 in _parts(height):
        for x0, x1 in _parts(width):
            quarter = y0 + y1 > height, x0 + x1 > width
            quarters.setdefault(quarter, []).append(Box(y0, y1, x0, x1))
    each = -(-PIECES // len(quarters))
    return tuple(
        window
        for windows in quarters.values()
        for window in sorted(windows, key=shown, reverse=True)[:each]
    )


def _parts(side: int) -> list[tuple[int, int]]:
    """Parts of a side of a site, all of one length, from end to end, without overlap."""
    length = min(SAMPLE // 2, side if side <= SAMPLE // 2 else side // 2)
    count = side // length
    starts = np.linspace(0, side - length, count).round().astype(int).tolist()
    return [(start, start + length) for start in starts]


def take_reference(overview: Overview, grid: SiteGrid, source: Source) -> Reference:
    """Read the samples of the reference look."""
    windows = sample_windows(grid, overview)
    return Reference(overview, read_samples(overview.plan, windows, grid, source), windows)


def read_samples(
    plan: LookPlan, windows: Sequence[Box], grid: SiteGrid, source: Source
) -> tuple[Acquired, ...]:
    """What a look shows in windows of the site."""
    return tuple(acquire(plan, grid.full[window.slices], source) for window in windows)


def align_look(
    overview: Overview, reference: Reference, grid: SiteGrid, moving: Sequence[Acquired]
) -> Alignment:
    """How a look lies on the reference look, as far as the reference's samples show.

    Args:
        overview: the look.
        reference: the look that it is to lie on.
        grid: of the site.
        moving: the look in the windows of the reference's samples.
    """
    clear = ~(overview.clouds | reference.overview.clouds)
    pieces = []
    for window, fixed, other in zip(reference.windows, reference.samples, moving, strict=True):
        rows, columns = _coarse_index(grid, window)
        usable = fixed.usable & other.usable & clear[np.ix_(rows, columns)]
        both = in_common(fixed, other)
        pieces.append(Piece(fixed.select(both), other.select(both), usable))
    return estimate_shift(pieces)


def prepare_look(
    overview: Overview,
    reference: Overview,
    alignment: Alignment | None,
    grid: SiteGrid,
    source: Source,
    folder: Path,
    key: LookKey,
) -> PreparedLook:
    """Prepare one look and write it to ``folder``; what is there stays until all was read.

    Args:
        overview: the look.
        reference: the look that its radiometry is matched to.
        alignment: on the reference; None for the reference itself.
        grid: of the site.
        source: how scenes are read.
        folder: where to.
        key: what the look depends on.

    Raises:
        SceneLostError: a file is damaged.
        OutputError: the folder cannot be written.
    """
    shift = (alignment.dx, alignment.dy) if alignment else (0.0, 0.0)
    bands = overview.acquired.bands
    radiometry = _match(overview, reference, grid, shift) if alignment else None
    totals = _write(overview, grid, source, shift, radiometry, folder)
    look = PreparedLook(
        id=overview.plan.id,
        start=overview.plan.start,
        end=overview.plan.end,
        scene_ids=overview.plan.scene_ids,
        bands=bands,
        sensor=overview.plan.sensor,
        gsd_m=overview.plan.gsd_m,
        valid_share=totals.valid / max(1, totals.inside),
        usable_share=totals.usable / max(1, totals.inside),
        masked=overview.acquired.masked,
        aligned=alignment is None or alignment.trusted,
        shift_px=shift,
        residual_px=_residual(alignment),
        alignment_note="" if alignment is None else alignment.reason,
        apart=alignment is not None and alignment.apart,
        gain=_rounded(radiometry.gain if radiometry else np.ones(len(bands))),
        offset=_rounded(radiometry.offset if radiometry else np.zeros(len(bands))),
        mean=_rounded(totals.mean),
        spread=_rounded(totals.spread),
        flags=_flags(overview, alignment),
        key=key.key,
        digest=totals.digest,
        folder=folder,
        told=key.told,
        state=key.state,
    )
    save_look(look)
    return look


@dataclass(frozen=True)
class _Totals:
    """Pixels inside the site, those of them that are valid and usable, and their statistics."""

    inside: int
    valid: int
    usable: int
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    digest: str


def _match(
    overview: Overview,
    reference: Overview,
    grid: SiteGrid,
    shift: tuple[float, float],
) -> Radiometry:
    """Fit the radiometry on the aligned overviews.

    A band that the reference look does not have stays as it is.
    """
    scale = grid.coarse.shape[1] / grid.full.shape[1]
    dx, dy = shift[0] * scale, shift[1] * scale
    look, both = overview.acquired, in_common(overview.acquired, reference.acquired)
    pixels = shift_image(look.select(both), dx, dy)
    usable, hidden = reference.usable, ~overview.usable
    if hidden.any():
        hidden = shift_image(hidden[None].astype(np.float32), dx, dy)[0] > SOME_HIDDEN
        usable = usable & ~hidden
    colours = [n for n, band in enumerate(both) if band in ("red", "green", "blue")]
    config = RadiometryConfig()
    if not of_other_scale(look, reference.acquired):
        config = replace(config, rescale_from=None)
    found = match(reference.acquired.select(both), pixels, usable, config, colours)
    gain, offset = np.ones(len(look.bands), np.float32), np.zeros(len(look.bands), np.float32)
    places = [look.bands.index(band) for band in both]
    gain[places], offset[places] = found.gain, found.offset
    return replace(found, gain=gain, offset=offset)


def _write(
    overview: Overview,
    grid: SiteGrid,
    source: Source,
    shift: tuple[float, float],
    radiometry: Radiometry | None,
    folder: Path,
) -> _Totals:
    """Write pixels and usable mask block by block; sum up what is needed to know of them."""
    bands = overview.acquired.bands
    count = len(bands)
    digest = hashlib.sha256()
    sums, squares = np.zeros(count, np.uint64), np.zeros(count, np.uint64)
    counts, count_seen = np.zeros(3, np.int64), 0
    shown = RasterSink(folder / PIXELS, grid.full, count, "uint16", band_names=bands, fast=True)
    seen = RasterSink(folder / USABLE, grid.full, 1, "uint8", band_names=("usable",))
    with shown as p, seen as u:
        for window, look in _blocks(overview, grid, source, shift, radiometry):
            scaled = look.pixels * np.float32(PIXEL_SCALE)
            values = np.rint(scaled, out=scaled).astype(np.uint16)
            p.write(window, values)
            u.write(window, look.usable[None].view(np.uint8))
            digest.update(values)
            digest.update(np.packbits(look.usable).tobytes())
            # Whole numbers: sums are exact, and no copy in double precision is needed.
            known = values.reshape(count, -1) if look.usable.all() else values[:, look.usable]
            sums += known.sum(axis=1, dtype=np.uint64)
            squares += np.multiply(known, known, dtype=np.uint32).sum(axis=1, dtype=np.uint64)
            count_seen += known.shape[1]
            inside = site_mask(grid.site, grid.full[window.slices])
            masks = (inside, look.valid & inside, look.usable & inside)
            counts += [np.count_nonzero(mask) for mask in masks]
        # The rasters are replaced now: what says that the look is complete comes after them.
        (folder / LOOK).unlink(missing_ok=True)
    mean = sums / max(1, count_seen) / PIXEL_SCALE
    spread = squares / max(1, count_seen) / PIXEL_SCALE**2 - mean**2
    spread = np.sqrt(np.maximum(spread, 0))
    inside_site, valid, usable = (int(number) for number in counts)
    return _Totals(inside_site, valid, usable, mean, spread, digest.hexdigest()[:32])


def _blocks(
    overview: Overview,
    grid: SiteGrid,
    source: Source,
    shift: tuple[float, float],
    radiometry: Radiometry | None,
) -> Iterator[tuple[Box, Acquired]]:
    for window in blocks(grid.full, BLOCK):
        target = grid.full[window.slices]
        if shift != (0.0, 0.0):
            # What belongs at p lies at p + shift in this look: read there, in one resampling.
            target = GeoBox(target.shape, target.affine * Affine.translation(*shift), target.crs)
        look = acquire(overview.plan, target, source)
        rows, columns = _coarse_index(grid, window, shift)
        usable = look.usable & ~overview.clouds[np.ix_(rows, columns)]
        pixels = look.pixels
        if radiometry is not None:
            pixels = apply(pixels, radiometry)
            np.copyto(pixels, 0, where=~look.valid)
        yield window, replace(look, pixels=pixels, usable=usable)


def _coarse_index(
    grid: SiteGrid, window: Box, shift: tuple[float, float] = (0.0, 0.0)
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the coarse grid under the pixels of a window of the full one."""

    def index(start: int, stop: int, offset: float, full: int, coarse: int) -> np.ndarray:
        centres = (np.arange(start, stop) + 0.5 + offset) * (coarse / full)
        return np.clip(centres.astype(int), 0, coarse - 1)

    (height, width), (rows, columns) = grid.full.shape, grid.coarse.shape
    return (
        index(window.y0, window.y1, shift[1], height, rows),
        index(window.x0, window.x1, shift[0], width, columns),
    )


def _flags(overview: Overview, alignment: Alignment | None) -> tuple[str, ...]:
    flags = list(overview.plan.flags)
    if alignment is not None and not alignment.trusted:
        flags.append("misregistered")
    if not overview.acquired.masked:
        flags.append("no_cloud_mask")
    return tuple(flags)


def _residual(alignment: Alignment | None) -> float | None:
    if alignment is None:
        return 0.0
    return None if alignment.residual_px is None else round(alignment.residual_px, 4)


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)
