"""The files of one product become one STAC item."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affine import Affine

from groundbreak.catalog.judge import Image, LeftOutError, sensor_of
from groundbreak.catalog.listing import Entry
from groundbreak.catalog.names import Part, item_id
from groundbreak.catalog.products import product
from groundbreak.lonlat import bbox, continuous, cut
from groundbreak.raster.bands import VISIBLE
from groundbreak.raster.info import RasterInfo
from groundbreak.raster.placing import parse_crs
from groundbreak.times import Precision, precision

if TYPE_CHECKING:
    import pystac
    from shapely.geometry.base import BaseGeometry


_METRES_PER_DEGREE = 111_320.0

# Common names that came with eo 2: what eo 1.1 has instead.
_COMMON_IN_EO_1_1: dict[str, str | None] = {
    "rededge071": "rededge",
    "rededge075": "rededge",
    "rededge078": "rededge",
    "swir12": None,
}


def build_item(
    key: str, images: Sequence[Image], masks: Sequence[tuple[Part, RasterInfo]], folder: Path
) -> pystac.Item:
    """The STAC item of one product.

    Args:
        key: of the product; the id if it has several files.
        images: the chosen files.
        masks: its mask files.
        folder: what paths are relative to; hrefs are absolute.

    Raises:
        LeftOutError: its files are of different days, or it lies in the future.
    """
    import pystac
    from shapely.geometry import mapping

    first = min(images, key=lambda image: (not VISIBLE & image.names, image.placed.gsd_m))
    start, end = _common_span(images)
    entry = next((image.entry for image in images if image.entry), None)
    listed = next((i.entry.id for i in images if i.entry and i.entry.id), None)
    identity = listed or item_id(images[0].part.path if len(images) == 1 else key or folder.name)
    footprint = _plain(first.placed.footprint, first.placed.gsd_m)
    item = pystac.Item(
        id=identity,
        geometry=mapping(cut(footprint)),
        bbox=bbox(footprint),
        datetime=start if precision((start, end)) in (Precision.INSTANT, Precision.DAY) else None,
        start_datetime=None if start == end else start,
        end_datetime=None if start == end else end,
        properties=_properties(images, first, entry),
    )
    for image in images:
        name = image.part.band if len(images) > 1 and image.part.band else "image"
        _add_image(item, _free(item, name), image, folder)
    for part, info in masks:
        _add_mask(item, part, info, first, folder)
    return item


def _common_span(images: Sequence[Image]) -> tuple[datetime, datetime]:
    starts = [image.acquired.span[0] for image in images]
    if max(starts) - min(starts) > timedelta(days=1):
        days = ", ".join(sorted({f"{start:%Y-%m-%d}" for start in starts}))
        raise LeftOutError(f"its files have different dates ({days})")
    # The one that is known best: a band may be dated to the second, another to the day.
    span = min((image.acquired.span for image in images), key=lambda s: (s[1] - s[0], s))
    if span[0] > datetime.now(UTC) + timedelta(days=1):
        raise LeftOutError(
            f"its date {span[0]:%Y-%m-%d} lies in the future: give the true one in dates.csv"
        )
    return span


def _properties(images: Sequence[Image], first: Image, entry: Entry | None) -> dict[str, Any]:
    known = product(first.part.path)
    sensor = sensor_of(first.info, first.entry, known)
    notes = list(dict.fromkeys(note for image in images for note in image.notes))
    properties: dict[str, Any] = {
        **{k: v for k, v in first.sidecar.items() if not k.endswith("datetime")},
        **known.properties,
        "gsd": round(first.placed.gsd_m, 4),
        "groundbreak:date_source": first.acquired.source,
    }
    if sensor is not None:
        properties["groundbreak:sensor"] = sensor
    if str(first.info.tags.get("SIMULATED", "")).lower() in ("yes", "true", "1"):
        properties["groundbreak:simulated"] = True
    if entry is not None and entry.note:
        properties["groundbreak:note"] = entry.note
    if entry is not None and entry.assumed:
        properties["groundbreak:date_assumed"] = True
    if notes:
        properties["groundbreak:assumptions"] = notes
    return properties


def _add_image(item: pystac.Item, key: str, image: Image, folder: Path) -> None:
    import pystac

    asset = pystac.Asset(
        str(folder / image.part.path), media_type=_media_type(image.part.path), roles=["data"]
    )
    item.add_asset(key, asset)
    placed = image.placed
    _add_projection(asset, placed.crs, placed.transform, image.info.shape)
    if placed.by is not None:
        asset.extra_fields["groundbreak:placed_by"] = placed.by
    _add_bands(asset, image)


def _add_mask(item: pystac.Item, part: Part, info: RasterInfo, image: Image, folder: Path) -> None:
    """Add a mask file. One that does not say where it lies covers the picture it belongs to."""
    import pystac

    if part.mask is None:
        return
    asset = pystac.Asset(
        str(folder / part.path),
        media_type=_media_type(part.path),
        roles=["data-mask"],
        extra_fields={"groundbreak:mask": part.mask.value},
    )
    item.add_asset(_free(item, part.mask.value), asset)
    if info.placed and image.placed.by is None:
        _add_projection(asset, info.crs, info.transform, info.shape)
        return
    height, width = info.shape
    rows, columns = image.info.shape
    stretched = image.placed.transform * Affine.scale(columns / width, rows / height)
    _add_projection(asset, image.placed.crs, stretched, info.shape)
    asset.extra_fields["groundbreak:placed_by"] = image.placed.by or "image"


def _add_bands(asset: pystac.Asset, image: Image) -> None:
    """Band fields of eo 1.1 and raster 1.1, the ones that readers of today understand.

    Place in the list is place in the file; where it is not, the entry states its index.
    """
    from pystac.extensions.eo import EOExtension
    from pystac.extensions.raster import DataType, NoDataStrings, RasterBand, RasterExtension

    EOExtension.ext(asset, add_if_missing=True)
    named: list[dict[str, Any]] = []
    described = []
    for place, band in enumerate(image.bands, start=1):
        entry: dict[str, Any] = {"name": band.name}
        common = _COMMON_IN_EO_1_1.get(str(band.common_name), band.common_name)
        if common is not None:
            entry["common_name"] = common
        if band.index != place:
            entry["groundbreak:index"] = band.index
        named.append(entry)
        missing = band.nodata is not None and math.isnan(band.nodata)  # JSON has no NaN
        described.append(
            RasterBand.create(
                data_type=DataType(image.info.dtype),
                nodata=NoDataStrings.NAN if missing else band.nodata,
                scale=band.scale,
                offset=band.offset,
            )
        )
    asset.extra_fields["eo:bands"] = named
    RasterExtension.ext(asset, add_if_missing=True).bands = described


def _add_projection(
    asset: pystac.Asset, crs: str | None, transform: Affine | None, shape: tuple[int, int]
) -> None:
    from pystac.extensions.projection import ProjectionExtension

    projection = ProjectionExtension.ext(asset, add_if_missing=True)
    has_code = crs is not None and ":" in crs and len(crs) < 32
    projection.apply(
        code=crs if has_code else None,
        wkt2=None if has_code or crs is None else parse_crs(crs).to_wkt(),
        shape=list(shape),
        transform=list(transform)[:6] if transform is not None else None,
    )


def _plain(footprint: BaseGeometry, gsd_m: float) -> BaseGeometry:
    """The outline without corners that matter less than a tenth of a pixel, to 7 decimals."""
    import shapely

    footprint = continuous(footprint)
    plain = shapely.simplify(footprint, 0.1 * gsd_m / _METRES_PER_DEGREE)
    rounded: BaseGeometry = shapely.transform(plain, lambda xy: xy.round(7))
    return rounded if rounded.is_valid and rounded.area > 0 else footprint


def _free(item: pystac.Item, name: str) -> str:
    """A key that no asset of the item has yet."""
    number, key = 1, name
    while key in item.assets:
        number += 1
        key = f"{name}-{number}"
    return key


def _media_type(path: str) -> str:
    suffix = path.lower().rpartition(".")[2]
    return {
        "jp2": "image/jp2",
        "j2k": "image/jp2",
        "png": "image/png",
        "jpg": "image/jpeg",
        "jpeg": "image/jpeg",
        "webp": "image/webp",
    }.get(suffix, "image/tiff; application=geotiff")
