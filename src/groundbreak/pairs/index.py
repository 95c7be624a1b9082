"""Folders of labelled before/after pairs: the package's own format.

A data set is a folder with an ``index.csv``. One row is one scene::

    set,split,scene,before,after,label[,width,height,gsd_m,bands,label_quality,...]

``before``, ``after`` and ``label`` are paths relative to the folder (WebP, PNG, JPEG or GeoTIFF
of one size); ``label`` is empty for an unlabelled pair. ``bands`` names the bands in the order of
the files, ``RGB`` or names between semicolons (``B04;B03;B02;B08``); without it the files' own
names count, else 3 bands are red, green, blue and 4 have near infrared last. Further columns are
kept by nobody and may hold what you like. Label values are those of ``types.MaskValue``.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundbreak.atomic import atomic_path
from groundbreak.errors import DataError, RasterError
from groundbreak.raster.bands import common_name
from groundbreak.raster.read import inspect, read_picture, read_window
from groundbreak.scaling import recognise_scale, to_unit
from groundbreak.types import Band, BoolArray, Box, FloatArray, MaskValue

REQUIRED = ("set", "split", "scene", "before", "after", "label")

VISIBLE = ("red", "green", "blue")

FEWEST = 16
"""Of fewer pixels no scale is concluded."""

CHANGES = (
    "a change is 1 (new building), 2 (demolition), 3 (docking slip) or 254 (unknown direction); "
    "255 is left out"
)
"""What to say where a mask of 0 and 255 may have been given for a label."""

_KNOWN_VALUES = tuple(int(value) for value in MaskValue)


@dataclass(frozen=True)
class PairRecord:
    """One row of an ``index.csv``; paths are absolute and exist. ``bands`` is empty if unsaid."""

    set: str
    split: str
    scene: str
    before: Path
    after: Path
    label: Path | None
    size: tuple[int, int] | None  # (height, width) as the index says
    gsd_m: float | None
    bands: tuple[str, ...]
    label_quality: str
    licence: str

    @property
    def name(self) -> str:
        """``set/split/scene``, for messages and pages."""
        return f"{self.set}/{self.split}/{self.scene}"


@dataclass(frozen=True)
class PairArrays:
    """The pixels of a pair.

    ``before``, ``after`` (bands, height, width) float32 in [0, 1]; ``label`` (height, width)
    uint8 of ``types.MaskValue``, 255 everywhere for an unlabelled pair and wherever a picture
    has no data.
    """

    before: FloatArray
    after: FloatArray
    label: NDArray[np.uint8]
    bands: tuple[str, ...]
    gsd_m: float | None

    @property
    def shown(self) -> list[int]:
        """Where red, green and blue are; the first band in grey where there is no colour."""
        named = set(VISIBLE) <= set(self.bands)
        return [self.bands.index(name) for name in VISIBLE] if named else [0] * 3

    def select(self, bands: Sequence[str]) -> PairArrays:
        """The same pair with ``bands`` in that order.

        Raises:
            DataError: a band is not there.
        """
        missing = [band for band in bands if band not in self.bands]
        if missing:
            raise DataError(", ".join(missing), f"not among the bands {', '.join(self.bands)}")
        rows = [self.bands.index(band) for band in bands]
        return PairArrays(self.before[rows], self.after[rows], self.label, tuple(bands), self.gsd_m)


def parse_bands(text: str) -> tuple[str, ...]:
    """Common names from ``RGB``, ``RGBN`` or names between semicolons or commas.

    >>> parse_bands("RGB"), parse_bands("B04;B03;B02;B08")
    (('red', 'green', 'blue'), ('red', 'green', 'blue', 'nir'))
    """
    text = text.strip()
    parts = text.replace(",", ";").split(";") if ";" in text or "," in text else [text]
    if len(parts) == 1 and text and set(text.upper()) <= set("RGBN"):
        parts = list(text)
    names = [part.strip().lower() for part in parts if part.strip()]
    return tuple(common_name(name) or name for name in names)


def read_index(folder: Path) -> list[PairRecord]:
    """Read and validate the ``index.csv`` of a data set; opens no picture.

    Raises:
        DataError: no index, one that is not CSV in UTF-8, a column missing, a file missing, a
            scene listed twice, a size or GSD that is not a number.
    """
    path = folder / "index.csv"
    if not path.is_file():
        raise DataError(str(folder), "has no index.csv", "see docs/training.md for the format")
    records = []
    seen: dict[str, int] = {}
    for line, row in read_rows(path):
        record = _record(folder, f"{path}:{line}", row)
        if record.name in seen:
            raise DataError(
                f"{path}:{line}", f"{record.name} is listed in line {seen[record.name]} too"
            )
        seen[record.name] = line
        records.append(record)
    return records


def read_rows(path: Path) -> list[tuple[int, dict[str, str | None]]]:
    """The rows of an ``index.csv`` with the lines on which they end, as they are written there.

    Raises:
        DataError: it is not CSV in UTF-8, or a column is missing.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as text:
            reader = csv.DictReader(text)
            missing = [name for name in REQUIRED if name not in (reader.fieldnames or ())]
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problem = f"cannot be read as a CSV file in UTF-8 ({error})"
        raise DataError(str(path), problem, "save it as CSV in UTF-8") from error
    if missing:
        raise DataError(str(path), f"has no column {', '.join(missing)}")
    return rows


def extend_index(
    folder: Path,
    rows: Sequence[Mapping[str, object]],
    replaced: Callable[[Mapping[str, str | None]], bool],
) -> None:
    """Write the index of a data set with new rows; of those that are there some are replaced.

    Raises:
        DataError: there is an ``index.csv`` that is none.
        OutputError: the folder cannot be written.
    """
    path = folder / "index.csv"
    there = [row for _, row in read_rows(path)] if path.is_file() else []
    write_index(folder, [*(row for row in there if not replaced(row)), *rows])


def write_index(folder: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write the ``index.csv`` of a data set anew; a row may lack any but the required columns.

    Raises:
        OutputError: the folder cannot be written.
    """
    columns = dict.fromkeys([*REQUIRED, *(name for row in rows for name in row)])
    with (
        atomic_path(folder / "index.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8") as text,
    ):
        writer = csv.DictWriter(text, list(columns), restval="")
        writer.writeheader()
        writer.writerows(rows)


def read_pair(record: PairRecord) -> PairArrays:
    """Read the pixels of a pair, scaled as in detection.

    A scale that the file states counts, else one that its numbers give away beyond doubt
    (``scaling.recognise_scale``), else the usual one (``scaling.to_unit``). Pixels without data
    are 0 in every band of their date.

    Raises:
        DataError: a picture cannot be read, sizes or band counts differ, or the label holds a
            value that is not a ``MaskValue``.
    """
    before, names, valid_before = _picture(record.before)
    after, names_after, valid_after = _picture(record.after)
    if after.shape != before.shape:
        raise DataError(str(record.after), f"is {_size(after)}, its before {_size(before)}")
    if record.size is not None and before.shape[1:] != record.size:
        height, width = record.size
        raise DataError(
            str(record.before), f"is {_size(before)}, the index says {width} x {height}"
        )
    bands = _bands(record, names)
    label = _label(record, before.shape[1:])
    label[~(valid_before & valid_after)] = MaskValue.IGNORE
    names_after = record.bands or names_after
    order = _order(record.after, names_after, bands)
    files = (
        _Picture(record.before, before, bands, valid_before),
        _Picture(record.after, after, names_after, valid_after),
    )
    scaled_before, scaled_after = _scaled(files)
    return PairArrays(scaled_before, scaled_after[order], label, bands, record.gsd_m)


def _order(path: Path, names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where the wanted bands lie in a file that has them in an order of its own."""
    if list(names) == list(wanted):
        return list(range(len(wanted)))
    if sorted(names) != sorted(wanted) or len(set(names)) < len(names):
        problem = f"names its bands {', '.join(names)}, its before {', '.join(wanted)}"
        raise DataError(str(path), problem, "name them in the column bands")
    return [names.index(name) for name in wanted]


def _record(folder: Path, where: str, row: dict[str, str | None]) -> PairRecord:
    cell = {key: (value or "").strip() for key, value in row.items() if key is not None}
    for name in ("set", "split", "scene", "before", "after"):
        if not cell[name]:
            raise DataError(where, f"{name} is empty")
    paths = {name: folder / cell[name] for name in ("before", "after", "label") if cell[name]}
    for name, path in paths.items():
        if not path.is_file():
            raise DataError(where, f"{name} {cell[name]} does not exist")
    width, height = (_number(where, name, cell.get(name, "")) for name in ("width", "height"))
    return PairRecord(
        set=cell["set"],
        split=cell["split"],
        scene=cell["scene"],
        before=paths["before"],
        after=paths["after"],
        label=paths.get("label"),
        size=None if width is None or height is None else (int(height), int(width)),
        gsd_m=_number(where, "gsd_m", cell.get("gsd_m", "")),
        bands=parse_bands(cell.get("bands", "")),
        label_quality=cell.get("label_quality", ""),
        licence=cell.get("licence", ""),
    )


def _number(where: str, name: str, text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise DataError(where, f"{name} {text!r} is not a number") from None
    if not 0 < value < float("inf"):
        raise DataError(where, f"{name} {text} is not a positive number")
    return value


def _picture(path: Path) -> tuple[NDArray[np.generic], tuple[str, ...], NDArray[np.bool_]]:
    try:
        array, names, valid = read_picture(path)
    except RasterError as error:
        raise DataError(str(path), error.problem, error.mend) from error
    return array, names, valid


@dataclass(frozen=True)
class _Picture:
    """One date: numbers (bands, height, width), their names, where there is data."""

    path: Path
    image: NDArray[np.generic]
    names: Sequence[str]
    valid: BoolArray

    def numbers(self) -> NDArray[np.generic]:
        """Of the visible bands if there are any, (bands, pixels with data)."""
        visible = [index for index, name in enumerate(self.names) if name in VISIBLE]
        return self.image[visible or slice(None)][:, self.valid & (self.image != 0).any(axis=0)]


def _scaled(pictures: Sequence[_Picture]) -> list[FloatArray]:
    """Numbers of the bands (bands, height, width) to [0, 1], and 0 where there is no data.

    What no file states is recognised from all dates of one type together: a darker date of the
    same encoding must not be taken for another one.
    """
    stated = [inspect(picture.path).bands for picture in pictures]
    silent: dict[np.dtype[Any], list[NDArray[np.generic]]] = {}
    for picture, told in zip(pictures, stated, strict=True):
        if picture.image.dtype.itemsize > 1 and _says_nothing(told):
            silent.setdefault(picture.image.dtype, []).append(picture.numbers())
    scales = {}
    for dtype, parts in silent.items():
        numbers = np.concatenate(parts, axis=1)
        scales[dtype] = recognise_scale(numbers) if numbers.shape[1] >= FEWEST else None
    units = []
    for picture, told in zip(pictures, stated, strict=True):
        scale = scales.get(picture.image.dtype) if _says_nothing(told) else None
        bands = [
            to_unit(band, scale if own.scale is None else own.scale, own.offset)
            for band, own in zip(picture.image, told, strict=True)
        ]
        unit = np.stack(bands)
        unit[:, ~picture.valid] = 0.0
        units.append(unit)
    return units


def _says_nothing(bands: Sequence[Band]) -> bool:
    return all(band.scale is None and band.offset is None for band in bands)


def _bands(record: PairRecord, names: tuple[str, ...]) -> tuple[str, ...]:
    if record.bands and len(record.bands) != len(names):
        raise DataError(
            str(record.before), f"has {len(names)} bands, the index names {len(record.bands)}"
        )
    return record.bands or names


def _label(record: PairRecord, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    if record.label is None:
        return np.full(shape, MaskValue.IGNORE, dtype=np.uint8)
    array = _codes(record.label)
    if array.shape != (1, *shape):
        raise DataError(str(record.label), f"is {_size(array)}, the images {shape[1]} x {shape[0]}")
    label = array[0]
    unknown = np.setdiff1d(np.unique(label), _KNOWN_VALUES)
    if unknown.size:
        known = ", ".join(map(str, _KNOWN_VALUES))
        raise DataError(str(record.label), f"holds the value {unknown[0]}", f"known are {known}")
    return label.astype(np.uint8)


def _codes(path: Path) -> NDArray[np.generic]:
    """The numbers of a label as they are stored: of a palette its indices, not its colours."""
    try:
        info = inspect(path)
        height, width = info.shape
        bands = [1] if info.paletted else [band.index for band in info.bands]
        return read_window(path, Box(0, height, 0, width), bands)
    except RasterError as error:
        raise DataError(str(path), error.problem, error.mend) from error


def only_ignored(values: Iterable[int]) -> bool:
    """Whether the labels of a set, of which these are the values, look like masks of 0 and 255."""
    return set(values) == {int(MaskValue.NONE), int(MaskValue.IGNORE)}


def _size(array: NDArray[np.generic]) -> str:
    bands, height, width = array.shape
    return f"{width} x {height} in {bands} bands" if bands > 1 else f"{width} x {height}"
