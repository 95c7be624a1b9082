"""A STAC item, ours or another's, becomes a scene: which assets hold which bands, which are masks.

Understood are the band fields of STAC 1.0 (``eo:bands``, ``raster:bands``) and of STAC 1.1
(``bands``), and where there are none, the keys of the assets.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from affine import Affine
from shapely.geometry import box, shape
from shapely.geometry.base import BaseGeometry

from groundbreak.catalog.dates import from_properties
from groundbreak.catalog.names import SUFFIXES, mask_kind
from groundbreak.catalog.roles import CLOUD_ROLES, NO_PICTURE_ROLES, kind_of_classes
from groundbreak.errors import RasterError
from groundbreak.lonlat import continuous
from groundbreak.raster.bands import COMMON_NAMES, PAN, VISIBLE, common_name, panchromatic
from groundbreak.raster.placing import ground_gsd
from groundbreak.types import Asset, Band, Georef, MaskAsset, Scene

if TYPE_CHECKING:
    import pystac

Resolve = Callable[[str], str]
"""An asset's href → the address to read; raises ``HrefError``."""

_USELESS_ROLES = frozenset({"thumbnail", "overview", "metadata", "index", "iso-19115"})
_PICTURES = re.compile(r"visual|tci|true[-_ ]?color|rendered[-_ ]?preview|preview", re.IGNORECASE)
_JPEG2000 = re.compile(r"\.(jp2|j2k)$", re.IGNORECASE)
# Assets that are no pictures of the ground though they are rasters with the role "data".
_NO_IMAGE = re.compile(
    r"(((sun|solar|view|sensor|incidence)[-_])?(angles?|azimuth|zenith)|aot|wvp|cloud|snow|[vs][az]a|qa|sr_qa|lwir|emis|st|cdist|atran|trad|urad|drad|dem|mask"
    r"|data[-_]mask|granule|safe|datastrip|product|tileinfo)([-_].*)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Candidate:
    """An asset with image bands, before the choice among those that show the same.

    ``bands`` are empty if only the file can tell them; ``data`` says that it is stated to be data.
    """

    key: str
    href: str
    bands: tuple[Band, ...]
    georef: Georef | None
    gsd_m: float | None
    picture: bool
    data: bool

    @property
    def names(self) -> frozenset[str]:
        return shows(self.bands)


def item_to_scene(item: pystac.Item, resolve: Resolve) -> Scene:
    """The scene that a STAC item describes.

    Args:
        item: of any origin; its hrefs absolute or relative to the catalogue.
        resolve: makes addresses absolute, and refuses those that may not be read.

    Returns:
        The scene. Assets that nobody reads (thumbnails, metadata, bands that another asset shows
        better) are not resolved. Of several assets with the same band the finest stays, of equal
        ones the one that is not JPEG 2000. An asset that names no bands is taken only if those
        that do lack red, green or blue: it may hold anything.

    Raises:
        HrefError: an address may not be read.
        ValueError: it has no time, or no asset with an image, in words that read on from its id.
    """
    # An item that was made here, not read, has its time beside its properties.
    time = {"datetime": item.datetime.isoformat()} if item.datetime else {}
    acquired = from_properties(time | item.properties)
    if acquired is None:
        raise ValueError("has no datetime, nor start_datetime and end_datetime")
    sensor = _sensor(item)
    images, masks = _sorted_out(item, sensor)
    if not images:
        raise ValueError("has no asset with an image")
    return Scene(
        id=item.id,
        start=acquired.span[0],
        end=acquired.span[1],
        assets=tuple(Asset(resolve(c.href), c.bands, c.georef) for c in images),
        masks=tuple(replace(mask, href=resolve(mask.href)) for mask in masks),
        sensor=sensor,
        gsd_m=_gsd(item, images),
        footprint=_footprint(item),
        properties=item.properties
        | ({"collection": item.collection_id} if item.collection_id else {}),
    )


def _sensor(item: pystac.Item) -> str | None:
    properties = item.properties
    for key in ("groundbreak:sensor", "platform", "constellation"):
        if isinstance(properties.get(key), str) and properties[key].strip():
            return str(properties[key])
    instruments = properties.get("instruments")
    if isinstance(instruments, list) and instruments:
        return " ".join(map(str, instruments))
    return None


def _sorted_out(item: pystac.Item, sensor: str | None) -> tuple[list[_Candidate], list[MaskAsset]]:
    """The assets to read: images that show each band once, and masks, one of a kind.

    Their addresses are not resolved yet.
    """
    candidates: list[_Candidate] = []
    masks: dict[Any, tuple[tuple[Any, ...], MaskAsset]] = {}
    for key, asset in item.assets.items():
        if not _is_raster(asset):
            continue
        kind = _mask_kind(key, asset)
        if kind is not None:
            mask = MaskAsset(asset.href, kind, georef=_georef(asset))
            rank = (bool(_JPEG2000.search(asset.href.partition("?")[0])), key)
            if kind not in masks or rank < masks[kind][0]:
                masks[kind] = (rank, mask)
            continue
        bands = _bands(key, asset, sensor)
        if bands is None or (_no_picture(asset) and not shows(bands) & VISIBLE):
            continue
        georef = _georef(asset)
        for band in bands:
            inner = mask_kind(band.name)
            if inner is not None and inner not in masks:
                masks[inner] = ((False, key), MaskAsset(asset.href, inner, band.index, georef))
        seen = tuple(band for band in bands if mask_kind(band.name) is None)
        if bands and not seen:
            continue
        picture = bool(_PICTURES.search(key)) or asset.has_role("visual")
        data = any(map(asset.has_role, ("data", "visual", "reflectance")))
        candidates.append(
            _Candidate(key, asset.href, seen, georef, _asset_gsd(asset), picture, data)
        )
    return _chosen(candidates), [mask for _, mask in masks.values()]


def _chosen(candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """Of what shows the same the best; what names no bands last, and only if it is needed."""
    pictures_first = finer_pictures([(c.names, c.gsd_m, c.picture) for c in candidates])

    def rank(candidate: _Candidate) -> tuple[Any, ...]:
        jpeg2000 = bool(_JPEG2000.search(candidate.href.partition("?")[0]))  # slower to read
        later = candidate.picture != pictures_first
        return (later, candidate.gsd_m or math.inf, jpeg2000, candidate.key)

    chosen: list[_Candidate] = []
    taken: frozenset[str] = frozenset()
    for candidate in sorted(candidates, key=rank):
        if candidate.bands and not candidate.names & taken:
            chosen.append(candidate)
            taken |= candidate.names
    if not taken >= VISIBLE:
        unnamed = [candidate for candidate in candidates if not candidate.bands]
        chosen += sorted(unnamed, key=lambda candidate: (not candidate.data, rank(candidate)))
    return chosen


def shows(bands: Sequence[Band]) -> frozenset[str]:
    """What bands show, to tell which assets show the same: the common names where they tell."""
    return frozenset(
        band.name if band.common_name in (None, "rededge") else str(band.common_name)
        for band in bands
        if mask_kind(band.name) is None
    )


def finer_pictures(assets: Sequence[tuple[frozenset[str], float | None, bool]]) -> bool:
    """Whether the pictures made for people are much finer than the bands they are made from.

    So they are where the picture was sharpened with a panchromatic band. Otherwise the bands are
    better: a picture is stretched, and the same way at no two dates.

    Args:
        assets: of each what it shows, its pixel size in metres, and whether it is a picture.
    """
    visible = [(gsd, picture) for names, gsd, picture in assets if gsd and names & VISIBLE]
    pictures = [gsd for gsd, picture in visible if picture]
    bands = [gsd for gsd, picture in visible if not picture]
    return bool(pictures) and bool(bands) and min(pictures) * 1.5 < min(bands)


def _is_raster(asset: pystac.Asset) -> bool:
    if _USELESS_ROLES & set(asset.roles or ()):
        return False
    path = asset.href.partition("?")[0].lower()
    suffix = f".{path.rpartition('.')[2]}" if "." in path.rpartition("/")[2] else ""
    if asset.media_type:
        picture = asset.media_type.lower().startswith("image/")
        return picture and "xml" not in asset.media_type
    # What a VRT or a virtual file hides is not known: let it be refused by name.
    return suffix in SUFFIXES or suffix in ("", ".vrt") or "/vsi" in path


def _mask_kind(key: str, asset: pystac.Asset) -> Any:
    stated = asset.extra_fields.get("groundbreak:mask")
    if isinstance(stated, str):
        return mask_kind(stated)
    name = re.sub(r"[-_](jp2|cog)$", "", key, flags=re.IGNORECASE)
    file = asset.href.partition("?")[0].rpartition("/")[2]
    by_name = mask_kind(name) or mask_kind(re.sub(r"(_\d\dm)?\.\w+$", "", file))
    return by_name or kind_of_classes(asset)


def _no_picture(asset: pystac.Asset) -> bool:
    return bool(NO_PICTURE_ROLES & set(asset.roles or ()))


def unknown_masks(item: pystac.Item) -> list[str]:
    """Assets that are masks of clouds by their role, but do not say whose codes they have."""
    return [
        key
        for key, asset in item.assets.items()
        if CLOUD_ROLES & set(asset.roles or ())
        and _is_raster(asset)
        and _mask_kind(key, asset) is None
    ]


def _bands(key: str, asset: pystac.Asset, sensor: str | None) -> tuple[Band, ...] | None:
    """The bands of an asset; none if only the file can tell; None if it holds no image."""
    named = _list(asset, "bands") or _list(asset, "eo:bands")
    scaled = _list(asset, "raster:bands")
    if _only_counted(named):
        named = _described(named)
    if named:
        stated = any(_stated_common(entry) for entry in named)
        return tuple(
            _band(
                place,
                entry,
                scaled[place - 1] if place <= len(scaled) else {},
                asset,
                # Who states common names states them all.
                _stated_common(entry) if stated else common_name(str(entry.get("name")), sensor),
            )
            for place, entry in enumerate(named, start=1)
        )
    name = re.sub(r"[-_](jp2|cog)$", "", key, flags=re.IGNORECASE)
    common = common_name(name, sensor)
    if common is not None:
        entry = next(iter(_list(asset, "bands")), {})
        return (_band(1, {**entry, "name": name}, scaled[0] if scaled else {}, asset, common),)
    return None if _NO_IMAGE.fullmatch(name) else ()


def _only_counted(bands: Sequence[Mapping[str, Any]]) -> bool:
    """Whether up to four bands have no names but their places (b1, b2, …), which say nothing."""
    return 0 < len(bands) <= 4 and all(
        entry.get("name") in (None, f"b{place}", f"band{place}") and not _stated_common(entry)
        for place, entry in enumerate(bands, start=1)
    )


def _described(bands: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Counted bands by the colours that describe them; none if these are not all there."""
    told = [common_name(str(entry.get("description") or "")) for entry in bands]
    if not set(told) >= VISIBLE:
        return []
    return [
        {**entry, "name": name or f"band{place}"}
        for place, (entry, name) in enumerate(zip(bands, told, strict=True), start=1)
    ]


def _band(
    place: int,
    entry: Mapping[str, Any],
    scaled: Mapping[str, Any],
    asset: pystac.Asset,
    common: str | None,
) -> Band:
    name = str(entry.get("name") or common or f"band{place}")
    index = entry.get("groundbreak:index")

    def number(short: str, long: str) -> float | None:
        every: tuple[Mapping[str, Any], ...] = (scaled, entry, asset.extra_fields)
        said = (each.get(k) for each in every for k in (long, short))
        return next((_finite(value) for value in said if value is not None), None)

    return Band(
        index if isinstance(index, int) else place,
        name,
        common,
        number("scale", "raster:scale"),
        number("offset", "raster:offset"),
        _nodata(scaled, entry, asset.extra_fields),
    )


def _stated_common(entry: Mapping[str, Any]) -> str | None:
    stated = entry.get("common_name") or entry.get("eo:common_name")
    return str(stated) if stated in COMMON_NAMES else None


def _nodata(*sources: Mapping[str, Any]) -> float | None:
    for source in sources:
        value = source.get("nodata")
        if value is not None:
            try:
                return float(value)
            except (TypeError, ValueError):
                return None
    return None


def _georef(asset: pystac.Asset) -> Georef | None:
    """The place of a picture that does not tell it itself; other files know it best."""
    if "groundbreak:placed_by" not in asset.extra_fields:
        return None
    return _projection(asset)


def _projection(asset: pystac.Asset) -> Georef | None:
    shared: Mapping[str, Any] = getattr(asset.owner, "properties", {})
    fields = {**shared, **asset.extra_fields}
    epsg = fields.get("proj:epsg")
    crs = fields.get("proj:code") or (f"EPSG:{epsg}" if epsg else None) or fields.get("proj:wkt2")
    transform, size = fields.get("proj:transform"), fields.get("proj:shape")
    try:
        if crs and transform and size and len(transform) >= 6:
            affine = Affine(*(float(v) for v in transform[:6]))
            return Georef(str(crs), affine, (int(size[0]), int(size[1])))
    except (TypeError, ValueError):
        return None
    return None


def _asset_gsd(asset: pystac.Asset) -> float | None:
    """Pixel size on the ground: from the grid, which is certain, else as stated."""
    georef = _projection(asset)
    if georef is not None:
        try:
            return ground_gsd(georef.crs, georef.transform, georef.shape)
        except RasterError:
            pass
    scaled = _list(asset, "raster:bands") or _list(asset, "bands")
    stated = [asset.extra_fields.get("gsd"), asset.extra_fields.get("raster:spatial_resolution")]
    stated += [
        e.get(k) for e in scaled for k in ("spatial_resolution", "raster:spatial_resolution")
    ]
    return next((n for n in map(_finite, stated) if n), None)


def _gsd(item: pystac.Item, images: Sequence[_Candidate]) -> float | None:
    """The finest of what shows red, green or blue, or grey; else what the item states."""
    shown = frozenset({PAN}) if panchromatic([c.bands for c in images]) else VISIBLE
    known = [c.gsd_m for c in images if c.gsd_m and (c.names & shown or not c.bands)]
    return min(known) if known else _finite(item.properties.get("gsd")) or None


def _footprint(item: pystac.Item) -> BaseGeometry | None:
    try:
        if item.geometry is not None:
            outline = shape(item.geometry)
        elif item.bbox is not None:
            west, south, east, north = item.bbox if len(item.bbox) == 4 else _flat(item.bbox)
            outline = box(west, south, east + 360.0 if east < west else east, north)
        else:
            return None
        outline = continuous(outline)
    except (TypeError, ValueError, IndexError, KeyError, AttributeError):
        return None
    return None if outline.is_empty or outline.area == 0 else outline


def _flat(bbox: Sequence[float]) -> Sequence[float]:
    """A box without its heights."""
    return bbox[0], bbox[1], bbox[3], bbox[4]


def _list(asset: pystac.Asset, key: str) -> list[Mapping[str, Any]]:
    value = asset.extra_fields.get(key)
    return [e if isinstance(e, dict) else {} for e in value] if isinstance(value, list) else []


def _finite(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
