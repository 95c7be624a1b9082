"""Events as kwcoco: videos (sites), images (looks), tracks (objects), annotations."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from odc.geo.geobox import GeoBox
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from groundbreak.atomic import write_json
from groundbreak.events.geometry import to_pixels
from groundbreak.events.identity import object_of
from groundbreak.events.looks import LookMeta, in_date_order
from groundbreak.events.schema import event_properties, iso
from groundbreak.types import KINDS, Event


@dataclass(frozen=True)
class Video:
    """A site as kwcoco sees it: its grid, its looks, and by look id their pixels and bands."""

    site_id: str
    geobox: GeoBox
    looks: Sequence[LookMeta]
    files: Mapping[str, Path] = field(default_factory=dict)
    bands: Mapping[str, Sequence[str]] = field(default_factory=dict)


def write_kwcoco(events: Sequence[Event], videos: Sequence[Video], path: Path) -> None:
    """Write a kwcoco file.

    An event is annotated in the first look that shows it (one that is under way at the last
    look, in that look), in pixels of the site's grid. Each object is a track, so a building that
    is built and later torn down has one track with two annotations.

    Args:
        events: of the sites.
        videos: one for each site.
        path: the JSON file.

    Raises:
        OutputError: the file cannot be written.
    """
    document: dict[str, Any] = {
        "info": [{"type": "dataset", "description": "Changes found by groundbreak"}],
        "licenses": [],
        "categories": [{"id": n, "name": kind.value} for n, kind in enumerate(KINDS, start=1)],
        "keypoint_categories": [],
        "videos": [],
        "images": [],
        "tracks": [],
        "annotations": [],
    }
    tracks: dict[str, int] = {}
    for number, video in enumerate(videos, start=1):
        height, width = (int(size) for size in video.geobox.shape)
        document["videos"].append(
            {
                "id": number,
                "name": video.site_id.replace("/", "_"),
                "width": width,
                "height": height,
                "wld_crs_info": {
                    "auth": str(video.geobox.crs).split(":"),
                    "axis_mapping": "OAMS_TRADITIONAL_GIS_ORDER",
                },
                "warp_pxl_to_wld": [list(row) for row in _matrix(video.geobox)],
            }
        )
        looks = in_date_order(video.looks)
        images = {}
        for frame, look in enumerate(looks):
            about = _image(look, video, path.parent)
            image = {"id": len(document["images"]) + 1, "video_id": number, "frame_index": frame}
            image |= about
            document["images"].append(image)
            images[look.scene_ids] = image["id"]
        for event in (e for e in events if e.site_id == video.site_id):
            track = tracks.setdefault(object_of(event), len(tracks) + 1)
            shown = images.get(event.after_scenes) or document["images"][-1]["id"]
            document["annotations"].append(
                _annotation(event, video, len(document["annotations"]) + 1, shown, track)
            )
    document["tracks"] = [{"id": n, "name": name} for name, n in tracks.items()]
    write_json(path, document)


def _image(look: LookMeta, video: Video, folder: Path) -> dict[str, Any]:
    """A look as an image; readers look for its file from ``folder``."""
    height, width = (int(size) for size in video.geobox.shape)
    file = video.files.get(look.id)
    return {
        "name": f"{video.site_id} {look.id}".replace("/", "_"),
        "file_name": file and Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix(),
        "channels": "|".join(video.bands.get(look.id, ())) or None,
        "width": width,
        "height": height,
        "timestamp": look.middle.timestamp(),
        "date_captured": iso(look.start),
        "sensor_coarse": look.sensor,
    }


def _annotation(
    event: Event, video: Video, number: int, image_id: int, track_id: int
) -> dict[str, Any]:
    outline = to_pixels(event.geometry, video.geobox)
    west, north, east, south = outline.bounds
    return {
        "id": number,
        "image_id": image_id,
        "category_id": KINDS.index(event.kind) + 1,
        "track_id": track_id,
        "bbox": [west, north, east - west, south - north],
        "segmentation": _segmentation(outline),
        "area": outline.area,
        "score": event.confidence,
        "iscrowd": 0,
        "properties": event_properties(event),
    }


def _segmentation(outline: BaseGeometry) -> list[dict[str, Any]]:
    """Polygons of kwcoco: outer ring and holes, each a list of points."""
    parts: list[Polygon] = list(outline.geoms) if isinstance(outline, MultiPolygon) else [outline]
    return [
        {
            "exterior": [list(point) for point in part.exterior.coords[:-1]],
            "interiors": [[list(point) for point in hole.coords[:-1]] for hole in part.interiors],
        }
        for part in parts
    ]


def _matrix(geobox: GeoBox) -> list[list[float]]:
    a = geobox.affine
    return [[a.a, a.b, a.c], [a.d, a.e, a.f], [0.0, 0.0, 1.0]]
