"""World files and the like, for pictures that do not say themselves where they lie.

GDAL is kept from looking beside a file, unless only TIFFs are there: an ``.aux.xml`` or a VRT that
is called ``.ovr`` may name any other file. What is needed is read here: six numbers, and a CRS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from affine import Affine
from pyproj import CRS
from pyproj.exceptions import CRSError

TIFF_MAGIC = re.compile(rb"II[*+]\0|MM\0[*+]")

_MAX_BYTES = 1 << 20
_SRS = re.compile(r"<SRS[^>]*>(.*?)</SRS>", re.DOTALL)
_GEOTRANSFORM = re.compile(r"<GeoTransform>(.*?)</GeoTransform>", re.DOTALL)
_ENTITIES = {"&quot;": '"', "&apos;": "'", "&lt;": "<", "&gt;": ">", "&amp;": "&"}


@dataclass(frozen=True)
class Sidecars:
    """What the files beside a picture say: pixel corners → ``crs``."""

    transform: Affine | None = None
    crs: str | None = None


def read_sidecars(path: Path) -> Sidecars:
    """Read the world file, the ``.prj`` and the ``.aux.xml`` beside a picture.

    What is not there or makes no sense counts as not there.
    """
    aux = _text(path.with_name(path.name + ".aux.xml")) or ""
    transform = _world_file(path) or _from_numbers(_first(_GEOTRANSFORM, aux), "c a b f d e")
    crs = _crs(_text(path.with_suffix(".prj"))) or _crs(_first(_SRS, aux))
    return Sidecars(transform, crs)


def beside(path: Path) -> list[Path]:
    """Where the files would lie that are read beside a picture: what places it, and its pixels."""
    places = [path.with_suffix(".prj"), path.with_name(path.name + ".aux.xml")]
    return [*_world_files(path), *places, *_neighbours(path)]


def tiff_neighbours(path: Path) -> list[Path]:
    """The overviews and the mask that lie beside a file, if they are TIFFs and no links.

    What begins as a TIFF is opened as one, so it is not a VRT that points to another file.
    """
    found = [each for each in _neighbours(path) if each.exists()]
    if not found:
        return []
    # Once GDAL looks beside the file, it takes a.tif.MSK as well.
    names = {each.name.casefold() for each in _neighbours(path)}
    try:
        taken = [each for each in path.parent.iterdir() if each.name.casefold() in names]
    except OSError:
        return []
    return found if all(_is_tiff(each) for each in taken) else []


def _neighbours(path: Path) -> list[Path]:
    return [path.with_name(path.name + ending) for ending in (".ovr", ".msk", ".msk.ovr")]


def _is_tiff(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return not path.is_symlink() and bool(TIFF_MAGIC.match(file.read(4)))
    except OSError:
        return False


def _world_files(path: Path) -> list[Path]:
    suffix = path.suffix.lstrip(".")
    endings = [f"{suffix[:1]}{suffix[-1:]}w", f"{suffix}w", "wld"]
    names = [f"{path.stem}.{each}" for each in (*endings, *(e.upper() for e in endings))]
    return [path.with_name(name) for name in (*names, f"{path.name}w")]


def _world_file(path: Path) -> Affine | None:
    for file in _world_files(path):
        found = _from_numbers(_text(file), "a d b e c f")
        if found is not None:
            # A world file gives the middle of the first pixel, a transform its corner.
            return found * Affine.translation(-0.5, -0.5)
    return None


def _from_numbers(text: str | None, order: str) -> Affine | None:
    try:
        numbers = [float(part) for part in (text or "").replace(",", " ").split()]
    except ValueError:
        return None
    if len(numbers) != 6:
        return None
    named = dict(zip(order.split(), numbers, strict=True))
    found = Affine(*(named[key] for key in "abcdef"))
    return found if found.determinant else None


def _crs(text: str | None) -> str | None:
    if not text or not text.strip():
        return None
    for entity, character in _ENTITIES.items():
        text = text.replace(entity, character)
    try:
        crs = CRS.from_user_input(text.strip())
    except CRSError:
        return None
    authority = crs.to_authority(min_confidence=70)
    return ":".join(authority) if authority else crs.to_wkt()


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match.group(1) if match else None


def _text(path: Path) -> str | None:
    try:
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            return None
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
