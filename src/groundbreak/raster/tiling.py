"""Looks of sites cut into tiles: one cloud-optimised GeoTIFF each, and a manifest of them all."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from groundbreak.atomic import atomic_path
from groundbreak.lonlat import cut
from groundbreak.raster.grid import tile_windows
from groundbreak.raster.placing import outline
from groundbreak.raster.write import write_cog
from groundbreak.scaling import REFLECTANCE_DN
from groundbreak.types import BoolArray, Box, FloatArray

log = logging.getLogger(__name__)

_NODATA = 0


@dataclass(frozen=True)
class TileConfig:
    """How looks are cut.

    Attributes:
        size: side of a tile in pixels; the tiles of a smaller site are padded to it.
        overlap: pixels that neighbours share.
        min_usable: tiles with a smaller share of usable pixels are left out.
    """

    size: int = 512
    overlap: int = 64
    min_usable: float = 0.0


@dataclass(frozen=True)
class TileSource:
    """One look to be cut.

    Attributes:
        look_id: unique within the site.
        start: first instant of the look.
        end: last instant of the look.
        bands: their names.
        read: gives for a window of the site's grid the pixels (bands, height, width) in [0, 1]
            and the usable pixels (height, width).
    """

    look_id: str
    start: datetime
    end: datetime
    bands: tuple[str, ...]
    read: Callable[[Box], tuple[FloatArray, BoolArray]]


@dataclass(frozen=True)
class Tile:
    """One tile that was written: a row of the manifest."""

    site_id: str
    look_id: str
    start: datetime
    end: datetime
    row: int
    col: int
    path: Path
    usable_fraction: float
    geobox: GeoBox


def cut_tiles(
    site_id: str,
    geobox: GeoBox,
    looks: Iterable[TileSource],
    folder: Path,
    config: TileConfig | None = None,
) -> list[Tile]:
    """Cut the looks of one site into tiles.

    Tiles are 16-bit (reflectance × 10000, at least 1 where usable, 0 = not usable) and lie in
    ``folder``/<site>/<look>/r<row>_c<col>.tif.

    Args:
        site_id: the site.
        geobox: the site's grid.
        looks: read window by window, so that memory does not grow with the site.
        folder: where the tiles go.
        config: how they are cut.

    Returns:
        The tiles, in the order of looks, rows and columns. ``usable_fraction`` is that of the
        part of a tile that lies on the grid.

    Raises:
        OutputError: the folder may not be written, or the disk is full.
    """
    config = config or TileConfig()
    windows = tile_windows(geobox, config.size, config.overlap)
    rows, columns = _numbers(w.y0 for w in windows), _numbers(w.x0 for w in windows)
    tiles = []
    for look in looks:
        home = site_folder(folder, site_id) / _file_name(look.look_id)
        for window in windows:
            row, col = rows[window.y0], columns[window.x0]
            pixels, usable = look.read(window)
            share = float(usable.mean())
            if share < config.min_usable:
                continue
            tile = Tile(
                site_id,
                look.look_id,
                look.start,
                look.end,
                row,
                col,
                home / f"r{row:03d}_c{col:03d}.tif",
                share,
                _padded(geobox[window.slices], config.size),
            )
            _write(tile, _digital_numbers(pixels, usable, config.size), look.bands)
            tiles.append(tile)
    log.info("site %s: %d tiles", site_id, len(tiles))
    return tiles


def site_folder(folder: Path, site_id: str) -> Path:
    """Where the tiles of a site go."""
    return folder / _file_name(site_id)


def is_manifest(path: Path) -> bool:
    """Whether a file is a table as `write_manifest` writes them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        columns = set(pq.read_schema(path).names)
    except (OSError, pa.ArrowException):
        return False
    return {"site_id", "look_id", "row", "col", "path", "usable_fraction"} <= columns


def write_manifest(tiles: Sequence[Tile], path: Path) -> None:
    """Write a GeoParquet 1.1 table with a row per tile, of any number of sites.

    Columns: site_id, look_id, start, end (UTC), row, col, path (relative to the manifest),
    usable_fraction, crs (that of the tile), geometry (its outline in lon/lat, cut at the
    antimeridian: sites in several UTM zones share the table).

    Raises:
        OutputError: the folder may not be written, or the disk is full.
    """
    import geopandas as gpd
    import pandas as pd

    table = gpd.GeoDataFrame(
        {
            "site_id": [tile.site_id for tile in tiles],
            "look_id": [tile.look_id for tile in tiles],
            "start": pd.to_datetime([tile.start for tile in tiles], utc=True),
            "end": pd.to_datetime([tile.end for tile in tiles], utc=True),
            "row": [tile.row for tile in tiles],
            "col": [tile.col for tile in tiles],
            "path": [_relative(tile.path, path.parent) for tile in tiles],
            "usable_fraction": [tile.usable_fraction for tile in tiles],
            "crs": [str(tile.geobox.crs) for tile in tiles],
        },
        geometry=[cut(_outline(tile.geobox)) for tile in tiles],
        crs="OGC:CRS84",
    )
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, schema_version="1.1.0", write_covering_bbox=True, index=False)


def _numbers(starts: Iterable[int]) -> dict[int, int]:
    """Row or column of a tile, by its first pixel."""
    return {start: number for number, start in enumerate(sorted(set(starts)))}


def _write(tile: Tile, values: np.ndarray[Any, Any], bands: Sequence[str]) -> None:
    tags = {
        "SITE": tile.site_id,
        "LOOK": tile.look_id,
        "START": tile.start.isoformat(),
        "END": tile.end.isoformat(),
    }
    scale = 1.0 / REFLECTANCE_DN
    write_cog(tile.path, values, tile.geobox, bands, nodata=_NODATA, tags=tags, scale=scale)


def _outline(geobox: GeoBox) -> BaseGeometry:
    return outline(str(geobox.crs), geobox.affine, (geobox.height, geobox.width))


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


def _digital_numbers(pixels: FloatArray, usable: BoolArray, size: int) -> np.ndarray[Any, Any]:
    """Reflectance to 16 bits, filled up with nodata at the right and the bottom."""
    values = np.clip(np.rint(pixels * REFLECTANCE_DN), 1, np.iinfo(np.uint16).max)
    height, width = usable.shape
    tile = np.full((len(pixels), max(size, height), max(size, width)), _NODATA, np.uint16)
    tile[:, :height, :width] = np.where(usable, values, _NODATA)
    return tile


def _padded(geobox: GeoBox, size: int) -> GeoBox:
    height, width = geobox.shape
    return GeoBox((max(size, height), max(size, width)), geobox.affine, geobox.crs)


def _file_name(name: str) -> str:
    """An id as the name of a folder; what had to be changed stays distinct by a hash."""
    plain = re.sub(r"[^\w.+-]+", "_", name).lstrip(".")
    if plain == name:
        return name
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
