"""What a file's name says of its place in a product: which scene, which band, which mask.

Products come as one file, or as a file a band with masks beside them. Files of one product share
a key; what follows it names the band or the mask.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from groundbreak.types import MaskKind

SUFFIXES = frozenset({".tif", ".tiff", ".gtiff", ".jp2", ".j2k", ".png", ".jpg", ".jpeg", ".webp"})
"""What is looked at; all are formats that the reader knows."""

PACKED = frozenset({".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar", ".kmz"})
"""What may hold imagery, and is not unpacked."""

OTHER_FORMATS = frozenset(
    {".bil", ".bip", ".bmp", ".bsq", ".ecw", ".gif", ".h5", ".hdf", ".he5", ".heic", ".img", ".nc"}
    | {".nitf", ".ntf", ".pix", ".sid"}
)
"""Imagery in formats that are not read."""

_BAND = (
    r"(?:SR_|FRE_|SRE_|TOA_)?B(?:and)?_?\d{1,2}A?"
    r"|red|green|blue|nir08|nir09|nir|swir16|swir22|swir1|swir2|rededge\d*|coastal|pan"
)
_MASK = "|".join(kind.value for kind in MaskKind)
_END = r"(?:[_.-](?:\d{2}m|R[123]|\(?Raw\)?|clip|cog))*"
_LEAD = r"(?:(?P<key>.*?)[_.-])??"
_BAND_FILE = re.compile(rf"{_LEAD}(?P<token>{_BAND}){_END}", re.IGNORECASE)
_MASK_FILE = re.compile(rf"{_LEAD}(?:\d+[AB]_)?(?P<token>{_MASK}){_END}", re.IGNORECASE)
_VISUAL_FILE = re.compile(rf"{_LEAD}(?P<token>TCI|visual|true_color|RGB){_END}", re.IGNORECASE)

# Of a product, but neither image nor one of the masks that are understood. Only in the styles of
# the usual products: anybody may call a picture "preview".
_PRODUCT = (
    r"(?:L(?:1C|2A)_)?T\d\d[A-Z]{3}_\d{8}T\d{6}|S2[A-D]_|SENTINEL2[A-D]_"
    r"|L[COTEM]\d\d_|HLS\.|\d{8}_\d{6}_"
)
_AUXILIARY = re.compile(
    rf"MSK_\w+|(?:{_PRODUCT}).*[_.-](?:AOT|WVP|CLD|SNW|PVI|ql|udm|QA_RADSAT|SR_QA_AEROSOL|SR_CLOUD_QA"
    r"|SR_ATMOS_OPACITY|ST_\w+|VAA|VZA|SAA|SZA|thumb_\w+|thumbnail|preview|EDG|IAB|MG2|SAT|DFP|ATB)"
    rf"{_END}",
    re.IGNORECASE,
)
_PLANET = re.compile(r"(?P<key>\d{8}_\d{6}_.*?_\d[AB])_(?P<kind>\w+)", re.IGNORECASE)
_INNER_FOLDERS = frozenset({"r10m", "r20m", "r60m", "img_data", "qi_data", "masks"})
_SAFE = re.compile(r"(.*?\.SAFE)/GRANULE/[^/]+", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """A file's place in a product.

    Attributes:
        path: relative to the folder that is scanned, with ``/``.
        key: the same for all files of a product: its folder and the shared part of the names.
        band: the token that names the band of a file with a single one, else None.
        mask: which mask it is, else None.
        visual: a picture made from the bands, for people.
        auxiliary: belongs to a product, but is of no use here.
    """

    path: str
    key: str
    band: str | None = None
    mask: MaskKind | None = None
    visual: bool = False
    auxiliary: bool = False


def place(path: str) -> Part:
    """Tell a file's place in a product by its path.

    >>> place("2015-12-30_clm.tif").mask, place("T52SFA_20220126T020951_B04_10m.jp2").band
    (<MaskKind.CLM: 'clm'>, 'B04')
    """
    pure = PurePosixPath(path)
    folder, stem = _outer_folder(pure.parent), pure.stem
    if _AUXILIARY.fullmatch(stem):
        return Part(path, _key(folder, stem), auxiliary=True)
    planet = _PLANET.match(stem)
    if found := _MASK_FILE.fullmatch(stem):
        key = planet["key"] if planet else found["key"]
        return Part(path, _key(folder, key), mask=MaskKind(found["token"].lower()))
    if planet:
        visual = planet["kind"].lower().startswith("visual")
        return Part(path, _key(folder, planet["key"]), visual=visual)
    if found := _VISUAL_FILE.fullmatch(stem):
        return Part(path, _key(folder, found["key"]), visual=True)
    if found := _BAND_FILE.fullmatch(stem):
        return Part(path, _key(folder, found["key"]), band=found["token"])
    return Part(path, _key(folder, stem))


def mask_kind(name: str) -> MaskKind | None:
    """The mask that a band or an asset of this name is, None if it is none.

    >>> mask_kind("BQA"), mask_kind("ortho_udm2"), mask_kind("red")
    (<MaskKind.BQA: 'bqa'>, <MaskKind.UDM2: 'udm2'>, None)
    """
    found = re.fullmatch(rf"(?:.*[_.\s-])?({_MASK})", name.strip(), re.IGNORECASE)
    return MaskKind(found[1].lower()) if found else None


def without_suffix(path: str) -> str:
    """A path without its suffix, which is how a mask names its scene."""
    pure = PurePosixPath(path)
    return str(pure.with_suffix("")) if pure.suffix.lower() in SUFFIXES else path


def item_id(path: str) -> str:
    """The id of a scene: its path relative to the folder without suffix, ``/`` → ``_``."""
    return without_suffix(path).replace(".SAFE/", "/").replace("/", "_")


def _outer_folder(folder: PurePosixPath) -> str:
    """The folder of the product: without those that only sort its files."""
    text = str(folder)
    if safe := _SAFE.match(text):
        return safe[1]
    while folder.name.lower() in _INNER_FOLDERS:
        folder = folder.parent
    return str(folder)


def _key(folder: str, name: str | None) -> str:
    parts = [part for part in (folder if folder != "." else "", name or "") if part]
    return "/".join(parts)
