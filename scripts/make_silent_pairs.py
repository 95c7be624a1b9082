"""Make pairs without a change out of a series in which nothing was built.

    python scripts/make_silent_pairs.py ../shared/data/eo/series/forest_s2_cloudy -o runs/silent

Seasons, haze, drought, clouds that no mask caught and felled stands are in them: what a network
has to keep silent about. The label is 0, and 255 where a cloud mask (``DATE_clm.tif``) of either
date has a value. The dates of a pair are drawn by chance; dates that are mostly flagged are left
out.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image

from groundbreak.pairs.index import write_index

MOST_FLAGGED = 0.3
"""Share of a date."""


def main(arguments: list[str] | None = None) -> None:
    """Parse, draw dates, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("series", type=Path, help="folder of DATE.tif, all on one grid")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--licence", default="as its source states")
    options = parser.parse_args(arguments)
    dates = {path: flags(path) for path in sorted(options.series.glob("*[0-9].tif"))}
    dates = {path: mask for path, mask in dates.items() if mask.mean() <= MOST_FLAGGED}
    if len(dates) < 2 or options.count < 1:
        parser.error(f"no pair: {options.series} has {len(dates)} dates that are mostly clear")
    rng = np.random.default_rng(options.seed)
    folder = options.output / "train"
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    for before, after in draw(sorted(dates), options.count, rng):
        scene = f"{before.stem}_{after.stem}"
        flagged = dates[before] | dates[after]
        label = folder / f"{scene}_label.png"
        Image.fromarray(np.where(flagged, 255, 0).astype(np.uint8)).save(label)
        row: dict[str, object] = {
            "set": "silent",
            "split": "train",
            "scene": scene,
            "gsd_m": gsd_m(before),
        }
        for name, path in (("before", before), ("after", after), ("label", label)):
            place = os.path.relpath(path.resolve(), options.output.resolve())
            row[name] = Path(place).as_posix()
        row |= {"gsd_m": gsd_m(before), "bands": "red;green;blue;nir"}
        row |= {"licence": options.licence, "label_quality": "good"}
        rows.append(row)
    write_index(options.output, rows)


def draw(dates: list[Path], count: int, rng: np.random.Generator) -> list[tuple[Path, Path]]:
    """Different pairs of dates, in either order."""
    pairs = [(one, other) for one in dates for other in dates if one != other]
    return [pairs[i] for i in rng.choice(len(pairs), min(count, len(pairs)), replace=False)]


def flags(path: Path) -> NDArray[np.bool_]:
    """Where the cloud mask of a date has a value, or the date no data."""
    with rasterio.open(path) as dataset:
        bad = np.asarray(dataset.read_masks(1) == 0)
    mask = path.with_name(f"{path.stem}_clm.tif")
    if mask.is_file():
        with rasterio.open(mask) as dataset:
            bad = bad | np.asarray(dataset.read(1) > 0)
    return bad


def gsd_m(path: Path) -> float:
    """Pixel size of a projected raster."""
    with rasterio.open(path) as dataset:
        return round(float(dataset.res[0]), 3)


if __name__ == "__main__":
    main()
