"""Events to files, opened again with other libraries and checked against the schema."""

import csv
import hashlib
import json
import re
import sqlite3
import xml.etree.ElementTree as ET
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema_rs
import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Geod
from shapely.geometry import Polygon, box, shape
from shapely.ops import unary_union

from groundbreak.errors import InternalError, OutputError
from groundbreak.events.looks import LookMeta
from groundbreak.events.schema import event_properties, load_schema, validate_feature
from groundbreak.lonlat import cut
from groundbreak.types import FLAGS, Event, Interval, Kind
from groundbreak.writers.geojson import event_feature, write_geojson
from groundbreak.writers.geoparquet import read_geoparquet, write_geoparquet
from groundbreak.writers.gpkg import write_gpkg
from groundbreak.writers.kml import COLOURS, write_kml
from groundbreak.writers.kwcoco import Video, write_kwcoco
from groundbreak.writers.lonlat import to_lonlat
from groundbreak.writers.plain import plain_columns
from groundbreak.writers.spreadsheet import write_csv
from groundbreak.writers.stac import write_stac
from groundbreak.writers.table import LISTS, NUMBERS, TEXTS, TIMES, TRUTHS, columns

UTM = "EPSG:32652"


def moment(month: int, day: int, hour: int = 2) -> datetime:
    return datetime(2024, month, day, hour, 15, tzinfo=UTC)


HALL = Event(
    id="building-1a2b-new_building",
    site_id="port",
    site_name="Chŏng Port",
    kind=Kind.NEW_BUILDING,
    interval=Interval(moment(3, 14), moment(7, 9)),
    geometry=Polygon(
        [(300_000, 4_000_000), (300_000, 4_000_040), (300_060, 4_000_040), (300_060, 4_000_000)],
        [[(300_010, 4_000_010), (300_020, 4_000_010), (300_020, 4_000_020), (300_010, 4_000_020)]],
    ),
    crs=UTM,
    confidence=0.8123,
    date_confidence=0.97,
    area_m2=2300.0,
    before_scenes=("s1", "s2"),
    after_scenes=("s3",),
    usable_fraction=1.0,
    cleared=Interval(moment(1, 3), moment(3, 14)),
    registration_residual_px=0.21,
    replaces=("building-0f0f-demolition",),
    replaces_overlap=0.8,
    flags=("partly_cloudy", "mixed_sensors"),
    sentence="A building of about 2,300 m² was very likely built.",
)
UNFINISHED = replace(
    HALL,
    id="building-77-new_building",
    interval=Interval(moment(3, 14), None),
    after_scenes=(),
    cleared=None,
    replaces=(),
    replaces_overlap=None,
    registration_residual_px=None,
    flags=(),
    geometry=box(300_100, 4_000_000, 300_120, 4_000_030),
)
SLIP = replace(
    UNFINISHED,
    id="slip-9-docking_slip",
    kind=Kind.DOCKING_SLIP,
    interval=Interval(None, moment(7, 9)),
    before_scenes=(),
    after_scenes=("s3",),
    provisional=True,
    length_m=120.0,
    width_m=25.5,
    orientation_deg=179.97,
    mouth_azimuth_deg=90.0,
    vessel_length_m=108.0,
)
EVENTS = [HALL, UNFINISHED, SLIP]
ELSEWHERE = replace(SLIP, id="slip-x-docking_slip", site_id="other", crs="EPSG:32633")


# --- the schema -------------------------------------------------------------------------------


def test_the_schema_is_one() -> None:
    jsonschema_rs.meta.validate(load_schema())


def test_schema_event_and_table_have_the_same_fields() -> None:
    properties = load_schema()["$defs"]["properties"]
    assert list(event_properties(HALL)) == list(properties["properties"]) == properties["required"]
    assert sorted(columns()) == sorted((*LISTS, *TIMES, *TRUTHS, *TEXTS, *NUMBERS))
    assert tuple(properties["properties"]["flags"]["items"]["enum"]) == FLAGS
    assert properties["properties"]["kind"]["enum"] == [kind.value for kind in Kind]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("confidence", 1.2),
        ("confidence", None),
        ("kind", "new building"),
        ("start_datetime", "2024-03-14"),
        ("start_datetime", None),  # although there are scenes before
        ("end_datetime", "2024-07-09T02:15:00+09:00"),
        ("before_scenes", ["s1", "s1"]),
        ("before_scenes", []),
        ("flags", ["cloudy"]),
        ("area_m2", 0),
        ("length_m", 12.0),  # a building has none
        ("sentence", ""),
        ("colour", "red"),
    ],
)
def test_the_schema_refuses(field: str, value: Any) -> None:
    feature = event_feature(HALL)
    feature["properties"][field] = value
    with pytest.raises(InternalError, match=HALL.id):
        validate_feature(feature)


def test_the_schema_refuses_a_provisional_event_without_an_end() -> None:
    feature = event_feature(UNFINISHED)
    feature["properties"]["provisional"] = True
    with pytest.raises(InternalError, match="provisional"):
        validate_feature(feature)


@pytest.mark.parametrize(
    ("geometry", "message"),
    [
        (
            {"type": "Polygon", "coordinates": [[[1], [2, 3], [3, 4], [4, 5]]]},
            r"geometry/coordinates/0/0: \[1\] has less than 2 items",
        ),
        ({"type": "Point", "coordinates": [1, 2]}, 'geometry/type: "Polygon" was expected'),
        ({"type": "Polygon", "coordinates": [[[0, 91]] * 999]}, "geometry/coordinates/0/0/1: 91 "),
        ([[[0, 1]] * 999], 'geometry: .* is not of type "object"'),
    ],
)
def test_a_broken_outline_is_named_in_one_line(geometry: Any, message: str) -> None:
    with pytest.raises(InternalError, match=f"event {HALL.id}: {message}") as raised:
        validate_feature(event_feature(HALL) | {"geometry": geometry})
    assert len(str(raised.value)) < 300


def test_numbers_that_json_has_not_are_refused() -> None:
    feature = event_feature(HALL)
    feature["properties"]["confidence"] = np.float64(0.9)
    with pytest.raises(InternalError, match=HALL.id):
        validate_feature(feature)


def test_azimuths_do_not_round_up_to_a_full_turn() -> None:
    assert event_properties(SLIP)["orientation_deg"] == 0.0


# --- GeoJSON ----------------------------------------------------------------------------------


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_geojson_is_rfc_7946(tmp_path: Path) -> None:
    write_geojson(EVENTS, tmp_path / "events.geojson")
    document = read_json(tmp_path / "events.geojson")
    assert set(document) == {"type", "features"}
    for feature in document["features"]:
        validate_feature(feature)
    first = shape(document["features"][0]["geometry"])
    assert first.exterior.is_ccw
    assert not first.interiors[0].is_ccw
    assert Geod(ellps="WGS84").geometry_area_perimeter(first)[0] == pytest.approx(2300, rel=0.002)
    assert document["features"][0]["properties"]["site_name"] == "Chŏng Port"


def test_geojson_is_cut_at_the_antimeridian() -> None:
    # Zone 60 ends at 180°; at the equator its centre is 333 km to the west.
    across = box(833_000, 100_000, 835_000, 101_000)
    cut = to_lonlat(across, "EPSG:32660")
    assert cut.geom_type == "MultiPolygon"
    west, east = sorted(cut.geoms, key=lambda part: -part.bounds[0])
    assert west.bounds[2] == 180.0
    assert east.bounds[0] == -180.0
    assert all(part.exterior.is_ccw and part.is_valid for part in cut.geoms)
    area = Geod(ellps="WGS84").geometry_area_perimeter(cut)[0]
    assert area == pytest.approx(across.area, rel=0.01)


def test_geojson_near_but_not_across_the_antimeridian_is_not_cut() -> None:
    assert to_lonlat(box(831_000, 100_000, 832_000, 101_000), "EPSG:32660").geom_type == "Polygon"


# --- GeoPackage -------------------------------------------------------------------------------


def rows_of(path: Path, query: str) -> list[sqlite3.Row]:
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        return database.execute(query).fetchall()


def test_gpkg_opens_in_plain_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "events.gpkg"
    write_gpkg(EVENTS, path)
    assert rows_of(path, "PRAGMA integrity_check")[0][0] == "ok"
    assert rows_of(path, "PRAGMA application_id")[0][0] == int.from_bytes(b"GPKG")
    (column,) = rows_of(path, "SELECT * FROM gpkg_geometry_columns")
    assert (column["table_name"], column["column_name"]) == ("events", "geom")
    assert column["srs_id"] == 32652
    rows = rows_of(path, "SELECT * FROM events")
    assert list(rows[0].keys())[2:] == list(columns())
    assert rows[0]["start_datetime"] == "2024-03-14T02:15:00Z"
    assert rows[1]["end_datetime"] is None
    assert json.loads(rows[0]["before_scenes"]) == ["s1", "s2"]
    assert rows[0]["mouth_azimuth_deg"] is None
    assert rows[2]["provisional"] == 1
    types = {row["name"]: row["type"] for row in rows_of(path, "PRAGMA table_info(events)")}
    assert types["start_datetime"] == types["end_datetime"] == "DATETIME"
    # The geometry: a GeoPackage header, then well-known binary.
    blob = rows[0]["geom"]
    envelope = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}[(blob[3] >> 1) & 7]
    geometry = shapely.from_wkb(blob[8 + envelope :])
    assert geometry.geom_type == "MultiPolygon"
    assert geometry.equals(HALL.geometry)


def test_gpkg_carries_a_style_with_a_time_slider(tmp_path: Path) -> None:
    path = tmp_path / "events.gpkg"
    write_gpkg(EVENTS, path)
    (style,) = rows_of(path, "SELECT * FROM layer_styles")
    assert (style["f_table_name"], style["f_geometry_column"]) == ("events", "geom")
    assert style["useAsDefault"] == 1
    qml = ET.fromstring(style["styleQML"])
    temporal = qml.find("temporal")
    assert temporal is not None
    assert temporal.get("enabled") == "1"
    assert {temporal.get("startField"), temporal.get("endField")} <= set(columns())
    categories = {entry.get("value") for entry in qml.iter("category")}
    assert categories == {kind.value for kind in Kind}
    symbols = {entry.get("name") for entry in qml.iter("symbol")}
    assert symbols == {entry.get("symbol") for entry in qml.iter("category")}
    contents = rows_of(path, "SELECT table_name, data_type FROM gpkg_contents")
    assert {tuple(row) for row in contents} == {
        ("events", "features"),
        ("layer_styles", "attributes"),
    }


def test_a_kind_has_one_colour_in_qgis_in_google_earth_and_in_the_report(tmp_path: Path) -> None:
    package = resources.files("groundbreak")
    page = package.joinpath("report", "template.html").read_text("utf-8")
    qml = ET.fromstring(package.joinpath("writers", "events.qml").read_text("utf-8"))
    for category in qml.iter("category"):
        found = re.search(f"--{category.get('value')}: #(\\w{{6}})", page)
        assert found is not None
        (symbol,) = [s for s in qml.iter("symbol") if s.get("name") == category.get("symbol")]
        options = {o.get("name"): o.get("value") or "" for o in symbol.iter("Option")}
        outline = [int(part) for part in options["outline_color"].split(",")[:3]]
        assert bytes(outline).hex() == found[1] == COLOURS[category.get("value") or ""]
        assert '"provisional"' in options["expression"]


def test_gpkg_has_a_layer_for_each_zone(tmp_path: Path) -> None:
    path = tmp_path / "events.gpkg"
    write_gpkg([*EVENTS, ELSEWHERE], path)
    layers = rows_of(path, "SELECT table_name, srs_id FROM gpkg_geometry_columns")
    assert {tuple(row) for row in layers} == {("events_32633", 32633), ("events_32652", 32652)}
    styled = rows_of(path, "SELECT f_table_name FROM layer_styles")
    assert {row[0] for row in styled} == {"events_32633", "events_32652"}


# --- GeoParquet -------------------------------------------------------------------------------


def test_geoparquet_opens_in_arrow(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    write_geoparquet(EVENTS, path)
    table = pq.read_table(path)
    geo = json.loads(table.schema.metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    assert geo["columns"]["geometry"]["crs"]["id"] == {"authority": "EPSG", "code": 32652}
    assert "covering" in geo["columns"]["geometry"]
    assert table.column_names[: len(columns())] == list(columns())
    assert str(table.schema.field("flags").type) == "list<element: string>"
    assert str(table.schema.field("start_datetime").type) == "timestamp[ms, tz=UTC]"
    row = table.slice(1, 1).to_pylist()[0]
    assert row["end_datetime"] is None
    assert row["length_m"] is None
    assert row["flags"] == []
    assert shapely.from_wkb(table["geometry"][0].as_py()).equals(HALL.geometry)


def test_geoparquet_opens_in_geopandas(tmp_path: Path) -> None:
    import geopandas as gpd

    path = tmp_path / "events.parquet"
    write_geoparquet(EVENTS, path)
    frame = gpd.read_parquet(path)
    assert frame.crs.to_epsg() == 32652
    assert frame.geometry[0].equals(HALL.geometry)
    assert len(gpd.read_parquet(path, bbox=(300_090, 4_000_000, 300_130, 4_000_010))) == 2


def test_geoparquet_gives_the_events_back(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    write_geoparquet(EVENTS, path)
    for read, event in zip(read_geoparquet(path), EVENTS, strict=True):
        assert event_properties(read) == event_properties(event)
        assert read.geometry.equals(event.geometry)
        assert read.crs == event.crs


def test_geoparquet_of_several_zones_is_in_degrees_and_knows_them(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    write_geoparquet([*EVENTS, ELSEWHERE], path)
    geo = json.loads(pq.read_schema(path).metadata[b"geo"])
    assert geo["columns"]["geometry"]["crs"]["id"]["code"] == "CRS84"
    read = read_geoparquet(path)
    assert [event.crs for event in read] == [UTM, UTM, UTM, "EPSG:32633"]
    assert read[0].geometry.hausdorff_distance(HALL.geometry) < 0.01


def test_geoparquet_at_the_antimeridian(tmp_path: Path) -> None:
    import geopandas as gpd

    path = tmp_path / "events.parquet"
    hall = box(833_000, 100_000, 835_000, 101_000).difference(
        box(833_900, 100_400, 834_000, 100_500)
    )
    across = replace(HALL, geometry=hall, crs="EPSG:32660")
    nearby = replace(SLIP, geometry=box(167_000, 100_000, 168_000, 101_000), crs="EPSG:32601")
    write_geoparquet([across, nearby], path)
    geo = json.loads(pq.read_schema(path).metadata[b"geo"])
    west, _, east, _ = geo["columns"]["geometry"]["bbox"]
    assert 179.99 < west < 180
    assert -180 < east < -179.9
    again = read_geoparquet(path)[0]
    assert again.geometry.geom_type == "Polygon"
    assert len(again.geometry.interiors) == 1
    assert again.geometry.symmetric_difference(hall).area < 1e-3 * hall.length
    for side in ((179.99, 0, 180, 2), (-180, 0, -179.999, 2)):
        assert across.id in set(gpd.read_parquet(path, bbox=side)["id"])


def test_what_is_not_a_file_of_events_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        read_geoparquet(tmp_path / "none.parquet")
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 not really")
    with pytest.raises(OutputError, match="not a GeoParquet"):
        read_geoparquet(broken)


# --- CSV --------------------------------------------------------------------------------------

HOOK = Polygon([(0, 0), (100, 0), (100, 10), (10, 10), (10, 90), (100, 90), (100, 100), (0, 100)])
"""Its centre lies outside of it."""


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def test_csv_has_every_property_and_a_place(tmp_path: Path) -> None:
    hook = shapely.affinity.translate(HOOK, 300_000, 4_000_000)
    write_csv([replace(HALL, geometry=hook), UNFINISHED, SLIP], tmp_path / "e.csv")
    assert (
        (tmp_path / "e.csv")
        .read_bytes()
        .startswith(b"\xef\xbb\xbfid,site_id,site_name,number,kind,lon,lat,")
    )
    hall, unfinished, slip = read_csv(tmp_path / "e.csv")
    assert [name for name in hall if name not in ("number", "lon", "lat")] == list(columns())
    assert [row["number"] for row in (hall, unfinished, slip)] == ["1", "2", "3"]
    assert hall["site_name"] == "Chŏng Port"
    assert hall["sentence"].startswith("A building of about 2,300 m² was")
    assert (hall["start_datetime"], hall["end_datetime"]) == (
        "2024-03-14 02:15:00",
        "2024-07-09 02:15:00",
    )
    assert (hall["confidence"], hall["provisional"], slip["provisional"]) == (
        "0.812",
        "false",
        "true",
    )
    assert (hall["before_scenes"], hall["flags"]) == ("s1; s2", "partly_cloudy; mixed_sensors")
    assert (hall["length_m"], unfinished["end_datetime"], slip["length_m"]) == ("", "", "120.0")
    place = shapely.Point(float(hall["lon"]), float(hall["lat"]))
    assert to_lonlat(hook, UTM).contains(place)


def test_csv_opens_in_pandas(tmp_path: Path) -> None:
    import pandas as pd

    write_csv(EVENTS, tmp_path / "e.csv")
    table = pd.read_csv(tmp_path / "e.csv", parse_dates=list(TIMES))
    assert list(table.columns) == list(plain_columns())
    assert table["confidence"].tolist() == [0.812] * 3
    assert table["start_datetime"][0] == pd.Timestamp("2024-03-14 02:15")


def test_csv_holds_no_formula(tmp_path: Path) -> None:
    """Names are those of other people's files; coordinates in the west stay numbers."""
    evil = replace(
        HALL,
        site_id="+1",
        site_name='=HYPERLINK("http://example.com?"&A1,"more")',
        before_scenes=("@SUM(1)", "b"),
        sentence="-2+3\nand more, with a comma",
        geometry=box(500_000, 4_000_000, 500_060, 4_000_040),
        crs="EPSG:32618",
    )
    write_csv([evil], tmp_path / "e.csv")
    (row,) = read_csv(tmp_path / "e.csv")
    assert row["site_name"] == "'" + evil.site_name
    assert row["site_id"] == "'+1"
    assert row["before_scenes"] == "'@SUM(1); b"
    assert row["sentence"] == "'" + evil.sentence
    assert -75.1 < float(row["lon"]) < -74.9
    assert row["after_scenes"] == "s3"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_no_separator_makes_a_part_of_a_cell_a_formula(tmp_path: Path, separator: str) -> None:
    """Nor where it is not the one that the file has, and quotes within a line mean nothing."""
    evil = replace(
        HALL,
        site_name='a;=1+1;"=2";  @SUM(1)\t-3\r\n=4;＝5',
        before_scenes=("s1", "+1", "s2;-1"),
        sentence="\t=1+1",
    )
    write_csv([evil], tmp_path / "e.csv")
    text = (tmp_path / "e.csv").read_text(encoding="utf-8-sig")
    cells = [cell for line in csv.reader(text.splitlines(), delimiter=separator) for cell in line]
    assert any("'=4" in cell for cell in cells)
    numbers = re.compile(r"[+-]?[\d.]+")
    begins = [cell.lstrip(' "')[:1] for cell in cells if not numbers.fullmatch(cell)]
    assert not set(begins) & set("=+-@＝")


def test_csv_quotes_text_and_nothing_else(tmp_path: Path) -> None:
    """A program that splits at semicolons too keeps the lists whole; numbers stay numbers."""
    write_csv([HALL], tmp_path / "e.csv")
    _, line = (tmp_path / "e.csv").read_text(encoding="utf-8-sig").splitlines()
    assert '"s1; s2"' in line
    assert ",0.812," in line
    assert ",false," in line
    assert ",2024-07-09 02:15:00," in line


# --- KML --------------------------------------------------------------------------------------

KML = {"k": "http://www.opengis.net/kml/2.2"}


def test_kml_has_a_placemark_with_a_time_for_each_event(tmp_path: Path) -> None:
    write_kml([*EVENTS, ELSEWHERE], tmp_path / "e.kml")
    root = ET.parse(tmp_path / "e.kml").getroot()
    folders = root.findall("k:Document/k:Folder", KML)
    assert [len(folder.findall("k:Placemark", KML)) for folder in folders] == [3, 1]
    styles = {style.get("id") for style in root.iter(f"{{{KML['k']}}}Style")}
    hall, unfinished, slip = folders[0].findall("k:Placemark", KML)
    assert [hall.findtext(f"k:TimeSpan/k:{end}", None, KML) for end in ("begin", "end")] == [
        "2024-03-14T02:15:00Z",
        "2024-07-09T02:15:00Z",
    ]
    assert unfinished.find("k:TimeSpan/k:end", KML) is None
    assert slip.find("k:TimeSpan/k:begin", KML) is None
    assert (
        hall.findtext("k:name", None, KML) == "[1] New building, between 14 March and 9 July 2024"
    )
    assert slip.findtext("k:name", None, KML) == "[3] Docking slip, before 9 July 2024, provisional"
    about = hall.findtext("k:description", "", KML)
    assert HALL.sentence in about
    assert "Take care: part of the footprint was hidden" in about
    assert {hall.findtext("k:styleUrl", "", KML)[1:]} <= styles == {kind.value for kind in Kind}
    data = {d.get("name"): d.findtext("k:value", "", KML) for d in hall.iter(f"{{{KML['k']}}}Data")}
    assert set(data) == {*columns(), "number", "lon", "lat"}
    assert data["number"] == "1"
    assert data["confidence"] == "0.812"


def test_kml_opens_in_gdal(tmp_path: Path) -> None:
    import pyogrio

    across = replace(HALL, geometry=box(833_000, 100_000, 835_000, 101_000), crs="EPSG:32660")
    write_kml([HALL, replace(across, site_id="far", site_name="Far")], tmp_path / "e.kml")
    assert [name for name, _ in pyogrio.list_layers(tmp_path / "e.kml")] == ["Chŏng Port", "Far"]
    for event, layer in ((HALL, "Chŏng Port"), (across, "Far")):
        (read,) = pyogrio.read_dataframe(tmp_path / "e.kml", layer=layer).geometry
        point, *areas = shapely.force_2d(shapely.get_parts(read))
        wanted = to_lonlat(event.geometry, event.crs)
        assert shapely.union_all(areas).symmetric_difference(wanted).area < 1e-5 * wanted.area
        assert wanted.contains(point)


def test_kml_holds_any_text(tmp_path: Path) -> None:
    odd = replace(
        HALL, site_name="A&B <i>\x00\x1b", sentence="<script>alert(1)</script> & \ufffe done"
    )
    write_kml([odd], tmp_path / "e.kml")
    root = ET.parse(tmp_path / "e.kml").getroot()
    assert root.findtext("k:Document/k:Folder/k:name", None, KML) == "A&B <i>"
    placemark = root.find("k:Document/k:Folder/k:Placemark", KML)
    assert placemark is not None
    about = placemark.findtext("k:description", "", KML)
    assert about.startswith("<p>&lt;script&gt;alert(1)&lt;/script&gt; &amp;  done</p>")


def test_an_event_has_one_number_in_csv_and_kml_in_whichever_order_they_come(
    tmp_path: Path,
) -> None:
    """Each site counts for itself; so does what is read again, with three digits of confidence."""
    surest = replace(SLIP, confidence=0.9)
    alike = replace(UNFINISHED, id="a", confidence=0.8121)  # not surer than HALL in the files
    events = [HALL, ELSEWHERE, alike, surest]
    write_geoparquet(events, tmp_path / "e.parquet")
    expected = [(surest.id, 1), ("a", 2), (HALL.id, 3), (ELSEWHERE.id, 1)]
    for given in (events, read_geoparquet(tmp_path / "e.parquet")):
        write_csv(given, tmp_path / "e.csv")
        rows = [(row["id"], int(row["number"])) for row in read_csv(tmp_path / "e.csv")]
        assert rows == expected
        write_kml(given, tmp_path / "e.kml")
        marks = ET.parse(tmp_path / "e.kml").getroot().iterfind(".//k:Placemark", KML)
        names = [mark.findtext("k:name", "", KML).split()[0] for mark in marks]
        assert names == [f"[{number}]" for _, number in expected]


@pytest.mark.parametrize("write", [write_csv, write_kml])
def test_csv_and_kml_are_the_same_each_time(tmp_path: Path, write: Any) -> None:
    write(EVENTS, tmp_path / "a")
    write(EVENTS, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# --- nothing to write, nowhere to write ------------------------------------------------------


def test_no_events_make_valid_files(tmp_path: Path) -> None:
    write_geojson([], tmp_path / "e.geojson")
    write_gpkg([], tmp_path / "e.gpkg")
    write_geoparquet([], tmp_path / "e.parquet")
    write_csv([], tmp_path / "e.csv")
    write_kml([], tmp_path / "e.kml")
    assert (tmp_path / "e.csv").read_text("utf-8-sig") == ",".join(plain_columns()) + "\n"
    assert ET.parse(tmp_path / "e.kml").getroot().find("k:Document/k:Folder", KML) is None
    assert read_json(tmp_path / "e.geojson") == {"type": "FeatureCollection", "features": []}
    assert rows_of(tmp_path / "e.gpkg", "SELECT count(*) FROM events")[0][0] == 0
    assert len(rows_of(tmp_path / "e.gpkg", "SELECT * FROM layer_styles")) == 1
    types = {
        r["name"]: r["type"] for r in rows_of(tmp_path / "e.gpkg", "PRAGMA table_info(events)")
    }
    assert types["start_datetime"] == "DATETIME"
    assert types["confidence"] == "REAL"
    assert read_geoparquet(tmp_path / "e.parquet") == []
    empty, full = tmp_path / "e.parquet", tmp_path / "f.parquet"
    write_geoparquet(EVENTS, full)
    assert pq.read_schema(empty).remove_metadata() == pq.read_schema(full).remove_metadata()


def test_files_are_replaced_whole(tmp_path: Path) -> None:
    for write, name in ((write_gpkg, "e.gpkg"), (write_geoparquet, "e.parquet")):
        write(EVENTS, tmp_path / name)
        write(EVENTS[:1], tmp_path / name)
    assert rows_of(tmp_path / "e.gpkg", "SELECT count(*) FROM events")[0][0] == 1
    assert len(read_geoparquet(tmp_path / "e.parquet")) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e.gpkg", "e.parquet"]


@pytest.mark.parametrize(
    "write", [write_geojson, write_gpkg, write_geoparquet, write_csv, write_kml]
)
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, write: Any) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="file"):
        write(EVENTS, tmp_path / "file" / "events.x")


# --- STAC -------------------------------------------------------------------------------------

RECORD = {
    "version": "0.1.0",
    "command": "groundbreak detect --sites s --catalog c -o r",
    "started": "2024-08-01T00:00:00+00:00",
    "config": {"events": {"min_confidence": 0.5}},
    "weights": {"site-2m": {"sha256": "ab" * 32}},
    "versions": {"numpy": "2.4.6"},
    "sites": {"path": "sites.geojson", "sha256": "cd" * 32},
    "catalog": {"source": "catalog.json", "sha256": None},
}


def test_the_run_is_a_stac_item(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pystac

    run = tmp_path / "out" / "run"
    write_geojson(EVENTS, run / "events.geojson")
    monkeypatch.chdir(tmp_path)
    write_stac(run, RECORD, box(126, 36, 127, 37), (moment(1, 3), moment(7, 9)))
    document = read_json(run / "item.json")
    item = pystac.Item.from_dict(dict(document, stac_extensions=[]))
    item.validate()  # the core schema, which pystac carries
    assert document["properties"]["groundbreak:weights"] == RECORD["weights"]
    assert document["properties"]["groundbreak:config"] == RECORD["config"]
    assert document["properties"]["processing:software"]["groundbreak"] == "0.1.0"
    links = [link["href"] for link in document["links"]]
    assert links == ["../../catalog.json", "../../sites.geojson"]
    assert document["id"] == "groundbreak-run-20240801T000000Z"
    (asset,) = document["assets"].values()
    digest = hashlib.sha256((run / "events.geojson").read_bytes()).hexdigest()
    assert asset["href"] == "./events.geojson"
    assert asset["file:checksum"] == "1220" + digest


def test_a_run_without_sites_or_looks_is_a_stac_item_too(tmp_path: Path) -> None:
    import pystac

    write_stac(tmp_path, RECORD, None, None)
    item = pystac.Item.from_dict(dict(read_json(tmp_path / "item.json"), stac_extensions=[]))
    item.validate()
    assert item.geometry is None


@pytest.mark.parametrize(
    ("places", "bbox"),
    [
        ([box(126, 36, 127, 37)], [126, 36, 127, 37]),
        ([box(179, -18, 181, -17)], [179, -18, -179, -17]),
        ([box(177, -18, 178, -17), box(-179, -19, -178, -16)], [177, -19, -178, -16]),
        ([box(-10, 0, 10, 1), box(20, 2, 30, 3)], [-10, 0, 30, 3]),
    ],
)
def test_the_box_of_a_run_is_no_wider_than_its_sites(
    tmp_path: Path, places: list[Any], bbox: list[float]
) -> None:
    write_stac(tmp_path, RECORD, cut(unary_union(places)), None)
    document = read_json(tmp_path / "item.json")
    assert document["bbox"] == bbox
    assert shape(document["geometry"]).bounds[0] >= -180
    assert shape(document["geometry"]).bounds[2] <= 180


# --- kwcoco -----------------------------------------------------------------------------------


def look(name: str, when: datetime, *scenes: str) -> LookMeta:
    return LookMeta(name, when, when, scenes, sensor="WV03")


VIDEO = Video(
    "port",
    GeoBox((200, 400), Affine(0.5, 0, 300_000, 0, -0.5, 4_000_080), UTM),
    [look("a", moment(3, 14), "s1", "s2"), look("b", moment(7, 9), "s3")],
    {"a": Path("run/looks/a.tif")},
    {"a": ("red", "green", "blue", "nir")},
)


def test_kwcoco_ties_images_tracks_and_annotations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demolished = replace(
        HALL, id="building-1a2b-demolition", kind=Kind.DEMOLITION, after_scenes=("s3",)
    )
    monkeypatch.chdir(tmp_path)
    path = Path("out") / "events.kwcoco.json"
    write_kwcoco([*EVENTS, demolished], [VIDEO], path)
    document = read_json(path)
    images = {image["id"]: image for image in document["images"]}
    tracks = {track["id"]: track["name"] for track in document["tracks"]}
    names = {category["id"]: category["name"] for category in document["categories"]}
    assert [image["frame_index"] for image in document["images"]] == [0, 1]
    assert [images[n]["file_name"] for n in (1, 2)] == ["../run/looks/a.tif", None]
    assert [images[n]["channels"] for n in (1, 2)] == ["red|green|blue|nir", None]
    first, unfinished, _, last = document["annotations"]
    assert tracks[first["track_id"]] == "building-1a2b" == tracks[last["track_id"]]
    assert names[last["category_id"]] == "demolition"
    assert images[first["image_id"]]["name"] == "port b"
    assert images[unfinished["image_id"]]["name"] == "port b"
    assert first["bbox"] == [0.0, 80.0, 120.0, 80.0]
    assert first["score"] == HALL.confidence
    (polygon,) = first["segmentation"]
    ring = Polygon(polygon["exterior"], polygon["interiors"])
    assert ring.area == pytest.approx(2300 / 0.25)
    world = np.array(document["videos"][0]["warp_pxl_to_wld"]) @ [120, 80, 1]
    assert world.tolist() == [300_060, 4_000_040, 1]


def test_kwcoco_without_events_or_looks(tmp_path: Path) -> None:
    write_kwcoco([], [replace(VIDEO, looks=[])], tmp_path / "k.json")
    document = read_json(tmp_path / "k.json")
    assert document["annotations"] == document["images"] == []
