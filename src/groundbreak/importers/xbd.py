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

from groundbreak.errors import DataError
from groundbreak.importers.pair import (
    Labels,
    Layout,
    Options,
    SourcePair,
    burn,
    find_root,
    read_pixels,
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
            labels = [
                folder / "labels" / f"{scene}_{when}_disaster.json" for when in ("pre", "post")
            ]
            (_, earlier), (features, later) = (read_document(path) for path in labels)
            if not after.is_file():
                raise DataError(str(after), "does not exist", "the download may be incomplete")
            gsd = later.get("pan_resolution")
            shape = read_pixels(after).shape[1:]
            try:
                label = damage_label(features, shape)
            except (shapely.errors.ShapelyError, KeyError, TypeError, AttributeError) as error:
                raise DataError(str(labels[1]), f"has a broken polygon ({error})") from error
            yield SourcePair(
                split=split,
                scene=scene,
                before=before,
                after=after,
                label=label,
                original_name=f"{folder_name}/images/{before.name}",
                gsd_m=float(gsd) if gsd else None,
                date_before=str(earlier.get("capture_date", ""))[:10],
                date_after=str(later.get("capture_date", ""))[:10],
            )


Document = tuple[list[dict[str, Any]], dict[str, Any]]
"""Features in pixels, and metadata."""


def read_document(path: Path) -> Document:
    """A label file.

    Raises:
        DataError: it is missing or not one.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        features = document["features"]["xy"]
        metadata = document.get("metadata", {})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(str(path), f"is not a label file of xBD ({error})") from error
    return features, metadata


def damage_label(features: list[dict[str, Any]], shape: tuple[int, ...]) -> Labels:
    """Label (height, width) from the polygons after the disaster."""
    label = np.zeros(shape, np.uint8)
    for damage, value in DAMAGE.items():
        polygons = [
            shapely.from_wkt(feature["wkt"])
            for feature in features
            if feature["properties"].get("subtype") == damage
        ]
        label[burn(polygons, (shape[0], shape[1]))] = value
    return label


XBD = Layout("xbd", _read, "CC BY-NC-SA 4.0; Maxar Open Data", quality="noisy")
