"""What the bands of a raster are called, and how a band is found by name or common name."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from groundbreak.errors import RasterError
from groundbreak.types import Band

COMMON_NAMES = (
    "coastal",
    "blue",
    "green",
    "red",
    "yellow",
    "pan",
    "rededge",
    "rededge071",
    "rededge075",
    "rededge078",
    "nir",
    "nir08",
    "nir09",
    "cirrus",
    "swir12",
    "swir16",
    "swir22",
    "lwir",
    "lwir11",
    "lwir12",
)
"""The common names of the STAC eo extension that imagery of interest uses."""

VISIBLE = frozenset({"red", "green", "blue"})
"""The colours that buildings are told by."""

PAN = "pan"
"""The one band of a panchromatic picture: light of all colours."""

SENTINEL2 = {
    "1": "coastal",
    "2": "blue",
    "3": "green",
    "4": "red",
    "5": "rededge071",
    "6": "rededge075",
    "7": "rededge078",
    "8": "nir",
    "8a": "nir08",
    "9": "nir09",
    "10": "cirrus",
    "11": "swir16",
    "12": "swir22",
}
LANDSAT_OLI = {
    "1": "coastal",
    "2": "blue",
    "3": "green",
    "4": "red",
    "5": "nir08",
    "6": "swir16",
    "7": "swir22",
    "8": "pan",
    "9": "cirrus",
    "10": "lwir11",
    "11": "lwir12",
}
LANDSAT_TM = {
    "1": "blue",
    "2": "green",
    "3": "red",
    "4": "nir08",
    "5": "swir16",
    "6": "lwir",
    "7": "swir22",
    "8": "pan",
}

_WORDS = {
    "r": "red",
    "g": "green",
    "b": "blue",
    "n": "nir",
    "ir": "nir",
    "nearinfrared": "nir",
    "nir1": "nir",
    "nirnarrow": "nir08",
    "swir": "swir16",
    "swir1": "swir16",
    "swir2": "swir22",
    "panchromatic": "pan",
    "coastalblue": "coastal",
    "rededge1": "rededge071",
    "rededge2": "rededge075",
    "rededge3": "rededge078",
    **{name: name for name in COMMON_NAMES},
}
_BY_POSITION = {
    3: ("red", "green", "blue"),
    4: ("red", "green", "blue", "nir"),
    5: ("red", "green", "blue", "nir", "swir16"),
}
STANDS_IN = {"nir": ("nir08",), "nir08": ("nir",)}
"""Near twins: Landsat and HLS have but the narrow near infrared."""
_GENERIC = re.compile(r"\s*(?:(?:band|layer|channel)?[\s_#-]*\d*)\s*", re.IGNORECASE)
"""Descriptions that only count."""
_COLOURS = frozenset({"red", "green", "blue", "nir", "pan", "coastal"})


@dataclass(frozen=True)
class Naming:
    """Names of the image bands of one file: ``bands`` in file order, ``note`` if assumed."""

    bands: tuple[Band, ...]
    note: str | None = None


def common_name(name: str, sensor: str | None = None) -> str | None:
    """The common name behind a band's name, or None.

    Understands the common names themselves ("red", "swir 1"), band numbers ("B04", "SR_B4",
    "B8A") and both together ("red B4"). Bands shown in another colour ("swir1_as_red") are what
    they were, not what they are shown as. Numbers mean different things per sensor: without a
    known one they are Sentinel-2's, except ``SR_B…``, which is Landsat's style.
    """
    text = re.sub(r"\(.*?\)", " ", name.strip().lower())
    text = re.split(r"[\s_]as[\s_]", text)[0]
    tokens = [t for t in re.split(r"[\s_\-.:/]+", text) if t]
    for token in ("".join(tokens), *tokens):
        if token in _WORDS and not _is_compound(tokens, token):
            return _WORDS[token]
    for token in tokens:
        number = re.fullmatch(r"b0?(\d{1,2}a?)", token)
        if number:
            return _table(tokens, token, sensor).get(number.group(1))
    return None


def _is_compound(tokens: list[str], token: str) -> bool:
    """Whether a colour is only part of another name, as red is of "red edge"."""
    return len(tokens) > 1 and token in tokens and bool({"edge", "ratio", "index"} & set(tokens))


def _table(tokens: list[str], token: str, sensor: str | None) -> dict[str, str]:
    known = (sensor or "").lower()
    if "landsat" in known or re.search(r"\b(l[c5789]|lt0?5|le0?7|oli|tm|etm)\b", known):
        old = re.search(r"landsat[\s_\-]*[4-7]\b|\b(lt0?[45]|le0?7|l[57]|e?tm)\b", known)
        return LANDSAT_TM if old else LANDSAT_OLI
    if "sr" in tokens and not re.fullmatch(r"b0\d|b8a", token):
        return LANDSAT_OLI
    return SENTINEL2


def name_bands(
    bands: Sequence[Band], descriptions: Sequence[str | None], colours: Sequence[str]
) -> Naming:
    """Name image bands by description, else by colour, else by position.

    Args:
        bands: the image bands (no alpha), with their indices; names are replaced.
        descriptions: what the file calls each of them.
        colours: GDAL's colour interpretation of each of them, lower case.

    Returns:
        The named bands, and a note when positions had to be assumed.
    """
    named = [None if _GENERIC.fullmatch(d or "") else (d or "").strip() for d in descriptions]
    if not any(named):
        named = [c if c in _COLOURS else None for c in colours]
        if {"red", "green", "blue"} <= set(named) and len(named) in (4, 5):
            rest = iter(("nir", "swir16"))
            named = [n or next(rest) for n in named]
    note = None
    if not any(named) and len(named) in _BY_POSITION:
        assumed = _BY_POSITION[len(named)]
        named = list(assumed)
        note = f"the bands have no names: taken as {', '.join(assumed)}"
    complete = [n or f"band{band.index}" for n, band in zip(named, bands, strict=True)]
    return Naming(
        tuple(
            Band(
                band.index,
                name,
                common_name(name),
                band.scale,
                band.offset,
                band.nodata,
            )
            for band, name in zip(bands, complete, strict=True)
        ),
        note,
    )


def panchromatic(files: Collection[Sequence[Band]]) -> bool:
    """Whether the bands of all files of a scene show the ground in shades of grey only.

    Not where those of a file are not known: they may be coloured.
    """
    names = {band.common_name for bands in files for band in bands}
    return all(files) and PAN in names and VISIBLE.isdisjoint(names)


def no_use(files: Collection[Sequence[Band]]) -> str | None:
    """Why the bands of all files of a scene cannot show buildings; None if they can."""
    names = {band.common_name for bands in files for band in bands}
    missing = [name for name in ("red", "green", "blue") if name not in names]
    if not missing or panchromatic(files):
        return None
    one = sum(map(len, files)) == 1 and None in names
    hint = ", but one without a name (of a panchromatic picture name it 'pan' in dates.csv)"
    return f"no {', '.join(missing)} band{hint if one else ''}"


def find_band(bands: Sequence[Band], wanted: str) -> Band | None:
    """The band called ``wanted``: by its own name, its common name, or the near twin of NIR."""
    key = wanted.lower()
    for band in bands:
        if band.name.lower() == key:
            return band
    for name in (key, *STANDS_IN.get(key, ())):
        for band in bands:
            if band.common_name == name:
                return band
    as_common = common_name(wanted)
    if as_common is not None and as_common != key:
        return find_band(bands, as_common)
    return None


def missing_band(subject: str, wanted: str, bands: Sequence[Band]) -> RasterError:
    """The message for a band that is not there."""
    names = [
        b.name if b.common_name in (None, b.name) else f"{b.name}={b.common_name}" for b in bands
    ]
    return RasterError(
        subject,
        f"has no band '{wanted}', only {', '.join(names) or 'none'}",
        "name the bands in the column 'bands' of dates.csv",
    )
