"""OSCD, the Onera Satellite Change Detection set: Sentinel-2 pairs of 24 cities, 10 m.

Daudt et al. 2018. Three folders, as the three archives unpack: ``… - Images/<city>/
{imgs_1_rect,imgs_2_rect}/B02.tif …`` with ``dates.txt``, ``… - Train Labels/<city>/cm/cm.png`` and
``… - Test Labels``. The ``_rect`` bands lie on one 10 m grid. The label has no direction.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from groundbreak.errors import DataError
from groundbreak.importers.pair import (
    Layout,
    Options,
    SourcePair,
    find_root,
    read_mask,
    read_pixels,
)
from groundbreak.types import MaskValue

PREFIX = "Onera Satellite Change Detection dataset - "
SPLITS = {"train": "Train Labels", "test": "Test Labels"}
EXPECTED = f"the folders '{PREFIX}Images' and '… Labels' side by side"
BANDS = ("B04", "B03", "B02", "B08")


def _read(source: Path, options: Options) -> Iterator[SourcePair]:
    root = find_root(source, [f"{PREFIX}{name}" for name in SPLITS.values()], EXPECTED)
    images = root / f"{PREFIX}Images"
    labels = {split: root / f"{PREFIX}{name}" for split, name in SPLITS.items()}
    if not images.is_dir():
        raise DataError(str(root), "has labels and no images", f"expected {EXPECTED}")
    for split, folder in labels.items():
        for mask in sorted(folder.glob("*/cm/cm.png")):
            city = mask.parents[1].name
            before, after = (read_bands(images / city / f"imgs_{i}_rect") for i in (1, 2))
            changed = read_mask(mask)
            if not before.shape == after.shape == (len(BANDS), *changed.shape):
                raise DataError(str(images / city), "its bands and its label differ in size")
            dates = read_dates(images / city / "dates.txt")
            change = options.change_as or MaskValue.UNKNOWN_DIRECTION
            yield SourcePair(
                split=split,
                scene=city,
                before=before,
                after=after,
                label=np.where(changed, change, MaskValue.NONE).astype(np.uint8),
                original_name=city,
                gsd_m=10.0,
                bands=";".join(BANDS),
                date_before=dates[0],
                date_after=dates[1],
            )


def read_bands(folder: Path) -> NDArray[np.uint16]:
    """The bands (4, height, width) of one date, digital numbers.

    Raises:
        DataError: a band is missing or has another size.
    """
    bands = []
    for band in BANDS:
        found = sorted(folder.glob(f"*{band}.tif"))
        if len(found) != 1:
            raise DataError(str(folder), f"has {len(found)} files of band {band}, expected one")
        bands.append(read_pixels(found[0])[0])
    if len({band.shape for band in bands}) > 1:
        raise DataError(str(folder), "its bands differ in size", "take the _rect folders")
    return np.stack(bands).astype(np.uint16)


def read_dates(path: Path) -> tuple[str, str]:
    """ISO days of both dates; empty where the file does not say."""
    if not path.is_file():
        return "", ""
    found = re.findall(r"(\d{4})-?(\d{2})-?(\d{2})", path.read_text(encoding="utf-8"))
    days = ["-".join(parts) for parts in found]
    return (days[0], days[1]) if len(days) == 2 else ("", "")


OSCD = Layout(
    "oscd",
    _read,
    "modified Copernicus Sentinel data 2015-2018; labels CC BY-NC-SA 4.0",
    options=frozenset({"change_as"}),
)
