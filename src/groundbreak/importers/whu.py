"""WHU building change detection (Christchurch 2012 and 2016, 0.2 m), in its own layout or cut.

As published (Ji, Wei, Lu 2019, "Building change detection dataset_add"):
``1. The two-period image data/{2012,2016}/{whole_image,splited_images}/{train,test}/{image,label}``
and ``change_label/{train,test}/change_label.tif``. The labels are buildings per year, which gives
the direction. The tiles of ``splited_images`` are used, where slivers along outlines are ignored;
without them, windows of the whole images, where ``change_label`` says what is change. Train and
test are separate areas: scores on random cuts of the whole scene, as often published, are some 13
points better and mean little.

Folders ``train|val|test/{A,B,label}`` of 256 px, as redistributed, have no direction.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import ndimage

from groundbreak.errors import DataError
from groundbreak.importers.ab_label import SPLITS as AB_SPLITS
from groundbreak.importers.ab_label import read_ab_label
from groundbreak.importers.pair import (
    Labels,
    Layout,
    Options,
    SourcePair,
    check_sizes,
    direction_label,
    find_root,
    partner,
    pictures,
    read_masks,
    read_size,
    refuse_change_as,
)
from groundbreak.raster.read import read_window
from groundbreak.types import BoolArray, MaskValue

GSD_M = 0.2
YEARS = ("2012", "2016")
TILE_PX = 1024
SLIVER_PX = 5
"""Differences of two outlines of one house are thinner than this; changes are not."""

EXPECTED = (
    "1. The two-period image data/{2012,2016}/{splited_images,whole_image}/{train,test}/"
    "{image,label}, or train/{A,B,label}"
)


def _read(source: Path, options: Options) -> Iterator[SourcePair]:
    marks = (*YEARS, *(f"{split}/A" for split in AB_SPLITS))
    root = find_root(source, marks, EXPECTED)
    if not (root / YEARS[0]).is_dir():
        yield from read_ab_label(root, options.change_as or MaskValue.UNKNOWN_DIRECTION, GSD_M)
        return
    refuse_change_as(options, root)
    if (root / YEARS[0] / "splited_images").is_dir():
        yield from _read_tiles(root)
    else:
        yield from _read_whole(root)


def change_label(before: BoolArray, after: BoolArray) -> Labels:
    """Label from the buildings of two years; slivers along outlines are 255, unknown."""
    label = direction_label(after & ~before, before & ~after)
    changed = label > 0
    thick = ndimage.binary_opening(changed, np.ones((SLIVER_PX, SLIVER_PX), np.bool_))
    # Grown back within the change, so that corners that opening rounds off stay labelled.
    kept = ndimage.binary_propagation(thick, mask=changed)
    label[changed & ~kept] = MaskValue.IGNORE
    return label


def _read_tiles(root: Path) -> Iterator[SourcePair]:
    for split in ("train", "test"):
        folders = [root / year / "splited_images" / split for year in YEARS]
        if not all((folder / "image").is_dir() for folder in folders):
            continue
        later = pictures(folders[1] / "image")
        masks = [pictures(folder / "label") for folder in folders]
        for stem, before in pictures(folders[0] / "image").items():
            buildings = read_masks(
                [
                    partner(found, stem, folder / "label")
                    for found, folder in zip(masks, folders, strict=True)
                ]
            )
            yield SourcePair(
                split=split,
                scene=f"{split}_{stem}",
                before=before,
                after=partner(later, stem, folders[1] / "image"),
                label=change_label(*buildings),
                original_name=f"splited_images/{split}/image/{before.name}",
                gsd_m=GSD_M,
                date_before=YEARS[0],
                date_after=YEARS[1],
            )


def _read_whole(root: Path) -> Iterator[SourcePair]:
    for split in ("train", "test"):
        folders = [root / year / "whole_image" / split for year in YEARS]
        if not all((folder / "image").is_dir() for folder in folders):
            continue
        images, buildings = (
            [_only(folder / part) for folder in folders] for part in ("image", "label")
        )
        confirmed = _only(root / "change_label" / split)
        sizes = {path: read_size(path) for path in (*images, *buildings, confirmed)}
        check_sizes(sizes)
        height, width = sizes[images[0]]
        for y in range(0, height, TILE_PX):
            for x in range(0, width, TILE_PX):
                window = slice(y, min(y + TILE_PX, height)), slice(x, min(x + TILE_PX, width))
                was, is_now, changed = (
                    read_window(path, window)[0] > 0 for path in (*buildings, confirmed)
                )
                label = direction_label(is_now & ~was & changed, was & ~is_now & changed)
                label[changed & (label == MaskValue.NONE)] = MaskValue.UNKNOWN_DIRECTION
                before, after = (read_window(path, window)[:3] for path in images)
                if not before.any() or not after.any():
                    continue
                label[~(before.any(axis=0) & after.any(axis=0))] = MaskValue.IGNORE
                yield SourcePair(
                    split=split,
                    scene=f"{split}_y{y}_x{x}",
                    before=before,
                    after=after,
                    label=label,
                    original_name=f"whole_image/{split}, row {y}, column {x}",
                    gsd_m=GSD_M,
                    date_before=YEARS[0],
                    date_after=YEARS[1],
                )


def _only(folder: Path) -> Path:
    found = list(pictures(folder).values())
    if len(found) != 1:
        raise DataError(str(folder), f"has {len(found)} pictures, expected one")
    return found[0]


WHU_CD = Layout(
    "whu_cd",
    _read,
    "not stated; LINZ aerial imagery, CC BY 3.0 NZ",
    options=frozenset({"change_as"}),
)
