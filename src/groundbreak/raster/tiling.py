"""Looks of a site cut into tiles: one cloud-optimised GeoTIFF each, and a manifest."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from odc.geo.geobox import GeoBox
from shapely.geometry import box

from groundbreak.atomic import atomic_path
from groundbreak.raster.grid import Window, tile_windows
from groundbreak.raster.write import write_cog
from groundbreak.scaling import REFLECTANCE_DN
from groundbreak.types import BoolArray, FloatArray

if TYPE_CHECKING:
    import geopandas

log = logging.getLogger(__name__)

MANIFEST = "manifest.parquet"
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
    read: Callable[[Window], tuple[FloatArray, BoolArray]]


def cut_tiles(
    site_id: str,
    geobox: GeoBox,
    looks: Iterable[TileSource],
    folder: Path,
    config: TileConfig | None = None,
) -> Path:
    """Cut the looks of one site into tiles.

    Tiles are 16-bit (reflectance × 10000, at least 1 where usable, 0 = not usable) and lie in
    ``folder``/<site>/<look>/r<row>_c<col>.tif. The manifest ``folder``/<site>/manifest.parquet is
    a GeoParquet table in the site's UTM with a row per tile: site_id, look_id, start, end, row,
    col, path (relative to the manifest), usable_fraction (of the part of the tile that lies on
    the grid), geometry (outline of the tile).

    Args:
        site_id: the site.
        geobox: the site's grid.
        looks: read window by window, so that memory does not grow with the site.
        folder: where the tiles go.
        config: how they are cut.

    Returns:
        The manifest.

    Raises:
        OutputError: the folder may not be written, or the disk is full.
    """
    config = config or TileConfig()
    home = folder / _file_name(site_id)
    windows = tile_windows(geobox, config.size, config.overlap)
    rows = []
    for look in looks:
        for window in windows:
            pixels, usable = look.read(window)
            share = float(usable.mean())
            if share < config.min_usable:
                continue
            path = home / _file_name(look.look_id) / f"r{window.row:03d}_c{window.col:03d}.tif"
            tile = _padded(geobox[window.slices], config.size)
            tags = {"SITE": site_id, "LOOK": look.look_id, "START": look.start.isoformat()}
            write_cog(
                path,
                _digital_numbers(pixels, usable, config.size),
                tile,
                look.bands,
                nodata=_NODATA,
                tags={**tags, "END": look.end.isoformat()},
                scale=1.0 / REFLECTANCE_DN,
            )
            rows.append(
                {
                    "site_id": site_id,
                    "look_id": look.look_id,
                    "start": look.start,
                    "end": look.end,
                    "row": window.row,
                    "col": window.col,
                    "path": path.relative_to(home).as_posix(),
                    "usable_fraction": share,
                    "geometry": box(*tile.boundingbox.bbox),
                }
            )
    log.info("site %s: %d tiles", site_id, len(rows))
    return _write_manifest(home / MANIFEST, rows, str(geobox.crs))


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


def _write_manifest(path: Path, rows: list[dict[str, Any]], crs: str) -> Path:
    import geopandas as gpd
    import pandas as pd

    columns = ["site_id", "look_id", "start", "end", "row", "col", "path", "usable_fraction"]
    table: geopandas.GeoDataFrame = gpd.GeoDataFrame(
        rows, columns=[*columns, "geometry"], geometry="geometry", crs=crs
    )
    for column in ("start", "end"):
        table[column] = pd.to_datetime(table[column], utc=True)
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, schema_version="1.1.0", write_covering_bbox=True, index=False)
    return path
