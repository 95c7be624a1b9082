"""A tiny dated series and an engine that sees brightening: for tests of the pipeline."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from groundbreak.model.card import Card
from groundbreak.model.shape import NetworkConfig
from groundbreak.pipeline import run, tasks, tiles
from groundbreak.raster.write import write_cog

SIDE = 160
ORIGIN = (500_000.0, 4_400_000.0)
CRS = "EPSG:32652"
GRID = GeoBox((SIDE, SIDE), Affine(1, 0, ORIGIN[0], 0, -1, ORIGIN[1]), CRS)

HOUSE = (slice(40, 60), slice(30, 55))
BARN = (slice(100, 125), slice(90, 110))


def take(engine, monkeypatch):
    """Have an engine, and its card, taken for whatever weights are asked for."""
    monkeypatch.setattr(tasks, "_engine", lambda *_: engine)
    for module in (run, tiles):
        monkeypatch.setattr(module, "read_card", lambda _name: engine.card)
    return engine


class BrightEngine:
    """Brighter is a new building, darker a demolition; counts what it is asked."""

    description = "brightness"
    device = "cpu"

    def __init__(self):
        self.card = Card(
            name="bright",
            description="",
            bands=("red", "green", "blue"),
            gsd_m=(0.2, 3.0),
            network=NetworkConfig(),
            sha256="0" * 64,
        )
        self.pairs = 0

    def predict(self, before, after, statistics=None, zoom=None):
        self.pairs += len(before)
        rise = (after - before).mean(axis=1)
        new = np.clip(rise * 4, 0, 0.98)
        gone = np.clip(-rise * 4, 0, 0.98)
        none = np.clip(1 - new - gone, 0.01, 1)
        out = np.stack([none, new, gone, np.zeros_like(none)], axis=1)
        return (out / out.sum(axis=1, keepdims=True)).astype(np.float32)


def picture(house=False, barn=True, seed=0, cloud=None):
    """(3, SIDE, SIDE) uint8: textured ground, perhaps a house and a barn, perhaps a hole."""
    rng = np.random.default_rng(7)
    ground = np.kron(rng.integers(60, 110, (3, 20, 20)), np.ones((1, 8, 8)))
    image = ground + np.random.default_rng(seed).normal(0, 2, (3, SIDE, SIDE))
    for there, place in ((house, HOUSE), (barn, BARN)):
        if there:
            image[(slice(None), *place)] = 210
    image = np.clip(image, 1, 255)
    if cloud is not None:
        image[(slice(None), *cloud)] = 0  # fill: not observed
    return image.astype(np.uint8)


def write_picture(path: Path, pixels, grid=GRID, nodata=0, **tags):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_cog(path, pixels, grid, ("red", "green", "blue"), nodata=nodata, tags=tags)


def write_series(folder: Path, states, start=datetime(2024, 1, 10, tzinfo=UTC), step_days=30):
    """One scene a state (the arguments of ``picture``), named by its date."""
    for number, state in enumerate(states):
        day = start + timedelta(days=step_days * number)
        write_picture(folder / f"{day:%Y-%m-%d}.tif", picture(seed=number, **state))
    return folder


def write_sites(path: Path, *boxes, crs=CRS):
    """A watch-list of boxes (west, south, east, north) in metres from the grid's corner."""
    features = []
    for number, (west, south, east, north) in enumerate(boxes or [(0, -SIDE, SIDE, 0)]):
        x0, x1, y0, y1 = ORIGIN[0] + west, ORIGIN[0] + east, ORIGIN[1] + south, ORIGIN[1] + north
        ring = [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]]
        features.append(
            {
                "type": "Feature",
                "properties": {"id": f"s{number}", "name": f"Site {number}"},
                "geometry": {"type": "Polygon", "coordinates": [ring]},
            }
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    name = f"urn:ogc:def:crs:{crs.replace(':', '::')}"
    document = {
        "type": "FeatureCollection",
        "crs": {"type": "name", "properties": {"name": name}},
        "features": features,
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def write_inputs(folder: Path, states) -> Path:
    """A series in ``scenes`` and its watch-list."""
    write_sites(folder / "sites.geojson")
    write_series(folder / "scenes", states)
    return folder


def run_again(run: Path, inputs: Path, first) -> None:
    """A copy of the run that ``first()`` made of the inputs, beside which it is kept."""
    if not (inputs / "run").exists():
        first()
        run.rename(inputs / "run")
    shutil.copytree(inputs / "run", run)
