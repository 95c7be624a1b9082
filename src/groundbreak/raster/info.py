"""What a raster file says about itself, without its pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from affine import Affine
from shapely.geometry.base import BaseGeometry

from groundbreak.types import Band


@dataclass(frozen=True)
class RasterInfo:
    """Metadata of one raster.

    Attributes:
        path: as it was given.
        driver: GDAL's name of the format.
        shape: (height, width) in pixels.
        dtype: numpy name of the pixel type.
        bands: the image bands (alpha left out) with names, scales, offsets, nodata values.
        crs: authority code or WKT; None when the file does not say.
        transform: pixel corner → ``crs``; None when the file does not say. Of a file that is
            placed by ground control points it is the best affine fit.
        gcps: the file is placed by ground control points.
        footprint: outline in lon/lat with continuous longitudes; None when not placed.
        gsd_m: pixel size on the ground in metres, None when not placed.
        valid_by: what marks valid pixels: ``nodata``, ``alpha``, ``mask`` or None.
        paletted: pixels are indices of a colour table (read as RGB).
        overviews: reduction factors stored in the file.
        tags: the file's tags.
        note: what had to be assumed about the bands.
    """

    path: str
    driver: str
    shape: tuple[int, int]
    dtype: str
    bands: tuple[Band, ...]
    crs: str | None
    transform: Affine | None
    gcps: bool
    footprint: BaseGeometry | None
    gsd_m: float | None
    valid_by: str | None
    paletted: bool
    overviews: tuple[int, ...]
    tags: Mapping[str, str] = field(default_factory=dict)
    note: str | None = None

    @property
    def placed(self) -> bool:
        """Whether the file says where it lies."""
        return self.crs is not None and self.transform is not None
