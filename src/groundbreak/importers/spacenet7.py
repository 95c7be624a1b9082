"""SpaceNet 7: monthly PlanetScope mosaics of ~100 places, every building with an id that stays.

Van Etten et al. 2021. ``train/<AOI>/images_masked/global_monthly_<YYYY>_<MM>_mosaic_<AOI>.tif``
and ``train/<AOI>/labels_match_pix/…_Buildings.geojson`` (polygons in pixels, property ``Id``).
Pairs are made of mosaics a given number of months apart: an id that is new was built, one that is
gone was torn down, and clouds and gaps (no data in ``images_masked``) are ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from groundbreak.errors import DataError, RasterError
from groundbreak.importers.pair import (
    Layout,
    Options,
    SourcePair,
    burn,
    check_sizes,
    direction_label,
    find_root,
    read_valid_pixels,
)
from groundbreak.raster.info import RasterInfo
from groundbreak.raster.read import inspect
from groundbreak.types import BoolArray, MaskValue

MONTH = re.compile(r"global_monthly_(\d{4})_(\d{2})_mosaic")
LABELS = "labels_match_pix"
EXPECTED = "train/<AOI>/{images_masked,labels_match_pix}"


def _read(source: Path, options: Options) -> Iterator[SourcePair]:
    root = find_root(source, ("train",), EXPECTED) / "train"
    places = sorted(folder for folder in root.iterdir() if (folder / LABELS).is_dir())
    if not places:
        raise DataError(str(source), "does not have this layout", f"expected {EXPECTED}")
    for place in places:
        yield from _read_place(place, options.months)


def _read_place(place: Path, months: int) -> Iterator[SourcePair]:
    images = _by_month(place / "images_masked", "*.tif")
    labels = _by_month(place / LABELS, "*_Buildings.geojson")
    common = sorted(images.keys() & labels.keys())
    free = 0
    for month in common:
        later = month + months
        # Pairs follow each other, so that no month is the later date of two; where one is missing
        # they go on from the next month that has a partner.
        if month < free or later not in common:
            continue
        free = later
        before, after = read_buildings(labels[month]), read_buildings(labels[later])
        info = _inspect(images[month])
        label = direction_label(
            burn((after[name] for name in after.keys() - before.keys()), info.shape),
            burn((before[name] for name in before.keys() - after.keys()), info.shape),
        )
        pixels, valid = read_mosaic(images[month])
        later_pixels, later_valid = read_mosaic(images[later])
        check_sizes({images[month]: valid.shape, images[later]: later_valid.shape})
        label[~(valid & later_valid)] = MaskValue.IGNORE
        dates = [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in (month, later)]
        yield SourcePair(
            split="train",
            scene=f"{place.name}_{dates[0]}_{dates[1]}",
            before=pixels,
            after=later_pixels,
            label=label,
            original_name=images[month].name,
            gsd_m=info.gsd_m,
            date_before=dates[0],
            date_after=dates[1],
        )


def _inspect(path: Path) -> RasterInfo:
    try:
        return inspect(path)
    except RasterError as error:
        raise DataError(str(path), error.problem, error.mend) from error


def _by_month(folder: Path, pattern: str) -> dict[int, Path]:
    """Files by month, counted from the year 0."""
    found = {}
    for path in sorted(folder.glob(pattern)):
        if match := MONTH.search(path.name):
            found[int(match[1]) * 12 + int(match[2]) - 1] = path
    return found


def read_mosaic(path: Path) -> tuple[NDArray[Any], BoolArray]:
    """Red, green and blue of a mosaic, and where it has data: alpha is set, and not all is 0.

    Raises:
        DataError: it cannot be read.
    """
    pixels, valid = read_valid_pixels(path)
    if len(pixels) > 3:  # an alpha band that the file does not call one
        valid = valid & (pixels[3] > 0)
    return pixels[:3], valid & (pixels[:3].max(axis=0) > 0)


def read_buildings(path: Path) -> dict[int, BaseGeometry]:
    """Polygons in pixels by id.

    Raises:
        DataError: it is not a label file of SpaceNet 7.
    """
    try:
        features = json.loads(path.read_text(encoding="utf-8"))["features"]
        return {int(f["properties"]["Id"]): shape(f["geometry"]).buffer(0) for f in features}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(str(path), f"is not a label file of SpaceNet 7 ({error})") from error


SPACENET7 = Layout(
    "spacenet7",
    _read,
    "CC BY-SA 4.0",
    quality="noisy",
    options=frozenset({"months"}),
)
