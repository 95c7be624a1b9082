"""FOTBCD: aerial pairs of France, 512 px, 0.2 m, as binary masks or as instances.

Moubane 2026. ``images/train|val|test/{before,after}/<id>.png``; FOTBCD-Binary adds ``label/``
(0/255, no direction), FOTBCD-Instances ``annotations/train|val|test.json`` in COCO's form with
the categories UNCHANGED, DEMOLISHED and NEW.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from shapely.geometry import Polygon

from groundbreak.errors import DataError
from groundbreak.importers.pair import (
    Labels,
    Layout,
    Options,
    SourcePair,
    burn,
    direction_label,
    find_root,
    partner,
    pictures,
    read_mask,
    refuse_change_as,
)
from groundbreak.types import MaskValue

SPLITS = ("train", "val", "test")
GSD_M = 0.2
CATEGORIES = frozenset({"UNCHANGED", "DEMOLISHED", "NEW"})


def _read(source: Path, options: Options) -> Iterator[SourcePair]:
    marks = [f"images/{split}/before" for split in SPLITS]
    root = find_root(source, marks, "images/train/{before,after}, val and test alike")
    for split in SPLITS:
        folder = root / "images" / split
        if not (folder / "before").is_dir():
            continue
        if (root / "annotations" / f"{split}.json").is_file():
            refuse_change_as(options, root)
        label = label_reader(root, split, options.change_as or MaskValue.UNKNOWN_DIRECTION)
        after = pictures(folder / "after")
        for stem, before in pictures(folder / "before").items():
            yield SourcePair(
                split=split,
                scene=f"{split}_{stem}",
                before=before,
                after=partner(after, stem, folder / "after"),
                label=label(stem),
                original_name=f"images/{split}/before/{before.name}",
                gsd_m=GSD_M,
            )


@dataclass(frozen=True)
class Instances:
    """The polygons of one image, in pixels, by category."""

    shape: tuple[int, int]
    polygons: dict[str, list[Polygon]]

    def label(self) -> Labels:
        """Label (height, width)."""
        new, gone = (
            burn(self.polygons.get(kind, ()), self.shape) for kind in ("NEW", "DEMOLISHED")
        )
        return direction_label(new, gone)


def label_reader(root: Path, split: str, change_as: MaskValue) -> Callable[[str], Labels]:
    """How the label of a picture is found by its stem.

    Raises:
        DataError: there are neither masks nor instances.
    """
    annotations = root / "annotations" / f"{split}.json"
    folder = root / "images" / split / "label"
    if annotations.is_file():
        instances = read_instances(annotations)

        def from_instances(stem: str) -> Labels:
            if stem not in instances:
                raise DataError(str(annotations), f"does not know the image {stem}")
            return instances[stem].label()

        return from_instances
    if not folder.is_dir():
        raise DataError(str(root), f"has neither annotations/{split}.json nor images/{split}/label")
    masks = pictures(folder)

    def from_mask(stem: str) -> Labels:
        changed = read_mask(partner(masks, stem, folder))
        return np.where(changed, change_as, MaskValue.NONE).astype(np.uint8)

    return from_mask


def read_instances(path: Path) -> dict[str, Instances]:
    """Polygons by the stem of the image, from a COCO file.

    Raises:
        DataError: it is not one, or holds other categories.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        names = {c["id"]: str(c["name"]).upper() for c in document["categories"]}
        images = {
            image["id"]: Instances((int(image["height"]), int(image["width"])), {})
            for image in document["images"]
        }
        for annotation in document["annotations"]:
            polygons = images[annotation["image_id"]].polygons
            polygons.setdefault(names[annotation["category_id"]], []).extend(
                Polygon(np.reshape(ring, (-1, 2))).buffer(0) for ring in annotation["segmentation"]
            )
        stems = {image["id"]: Path(image["file_name"]).stem for image in document["images"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(str(path), f"is not an annotation file of FOTBCD ({error})") from error
    if unknown := sorted(set(names.values()) - CATEGORIES):
        raise DataError(str(path), f"has the category {unknown[0]}", "FOTBCD has others")
    return {stems[key]: instances for key, instances in images.items()}


FOTBCD = Layout(
    "fotbcd",
    _read,
    "CC BY-NC-SA 4.0 (first release), CC BY 4.0 (later); IGN BD ORTHO",
    options=frozenset({"change_as"}),
)
