"""xBD / xView2: ``train|tier3|hold|test/{images,labels}``, before and after a disaster, 1024 px.

Gupta et al. 2019. ``labels/*_post_disaster.json`` holds polygons in pixels (``features.xy``) with a
damage class: ``destroyed`` is a demolition, ``major-damage`` a change of unknown direction,
``un-classified`` is ignored. ``tier3`` joins ``train``; ``hold`` is ``val``.
``metadata.gsd`` is that of the multispectral bands; the pictures have ``pan_resolution``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from groundbreak.errors import DataError
from groundbreak.importers.pair import (
    Labels,
    Layout,
    Options,
    SourcePair,
    burn,
    find_root,
    read_size,
)
from groundbreak.types import MaskValue

SPLITS = {"train": "train", "tier1": "train", "tier3": "train", "hold": "val", "test": "test"}
DAMAGE = {
    "un-classified": MaskValue.IGNORE,
    "major-damage": MaskValue.UNKNOWN_DIRECTION,
    "destroyed": MaskValue.DEMOLITION,
}
"""The worst is drawn last; what is not here did not change."""


def _read(source: Path, _options: Options) -> Iterator[SourcePair]:
    root = find_root(source, [f"{split}/images" for split in SPLITS], "train/{images,labels}")
    for folder_name, split in SPLITS.items():
        folder = root / folder_name
        for before in sorted((folder / "images").glob("*_pre_disaster.*")):
            scene = before.stem.removesuffix("_pre_disaster")
            after = before.with_name(before.name.replace("_pre_", "_post_"))
            (_, earlier), (buildings, later) = (
                read_document(folder / "labels" / f"{scene}_{when}_disaster.json")
                for when in ("pre", "post")
            )
            if not after.is_file():
                raise DataError(str(after), "does not exist", "the download may be incomplete")
            gsd = later.get("pan_resolution")
            yield SourcePair(
                split=split,
                scene=scene,
                before=before,
                after=after,
                label=damage_label(buildings, read_size(after)),
                original_name=f"{folder_name}/images/{before.name}",
                gsd_m=float(gsd) if gsd else None,
                date_before=str(earlier.get("capture_date", ""))[:10],
                date_after=str(later.get("capture_date", ""))[:10],
            )


Buildings = list[tuple[str | None, BaseGeometry]]
"""Damage and outline in pixels."""
Document = tuple[Buildings, dict[str, Any]]
"""Buildings, and metadata."""


def read_document(path: Path) -> Document:
    """A label file.

    Raises:
        DataError: it is missing or not one.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        features = document["features"]["xy"]
        metadata = document.get("metadata", {})
        damage = [feature["properties"].get("subtype") for feature in features]
        outlines = [shapely.from_wkt(feature["wkt"]) for feature in features]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ShapelyError) as error:
        raise DataError(str(path), f"is not a label file of xBD ({error})") from error
    if None in outlines:
        raise DataError(str(path), "is not a label file of xBD (a building has no outline)")
    return list(zip(damage, outlines, strict=True)), metadata


def damage_label(buildings: Buildings, shape: tuple[int, ...]) -> Labels:
    """Label (height, width) from the polygons after the disaster."""
    label = np.zeros(shape, np.uint8)
    for damage, value in DAMAGE.items():
        polygons = [outline for subtype, outline in buildings if subtype == damage]
        label[burn(polygons, (shape[0], shape[1]))] = value
    return label


XBD = Layout("xbd", _read, "CC BY-NC-SA 4.0; Maxar Open Data", quality="noisy")
