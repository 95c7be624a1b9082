"""An open raster: what its bands are, where it lies, and pieces of it with their valid pixels."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.enums import ColorInterp, Compression, MaskFlags, Resampling
from rasterio.io import DatasetReader
from rasterio.transform import from_gcps
from rasterio.windows import Window as FileWindow

from groundbreak.errors import RasterError
from groundbreak.raster.bands import Naming, name_bands
from groundbreak.raster.sidecars import Sidecars, read_sidecars
from groundbreak.raster.valid import FillColour, from_border, has_data, in_colour, pooled
from groundbreak.raster.warp import Piece, Placement, plan, resample
from groundbreak.types import Band, BoolArray, Georef

_CHUNK_PX = 1024
_COARSE_SIDE = 1024
_SAMPLED_FROM = 32
"""From this reduction on pixels are picked instead of averaged: it is only for overviews."""
_POOLED_UP_TO = 8
"""The same where GDAL cannot average, since it does not know the fill: all must be read then."""
_POOLED_AT_ONCE = 1 << 24
"""Pixels that are read at once for that."""
_BLOCK_SAMPLES = 1 << 30
_LOSSY = {Compression.jpeg, Compression.webp, Compression.lerc}


class Source:
    """A dataset that is open for reading, and what was found out about it.

    Args:
        dataset: the open dataset.
        name: for messages.
        path: the local file, whose side-car files then count; None for a remote one.
    """

    def __init__(self, dataset: DatasetReader, name: str, path: Path | None = None) -> None:
        self.dataset = dataset
        self.name = name
        self._path = path
        self._coarse: dict[FillColour, BoolArray] = {}
        self.shape = (int(dataset.height), int(dataset.width))
        if np.dtype(dataset.dtypes[0]).kind == "c":
            raise RasterError(name, "has complex pixels (radar?), which are not a picture")
        height, width = dataset.block_shapes[0]
        if height * width * dataset.count > _BLOCK_SAMPLES:
            raise RasterError(name, "is stored in one piece", "store it in tiles (gdal_translate)")

    @cached_property
    def paletted(self) -> bool:
        """Whether pixels are indices of a colour table."""
        return self.dataset.count == 1 and self.dataset.colorinterp[0] == ColorInterp.palette

    @property
    def bits(self) -> int:
        """Of a number of the first band."""
        return 8 * np.dtype(self.dataset.dtypes[0]).itemsize

    @cached_property
    def alpha(self) -> int | None:
        """Index of the alpha band. A named band is what its name says, whatever its colour."""
        for index in self.dataset.indexes:
            named = (self.dataset.descriptions[index - 1] or "alpha").strip().lower()
            if self.dataset.colorinterp[index - 1] == ColorInterp.alpha and named == "alpha":
                return int(index)
        return None

    @cached_property
    def naming(self) -> Naming:
        """Names, scales, offsets and nodata values of the image bands."""
        if self.paletted:
            colours = ["red", "green", "blue"]
            nodata = self.dataset.nodata
            return name_bands([Band(i, "", nodata=nodata) for i in (1, 2, 3)], colours, colours)
        indices = [i for i in self.dataset.indexes if i != self.alpha]
        return name_bands(
            [self._band(i) for i in indices],
            [self.dataset.descriptions[i - 1] for i in indices],
            [self.dataset.colorinterp[i - 1].name.lower() for i in indices],
        )

    def _band(self, index: int) -> Band:
        scale, offset = self.dataset.scales[index - 1], self.dataset.offsets[index - 1]
        stated = (scale, offset) != (1.0, 0.0)  # GDAL's answer where a file says nothing
        return Band(
            index,
            "",
            scale=float(scale) if stated else None,
            offset=float(offset) if stated else None,
            nodata=self.dataset.nodatavals[index - 1],
        )

    @cached_property
    def valid_by(self) -> str | None:
        """What marks valid pixels: ``alpha``, ``nodata``, ``mask`` or None."""
        flags = self.dataset.mask_flag_enums[0]
        if self.alpha is not None:
            return "alpha"
        if MaskFlags.nodata in flags:
            return "nodata"
        return "mask" if MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags else None

    @cached_property
    def _sidecars(self) -> Sidecars:
        return read_sidecars(self._path) if self._path is not None else Sidecars()

    @cached_property
    def crs(self) -> str | None:
        """Authority code or WKT, of the file or of what lies beside it."""
        dataset = self.dataset
        if dataset.crs:
            return _crs_text(dataset.crs)
        return _crs_text(dataset.gcps[1]) or self._sidecars.crs

    @cached_property
    def gcps(self) -> tuple[Any, ...]:
        """Ground control points, where they are all that places the file."""
        points = self.dataset.gcps[0]
        return tuple(points) if points and self.dataset.transform.is_identity else ()

    @cached_property
    def transform(self) -> Affine | None:
        """Pixel corners → ``crs``; of ground control points the best affine fit."""
        if not self.dataset.transform.is_identity:
            return self.dataset.transform
        return from_gcps(self.gcps) if self.gcps else self._sidecars.transform

    def placement(self, georef: Georef | None = None) -> Placement:
        """Where the pixels lie; ``georef`` overrides what the file says.

        Raises:
            RasterError: nothing says where it lies, or it is given for another size.
        """
        if georef is not None:
            if tuple(georef.shape) != self.shape:
                raise RasterError(
                    self.name,
                    f"has {self.shape[1]} x {self.shape[0]} pixels, but its place is given for "
                    f"{georef.shape[1]} x {georef.shape[0]}",
                    "scan the folder again",
                )
            return Placement(georef.crs, georef.transform, self.shape)
        if self.crs is None or self.transform is None:
            lacks = "CRS" if self.transform is not None else "place on the ground"
            raise RasterError(
                self.name,
                f"has no {lacks}",
                "give crs, west, south, east, north in dates.csv, or a world file",
            )
        if abs(self.transform.determinant) == 0.0:
            raise RasterError(self.name, "has a transform that folds it to a line")
        return Placement(self.crs, self.transform, self.shape, self.gcps)

    def read(
        self,
        piece: Piece,
        bands: Sequence[Band],
        fill: Collection[FillColour] = (),
    ) -> tuple[NDArray[Any], BoolArray]:
        """Digital numbers (bands, height, width) of a piece and its valid pixels (height, width).

        A colour table becomes red, green and blue. What has a colour of ``fill`` and is connected
        to the border of the picture is not valid.
        """
        window = FileWindow.from_slices(piece.rows, piece.cols)
        indices = self._indices(bands)
        nodata = [self.nodata(band) for band in bands[: len(indices)]]
        # GDAL averages around the fill that it knows of; other fill would be mixed in.
        unknown = bool(fill) or not all(_same(value, self.dataset.nodata) for value in nodata)
        if unknown and not self.paletted and 1 < max(piece.step) <= _POOLED_UP_TO:
            return self._pooled(piece, bands, fill)
        exact = self.paletted or unknown or not 1 < max(piece.step) < _SAMPLED_FROM
        dn = self.dataset.read(
            indices,
            window=window,
            out_shape=(len(indices), *piece.shape),
            resampling=Resampling.nearest if exact else Resampling.average,
        )
        valid = has_data(dn, nodata)
        valid &= self._masked_in(window, piece.shape)
        if self.paletted:
            table = self._palette()
            valid &= table[3][dn[0]] > 0
            dn = table[[band.index - 1 for band in bands]][:, dn[0]]
        for colour in fill:
            valid &= ~self._border(piece, dn, colour)
        return _warpable(dn), valid

    def _pooled(
        self, piece: Piece, bands: Sequence[Band], fill: Collection[FillColour]
    ) -> tuple[NDArray[Any], BoolArray]:
        """A reduced piece from all its pixels, strip by strip so that memory stays bounded."""
        down, across = (
            np.rint(np.linspace(0, stop - start, count + 1)).astype(np.intp)
            for (start, stop), count in zip((piece.rows, piece.cols), piece.shape, strict=True)
        )
        strip = max(1, _POOLED_AT_ONCE // int(across[-1]) // max(piece.step))
        parts = []
        for first in range(0, piece.shape[0], strip):
            edges = down[first : first + strip + 1]
            rows = piece.rows[0] + int(edges[0]), piece.rows[0] + int(edges[-1])
            dn, valid = self.read(Piece(rows, piece.cols), bands, fill)
            parts.append(pooled(dn, valid, (edges - edges[0], across)))
        return (
            np.concatenate([dn for dn, _ in parts], axis=1),
            np.concatenate([valid for _, valid in parts]),
        )

    def onto(
        self,
        placement: Placement,
        bands: Sequence[Band],
        geobox: GeoBox,
        fill: Collection[FillColour] = (),
        *,
        codes: bool = False,
    ) -> tuple[NDArray[Any], BoolArray]:
        """Bands on a grid, chunk by chunk so that memory stays bounded.

        Args:
            placement: where the raster lies.
            bands: by their indices.
            geobox: the grid.
            fill: pixels of these colours are no data if connected to the border of the picture.
            codes: the values are codes: the nearest one counts, and all are valid.

        Returns:
            (bands, height, width) in the type of the file, 0 where not valid; (height, width).
        """
        out: NDArray[Any] | None = None
        valid = np.zeros(geobox.shape, bool)
        fine = all(max(piece.ratio) < 2.0 for piece in plan(placement, geobox))
        for window in _chunks(geobox, _CHUNK_PX if fine else _CHUNK_PX // 2):
            target = geobox[window]
            for piece in plan(placement, target):
                if codes:
                    pixels, seen = self._codes(piece, bands)
                else:
                    pixels, seen = self.read(piece, bands, fill)
                pixels, seen = resample(pixels, seen, piece, placement, target, nearest=codes)
                if out is None and seen.shape == valid.shape:
                    out, valid = pixels, seen
                    continue
                if out is None:
                    out = np.zeros((len(bands), *geobox.shape), pixels.dtype)
                new = seen & ~valid[window]
                np.copyto(out[(slice(None), *window)], pixels, where=new)
                valid[window] |= seen
        if out is None:
            out = np.zeros((len(bands), *geobox.shape), np.uint8)
        return out, valid

    def whole(self) -> Piece:
        """All pixels as they are."""
        return Piece((0, self.shape[0]), (0, self.shape[1]))

    def _codes(self, piece: Piece, bands: Sequence[Band]) -> tuple[NDArray[Any], BoolArray]:
        window = FileWindow.from_slices(piece.rows, piece.cols)
        indices = self._indices(bands)
        codes = self.dataset.read(indices, window=window, out_shape=(len(indices), *piece.shape))
        return _warpable(codes), np.ones(piece.shape, bool)

    def _indices(self, bands: Sequence[Band]) -> list[int]:
        most = 3 if self.paletted else self.dataset.count
        for band in bands:
            if not 1 <= band.index <= most:
                raise RasterError(
                    self.name,
                    f"has {most} bands, but '{band.name}' is given as number {band.index}",
                    "correct the bands in the catalogue or in dates.csv",
                )
        return [1] if self.paletted else [band.index for band in bands]

    def nodata(self, band: Band) -> float | None:
        """The catalogue's nodata value wins over the file's."""
        return band.nodata if band.nodata is not None else self.dataset.nodata

    def _masked_in(self, window: FileWindow, shape: tuple[int, int]) -> BoolArray:
        if self.alpha is not None:
            index: int = self.alpha
            return np.asarray(self.dataset.read(index, window=window, out_shape=shape) > 0)
        if self.valid_by == "mask":
            return np.asarray(self.dataset.read_masks(1, window=window, out_shape=shape) > 0)
        return np.ones(shape, bool)

    def _palette(self) -> NDArray[np.uint8]:
        """Colour table as red, green, blue, alpha by index; unlisted entries are transparent."""
        table = np.zeros((4, 1 << 16 if self.dataset.dtypes[0] == "uint16" else 256), np.uint8)
        for index, colour in self.dataset.colormap(1).items():
            table[:, index] = colour
        return table

    def _border(self, piece: Piece, dn: NDArray[Any], colour: FillColour) -> BoolArray:
        """Pixels of a piece of that colour that are connected to the border of the picture."""
        alike = in_colour(dn, colour, lossy=self._lossy)
        if not alike.any():
            return alike
        height, width = piece.shape
        rows = np.linspace(*piece.rows, height, endpoint=False)
        cols = np.linspace(*piece.cols, width, endpoint=False)
        if colour not in self._coarse:
            self._coarse[colour] = self._coarse_border(colour)
        coarse = self._coarse[colour]
        scale = coarse.shape[0] / self.shape[0], coarse.shape[1] / self.shape[1]
        seeds = coarse[np.ix_((rows * scale[0]).astype(int), (cols * scale[1]).astype(int))]
        seeds[0] |= piece.rows[0] == 0
        seeds[-1] |= piece.rows[1] == self.shape[0]
        seeds[:, 0] |= piece.cols[0] == 0
        seeds[:, -1] |= piece.cols[1] == self.shape[1]
        return from_border(alike, seeds)

    def _coarse_border(self, colour: FillColour) -> BoolArray:
        """The same of the whole picture, seen coarsely."""
        reduction = max(1.0, max(self.shape) / _COARSE_SIDE)
        shape = tuple(max(1, round(side / reduction)) for side in self.shape)
        indices = self._indices(self.naming.bands)
        dn = self.dataset.read(indices, out_shape=(len(indices), *shape))
        if self.paletted:
            dn = self._palette()[:3, dn[0]]
        return from_border(in_colour(dn, colour, lossy=self._lossy))

    @property
    def _lossy(self) -> bool:
        return self.dataset.compression in _LOSSY or self.dataset.driver in {"JPEG", "WEBP"}


def _chunks(geobox: GeoBox, side: int) -> Iterator[tuple[slice, slice]]:
    height, width = geobox.shape
    for top in range(0, height, side):
        for left in range(0, width, side):
            yield slice(top, min(top + side, height)), slice(left, min(left + side, width))


def with_file_scaling(bands: Sequence[Band], file_bands: Sequence[Band]) -> list[Band]:
    """Bands of a catalogue, completed by what the file says where the catalogue says nothing."""
    own = {band.index: band for band in file_bands}
    return [
        replace(band, scale=own[band.index].scale, offset=own[band.index].offset)
        if band.scale is None and band.offset is None and band.index in own
        else band
        for band in bands
    ]


def _same(one: float | None, other: float | None) -> bool:
    """Whether two nodata values are the same; NaN is."""
    if one is None or other is None:
        return one is other
    return one == other or (math.isnan(one) and math.isnan(other))


def _crs_text(crs: Any) -> str | None:
    if not crs:
        return None
    authority = crs.to_authority()
    return ":".join(authority) if authority else str(crs.to_wkt())


def _warpable(dn: NDArray[Any]) -> NDArray[Any]:
    """The nearest type that GDAL can warp, of the same kind: scaling depends on the kind."""
    if dn.dtype.kind == "f":
        return dn.astype(np.float32, copy=False)
    if dn.dtype == np.int8:
        return dn.astype(np.int16)
    if dn.dtype.itemsize > 4:
        return np.clip(dn, np.iinfo(np.int32).min, np.iinfo(np.int32).max).astype(np.int32)
    return dn
