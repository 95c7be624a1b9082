r"""Make pairs of about 10 m (or another size) out of finer ones: directions are labelled there.

    python scripts/make_coarse_pairs.py ../shared/data/pairs -o runs/coarse \
        --sets mshs_bcd sejong_k3a levir

A pixel of the result is the mean of a block; it has the label of at least half of its block. What
changed in a fifth to a half of it is left open: no change would be as wrong as change.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from groundbreak.pairs.index import read_index, read_pair, write_index
from groundbreak.types import MaskValue


def main() -> None:
    """Parse, average, list."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="+", required=True)
    parser.add_argument("--gsd", type=float, default=10.0, help="to come near to, in metres")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    rows = []
    for record in read_index(options.folder):
        if record.set not in options.sets or record.split != "train" or record.gsd_m is None:
            continue
        pair = read_pair(record).select(("red", "green", "blue"))
        block = round(options.gsd / record.gsd_m)
        if block < 1:
            parser.error(f"--gsd {options.gsd} is finer than {record.set} ({record.gsd_m} m)")
        label = most(pair.label, block)
        label[missing(pair.before, block) | missing(pair.after, block)] = MaskValue.IGNORE
        pictures = {
            "before": ("A", averaged(pair.before, block)),
            "after": ("B", averaged(pair.after, block)),
            "label": ("label", label),
        }
        row: dict[str, object] = {"set": f"{record.set}_{options.gsd:g}m", "split": "train"}
        row |= {"scene": record.scene, "gsd_m": round(record.gsd_m * block, 3), "bands": "RGB"}
        row |= {"licence": record.licence, "label_quality": record.label_quality}
        for part, (folder, picture) in pictures.items():
            file = Path(record.set) / "train" / folder / f"{record.scene}.png"
            (options.output / file).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(options.output / file)
            row[part] = file.as_posix()
        rows.append(row)
    if not rows:
        parser.error(f"no training pair with a pixel size in the sets {options.sets}")
    write_index(options.output, rows)


def blocks(image: NDArray[np.generic], side: int) -> NDArray[np.generic]:
    """(h, w) to (rows, columns, side * side); what is left over at the ends is dropped."""
    rows, columns = image.shape[0] // side, image.shape[1] // side
    whole = image[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return whole.swapaxes(1, 2).reshape(rows, columns, side * side)


def averaged(image: NDArray[np.float32], side: int) -> NDArray[np.uint8]:
    """(bands, h, w) in [0, 1] to (rows, columns, bands) of 8 bits; 0 stays no data."""
    seen = np.maximum(blocks(image.max(axis=0) > 0, side).sum(axis=2), 1)[..., None]
    sums = np.stack([blocks(band, side).astype(np.float32).sum(axis=2) for band in image], axis=2)
    means = sums / seen
    return np.where(means.max(axis=2, keepdims=True) > 0, np.clip(means * 255, 1, 255), 0).astype(
        np.uint8
    )


def missing(image: NDArray[np.float32], side: int) -> NDArray[np.bool_]:
    """Blocks (rows, columns) of which a fifth or more has no data."""
    return np.asarray(blocks(image.max(axis=0) == 0, side).mean(axis=2) >= 0.2)


def most(label: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The value that covers half of a block or more; unknown direction for a mixture of changes.

    ``IGNORE`` where a fifth or more changed, but less than half.
    """
    cells = blocks(label, side)
    result = np.zeros(cells.shape[:2], np.uint8)
    changed = ((cells != MaskValue.NONE) & (cells != MaskValue.IGNORE)).mean(axis=2)
    result[changed >= 0.2] = MaskValue.IGNORE
    result[changed >= 0.5] = MaskValue.UNKNOWN_DIRECTION
    kinds = (MaskValue.NEW_BUILDING, MaskValue.DEMOLITION, MaskValue.DOCKING_SLIP)
    for value in (*kinds, MaskValue.IGNORE):
        result[(cells == value).mean(axis=2) >= 0.5] = value
    return result


if __name__ == "__main__":
    main()
