"""What is known of the usual products beyond what their files say: sensor, band order, scaling."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Order = Mapping[int, tuple[str, ...]]

_BLUE_FIRST: Order = {
    4: ("blue", "green", "red", "nir"),
    5: ("blue", "green", "red", "rededge", "nir"),
    8: ("coastal", "blue", "green_i", "green", "yellow", "red", "rededge", "nir"),
}
_MAXAR: Order = {
    4: ("blue", "green", "red", "nir"),
    8: ("coastal", "blue", "green", "yellow", "red", "rededge", "nir", "nir09"),
}


@dataclass(frozen=True)
class Product:
    """What a product's name tells.

    Attributes:
        properties: STAC properties (platform, constellation, processing baseline).
        order: names of the bands by their number, for files that do not name them.
        scaling: reflectance = DN * scale + offset, for files that do not say.
        nodata: digital number of no data, for files that do not say.
    """

    properties: Mapping[str, Any] = field(default_factory=dict)
    order: Order = field(default_factory=dict)
    scaling: tuple[float, float] | None = None
    nodata: float | None = None


def _sentinel2(found: re.Match[str]) -> Product:
    properties: dict[str, Any] = {"constellation": "sentinel-2", "instruments": ["msi"]}
    groups = found.groupdict()
    if letter := groups.get("letter"):
        properties["platform"] = f"sentinel-2{letter.lower()}"
    if baseline := groups.get("baseline"):
        properties["s2:processing_baseline"] = f"{baseline[:2]}.{baseline[2:]}"
        properties["s2:product_uri"] = found[0]
    return Product(properties, nodata=0.0)


def _theia(found: re.Match[str]) -> Product:
    platform = f"sentinel-2{found['letter'].lower()}"
    properties = {"platform": platform, "groundbreak:sensor": f"{platform} theia"}
    return Product(properties, nodata=-10000.0)


def _landsat(found: re.Match[str]) -> Product:
    properties = {"constellation": "landsat", "platform": f"landsat-{int(found['number'])}"}
    # Surface reflectance of collection 2: USGS, Landsat 8-9 Collection 2 Level 2 Science
    # Product Guide, table 6-1.
    scaled = found["level"].startswith("L2S") and found["collection"] == "02"
    return Product(properties, scaling=(2.75e-5, -0.2) if scaled else None, nodata=0.0)


def _hls(found: re.Match[str]) -> Product:
    source = "landsat" if found["kind"].upper() == "L30" else "sentinel-2"
    sensor = f"hls {found['kind'].lower()} {source}"
    return Product({"groundbreak:sensor": sensor}, scaling=(1e-4, 0.0), nodata=-9999.0)


def _planet(_: re.Match[str]) -> Product:
    return Product({"constellation": "planet"}, _BLUE_FIRST)


def _maxar(_: re.Match[str]) -> Product:
    return Product({"constellation": "maxar"}, _MAXAR)


def _gaofen(found: re.Match[str]) -> Product:
    return Product({"platform": f"gaofen-{found['number']}"}, _BLUE_FIRST)


def _browser(_: re.Match[str]) -> Product:
    """Sentinel Hub writes reflectance 1 as the largest number of 16 bits."""
    return Product({"constellation": "sentinel-2"}, scaling=(1 / 65535, 0.0))


_PRODUCTS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Product]], ...] = tuple(
    (re.compile(rf"(?<![0-9A-Za-z])(?:{pattern})", re.IGNORECASE), make)
    for pattern, make in (
        (r"S2(?P<letter>[A-D])_MSIL(1C|2A)_\d{8}T\d{6}_N(?P<baseline>\d{4})_\w+", _sentinel2),
        (r"S2(?P<letter>[A-D])_", _sentinel2),
        (r"SENTINEL2(?P<letter>[A-D])_", _theia),
        (r"(L(1C|2A)_)?T\d\d[A-Z]{3}_\d{8}T\d{6}_", _sentinel2),
        (r"\d{4}-\d\d-\d\d-\d\d\W\d\d_.*_Sentinel-2_.*\(Raw\)", _browser),
        (r"HLS\.(?P<kind>[LS]30)\.", _hls),
        (
            r"L[COTEM](?P<number>\d\d)_(?P<level>L\w{3})_\d{6}_\d{8}_\d{8}_(?P<collection>\d\d)_",
            _landsat,
        ),
        (r"L[COTEM](?P<number>\d)\d{13}(?P<level>)(?P<collection>)[A-Z]{3}\d\d", _landsat),
        (r"\d{8}_\d{6}_\w+_\d[AB]_Analytic", _planet),
        (r"\d{7}_\d{4}-\d\d-\d\d(T\d{6})?_RE\d_\w+_Analytic", _planet),
        (r"\d\d[A-Z]{3}\d{8}-[MS]\d[AB]S", _maxar),
        (r"GF(?P<number>\d)_", _gaofen),
    )
)


def product(path: str) -> Product:
    """What the names in a path (relative to the folder that is scanned) tell of the product.

    >>> product("LC08_L2SP_116034_20220126_20220204_02_T1_SR_B4.TIF").scaling
    (2.75e-05, -0.2)
    """
    for pattern, make in _PRODUCTS:
        if found := pattern.search(path):
            return make(found)
    return Product()
