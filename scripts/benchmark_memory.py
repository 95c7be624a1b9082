"""Peak memory and time of ``groundbreak detect`` on a large site that this script makes.

    python scripts/benchmark_memory.py --engine openvino               # 20000 x 20000 px, 6 dates
    python scripts/benchmark_memory.py --engine openvino --size 5000   # minutes

The first takes about an hour on two idle cores and 25 GB of disk. The ground is one simulated tile,
mirrored over the site so that it has no seams; every date has its own noise, which every tile
shifts, and on every tile (or ``--changing`` of them) what the simulator builds and tears down there
comes about at some date.
The figures are those of a process of its own that does nothing but detect.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy.ndimage import binary_dilation

from groundbreak.atomic import write_json
from groundbreak.raster.write import RasterSink
from groundbreak.simulate.pairs import render_pair
from groundbreak.types import Box, MaskValue

TILE = 1024
GSD_M = 0.5
CRS = "EPSG:32652"
CORNER = (400_000.0, 4_400_000.0)
FIRST, STEP = date(2024, 1, 10), timedelta(days=60)
NOISE = 3.0  # digital numbers, standard deviation
SEED = 10  # of the ground
BLOCK = np.ones((25, 25), bool)  # the ground around what changed changes with it


def main() -> None:
    options = parse()
    with tempfile.TemporaryDirectory(prefix="groundbreak-", dir=options.folder) as name:
        folder = Path(name)
        make_series(folder, options.size, options.dates, options.changing)
        figures = measure(folder, options)
    print(json.dumps(figures, indent=2))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=20_000, help="side of the site in pixels")
    parser.add_argument("--dates", type=int, default=6)
    add_changing(parser)
    parser.add_argument("--weights", default="site-2m", help="shipped name or file")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--folder", type=Path, help="where the site is made, and removed again")
    return parser.parse_args()


def add_changing(parser: argparse.ArgumentParser) -> None:
    """The option that says how much of the ground changes."""
    text = "share of the tiles of 1024 px on which something changes at some date"
    parser.add_argument("--changing", type=float, default=1.0, help=text)


def make_series(folder: Path, size: int, dates: int, changing: float) -> None:
    """Write the scenes, row of tiles by row of tiles, and the watch-list."""
    ground = changing_ground()
    grid = GeoBox((size, size), Affine(GSD_M, 0, CORNER[0], 0, -GSD_M, CORNER[1]), CRS)
    for number in range(dates):
        path = folder / "scenes" / f"{FIRST + number * STEP}.tif"
        with RasterSink(path, grid, 3, "uint8", band_names=("red", "green", "blue")) as sink:
            for window in tiles(size):
                sink.write(window, tile(ground, window, number, dates, changing))
    ring = [[x, y] for x, y in grid.extent.exterior.points]
    site = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "properties": {"id": "large", "name": "Large"}, "geometry": site}
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32652"}}
    document = {"type": "FeatureCollection", "crs": crs, "features": [feature]}
    write_json(folder / "sites.geojson", document)


def changing_ground() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A tile (h, w, 3) before and after its changes; all else in it stays as it is."""
    before, after, label = render_pair(SEED, TILE, GSD_M)
    changed = binary_dilation((label != MaskValue.NONE) & (label != MaskValue.IGNORE), BLOCK)
    alike = (after - after.mean((0, 1))) / after.std((0, 1)) * before.std((0, 1))
    alike = np.clip(alike + before.mean((0, 1)), 1, 255).astype(np.uint8)
    return before, np.where(changed[..., None], alike, before)


def tiles(size: int) -> Iterator[Box]:
    for y in range(0, size, TILE):
        for x in range(0, size, TILE):
            yield Box(y, min(y + TILE, size), x, min(x + TILE, size))


def tile(
    ground: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    window: Box,
    number: int,
    dates: int,
    changing: float,
) -> NDArray[np.uint8]:
    """(3, h, w) of one date: mirrored ground before or after its changes, noise."""
    row, column = window.y0 // TILE, window.x0 // TILE
    rng = np.random.default_rng([row, column])
    begins = rng.integers(1, dates + 1)
    shown = ground[int(number >= begins and rng.random() < changing)]
    pixels = shown[:: -1 if row % 2 else 1, :: -1 if column % 2 else 1].astype(np.float32)
    pixels += np.roll(noise(number), (97 * row, 61 * column), (0, 1))
    cut = pixels[: window.shape[0], : window.shape[1]]
    cut = np.moveaxis(np.clip(cut, 1, 255), 2, 0)
    return np.asarray(cut, np.uint8)


@cache
def noise(number: int) -> NDArray[np.float32]:
    """That of one date."""
    values = np.random.default_rng(number).normal(0, NOISE, (TILE, TILE, 3))
    return np.asarray(values, np.float32)


def measure(folder: Path, options: argparse.Namespace) -> dict[str, object]:
    """Run detect and ask the system what it took."""
    words = [sys.executable, "-m", "groundbreak", "detect", "--json"]
    words += ["--sites", str(folder / "sites.geojson"), "--catalog", str(folder / "scenes")]
    words += [
        "--output",
        str(folder / "run"),
        "--weights",
        options.weights,
        "--device",
        options.device,
    ]
    words += ["--engine", options.engine]
    began = time.monotonic()
    done = subprocess.run(words, stdout=subprocess.PIPE, check=True)
    seconds = time.monotonic() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    [site] = json.loads(done.stdout)["sites"]
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "size_px": options.size,
        "dates": options.dates,
        "events": site["events"],
        "wall_s": round(seconds, 1),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "processors": os.cpu_count(),
        "peak_rss_gib": round(used.ru_maxrss * unit / 2**30, 2),
    }


if __name__ == "__main__":
    main()
