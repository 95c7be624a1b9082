"""Pictures of three bands that are no colours of the ground, as their names tell.

Viewers of satellite imagery export what they show: true colours, but also false ones, indices,
classes and radar, all in red, green and blue. Taken for colours of the ground they are full of
changes. Names are all that tells them apart, so only words that hardly mean anything else count.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

# A word of a name: what is beside it is neither a letter nor a digit.
_WORD = r"(?<![0-9A-Za-z])(?:{})(?![0-9A-Za-z])"

_RADAR = re.compile(_WORD.format(r"(?i:sentinel-?1|S1[A-D])|SAR|VV|VH"))
_NATURAL = re.compile(_WORD.format(r"rgb|tci|(?:true|natural)[\W_]*colou?rs?"), re.IGNORECASE)
_BROWSER = re.compile(
    r"\d{4}-\d\d-\d\d-\d\d\W\d\d_.*_Sentinel-2_L(?:1C|2A)_"
    r"(?P<layer>(?!custom)(?!\w*natural)(?!true)(?!.*\(Raw\)).+)",
    re.IGNORECASE,
)
_OTHERS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("false colours", re.compile(_WORD.format(r"(?i:false[\W_]*colou?rs?)|FCC|CIR|NRG|IRRG"))),
    ("false colours", re.compile(r"(?i:[\W_](?:cir|swir)$)")),
    (
        "an index",
        re.compile(
            _WORD.format(r"ndvi|ndwi|ndsi|ndbi|ndmi|mndwi|savi|nbr|moisture[\W_]index"),
            re.IGNORECASE,
        ),
    ),
    (
        "classes",
        re.compile(_WORD.format(r"(?:scene[\W_])?classification|lulc"), re.IGNORECASE),
    ),
    ("the terrain", re.compile(_WORD.format(r"(?i:hillshade)|DEM|DSM|DTM"))),
)


def shown_instead(path: str) -> str | None:
    """What a picture of three bands shows instead of natural colours, by its name; None if it does.

    >>> shown_instead("2024-01-05-00-00_2024-01-05-23-59_Sentinel-2_L2A_NDVI.tiff")
    'the layer NDVI'
    >>> shown_instead("harbour_false_colour_2024-03-01.png"), shown_instead("2024-03-01_RGB.tif")
    ('false colours', None)
    """
    stem = PurePosixPath(path).stem
    if _RADAR.search(stem):
        return "radar"
    if found := _BROWSER.match(stem):
        return f"the layer {found['layer'].strip('_').replace('_', ' ')}"
    if _NATURAL.search(stem):
        return None
    return next((what for what, pattern in _OTHERS if pattern.search(stem)), None)
