"""Contact sheet of simulated pairs, beside real ones if a folder of them is given.

    python scripts/show_simulator.py sheet.png --gsd 2 [--real ../data/mshs_bcd/train] [--mix]

Each row is before, after and label. With ``--real``, every other row is real; with ``--mix`` the
labels are left out and the order is shuffled, so that one can guess which is which (the key is
printed).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from groundbreak.simulate.pairs import render_pair

Chip = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]

COLOURS = {1: (0, 200, 0), 2: (220, 0, 0), 3: (0, 120, 255), 254: (240, 220, 0), 255: (110,) * 3}


def simulated(count: int, seed: int, size: int, gsd_m: float) -> list[Chip]:
    """Pairs from consecutive seeds."""
    return [render_pair(seed + k, size, gsd_m) for k in range(count)]


def real(folder: Path, count: int, seed: int, size: int) -> list[Chip]:
    """Random crops of the pairs in ``folder/{A,B,label}``."""
    rng = np.random.default_rng(seed)
    files = sorted((folder / "A").iterdir())
    chips = []
    for _ in range(count):
        before = files[rng.integers(len(files))]
        after, label = (next((folder / n).glob(f"{before.stem}.*")) for n in ("B", "label"))
        arrays = [
            np.asarray(Image.open(before).convert("RGB")),
            np.asarray(Image.open(after).convert("RGB")),
            np.asarray(Image.open(label)),
        ]
        h, w = arrays[2].shape
        y, x = rng.integers(max(h - size, 0) + 1), rng.integers(max(w - size, 0) + 1)
        crops = [array[y : y + size, x : x + size] for array in arrays]
        chips.append((crops[0], crops[1], crops[2]))
    return chips


def painted(label: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A label in colours."""
    palette = np.zeros((256, 3), np.uint8)
    for value, colour in COLOURS.items():
        palette[value] = colour
    return palette[label]


def sheet(chips: list[Chip], size: int, with_label: bool, columns: int = 2) -> Image.Image:
    """Rows of before, after (and label)."""
    across = 3 if with_label else 2
    rows = -(-len(chips) // columns)
    canvas = np.full((rows * (size + 4), columns * (across * size + 8), 3), 255, np.uint8)
    for k, (before, after, label) in enumerate(chips):
        top, left = k % rows * (size + 4), k // rows * (across * size + 8)
        parts = [before, after, painted(label)][:across]
        for n, part in enumerate(parts):
            h, w = part.shape[:2]
            canvas[top : top + h, left + n * size : left + n * size + w] = part
    return Image.fromarray(canvas)


def main() -> None:
    """Parse the command line and write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--gsd", type=float, default=1.0, help="metres per pixel")
    parser.add_argument("--count", type=int, default=12, help="simulated pairs")
    parser.add_argument("--size", type=int, default=256, help="pixels per side")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--real", type=Path, help="folder with A, B and label")
    parser.add_argument("--mix", action="store_true", help="shuffle and leave the labels out")
    options = parser.parse_args()
    chips = simulated(options.count, options.seed, options.size, options.gsd)
    origin = ["simulated"] * len(chips)
    if options.real:
        found = real(options.real, options.count, options.seed, options.size)
        chips = [chip for both in zip(chips, found, strict=True) for chip in both]
        origin = ["simulated", "real"] * options.count
    if options.mix:
        order = np.random.default_rng(options.seed).permutation(len(chips))
        chips, origin = [chips[k] for k in order], [origin[k] for k in order]
    sheet(chips, options.size, not options.mix).save(options.output)
    for number, name in enumerate(origin, 1):
        print(number, name)


if __name__ == "__main__":
    main()
