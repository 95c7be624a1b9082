"""Folders ``A``, ``B`` and ``label`` by split: LEVIR-CD, LEVIR-CD+ and what copies them.

LEVIR-CD (Chen and Shi 2020): ``train|val|test/{A,B,label}/*.png``, 1024 px, 0.5 m; LEVIR-CD+ has
``train`` and ``test`` only. Labels are 0/255 without a direction: "building growth and building
decline", nearly all of it growth, hence new buildings unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from groundbreak.importers.pair import (
    Layout,
    Options,
    SourcePair,
    find_root,
    partner,
    pictures,
    read_mask,
)
from groundbreak.types import MaskValue

SPLITS = ("train", "val", "test")
LABEL_FOLDERS = ("label", "OUT")
EXPECTED = "train/{A,B,label}, val and test alike"


def has_layout(source: Path) -> bool:
    """Whether a folder itself holds ``A`` and ``B`` by split."""
    return any((source / split / "A").is_dir() for split in SPLITS)


def read_ab_label(source: Path, change_as: MaskValue, gsd_m: float | None) -> Iterator[SourcePair]:
    """Pairs of an A/B/label folder."""
    root = find_root(source, [f"{split}/A" for split in SPLITS], EXPECTED)
    for split in SPLITS:
        folder = root / split
        if not (folder / "A").is_dir():
            continue
        label_folder = find_root(folder, LABEL_FOLDERS, EXPECTED)
        label_folder /= next(name for name in LABEL_FOLDERS if (label_folder / name).is_dir())
        after, labels = pictures(folder / "B"), pictures(label_folder)
        for stem, before in pictures(folder / "A").items():
            changed = read_mask(partner(labels, stem, label_folder))
            yield SourcePair(
                split=split,
                scene=stem,
                before=before,
                after=partner(after, stem, folder / "B"),
                label=np.where(changed, change_as, MaskValue.NONE).astype(np.uint8),
                original_name=f"{split}/A/{before.name}",
                gsd_m=gsd_m,
            )


def _read_levir(source: Path, options: Options) -> Iterator[SourcePair]:
    return read_ab_label(source, options.change_as or MaskValue.NEW_BUILDING, 0.5)


LEVIR_CD = Layout(
    "levir_cd",
    _read_levir,
    "academic, non-commercial use; Google Earth imagery",
    options=frozenset({"change_as"}),
)
LEVIR_CD_PLUS = Layout(
    "levir_cd_plus",
    _read_levir,
    "academic, non-commercial use; Google Earth imagery",
    options=frozenset({"change_as"}),
)
