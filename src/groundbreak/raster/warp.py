"""From the pixels of a raster to a grid: which pixels are needed, and their resampling.

Works on arrays; the files are opened elsewhere. A piece of the source is planned first: a raster
that is much finer than the target is reduced by a power of two when it is read (from overviews,
if it has any), so that 2 to 4 pixels a side remain for one of the target. Then GDAL warps it.
Pixels that are not valid never mix into others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer
from rasterio.control import GroundControlPoint
from rasterio.enums import Resampling
from rasterio.transform import GCPTransformer
from rasterio.warp import reproject

from groundbreak.raster.placing import parse_crs
from groundbreak.types import BoolArray

WEB_MERCATOR_RADIUS = 6378137.0
FloatMesh = NDArray[np.float64]

_ALIGNED_PX = 0.01
_AVERAGE_FROM = 1.5


@dataclass(frozen=True)
class Placement:
    """Where the pixels of a raster lie: an affine transform, or ground control points."""

    crs: str
    transform: Affine
    shape: tuple[int, int]
    gcps: tuple[GroundControlPoint, ...] = ()


@dataclass(frozen=True)
class Piece:
    """The part of a raster that a target needs.

    Attributes:
        rows: first and last (exclusive) row.
        cols: first and last (exclusive) column.
        step: (down, across) pixels that are joined into one when reading.
        ratio: (down, across) pixels of the reduced piece per pixel of the target.
        inside: the target lies wholly in the raster.
        turn: what to add to x of the target to come to x of the raster (whole turns of the Earth).
        seam: x of the target's middle if the piece must be warped around it, because the target
            or the piece crosses the seam of the longitudes; else None.
        aligned: (down, across) shift of the raster's pixels against those of the target where
            both have the same grid, so that they need no warping.
    """

    rows: tuple[int, int]
    cols: tuple[int, int]
    step: tuple[int, int] = (1, 1)
    ratio: tuple[float, float] = (1.0, 1.0)
    inside: bool = False
    turn: float = 0.0
    seam: float | None = None
    aligned: tuple[int, int] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) after reduction."""
        return (
            math.ceil((self.rows[1] - self.rows[0]) / self.step[0]),
            math.ceil((self.cols[1] - self.cols[0]) / self.step[1]),
        )


def plan(placement: Placement, target: GeoBox) -> list[Piece]:
    """The pieces of a raster that a target grid needs: none, one, or two at a seam."""
    aligned = _aligned(placement, target)
    if aligned is not None:
        return aligned
    x, y = _target_in_source_crs(placement, target)
    if not np.isfinite(x).any():
        return []
    pieces = (_piece(placement, target, x, y, turn) for turn in _turns(placement, x))
    return [piece for piece in pieces if piece is not None]


def resample(
    pixels: NDArray[Any],
    valid: BoolArray,
    piece: Piece,
    placement: Placement,
    target: GeoBox,
    nearest: bool = False,
) -> tuple[NDArray[Any], BoolArray]:
    """Bring a piece of a raster onto a target grid.

    Cubic where pixels are kept or made smaller, averaging where more than about 1.5 become one.

    Args:
        pixels: (bands, height, width) of the piece.
        valid: (height, width) of the piece.
        piece: as planned.
        placement: of the whole raster.
        target: the grid.
        nearest: copy the nearest pixel, for masks and codes.

    Returns:
        Pixels (bands, *target.shape) in the type of the source, 0 where not valid, and the valid
        pixels: those that lie in the raster and are made of valid pixels by half or more.
    """
    if piece.aligned is not None:
        return _copied(pixels, valid, piece, target)
    if not valid.any():
        return np.zeros((len(pixels), *target.shape), pixels.dtype), np.zeros(target.shape, bool)
    georef = _georeference(piece, placement) | _kernel(piece)
    method = Resampling.cubic if max(piece.ratio) <= _AVERAGE_FROM else Resampling.average
    if nearest:
        method = Resampling.nearest
    if nearest or valid.all():
        warped = _warp(pixels, georef, target, method)
        if piece.inside:
            return warped, np.ones(target.shape, bool)
        everywhere = np.ones((1, *valid.shape), np.uint8)
        return warped, _warp(everywhere, georef, target, Resampling.nearest)[0] > 0
    smooth = Resampling.bilinear if method == Resampling.cubic else method
    share = np.where(valid, np.uint8(255), np.uint8(0))[np.newaxis]
    covered = _warp(share, georef, target, smooth)[0] >= 128
    most = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "iu" else 1
    alpha = np.where(valid, most, 0).astype(pixels.dtype)[np.newaxis]
    stack = np.concatenate([np.where(valid, pixels, 0), alpha])
    options = {"SRC_ALPHA_MAX": str(most), "DST_ALPHA_MAX": str(most)}
    bands = {"src_alpha": len(stack), "dst_alpha": len(stack)}
    stack = _warp(stack, georef, target, method, **bands, **options)
    covered &= stack[-1] > 0  # GDAL leaves out what lies right on a pixel that is not valid
    return np.where(covered, stack[:-1], 0).astype(pixels.dtype, copy=False), covered


def _kernel(piece: Piece) -> dict[str, str]:
    """How far pixels are to be smoothed. GDAL would take the outline of a turned piece for it."""
    down, across = (1.0 if ratio <= 1.05 else 1.0 / ratio for ratio in piece.ratio)
    return {"XSCALE": f"{across:.6f}", "YSCALE": f"{down:.6f}"}


def _warp(
    source: NDArray[Any],
    georef: dict[str, Any],
    target: GeoBox,
    method: Resampling,
    **options: Any,
) -> NDArray[Any]:
    out = np.zeros((len(source), *target.shape), source.dtype)
    reproject(
        np.ascontiguousarray(source),
        out,
        dst_transform=target.affine,
        dst_crs=str(target.crs),
        resampling=method,
        **georef,
        **options,
    )
    return out


def _copied(
    pixels: NDArray[Any], valid: BoolArray, piece: Piece, target: GeoBox
) -> tuple[NDArray[Any], BoolArray]:
    """Pixels of the same grid, placed."""
    down, across = piece.aligned or (0, 0)
    top, left = piece.rows[0] - down, piece.cols[0] - across
    place = np.s_[..., top : top + valid.shape[0], left : left + valid.shape[1]]
    if valid.shape == tuple(target.shape) and valid.all():
        return pixels, valid
    out = np.zeros((len(pixels), *target.shape), pixels.dtype)
    covered = np.zeros(target.shape, bool)
    out[place] = np.where(valid, pixels, 0)
    covered[place] = valid
    return out, covered


def _aligned(placement: Placement, target: GeoBox) -> list[Piece] | None:
    """The piece of a raster whose pixels are the target's own, None if they are not."""
    if placement.gcps or not same_crs(placement.crs, str(target.crs)):
        return None
    to_source = ~placement.transform * target.affine
    height, width = target.shape
    across, down = round(to_source.c), round(to_source.f)
    corners = [to_source * (x, y) for x in (0, width) for y in (0, height)]
    moved = [(x + across, y + down) for x in (0, width) for y in (0, height)]
    if np.abs(np.subtract(corners, moved)).max() > _ALIGNED_PX:
        return None
    rows = max(down, 0), min(down + height, placement.shape[0])
    cols = max(across, 0), min(across + width, placement.shape[1])
    if rows[0] >= rows[1] or cols[0] >= cols[1]:
        # Of a raster in degrees, the other side of the seam may still be met.
        return None if _period(placement.crs) else []
    if _period(placement.crs) and (cols[1] - cols[0]) < width:
        return None
    return [Piece(rows, cols, aligned=(down, across))]


def _piece(
    placement: Placement, target: GeoBox, x: FloatMesh, y: FloatMesh, turn: float
) -> Piece | None:
    if placement.gcps:
        cols, rows = _by_gcps(placement, x + turn, y)
    else:
        cols, rows = _applied(~placement.transform, x + turn, y)
    seen = np.isfinite(cols) & np.isfinite(rows)
    if not seen.any():
        return None
    mesh = _mesh_axes(target)
    across, down = _reduction(cols, *mesh), _reduction(rows, *mesh)
    step = _power_of_two(down), _power_of_two(across)
    ratio = down / step[0], across / step[1]
    margin = 2.0 * max(*ratio, 1.0) + 2.0
    height, width = placement.shape
    row_range = _span(rows[seen], margin, step[0], height)
    col_range = _span(cols[seen], margin, step[1], width)
    if row_range is None or col_range is None:
        return None
    seam = _seam(placement, row_range, col_range, x[seen], turn)
    inside = bool(seen.all()) and _within(rows, height) and _within(cols, width)
    return Piece(row_range, col_range, step, ratio, inside, turn, seam)


def _turns(placement: Placement, x: FloatMesh) -> tuple[float, ...]:
    """Turns of the Earth that may bring the target onto the raster, the likeliest first."""
    period = _period(placement.crs)
    if not period:
        return (0.0,)
    height, width = placement.shape
    middle, _ = placement.transform * (width / 2, height / 2)
    nearest = round((middle - float(np.nanmedian(x))) / period) * period
    return nearest, nearest - period, nearest + period


def _span(positions: FloatMesh, margin: float, step: int, length: int) -> tuple[int, int] | None:
    """Whole steps that hold all positions and a margin, inside the raster."""
    low = math.floor((float(positions.min()) - margin * step) / step) * step
    high = math.ceil((float(positions.max()) + margin * step) / step) * step
    low, high = max(low, 0), min(high, length)
    return (low, high) if low < high else None


def _within(positions: FloatMesh, length: int) -> bool:
    """Whether all positions lie in the raster, by more than the mapping may be off."""
    return float(positions.min()) >= 0.25 and float(positions.max()) <= length - 0.25


def _power_of_two(reduction: float) -> int:
    """How many pixels to join when reading, so that 2 to 4 remain per pixel of the target."""
    return 1 if reduction < 4.0 else int(2 ** math.floor(math.log2(reduction / 2.0)))


def _mesh_axes(target: GeoBox) -> tuple[FloatMesh, FloatMesh]:
    """Columns and rows of a mesh over the target, its edges included."""
    height, width = target.shape
    return np.linspace(0.0, width, 33), np.linspace(0.0, height, 33)


def _reduction(positions: FloatMesh, x: FloatMesh, y: FloatMesh) -> float:
    """How far one pixel of the target goes in a direction of the raster (median over the mesh)."""
    by_x = np.diff(positions, axis=1)[:-1] / np.diff(x)
    by_y = np.diff(positions, axis=0)[:, :-1] / np.diff(y)[:, np.newaxis]
    lengths = np.hypot(by_x, by_y)
    lengths = lengths[np.isfinite(lengths)]
    return float(np.median(lengths)) if lengths.size else 1.0


def _target_in_source_crs(placement: Placement, target: GeoBox) -> tuple[FloatMesh, FloatMesh]:
    """The mesh over the target in the CRS of the raster, x continuous, NaN where undefined."""
    cols, rows = np.meshgrid(*_mesh_axes(target))
    transformer = _transformer(str(target.crs), placement.crs)
    x, y = (np.asarray(v) for v in transformer.transform(*_applied(target.affine, cols, rows)))
    seen = np.isfinite(x) & np.isfinite(y)
    x, y = np.where(seen, x, np.nan), np.where(seen, y, np.nan)
    period = _period(placement.crs)
    if period and seen.any():
        centre = x[x.shape[0] // 2, x.shape[1] // 2]
        middle = float(centre if np.isfinite(centre) else x[seen][0])
        x = middle + (x - middle + period / 2) % period - period / 2
    return x, y


def _applied(affine: Affine, x: FloatMesh, y: FloatMesh) -> tuple[FloatMesh, FloatMesh]:
    return affine.a * x + affine.b * y + affine.c, affine.d * x + affine.e * y + affine.f


def _by_gcps(placement: Placement, x: FloatMesh, y: FloatMesh) -> tuple[FloatMesh, FloatMesh]:
    with GCPTransformer(list(placement.gcps)) as transformer:
        rows, cols = transformer.rowcol(x.ravel(), y.ravel(), op=np.positive)
    return np.reshape(cols, x.shape).astype(float), np.reshape(rows, x.shape).astype(float)


def _seam(
    placement: Placement,
    row_range: tuple[int, int],
    col_range: tuple[int, int],
    target_x: FloatMesh,
    turn: float,
) -> float | None:
    """Where to warp around, if the target or the piece leaves the usual range of x."""
    period = _period(placement.crs)
    if not period:
        return None
    piece_x, _ = _applied(placement.transform, *np.meshgrid(col_range, row_range))
    furthest = max(np.abs(target_x).max(), np.abs(piece_x).max())
    if turn == 0.0 and furthest < period / 2 * (1 - 1e-6):
        return None
    return float(np.median(target_x))


def _georeference(piece: Piece, placement: Placement) -> dict[str, Any]:
    """What GDAL must know of where the reduced piece lies."""
    height, width = piece.shape
    down = (piece.rows[1] - piece.rows[0]) / height
    across = (piece.cols[1] - piece.cols[0]) / width
    if placement.gcps:
        moved = [
            GroundControlPoint(
                (p.row - piece.rows[0]) / down, (p.col - piece.cols[0]) / across, p.x, p.y
            )
            for p in placement.gcps
        ]
        return {"gcps": moved, "src_crs": placement.crs}
    transform = (
        placement.transform
        * Affine.translation(piece.cols[0], piece.rows[0])
        * Affine.scale(across, down)
    )
    if piece.seam is None:
        return {"src_transform": transform, "src_crs": placement.crs}
    shift = Affine.translation(-piece.turn - piece.seam, 0.0)
    return {"src_transform": shift * transform, "src_crs": _centred(placement.crs, piece.seam)}


def _centred(crs: str, x: float) -> str:
    """The same CRS counted from the meridian at ``x``, so that nothing near it meets the seam."""
    if parse_crs(crs).is_geographic:
        return f"+proj=longlat +datum=WGS84 +pm={x!r} +no_defs"
    lon = math.degrees(x / WEB_MERCATOR_RADIUS)
    radius = f"+a={WEB_MERCATOR_RADIUS} +b={WEB_MERCATOR_RADIUS}"
    return f"+proj=merc {radius} +lat_ts=0 +lon_0={lon!r} +k=1 +units=m +nadgrids=@null +no_defs"


@lru_cache(maxsize=256)
def _period(crs: str) -> float | None:
    """After how much x the same place comes again, for the CRSs of which that is asked."""
    parsed = parse_crs(crs)
    if parsed.is_geographic:
        return 360.0
    return 2 * math.pi * WEB_MERCATOR_RADIUS if parsed == CRS("EPSG:3857") else None


@lru_cache(maxsize=256)
def same_crs(one: str, other: str) -> bool:
    """Whether two CRSs give the same coordinates."""
    return one == other or parse_crs(one).equals(parse_crs(other), ignore_axis_order=True)


@lru_cache(maxsize=256)
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(parse_crs(source), parse_crs(target), always_xy=True)
