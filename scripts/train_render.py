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

from groundbreak.simulate.pairs import render_pair

COLUMNS = ("set", "split", "scene", "before", "after", "label", "gsd_m", "bands")
COLUMNS += ("licence", "label_quality")


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
    write_index(options.output, options.gsd)


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


def write_index(folder: Path, between: tuple[float, float]) -> None:
    """List every pair that is complete."""
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as text:
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        for path in sorted((folder / "train" / "label").glob("*.png")):
            paths = (picture(folder, name, int(path.stem)) for name in ("A", "B", "label"))
            files = [p.relative_to(folder).as_posix() for p in paths]
            gsd = gsd_of(int(path.stem), between)
            row = ["rendered", "train", path.stem, *files, gsd, "RGB", "Apache-2.0", "good"]
            writer.writerow(row)


if __name__ == "__main__":
    main()
