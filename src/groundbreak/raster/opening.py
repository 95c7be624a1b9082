"""The only file that opens rasters for reading.

Thread-safe: every thread has its own datasets. What GDAL may do is narrowed down: it is told the
one format that a file begins as, it finds nothing beside the file, and it has no network.
"""

from __future__ import annotations

import os
import re
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import local
from typing import IO, Any
from uuid import uuid4

import rasterio
from rasterio._err import CPLE_BaseError  # not public, but raised all the same
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader

from groundbreak.errors import InputError, RasterError, UnreachedError
from groundbreak.raster.href import Opener, is_remote, resolve_href, shown
from groundbreak.raster.sidecars import TIFF_MAGIC, tiff_neighbours
from groundbreak.raster.source import Source
from groundbreak.types import HrefPolicy

# A picture may have its place from elsewhere; where it has none, an error of ours says so.
warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)

MAGIC = (
    (TIFF_MAGIC, "GTiff"),
    (re.compile(rb"\0\0\0\x0cjP  |\xffO\xffQ"), "JP2OpenJPEG"),
    (re.compile(rb"\xff\xd8\xff"), "JPEG"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "PNG"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "WEBP"),
)
"""Formats that hold pixels and nothing else, by their first bytes.

GDAL is told the one driver to use: left to choose, it would also take a VRT, whatever the file is
called, and a VRT may name any file of the machine.
"""

# SystemError is what rasterio makes of an error that GDAL does not explain.
GDAL_ERRORS = (RasterioError, CPLE_BaseError, OSError, SystemError)

GDAL_OPTIONS: dict[str, Any] = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    # What is damaged must not be read as black.
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "YES",
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": "NO",
    "GDAL_CACHEMAX": 160 << 20,  # bytes
}
_KEPT_OPEN = 8


class _Kept(local):
    """Local files that this thread has open: a picture is read window by window."""

    def __init__(self) -> None:
        self.sources: OrderedDict[tuple[Any, ...], Source] = OrderedDict()

    def get(self, path: Path, name: str) -> tuple[tuple[Any, ...], Source]:
        """The open file, opened if need be; a file that was changed or replaced is opened anew."""
        stat = path.stat()
        key = (str(path), stat.st_ino, stat.st_mtime_ns, stat.st_size, os.getpid())
        source = self.sources.pop(key, None) or _open_local(path, name)
        self.sources[key] = source
        while len(self.sources) > _KEPT_OPEN:
            self.sources.popitem(last=False)[1].dataset.close()
        return key, source

    def drop(self, key: tuple[Any, ...]) -> None:
        """Close a file that made trouble."""
        source = self.sources.pop(key, None)
        if source is not None:
            source.dataset.close()


_kept = _Kept()


@contextmanager
def opened(
    href: str, policy: HrefPolicy | None = None, opener: Opener | None = None
) -> Iterator[Source]:
    """Open a raster; whatever goes wrong with it is a ``RasterError``.

    Without a policy, ``href`` is a local path that the user named.
    """
    address = resolve_href(href, policy) if policy is not None else str(Path(href).absolute())
    if is_remote(address):
        with _opened_remote(address, opener) as source:
            yield source
        return
    key: tuple[Any, ...] = ()
    with rasterio.Env(**GDAL_OPTIONS):
        try:
            key, source = _kept.get(Path(address), href)
            yield source
        except GDAL_ERRORS as error:
            _kept.drop(key)
            raise _broken(href, error) from error


def _open_local(path: Path, name: str) -> Source:
    with path.open("rb") as file:
        driver = _driver(file, name)
    neighbours = tiff_neighbours(path)
    for each in neighbours:
        with rasterio.open(each, driver="GTiff", sharing=False) as dataset:
            _refuse_pointers(dataset, name)
    options = {"GDAL_DISABLE_READDIR_ON_OPEN": "NO" if neighbours else "EMPTY_DIR"}
    with rasterio.Env(**options):
        dataset = rasterio.open(path, driver=driver, sharing=False)
        _refuse_pointers(dataset, name)
        source = Source(dataset, name, path)
        # GDAL looks for what lies beside the file only now, and remembers it.
        _ = dataset.overviews(1), dataset.mask_flag_enums
    return source


def _refuse_pointers(dataset: DatasetReader, name: str) -> None:
    """A TIFF may say that its overviews are in any other file, which GDAL then reads for them."""
    if dataset.tags(ns="OVERVIEWS"):
        dataset.close()
        raise RasterError(name, "takes its overviews from another file", "give the raster itself")


@contextmanager
def _opened_remote(address: str, opener: Opener | None) -> Iterator[Source]:
    name = shown(address)
    if opener is None:
        raise RasterError(name, "lies on the network, which is not read here")
    alias = f"/{uuid4().hex}/asset"
    with ExitStack() as stack:
        files = [stack.enter_context(opener(address))]

        def reopen(path: str, mode: str = "rb") -> IO[bytes]:
            if path != alias:
                raise FileNotFoundError(path)
            files.append(stack.enter_context(opener(address)))
            return files[-1]

        stack.enter_context(rasterio.Env(**GDAL_OPTIONS))
        try:
            driver = _driver(files[0], name)
            dataset = rasterio.open(alias, driver=driver, sharing=False, opener=reopen)
            with dataset:
                _refuse_pointers(dataset, name)
                yield Source(dataset, name)
        except GDAL_ERRORS as error:
            raise _lost(files) or _broken(name, error) from error
        lost = _lost(files)
        if lost is not None:
            raise lost


def _lost(files: Sequence[IO[bytes]]) -> InputError | None:
    """Why reading over the network failed; inside GDAL it could not be raised."""
    errors = (getattr(file, "error", None) for file in files)
    return next((error for error in errors if error is not None), None)


def _driver(file: IO[bytes], name: str) -> str:
    head = file.read(16)
    for magic, driver in MAGIC:
        if magic.match(head):
            return driver
    raise RasterError(
        name,
        "is not a raster of a format that is read" if head else "is empty",
        "give GeoTIFF, JPEG 2000, PNG, JPEG or WebP",
    )


def _broken(name: str, error: Exception) -> RasterError:
    if isinstance(error, FileNotFoundError):
        return UnreachedError(name, "does not exist")
    if isinstance(error, IsADirectoryError):
        return RasterError(name, "is a folder, not a raster")
    if isinstance(error, PermissionError):
        return UnreachedError(name, "may not be read")
    if isinstance(error, OSError) and error.errno is not None:  # GDAL's errors have no number
        return UnreachedError(name, f"cannot be read now ({error.strerror})")
    cause = " ".join(str(error.__cause__ or error).split())
    return RasterError(name, f"is damaged or cannot be read ({cause[:160]})")
