"""Imported pairs into the package's own format: pictures, labels and their ``index.csv``."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from groundbreak.atomic import atomic_path
from groundbreak.errors import DataError
from groundbreak.importers.ab_label import LEVIR_CD, LEVIR_CD_PLUS
from groundbreak.importers.fotbcd import FOTBCD
from groundbreak.importers.oscd import OSCD
from groundbreak.importers.pair import (
    Image,
    Layout,
    Options,
    SourcePair,
    check_sizes,
    read_pixels,
    read_valid_pixels,
)
from groundbreak.importers.s2looking import S2LOOKING
from groundbreak.importers.second import SECOND
from groundbreak.importers.spacenet7 import SPACENET7
from groundbreak.importers.whu import WHU_CD
from groundbreak.importers.xbd import XBD
from groundbreak.pairs.index import extend_index, parse_bands, read_rows
from groundbreak.raster.write import RasterSink
from groundbreak.types import Box, MaskValue

LAYOUTS: dict[str, Layout] = {
    "levir-cd": LEVIR_CD,
    "levir-cd-plus": LEVIR_CD_PLUS,
    "s2looking": S2LOOKING,
    "whu-cd": WHU_CD,
    "xbd": XBD,
    "second": SECOND,
    "spacenet7": SPACENET7,
    "oscd": OSCD,
    "fotbcd": FOTBCD,
}


@dataclass(frozen=True)
class WriteOptions:
    """How pairs are written.

    Attributes:
        tile: cut scenes into tiles of this many pixels a side; None leaves them whole.
        limit: write no more pairs than this; None writes all.
    """

    tile: int | None = None
    limit: int | None = None


def import_pairs(
    layout: Layout, source: Path, out: Path, options: Options, write: WriteOptions
) -> int:
    """Import a published set.

    Pictures are copied as they are, unless they are cut. Scenes of other sets that ``out`` has
    already stay in its index; those of this set are replaced.

    Args:
        layout: one of ``LAYOUTS``.
        source: folder of the set.
        out: folder of the data set to make or to extend.
        options: decisions about labels and dates.
        write: how to write.

    Returns:
        How many pairs were written.

    Raises:
        DataError: the source does not have the layout, or something of it is missing.
        OutputError: the folder cannot be written.
    """
    if (out / "index.csv").is_file():
        read_rows(out / "index.csv")  # refused now, not after an hour of copying
    pairs: Iterator[SourcePair] = map(_checked, layout.read(source, options))
    if write.tile is not None:
        pairs = (tile for pair in pairs for tile in cut(pair, write.tile))
    rows = [_write(layout, pair, out) for pair in islice(pairs, write.limit)]
    if not rows:
        raise DataError(str(source), "holds no pair", "the download may be incomplete")
    extend_index(out, rows, lambda row: row["set"] == layout.set)
    return len(rows)


def _checked(pair: SourcePair) -> SourcePair:
    """The pair, if its pictures can be read, have the bands and are of one size with its label.

    Of a copy nobody could say which file of the set is broken. What is no file an importer has
    checked.
    """
    files = [image for image in (pair.before, pair.after) if isinstance(image, Path)]
    shapes = {path: read_pixels(path).shape for path in files}
    named = len(parse_bands(pair.bands))
    for path, (count, *_) in shapes.items():
        if count != named:
            raise DataError(str(path), f"has {count} bands, expected {named} ({pair.bands})")
    sizes = {path: shape[1:] for path, shape in shapes.items()}
    if sizes:
        check_sizes(sizes)
        height, width = sizes[files[0]]
        if pair.label.shape != (height, width):
            rows, columns = pair.label.shape
            raise DataError(str(files[0]), f"is {width} x {height}, its label {columns} x {rows}")
    return pair


def cut(pair: SourcePair, tile: int) -> Iterator[SourcePair]:
    """A pair in tiles that do not overlap; those at the right and bottom may be smaller."""
    before, valid_before = _pixels(pair.before)
    after, valid_after = _pixels(pair.after)
    label = np.where(valid_before & valid_after, pair.label, MaskValue.IGNORE).astype(np.uint8)
    height, width = label.shape
    for y in range(0, height, tile):
        for x in range(0, width, tile):
            window = slice(y, y + tile), slice(x, x + tile)
            yield replace(
                pair,
                scene=f"{pair.scene}_y{y}_x{x}",
                before=before[:, *window],
                after=after[:, *window],
                label=label[window],
            )


def _write(layout: Layout, pair: SourcePair, out: Path) -> dict[str, str]:
    scene = re.sub(r"[^\w.-]", "_", pair.scene)
    folder = Path(layout.set) / pair.split
    before = _write_image(out, folder / "A" / scene, pair.before, pair)
    after = _write_image(out, folder / "B" / scene, pair.after, pair)
    label = folder / "label" / f"{scene}.png"
    _write_png(out / label, pair.label)
    height, width = pair.label.shape
    return {
        "set": layout.set,
        "split": pair.split,
        "scene": scene,
        "before": before.as_posix(),
        "after": after.as_posix(),
        "label": label.as_posix(),
        "width": str(width),
        "height": str(height),
        "gsd_m": "" if pair.gsd_m is None else f"{pair.gsd_m:.4g}",
        "bands": pair.bands,
        "original_name": pair.original_name,
        "date_before": pair.date_before,
        "date_after": pair.date_after,
        "licence": layout.licence,
        "label_quality": layout.quality,
    }


def _write_image(out: Path, stem: Path, image: Image, pair: SourcePair) -> Path:
    """Write or copy an image; returns its path below ``out``."""
    if isinstance(image, Path):
        path = stem.with_name(stem.name + image.suffix.lower())
        with atomic_path(out / path) as temporary:
            shutil.copyfile(image, temporary)
        return path
    if image.dtype == np.uint8 and len(image) == 3:
        path = stem.with_name(stem.name + ".png")
        _write_png(out / path, np.moveaxis(image, 0, 2))
        return path
    path = stem.with_name(stem.name + ".tif")
    bands, height, width = image.shape
    nowhere = GeoBox((height, width), Affine.identity(), None)
    names = pair.bands.split(";")
    with RasterSink(out / path, nowhere, bands, image.dtype.name, band_names=names) as sink:
        sink.write(Box(0, height, 0, width), image)
    return path


def _write_png(path: Path, pixels: np.ndarray) -> None:
    from PIL import Image as Pillow

    with atomic_path(path) as temporary:
        Pillow.fromarray(np.ascontiguousarray(pixels)).save(temporary, format="PNG")


def _pixels(image: Image) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(image, Path):
        return read_valid_pixels(image)
    return image, np.ones(image.shape[1:], np.bool_)


def refuse_options(layout: Layout, given: Iterable[str]) -> None:
    """Refuse options that mean nothing for a layout.

    Raises:
        DataError: there is one.
    """
    for name in given:
        if name not in layout.options:
            raise DataError(f"--{name.replace('_', '-')}", f"means nothing for {layout.set}")
