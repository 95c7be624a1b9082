"""Watch-lists: read in every form, repaired with a note or refused with a reason."""

import json
import subprocess
import sys
from pathlib import Path

import geopandas
import pytest
from pyproj import Geod
from shapely.geometry import Point, box

from groundbreak.errors import SiteError
from groundbreak.sites.extent import extent
from groundbreak.sites.geometry import circle
from groundbreak.sites.read import SiteList, read_sites

REPOSITORY = Path(__file__).resolve().parents[1]
GEOD = Geod(ellps="WGS84")


def polygon(*rings):
    return {"type": "Polygon", "coordinates": [[list(p) for p in ring] for ring in rings]}


def rectangle(west, south, east, north):
    return [(west, south), (east, south), (east, north), (west, north), (west, south)]


def write(path: Path, *geometries, crs=None, **properties) -> Path:
    document = {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": {"id": f"s{i}", **properties}, "geometry": g}
            for i, g in enumerate(geometries)
        ],
    }
    if crs:
        document["crs"] = {"type": "name", "properties": {"name": crs}}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def read(tmp_path: Path, *geometries, crs=None, **properties) -> SiteList:
    return read_sites(write(tmp_path / "sites.geojson", *geometries, crs=crs, **properties))


def refusal(tmp_path: Path, geometry, crs=None, **properties) -> str:
    """Why one geometry is refused beside a good one."""
    good = polygon(rectangle(5000, 5000, 6000, 6000) if crs else rectangle(10, 10, 10.1, 10.1))
    result = read(tmp_path, good, geometry, crs=crs, **properties)
    assert [site.id for site in result.sites] == ["s0"]
    (refused,) = result.refused
    assert refused.subject.startswith("feature 2")
    return refused.reason


class TestGeometry:
    def test_a_polygon_is_kept_as_it_is(self, tmp_path):
        (site,) = read(tmp_path, polygon(rectangle(124.7, 39.6, 124.8, 39.7)), name="Port").sites
        assert (site.id, site.name, site.notes) == ("s0", "Port", ())
        assert site.geometry.equals(box(124.7, 39.6, 124.8, 39.7))

    @pytest.mark.parametrize(
        ("lon", "lat"), [(124.7, 39.66), (0.0, 0.0), (-70.1, 76.5), (179.999, -16.5)]
    )
    def test_a_buffer_is_a_circle_on_the_ground(self, tmp_path, lon, lat):
        point = {"type": "Point", "coordinates": [lon, lat, 12.5]}
        (site,) = read(tmp_path, point, buffer_m=2000).sites
        for x, y in site.geometry.exterior.coords:
            assert GEOD.inv(lon, lat, x, y)[2] == pytest.approx(2000, abs=0.01)
        west, _, east, _ = site.geometry.bounds
        assert east - west < 1
        assert not site.notes

    def test_a_point_without_buffer_gets_one_with_a_note(self, tmp_path):
        (site,) = read(tmp_path, {"type": "Point", "coordinates": [10, 50]}).sites
        x, y = site.geometry.exterior.coords[0]
        assert GEOD.inv(10, 50, x, y)[2] == pytest.approx(1000, abs=0.01)
        assert "no buffer_m" in site.notes[0]

    @pytest.mark.parametrize("buffer_m", [0.48, 500_000])
    def test_a_buffer_in_other_units_is_noted(self, tmp_path, buffer_m):
        point = {"type": "Point", "coordinates": [10, 50]}
        (site,) = read(tmp_path, point, buffer_m=buffer_m).sites
        assert site.notes[0] == f"buffer_m is {buffer_m:g}: it is taken in metres"

    def test_a_bow_tie_is_repaired_with_a_note(self, tmp_path):
        result = read(tmp_path, polygon([(0, 0), (2, 2), (2, 0), (0, 2), (0, 0)]))
        (site,) = result.sites
        assert site.geometry.is_valid
        assert site.geometry.area == pytest.approx(2)
        assert "repaired" in site.notes[0]
        assert result.notes[0].startswith("s0: ")

    def test_an_overlapping_loop_keeps_its_area(self, tmp_path):
        loop = [(0, 0), (4, 0), (4, 4), (2, 4), (2, 2), (6, 2), (6, 6), (0, 6), (0, 0)]
        (site,) = read(tmp_path, polygon(loop)).sites
        assert site.geometry.is_valid
        assert site.geometry.contains(Point(3, 3))
        assert site.geometry.contains(Point(1, 1))

    def test_holes_heights_and_open_rings(self, tmp_path):
        shell = [(0, 0, 5), (4, 0, 5), (4, 4, 5), (0, 4, 5)]
        hole = rectangle(1, 1, 2, 2)
        (site,) = read(tmp_path, polygon(shell, hole)).sites
        assert site.geometry.area == pytest.approx(15)
        assert not site.geometry.has_z
        assert "open" in site.notes[0]

    def test_one_pixel_and_ten_gigapixels(self, tmp_path):
        tiny, huge = rectangle(10, 50, 10 + 1e-7, 50 + 1e-7), rectangle(120, 30, 130, 40)
        small, large = read(tmp_path, polygon(tiny), polygon(huge)).sites
        assert small.geometry.area == pytest.approx(1e-14, rel=1e-3)
        assert large.geometry.area == pytest.approx(100)

    @pytest.mark.parametrize(
        ("geometry", "reason"),
        [
            (None, "no geometry"),
            ({"type": "Polygon", "coordinates": []}, "empty"),
            ({"type": "Polygon", "coordinates": [[]]}, "empty"),
            ({"type": "LineString", "coordinates": [[0, 0], [1, 1]]}, "is a line"),
            ({"type": "GeometryCollection", "geometries": []}, "collection"),
            ({"type": "Circle", "coordinates": [0, 0]}, "unknown type"),
            ({"type": "Point", "coordinates": ["10", "50"]}, "not two numbers"),
            ({"type": "Point", "coordinates": [10]}, "malformed"),
            ({"type": "Point", "coordinates": [39.66, 124.7]}, "swapped"),
            ({"type": "Point", "coordinates": [339510, 6047250]}, "out of range"),
            ({"type": "Point", "coordinates": [400, 10]}, "out of range"),
            ({"type": "Point", "coordinates": [10, 89.5]}, "poles"),
            (polygon([(0, 0), (1, 1)]), "fewer than three"),
            (polygon([(0, 0), (1, 1), (2, 2), (0, 0)]), "no area"),
            (polygon([(39.6, 124.7), (39.7, 124.7), (39.7, 124.8), (39.6, 124.7)]), "swapped"),
            (polygon([(-120, 80), (0, 80), (120, 80), (-120, 80)]), "pole"),
            (polygon(rectangle(-180, -60, 180, 60)), "whole globe"),
            (polygon(rectangle(0, 86, 10, 87)), "poles"),
        ],
    )
    def test_what_cannot_be_a_site_is_refused_alone(self, tmp_path, geometry, reason):
        assert reason in refusal(tmp_path, geometry)

    @pytest.mark.parametrize("buffer_m", [0, -5, "wide", "1,5", True, "nan", 2e7])
    def test_bad_buffers(self, tmp_path, buffer_m):
        point = {"type": "Point", "coordinates": [10, 50]}
        reason = refusal(tmp_path, point, buffer_m=buffer_m)
        assert "buffer_m" in reason or "pole" in reason

    def test_not_finite(self, tmp_path):
        assert "not finite" in refusal(tmp_path, polygon([(0, 0), (float("nan"), 1), (1, 1)]))


class TestAntimeridian:
    EXPECTED = box(179, 10, 181, 11)

    @pytest.mark.parametrize(
        ("geometry", "noted"),
        [
            (polygon([(179, 10), (-179, 10), (-179, 11), (179, 11), (179, 10)]), True),
            (polygon(rectangle(179, 10, 181, 11)), False),
            (polygon(rectangle(-181, 10, -179, 11)), False),
            (
                {
                    "type": "MultiPolygon",
                    "coordinates": [
                        [rectangle(-180, 10, -179, 11)],
                        [rectangle(179, 10, 180, 11)],
                    ],
                },
                False,
            ),
        ],
        ids=["jumping", "beyond 180", "beyond -180", "cut as in RFC 7946"],
    )
    def test_one_site_with_continuous_longitudes(self, tmp_path, geometry, noted):
        (site,) = read(tmp_path, geometry).sites
        assert site.geometry.geom_type == "Polygon"
        assert site.geometry.symmetric_difference(self.EXPECTED).area < 1e-9
        assert bool(site.notes) == noted

    def test_parts_that_do_not_touch_lie_side_by_side(self, tmp_path):
        parts = [[rectangle(-179.5, 10, -179.4, 11)], [rectangle(179.4, 10, 179.5, 11)]]
        (site,) = read(tmp_path, {"type": "MultiPolygon", "coordinates": parts}).sites
        assert site.geometry.bounds == pytest.approx((179.4, 10, 180.6, 11))

    def test_a_hole_moves_with_its_shell(self, tmp_path):
        shell = [(179, 10), (-179, 10), (-179, 11), (179, 11), (179, 10)]
        hole = rectangle(-179.8, 10.4, -179.6, 10.6)
        (site,) = read(tmp_path, polygon(shell, hole)).sites
        assert site.geometry.area == pytest.approx(2 - 0.04)

    def test_longitudes_of_0_to_360_are_brought_home(self, tmp_path):
        (site,) = read(tmp_path, polygon(rectangle(250, 10, 251, 11))).sites
        assert site.geometry.bounds == (-110, 10, -109, 11)

    def test_a_projected_site(self, tmp_path):
        (site,) = read(
            tmp_path, polygon(rectangle(833000, 0, 835000, 2000)), crs="EPSG:32660"
        ).sites
        west, _, east, _ = site.geometry.bounds
        assert 179.9 < west < 180 < east < 180.1


class TestCrs:
    SQUARE = rectangle(339510, 6044250, 342510, 6047250)

    @pytest.mark.parametrize("name", ["urn:ogc:def:crs:EPSG::32634", "EPSG:32634"])
    def test_the_crs_member_counts(self, tmp_path, name):
        (site,) = read(tmp_path, polygon(self.SQUARE), crs=name).sites
        area, _ = GEOD.geometry_area_perimeter(site.geometry)
        assert abs(area) == pytest.approx(3000**2, rel=2e-3)
        assert site.geometry.contains(Point(18.54, 54.53))

    @pytest.mark.parametrize(
        "name", ["urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:EPSG::4326"]
    )
    def test_lonlat_stays_lonlat(self, tmp_path, name):
        (site,) = read(tmp_path, polygon(rectangle(124.7, 39.6, 124.8, 39.7)), crs=name).sites
        assert site.geometry.bounds == (124.7, 39.6, 124.8, 39.7)

    def test_degrees_under_a_projected_crs(self, tmp_path):
        degrees = polygon(rectangle(18.5, 54.5, 18.6, 54.6))
        assert "in degrees" in refusal(tmp_path, degrees, crs="EPSG:32634")

    def test_an_unknown_crs(self, tmp_path):
        with pytest.raises(SiteError, match="unknown CRS"):
            read(tmp_path, polygon(self.SQUARE), crs="EPSG:999999")

    def test_gpkg_with_two_layers_and_a_crs(self, tmp_path):
        path = tmp_path / "sites.gpkg"
        areas = geopandas.GeoDataFrame(
            {"id": [7.0, 8.0], "name": ["Quay", "Shed"]},
            geometry=[box(339510, 6044250, 342510, 6047250), None],
            crs="EPSG:32634",
        )
        points = geopandas.GeoDataFrame(
            {"name": [42], "buffer_m": [500.0]}, geometry=[Point(10, 50)], crs="EPSG:4326"
        )
        areas.to_file(path, layer="areas")
        points.to_file(path, layer="points")
        result = read_sites(path)
        assert [(s.id, s.name) for s in result.sites] == [("7", "Quay"), ("points-1", "42")]
        assert result.sites[0].geometry.contains(Point(18.54, 54.53))
        assert "no geometry" in result.refused[0].reason

    def test_gpkg_that_is_none(self, tmp_path):
        path = tmp_path / "sites.gpkg"
        path.write_text("no database")
        with pytest.raises(SiteError, match="GeoPackage"):
            read_sites(path)


class TestExtent:
    """Against the geodesic lines that PROJ draws."""

    def test_south_and_west(self):
        found = extent(box(-70.01, -33.02, -70.0, -33.0))
        assert found.in_words() == "33.0100° S, 70.0050° W; 0.93 × 2.2 km, 2.1 km²"

    def test_across_the_antimeridian_with_a_hole(self):
        found = extent(box(179.9, 9.9, 180.3, 10.1).difference(box(180.0, 9.95, 180.1, 10.05)))
        assert (found.lon, found.lat) == (pytest.approx(-179.9), pytest.approx(10))
        assert found.width_m == pytest.approx(Geod(ellps="WGS84").inv(179.9, 10, -179.7, 10)[2])
        whole = extent(box(179.9, 9.9, 180.3, 10.1)).area_m2
        assert found.area_m2 == pytest.approx(whole * 7 / 8, rel=1e-4)

    @pytest.mark.parametrize(
        ("radius_m", "size"),
        [(30, "60 × 60 m, 2,823 m²"), (496, "992 × 992 m, 0.77 km²"), (4.7, "9.4 × 9.4 m, 69 m²")],
    )
    def test_small_ones_are_told_in_metres(self, radius_m, size):
        assert extent(circle(0.0, 0.0, radius_m)).in_words() == f"0.0000° N, 0.0000° E; {size}"


class TestIds:
    def test_properties_then_feature_then_derived(self, tmp_path):
        members = [
            {"id": "outer", "properties": {"id": "inner", "name": "A"}},
            {"id": 17, "properties": {"name": "B"}},
            {"properties": {"name": "Nampo Dock No. 2"}},
            {"properties": None},
        ]
        for i, member in enumerate(members):
            member["type"] = "Feature"
            member["geometry"] = polygon(rectangle(i, 0, i + 0.5, 1))
        path = tmp_path / "sites.json"
        path.write_text(json.dumps({"type": "FeatureCollection", "features": members}))
        first = [site.id for site in read_sites(path).sites]
        assert first[:3] == ["inner", "17", "nampo-dock-no-2"]
        assert first[3].startswith("site-")
        path.write_text(json.dumps({"type": "FeatureCollection", "features": members[::-1]}))
        again = read_sites(path)
        assert [site.id for site in again.sites] == first[::-1]
        assert sum("no id" in note for note in again.notes) == 2

    def test_the_second_of_two_equal_ids_is_refused(self, tmp_path):
        square = polygon(rectangle(0, 0, 1, 1))
        result = read(tmp_path, square, square, id="same")
        assert [site.id for site in result.sites] == ["same"]
        assert "'same'" in result.refused[0].reason

    @pytest.mark.parametrize("identity", ["a/b", "..", "a\\b", "a\nb", "x" * 101])
    def test_ids_that_would_not_do_as_file_names(self, tmp_path, identity):
        with pytest.raises(SiteError, match=r"has the id .* without slashes, backslashes and"):
            read(tmp_path, polygon(rectangle(0, 0, 1, 1)), id=identity)

    @pytest.mark.parametrize("identity", ["pier 2", "Hafen Ü.1", "서해", "x" * 100])
    def test_other_ids_are_kept(self, tmp_path, identity):
        [site] = read(tmp_path, polygon(rectangle(0, 0, 1, 1)), id=identity).sites
        assert site.id == identity

    def test_other_properties_are_kept(self, tmp_path):
        (site,) = read(tmp_path, polygon(rectangle(0, 0, 1, 1)), country="KP", name=12).sites
        assert (site.name, dict(site.properties)) == ("12", {"country": "KP"})


class TestCsv:
    def read(self, tmp_path, text, encoding="utf-8"):
        path = tmp_path / "sites.csv"
        path.write_bytes(text.encode(encoding))
        return read_sites(path)

    def test_plain(self, tmp_path):
        result = self.read(
            tmp_path,
            'id,name,lat,lon,buffer_m,why\nsohae,"Sohae, launch",39.66,124.705,3000,tower\n\n',
        )
        (site,) = result.sites
        assert (site.id, site.name) == ("sohae", "Sohae, launch")
        assert site.geometry.centroid.distance(Point(124.705, 39.66)) < 1e-4
        assert site.properties["why"] == "tower"

    @pytest.mark.parametrize("column", ["radius", "Radius (m)", "buffer_km"])
    def test_a_column_that_looks_like_the_radius_is_asked_about(self, tmp_path, column):
        (site,) = self.read(tmp_path, f"id,lat,lon,{column},why\na,1,2,300,x\n").sites
        name = "_".join(column.lower().split())
        assert site.notes == (
            "no buffer_m: 1000 m around the point are taken",
            f"the column '{name}' is not used; did you mean buffer_m?",
        )

    @pytest.mark.parametrize("separator", [",", ";", "\t"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
    def test_separators_marks_and_header_manners(self, tmp_path, separator, encoding):
        text = separator.join([" ID ", "Name", "LATITUDE", " Lon", "Buffer_M"]) + "\r\n"
        text += separator.join(["1", "2", "39.66", "124.705", "500"]) + "\r\n"
        (site,) = self.read(tmp_path, text, encoding).sites
        assert (site.id, site.name, site.notes) == ("1", "2", ())

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            ("b;B;39,66;124,705;500", "not a comma"),
            ("b;B;;124.705;500", "no lat"),
            ("b;B;39°39'36\"N;124.7;500", "decimal degrees"),
            ("b;B;124.705;39.66;500", "look swapped (check the columns lat and lon)"),
            ("b;B;39.66;124.705;500;6;7", "2 more fields"),
            ("b;B;39.66;124.705;five", "buffer_m"),
        ],
    )
    def test_bad_rows_are_refused_by_line(self, tmp_path, row, reason):
        result = self.read(tmp_path, f"id;name;lat;lon;buffer_m\na;A;1;2;300\n{row}\n")
        assert [site.id for site in result.sites] == ["a"]
        assert result.refused[0].subject == "line 3 (b)"
        assert reason in result.refused[0].reason

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "is empty"),
            ("id,name,lat\na,A,1\n", "no column lon"),
            ("id,lat,lon,lat\na,1,2,3\n", "column lat twice"),
            ("id,lat,lon\n", "holds no site"),
            ("id,lat,lon\na,39,x\n", "no site is left.*decimal degrees"),
        ],
    )
    def test_a_file_that_yields_nothing(self, tmp_path, text, message):
        with pytest.raises(SiteError, match=message):
            self.read(tmp_path, text)

    def test_utf16(self, tmp_path):
        with pytest.raises(SiteError, match="UTF-8"):
            self.read(tmp_path, "id,lat,lon\na,1,2\n", "utf-16")


class TestFile:
    @pytest.mark.parametrize(
        ("name", "text", "message"),
        [
            ("sites.geojson", "{", "is not JSON"),
            ("sites.geojson", "[1]", "not GeoJSON"),
            ("sites.geojson", '{"type": "Topology"}', "not GeoJSON"),
            ("sites.geojson", '{"type": "FeatureCollection"}', "no list of features"),
            ("sites.geojson", '{"type": "FeatureCollection", "features": [3]}', "no site is left"),
            ("sites.kml", "<kml/>", "unknown extension"),
        ],
    )
    def test_one_line_that_names_the_file(self, tmp_path, name, text, message):
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(SiteError, match=message) as caught:
            read_sites(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_missing(self, tmp_path):
        with pytest.raises(SiteError, match="does not exist"):
            read_sites(tmp_path / "nowhere.geojson")

    def test_a_bare_geometry(self, tmp_path):
        path = tmp_path / "site.geojson"
        path.write_text(json.dumps(polygon(rectangle(0, 0, 1, 1))))
        assert len(read_sites(path).sites) == 1

    def test_strict_takes_repairs_and_refusals_for_errors(self, tmp_path):
        good = polygon(rectangle(0, 0, 1, 1))
        bow = polygon([(0, 0), (2, 2), (2, 0), (0, 2), (0, 0)])
        path = write(tmp_path / "sites.geojson", good)
        assert len(read_sites(path, strict=True).sites) == 1
        for bad in (bow, None):
            write(path, good, bad)
            with pytest.raises(SiteError):
                read_sites(path, strict=True)


class TestShippedWatchlist:
    PATH = REPOSITORY / "configs" / "sites" / "dprk_public.geojson"

    def test_every_site_says_where_it_is_from(self):
        result = read_sites(self.PATH, strict=True)
        assert len(result.sites) == 6
        for site in result.sites:
            assert site.properties["source"]
            assert "gazetteer-level" in site.properties["note"].lower()
            assert site.properties["level"] in ("site", "city")
            west, south, east, north = site.geometry.bounds
            assert 124 < west < east < 131
            assert 37.5 < south < north < 43.1

    @pytest.mark.shared
    def test_the_script_makes_it_again(self, shared, tmp_path):
        script = REPOSITORY / "scripts" / "make_sites_dprk.py"
        output = tmp_path / "made.geojson"
        positions = shared / "site_coordinates.json"
        subprocess.run([sys.executable, script, positions, "-o", output], check=True)
        assert output.read_text(encoding="utf-8") == self.PATH.read_text(encoding="utf-8")
