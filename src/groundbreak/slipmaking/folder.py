"""Made pairs as a data set that training and evaluation read like any other."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from groundbreak.atomic import atomic_path
from groundbreak.errors import DataError
from groundbreak.pairs.index import extend_index
from groundbreak.raster.write import RasterSink
from groundbreak.slipmaking.ground import fill_by_patch, fill_smooth
from groundbreak.slipmaking.ports import BERTHS, Port, read_port, rescaled
from groundbreak.slipmaking.recipes import RECIPES, WITH_BERTHS, SlipPair, make_pair
from groundbreak.slipmaking.structures import Fill
from groundbreak.types import Box

SPLITS: Mapping[str, tuple[str, ...]] = {
    "train": (
        "algiers",
        "cartagena",
        "casablanca",
        "gdynia",
        "honolulu",
        "klang",
        "san_francisco",
        "sanfrancisco_ps3m",
        "valencia",
    ),
    "val": ("athens", "hedland"),
    "test": ("busan", "genoa", "longbeach_ps3m", "longbeach_east_ps3m"),
}
"""Whole ports by split; the two pictures of San Francisco and the two of Long Beach overlap."""
FILLS: Mapping[str, Fill] = {"train": fill_by_patch, "val": fill_smooth, "test": fill_smooth}
"""Nothing is chosen or reported on pairs made by the method of the training pairs."""
TRAIN_MIX: Mapping[str, float] = {
    "filled": 0.34,
    "piers": 0.08,
    "cut": 0.18,
    "built": 0.06,
    "silent": 0.13,
    "edited": 0.08,
    "mole": 0.03,
    "flood": 0.06,
    "dug": 0.04,
}
JUDGING_MIX: Mapping[str, float] = {"filled": 0.5, "piers": 0.2, "silent": 0.15, "edited": 0.15}
"""Of the other splits: only berths that are real in the after."""
_RGBN = ("red", "green", "blue", "nir")
_LOG = logging.getLogger(__name__)
_TRIES = 60


@dataclass(frozen=True)
class SlipSet:
    """One kind of imagery.

    Attributes:
        name: of the set in the index.
        bands: kept, in this order.
        gsds: pixel sizes to make pairs at; None stands for the port's own.
        size: side of a training pair in pixels.
        judging_size: side of the other pairs, so large that whole berths lie within.
        licence: as the source of the imagery states it.
    """

    name: str
    bands: tuple[str, ...]
    gsds: tuple[float | None, ...]
    size: int
    judging_size: int
    licence: str

    def holds(self, port: str) -> bool:
        """Whether a port's picture is of this kind."""
        return port.endswith("_ps3m") == (self.name == SLIPS_PS3M.name)


SLIPS_S2 = SlipSet("slips_s2", _RGBN, (None,), 224, 256, "modified Copernicus Sentinel data")
SLIPS_PS3M = SlipSet("slips_ps3m", _RGBN[:3], (None, 2.0), 256, 448, "not stated")


def read_ports(folder: Path, kind: SlipSet, split: str) -> list[Port]:
    """The ports of a split at the pixel sizes of the set.

    Raises:
        DataError: a port is not there or not complete.
        RasterError: its picture cannot be read.
    """
    ports = []
    for name in SPLITS[split]:
        if not kind.holds(name):
            continue
        port = read_port(folder / name, kind.bands)
        ports += [port if gsd is None else rescaled(port, gsd) for gsd in kind.gsds]
    return ports


def make_pairs(
    ports: Sequence[Port],
    kind: SlipSet,
    split: str,
    count: int,
    seed: int,
    recipes: Collection[str] = RECIPES,
) -> Iterator[tuple[str, SlipPair]]:
    """Make pairs of a split, the same for the same arguments.

    A pair that no port had a place for is left out with a warning.

    Args:
        ports: of this split.
        kind: size and bands.
        split: decides the filling method.
        count: how many.
        seed: of all that is random.
        recipes: to make pairs by, in the proportions that they have in the whole mix.

    Yields:
        (scene, pair).

    Raises:
        DataError: the split has none of the recipes.
    """
    mix, size = (TRAIN_MIX, kind.size) if split == "train" else (JUDGING_MIX, kind.judging_size)
    mix = {name: share for name, share in mix.items() if name in recipes}
    if not mix:
        raise DataError(f"{kind.name}/{split}", f"has no pairs of {'/'.join(recipes)}")
    names, weights = list(mix), np.array(list(mix.values()))
    # Ports with more outlines are drawn more often, but those without one are drawn too.
    outlined = np.array([2.0 + len(port.numbers(BERTHS)) for port in ports])
    for number in range(count):
        draws = np.random.default_rng([seed, number])
        recipe = names[int(draws.choice(len(names), p=weights / weights.sum()))]
        chances = outlined if recipe in WITH_BERTHS else outlined**0.25
        for rng in draws.spawn(_TRIES):
            port = ports[rng.choice(len(ports), p=chances / chances.sum())]
            try:
                pair = make_pair(rng, port, recipe, size, FILLS[split])
            except ValueError as error:
                _LOG.debug("%s of %s: %s", recipe, port.name, error)
                continue
            yield f"{number:04d}_{recipe}_{port.name}", pair
            break
        else:
            _LOG.warning(
                "%s/%s: pair %d (%s) is left out: no place in %d tries",
                *(kind.name, split, number, recipe, _TRIES),
            )


def write_pair(out: Path, kind: SlipSet, split: str, scene: str, pair: SlipPair) -> dict[str, str]:
    """Write one pair.

    Returns:
        Its row of the index.

    Raises:
        OutputError: the folder cannot be written.
    """
    stem = Path(kind.name) / split
    suffix = ".tif" if "nir" in kind.bands else ".png"
    paths = {key: stem / key / f"{scene}{suffix}" for key in ("before", "after")}
    paths["label"] = stem / "label" / f"{scene}.png"
    for key, pixels in (("before", pair.before), ("after", pair.after)):
        if suffix == ".tif":
            _write_tif(out / paths[key], pixels, kind.bands)
        else:
            _write_png(out / paths[key], np.round(pixels * 255).astype(np.uint8))
    _write_png(out / paths["label"], pair.label[None])
    return {
        "set": kind.name,
        "split": split,
        "scene": scene,
        **{key: path.as_posix() for key, path in paths.items()},
        "width": str(pair.label.shape[1]),
        "height": str(pair.label.shape[0]),
        "gsd_m": f"{pair.gsd_m:.4g}",
        "bands": ";".join(kind.bands),
        "licence": kind.licence,
        "label_quality": "semi-synthetic",
        "recipe": pair.recipe,
        "port": pair.port,
    }


def add_to_index(out: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Enter pairs in ``index.csv``; rows of other sets and splits that are there already stay.

    Raises:
        DataError: there is an ``index.csv`` that is none.
        OutputError: the folder cannot be written.
    """
    made = {(row["set"], row["split"]) for row in rows}
    extend_index(out, rows, lambda row: (row["set"], row["split"]) in made)


def _write_tif(path: Path, pixels: np.ndarray, bands: Sequence[str]) -> None:
    numbers = np.round(pixels * 10_000).astype(np.uint16)
    nowhere = GeoBox(numbers.shape[1:], Affine.identity(), None)
    with RasterSink(path, nowhere, len(numbers), "uint16", band_names=bands) as sink:
        sink.write(Box(0, numbers.shape[1], 0, numbers.shape[2]), numbers)


def _write_png(path: Path, pixels: np.ndarray) -> None:
    from PIL import Image

    image = np.moveaxis(pixels, 0, 2) if len(pixels) == 3 else pixels[0]
    with atomic_path(path) as temporary:
        Image.fromarray(np.ascontiguousarray(image)).save(temporary, format="PNG")
