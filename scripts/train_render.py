"""Draw simulated pairs into a folder that training reads like any other data set.

    python scripts/train_render.py -o runs/rendered --count 300 --gsd 0.4 3

The labels are exact, the imagery is nobody's. A folder that is there already is gone on with.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image

from groundbreak.pairs.index import write_index
from groundbreak.simulate.pairs import render_pair


def main() -> None:
    """Parse, draw, list."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--size", type=int, default=320, help="pixels")
    parser.add_argument("--gsd", type=float, nargs=2, default=(0.4, 3.0), help="least, most, in m")
    parser.add_argument("--seed", type=int, default=100_000)
    options = parser.parse_args()
    for seed in range(options.seed, options.seed + options.count):
        if not picture(options.output, "label", seed).is_file():
            draw(options.output, seed, options.size, options.gsd)
            list_pairs(options.output, options.gsd)  # now: another run may ask for other sizes


def gsd_of(seed: int, between: tuple[float, float]) -> float:
    """Pixel size of a pair, even in its logarithm."""
    low, high = np.log(between)
    return round(float(np.exp(np.random.default_rng(seed).uniform(low, high))), 3)


def draw(folder: Path, seed: int, size: int, between: tuple[float, float]) -> None:
    """One pair; the label comes last, so that it marks the pair as complete."""
    pair = render_pair(seed, size, gsd_of(seed, between))
    for name, image in zip(("A", "B", "label"), pair, strict=True):
        path = picture(folder, name, seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


def picture(folder: Path, name: str, seed: int) -> Path:
    """Where a picture of a pair lies."""
    return folder / "train" / name / f"{seed}.png"


def list_pairs(folder: Path, between: tuple[float, float]) -> None:
    """List every pair that is complete; those listed before keep their pixel size."""
    rows, known = [], {}
    if (folder / "index.csv").is_file():
        with (folder / "index.csv").open(newline="", encoding="utf-8") as text:
            known = {row["scene"]: float(row["gsd_m"]) for row in csv.DictReader(text)}
    for path in sorted((folder / "train" / "label").glob("*.png")):
        seed = int(path.stem)
        row: dict[str, object] = {"set": "rendered", "split": "train", "scene": path.stem}
        for part, name in (("before", "A"), ("after", "B"), ("label", "label")):
            row[part] = picture(folder, name, seed).relative_to(folder).as_posix()
        row |= {"gsd_m": known.get(path.stem) or gsd_of(seed, between), "bands": "RGB"}
        rows.append(row | {"licence": "Apache-2.0", "label_quality": "good"})
    write_index(folder, rows)


if __name__ == "__main__":
    main()
