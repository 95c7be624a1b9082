"""What every importer hands on: one pair of a published set, and how its labels are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from groundbreak.errors import DataError, RasterError
from groundbreak.raster.opening import opened
from groundbreak.raster.read import read_picture
from groundbreak.types import BoolArray, MaskValue

Labels = NDArray[np.uint8]
Image = Path | NDArray[Any]
"""A file that is taken over as it is, or pixels (bands, height, width)."""

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"})


@dataclass(frozen=True)
class SourcePair:
    """One labelled pair. ``label`` (height, width) of ``types.MaskValue``; dates are
    ISO, as exact as the set gives them.
    """

    split: str
    scene: str
    before: Image
    after: Image
    label: Labels
    original_name: str
    gsd_m: float | None
    bands: str = "RGB"
    date_before: str = ""
    date_after: str = ""


@dataclass(frozen=True)
class Options:
    """What a user may decide about an import.

    Attributes:
        change_as: label of a change whose direction the set does not give.
        swap_dates: take the set's other image as the earlier one.
        months: gap between the two dates of a pair, for monthly series.
    """

    change_as: MaskValue | None = None
    swap_dates: bool = False
    months: int = 12


@dataclass(frozen=True)
class Layout:
    """A published layout and how to read it.

    Attributes:
        set: name of the set in the index.
        read: yields the pairs below a folder.
        licence: as its publishers state it.
        quality: ``good``, ``noisy`` or ``partial``: how far the labels can be trusted.
        options: names of the ``Options`` that mean something here.
    """

    set: str
    read: Callable[[Path, Options], Iterator[SourcePair]]
    licence: str
    quality: str = "good"
    options: frozenset[str] = frozenset()


def read_mask(path: Path) -> BoolArray:
    """A mask picture, grey or coloured: (height, width), True where any band is above half.

    0/1 masks are told from 0/255 ones by their largest value.

    Raises:
        DataError: it cannot be read.
    """
    pixels = read_pixels(path).max(axis=0)
    return pixels > (0 if pixels.max(initial=0) == 1 else 127)


def read_pixels(path: Path) -> NDArray[Any]:
    """Pixels (bands, height, width) of a picture.

    Raises:
        DataError: it cannot be read.
    """
    return read_valid_pixels(path)[0]


def read_valid_pixels(path: Path) -> tuple[NDArray[Any], BoolArray]:
    """Pixels (bands, height, width) of a picture, and which hold data (height, width).

    Raises:
        DataError: it cannot be read.
    """
    try:
        pixels, _, valid = read_picture(path)
    except RasterError as error:
        raise DataError(str(path), error.problem, error.mend) from error
    return pixels, valid


def read_masks(paths: Sequence[Path]) -> list[BoolArray]:
    """Masks (height, width) of one picture.

    Raises:
        DataError: one cannot be read, or they differ in size.
    """
    masks = [read_mask(path) for path in paths]
    check_sizes({path: mask.shape for path, mask in zip(paths, masks, strict=True)})
    return masks


def read_size(path: Path) -> tuple[int, ...]:
    """(height, width) of a picture, without reading its pixels.

    Raises:
        DataError: it cannot be opened.
    """
    try:
        with opened(str(path)) as source:
            return source.shape
    except RasterError as error:
        raise DataError(str(path), error.problem, error.mend) from error


def check_sizes(sizes: Mapping[Path, tuple[int, ...]]) -> None:
    """Refuse pictures of one scene that differ in size.

    Args:
        sizes: (height, width) of each.

    Raises:
        DataError: naming the first that differs from the first of all.
    """
    (first, expected), *others = sizes.items()
    for path, size in others:
        if size != expected:
            said, wanted = (f"{width} x {height}" for height, width in (size, expected))
            other = f"{first.parent.name}/{first.name}"
            raise DataError(str(path), f"is {said}, {other} is {wanted}")


def refuse_change_as(options: Options, root: Path) -> None:
    """Refuse ``change_as`` where the labels have a direction.

    Raises:
        DataError: it is given.
    """
    if options.change_as is not None:
        raise DataError("--change-as", f"means nothing for {root}: its labels have a direction")


def direction_label(new: BoolArray, gone: BoolArray) -> Labels:
    """Label from masks of what appeared and what vanished; both at once is 254."""
    label = np.zeros(new.shape, np.uint8)
    label[new] = MaskValue.NEW_BUILDING
    label[gone] = MaskValue.DEMOLITION
    label[new & gone] = MaskValue.UNKNOWN_DIRECTION
    return label


def burn(polygons: Iterable[BaseGeometry], shape: tuple[int, int]) -> BoolArray:
    """Polygons in pixel coordinates (x right, y down) as a mask (height, width)."""
    from rasterio.features import rasterize

    drawn = [polygon for polygon in polygons if not polygon.is_empty]
    if not drawn:
        return np.zeros(shape, np.bool_)
    return rasterize(drawn, out_shape=shape, dtype=np.uint8).astype(np.bool_)


def pictures(folder: Path) -> dict[str, Path]:
    """The pictures of a folder by stem, sorted by name.

    Raises:
        DataError: there is no such folder.
    """
    if not folder.is_dir():
        raise DataError(str(folder), "does not exist", "the download may be incomplete")
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURES)
    return {path.stem: path for path in found}


def partner(pictures_by_stem: dict[str, Path], stem: str, folder: Path) -> Path:
    """The picture of the same name in another folder.

    Raises:
        DataError: there is none.
    """
    if stem not in pictures_by_stem:
        raise DataError(str(folder), f"has no picture {stem}", "the download may be incomplete")
    return pictures_by_stem[stem]


def find_root(source: Path, marks: Iterable[str], expected: str) -> Path:
    """The folder that holds the layout: ``source`` or a folder one or two levels below.

    Args:
        source: as the user gave it.
        marks: relative paths, any of which tells the layout.
        expected: the layout, for the message.

    Raises:
        DataError: nothing below looks like the layout.
    """
    if not source.is_dir():
        raise DataError(str(source), "is not a folder")
    below = [source, *sorted(source.glob("*/")), *sorted(source.glob("*/*/"))]
    for folder in below:
        if any((folder / mark).exists() for mark in marks):
            return folder
    raise DataError(str(source), "does not have this layout", f"expected {expected}")
