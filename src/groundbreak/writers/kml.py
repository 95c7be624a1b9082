"""Events as KML for Google Earth: coloured by kind, with times for its time slider.

By hand: GDAL's driver LIBKML is not in every build, and pyogrio gives it no colours.
"""

from __future__ import annotations

import html
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry import LinearRing, Polygon

from groundbreak.atomic import atomic_path
from groundbreak.events.captions import MEANINGS, TITLES
from groundbreak.events.numbers import numbered
from groundbreak.events.phrases import between
from groundbreak.events.schema import iso
from groundbreak.types import Event
from groundbreak.writers.lonlat import to_lonlat
from groundbreak.writers.plain import plain_values

NAMESPACE = "http://www.opengis.net/kml/2.2"
COLOURS = {"new_building": "e8590c", "demolition": "1971c2", "docking_slip": "0ca678"}
"""Red, green and blue; those of the report."""
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_kml(events: Sequence[Event], path: Path) -> None:
    """Write a KML 2.2 document: a folder for each site, a placemark for each event.

    A placemark lasts from the last look without to the first look with it, which is what the time
    slider shows. It has the outline, a label with its number at a point inside it, the sentence
    with what casts doubt on it, and every property of the schema.

    Raises:
        OutputError: the file cannot be written.
    """
    root = ET.Element("kml", xmlns=NAMESPACE)
    document = ET.SubElement(root, "Document")
    _put(document, "name", "Changes found by groundbreak")
    _put(document, "open", "1")
    for kind, colour in COLOURS.items():
        _style(document, kind, colour)
    folders: dict[str, ET.Element] = {}
    for number, event in numbered(events):
        if event.site_id not in folders:
            folders[event.site_id] = ET.SubElement(document, "Folder")
            _put(folders[event.site_id], "name", event.site_name)
        _placemark(folders[event.site_id], event, number)
    ET.indent(root, " ")
    with atomic_path(path) as temporary:
        ET.ElementTree(root).write(temporary, encoding="utf-8", xml_declaration=True)


def _put(parent: ET.Element, tag: str, text: str) -> ET.Element:
    """A child with a text, without the characters that XML cannot hold."""
    child = ET.SubElement(parent, tag)
    child.text = _NOT_IN_XML.sub("", text)
    return child


def _style(document: ET.Element, kind: str, colour: str) -> None:
    bgr = colour[4:] + colour[2:4] + colour[:2]  # KML: opacity, blue, green, red
    style = ET.SubElement(document, "Style", id=kind)
    # No icon: it would have to come from the network, and hide what is small.
    _put(ET.SubElement(style, "IconStyle"), "scale", "0")
    label = ET.SubElement(style, "LabelStyle")
    _put(label, "color", f"ff{bgr}")
    _put(label, "scale", "0.8")
    line = ET.SubElement(style, "LineStyle")
    _put(line, "color", f"ff{bgr}")
    _put(line, "width", "2")
    _put(ET.SubElement(style, "PolyStyle"), "color", f"46{bgr}")


def _placemark(folder: ET.Element, event: Event, number: int) -> None:
    """Children in the order that the schema of KML wants."""
    values = plain_values(event, number)
    start, end = event.interval.start, event.interval.end
    when = between((start, start) if start else None, (end, end) if end else None)
    hint = ", provisional" if event.provisional else ""
    placemark = ET.SubElement(folder, "Placemark")
    _put(placemark, "name", f"[{number}] {TITLES[event.kind]}, {when}{hint}")
    _put(placemark, "description", _description(event, values))
    span = ET.SubElement(placemark, "TimeSpan")
    for tag, moment in (("begin", start), ("end", end)):
        if moment is not None:
            _put(span, tag, iso(moment) or "")
    _put(placemark, "styleUrl", f"#{event.kind}")
    data = ET.SubElement(placemark, "ExtendedData")
    for name, value in values.items():
        entry = ET.SubElement(data, "Data")
        entry.set("name", name)
        _put(entry, "value", value)
    shapes = ET.SubElement(placemark, "MultiGeometry")
    point = ET.SubElement(shapes, "Point")
    _put(point, "coordinates", f"{values['lon']},{values['lat']}")
    for part in shapely.get_parts(to_lonlat(event.geometry, event.crs)):
        _polygon(shapes, part)


def _description(event: Event, values: Mapping[str, str]) -> str:
    """HTML, as Google Earth reads it."""
    lines = [
        event.sentence,
        f"Confidence {values['confidence']}, of the date {values['date_confidence']}; "
        f"{event.area_m2:,.0f} m².",
    ]
    if event.flags:
        lines.append("Take care: " + "; ".join(MEANINGS[flag] for flag in event.flags) + ".")
    return "".join(f"<p>{html.escape(line, quote=False)}</p>" for line in lines)


def _polygon(parent: ET.Element, polygon: Polygon) -> None:
    element = ET.SubElement(parent, "Polygon")
    for tag, rings in (
        ("outerBoundaryIs", [polygon.exterior]),
        ("innerBoundaryIs", polygon.interiors),
    ):
        for ring in rings:
            line = ET.SubElement(ET.SubElement(element, tag), "LinearRing")
            _put(line, "coordinates", _coordinates(ring))


def _coordinates(ring: LinearRing) -> str:
    return " ".join(f"{lon:.8f},{lat:.8f}" for lon, lat in np.asarray(ring.coords))
