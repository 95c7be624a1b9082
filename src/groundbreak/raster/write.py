"""The only file that opens rasters for writing; what it writes appears whole or not at all."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio._err import CPLE_BaseError  # not public, but raised all the same
from rasterio.errors import RasterioError
from rasterio.io import DatasetWriter
from rasterio.windows import Window as FileWindow

from groundbreak.atomic import atomic_path, output_error
from groundbreak.errors import OutputError
from groundbreak.types import Box

# SystemError is what rasterio makes of an error that GDAL does not explain.
GDAL_ERRORS = (RasterioError, CPLE_BaseError, OSError, SystemError)
_BLOCK = 512
_OPTIONS: dict[str, Any] = {"GDAL_PAM_ENABLED": "NO", "GDAL_CACHEMAX": 96 << 20}  # bytes


class RasterSink:
    """A tiled GeoTIFF that is written window by window and appears when the block succeeds.

    Blocks are 512 pixels a side: windows that end on multiples of that are written only once.

    Args:
        path: the file to make.
        geobox: the grid of the whole file.
        count: number of bands.
        dtype: numpy name of the pixel type.
        nodata: recorded as the nodata value.
        band_names: recorded as descriptions.
        tags: recorded in the file.
        fast: write and read whole numbers in two thirds of the time; looks of 16 bits are packed
            by up to 30 % larger, change maps no larger. For files that only this program reads.
    """

    def __init__(
        self,
        path: Path,
        geobox: GeoBox,
        count: int,
        dtype: str,
        nodata: float | None = None,
        band_names: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        *,
        fast: bool = False,
    ) -> None:
        self._path = path
        self._profile = {
            **_profile(geobox, count, dtype, nodata),
            "driver": "GTiff",
            "tiled": True,
            "bigtiff": "IF_SAFER",
            "compress": "zstd",
            "zstd_level": 1,
            **_packing(dtype, fast),
            "blockxsize": _block(geobox.shape[1]),
            "blockysize": _block(geobox.shape[0]),
        }
        self._names, self._tags = tuple(band_names), dict(tags or {})
        self._given = 0  # bytes
        self._stack = ExitStack()
        self._dataset: DatasetWriter | None = None

    def __enter__(self) -> RasterSink:
        """Open the temporary file.

        Raises:
            OutputError: the folder may not be written, or the disk is full.
        """
        with ExitStack() as stack:
            temporary = stack.enter_context(atomic_path(self._path))
            with _writing(self._path):
                self._dataset = rasterio.open(temporary, "w", **self._profile)
            stack.callback(self._close, temporary)
            _describe(self._dataset, self._names, self._tags)
            self._stack = stack.pop_all()
        return self

    def write(self, window: Box, values: NDArray[Any]) -> None:
        """Write (bands, height, width) into a window of the grid.

        Raises:
            OutputError: the disk is full.
            ValueError: the array does not have the shape of the window.
        """
        if self._dataset is None:
            raise ValueError("the sink is not open")
        expected = (self._profile["count"], *window.shape)
        if values.shape != expected:
            raise ValueError(f"expected an array of {expected}, got {values.shape}")
        # What was written before may still be in GDAL's cache.
        _check_room(self._path, min(self._given, _OPTIONS["GDAL_CACHEMAX"]) + values.nbytes)
        self._given += values.nbytes
        with _writing(self._path):
            self._dataset.write(values, window=FileWindow.from_slices(*window.slices))

    def _close(self, temporary: Path) -> None:
        dataset, self._dataset = self._dataset, None
        if dataset is not None:
            with _writing(self._path):
                dataset.close()
                _check_whole(temporary)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        """Close the file; name it ``path`` if nothing went wrong."""
        return self._stack.__exit__(kind, error, trace)


def write_cog(
    path: Path,
    array: NDArray[Any],
    geobox: GeoBox,
    band_names: Sequence[str],
    nodata: float | None = None,
    tags: Mapping[str, str] | None = None,
    *,
    scale: float | None = None,
) -> None:
    """Write a cloud-optimised GeoTIFF with overviews.

    Args:
        path: the file to make.
        array: (bands, height, width).
        geobox: its grid.
        band_names: recorded as descriptions.
        nodata: recorded as the nodata value.
        tags: recorded in the file.
        scale: value per digital number, recorded for every band.

    Raises:
        OutputError: the folder may not be written, or the disk is full.
        ValueError: the array does not have the shape of the grid.
    """
    if array.shape[1:] != tuple(geobox.shape):
        raise ValueError(f"expected a grid of {tuple(geobox.shape)}, got {array.shape[1:]}")
    profile = {
        **_profile(geobox, len(array), array.dtype.name, nodata),
        "driver": "COG",
        "compress": "deflate",
        "predictor": "yes",
        "blocksize": _BLOCK,
        "overview_resampling": "average",
        "bigtiff": "IF_SAFER",
    }
    with atomic_path(path) as temporary, _writing(path):
        _check_room(path, 2 * array.nbytes)  # the driver writes a plain file first
        with rasterio.open(temporary, "w", **profile) as dataset:
            _describe(dataset, band_names, tags or {})
            if scale is not None:
                dataset.scales = (scale,) * len(array)
            dataset.write(array)
        _check_whole(temporary)


def _profile(geobox: GeoBox, count: int, dtype: str, nodata: float | None) -> dict[str, Any]:
    height, width = geobox.shape
    return {
        "height": height,
        "width": width,
        "count": count,
        "dtype": dtype,
        "crs": None if geobox.crs is None else str(geobox.crs),
        "transform": geobox.affine,
        "nodata": nodata,
    }


def _packing(dtype: str, fast: bool) -> dict[str, Any]:
    if np.dtype(dtype).kind == "f":
        return {"predictor": 3}
    return {"predictor": 1, "interleave": "band"} if fast else {"predictor": 2}


def _block(side: int) -> int:
    """Side of the blocks: blocks larger than the picture would be padding."""
    return min(_BLOCK, -(-side // 16) * 16)


def _describe(dataset: DatasetWriter, names: Sequence[str], tags: Mapping[str, str]) -> None:
    for index, name in enumerate(names, start=1):
        dataset.set_band_description(index, name)
    if tags:
        dataset.update_tags(**tags)


def _check_room(path: Path, needed: int) -> None:
    """Stop before the disk is full: libtiff says so on stderr, past everybody.

    Raises:
        OutputError: fewer bytes are free than may be needed.
    """
    if shutil.disk_usage(path.parent).free < needed:
        raise output_error(path, OSError(errno.ENOSPC, "too little room"))


def _check_whole(path: Path) -> None:
    """What is flushed on closing may fail without a word: look that all blocks are there."""
    size = path.stat().st_size
    with rasterio.open(path, driver="GTiff") as written:
        height, width = written.block_shapes[0]
        for row in range(-(-written.height // height)):
            for col in range(-(-written.width // width)):
                place = [
                    written.get_tag_item(f"BLOCK_{what}_{col}_{row}", "TIFF", bidx=1)
                    for what in ("OFFSET", "SIZE")
                ]
                if None not in place and sum(map(int, place)) > size:
                    raise OSError("its end was not written")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """GDAL's trouble with writing becomes an ``OutputError``."""
    with rasterio.Env(**_OPTIONS):
        try:
            yield
        except GDAL_ERRORS as error:
            raise _failed(path, error) from error


def _failed(path: Path, error: Exception) -> OutputError:
    """GDAL does not say that the disk is full, so look."""
    text = " ".join(str(error.__cause__ or error).split())
    full = "No space left" in text or shutil.disk_usage(path.parent).free < 1 << 20
    if full:
        return output_error(path, OSError(errno.ENOSPC, text))
    if isinstance(error, OSError) and error.errno is not None:
        return output_error(path, error)
    return OutputError(str(path), f"cannot be written ({text[:160]})")
