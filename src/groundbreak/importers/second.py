"""SECOND: ``train|test/{im1,im2,label1,label2}/*.png``, 512 px, 0.5 to 3 m, semantic change.

Yang et al. 2022. The labels are colours, and only where something changed: what it was in
``label1``, what it became in ``label2``; white is unchanged. Building to anything else is a
demolition, anything else to building a new building, building to building (replaced) a change of
unknown direction; changes without a building are no change here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from groundbreak.errors import DataError
from groundbreak.importers.pair import (
    Layout,
    Options,
    SourcePair,
    check_sizes,
    direction_label,
    find_root,
    partner,
    pictures,
    read_pixels,
)
from groundbreak.types import BoolArray

BUILDING = (128, 0, 0)
PALETTE = (
    (255, 255, 255),  # unchanged
    (0, 0, 255),  # water
    (128, 128, 128),  # ground
    (0, 128, 0),  # low vegetation
    (0, 255, 0),  # tree
    BUILDING,
    (255, 0, 0),  # playground
)


def _read(source: Path, _options: Options) -> Iterator[SourcePair]:
    splits = ("train", "val", "test")
    marks = [f"{split}/im1" for split in splits]
    root = find_root(source, marks, "train/{im1,im2,label1,label2}, test alike")
    for split in splits:
        folder = root / split
        if not (folder / "im1").is_dir():
            continue
        found = {name: pictures(folder / name) for name in ("im2", "label1", "label2")}
        for stem, before in pictures(folder / "im1").items():
            path = {name: partner(found[name], stem, folder / name) for name in found}
            was, is_now = buildings(path["label1"]), buildings(path["label2"])
            check_sizes({path["label1"]: was.shape, path["label2"]: is_now.shape})
            yield SourcePair(
                split=split,
                scene=f"{split}_{stem}",
                before=before,
                after=path["im2"],
                label=direction_label(is_now, was),
                original_name=f"{split}/im1/{before.name}",
                gsd_m=None,
            )


def buildings(path: Path) -> BoolArray:
    """Where a coloured label says building.

    Raises:
        DataError: it cannot be read, or its colours are not SECOND's.
    """
    pixels = read_pixels(path)
    if len(pixels) < 3:
        raise DataError(str(path), "is not coloured", "take label1 and label2 as published")
    colours = np.moveaxis(pixels[:3], 0, 2)
    known = {tuple(colour) for colour in PALETTE}
    for colour in np.unique(colours.reshape(-1, 3), axis=0):
        if tuple(int(v) for v in colour) not in known:
            raise DataError(str(path), f"has the colour {colour.tolist()}, which SECOND has not")
    return (colours == np.array(BUILDING)).all(axis=2)


SECOND = Layout("second", _read, "academic use")
