"""Bad and odd sites: repaired with a note, refused with a reason, or answered as they are."""

import json

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from commands import EVERYWHERE, events, observed, places_that_say
from series import GRID, HOUSE, SIDE, picture, write_picture, write_series, write_sites

EMPTY, BUILT = {}, {"house": True}


@pytest.fixture
def detect(tmp_path, command, engine):
    write_series(tmp_path / "scenes", [EMPTY, BUILT, BUILT])

    def run(*more, sites="sites.geojson"):
        places = {"sites": tmp_path / sites, "catalog": tmp_path / "scenes"}
        words = [word for name, place in places.items() for word in (f"--{name}", place)]
        return command("detect", *words, "-o", tmp_path / "run", *more)

    return run


def lonlat(x, y):
    """Degrees of a pixel of the series' grid."""
    from pyproj import Transformer

    return Transformer.from_crs(GRID.crs, "EPSG:4326", always_xy=True).transform(
        *GRID.affine @ (x, y)
    )


def polygon(*corners, name="odd"):
    ring = [list(corner) for corner in (*corners, corners[0])]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "properties": {"id": name, "name": name}, "geometry": geometry}


def box(name="good", side=SIDE):
    return polygon(lonlat(0, side), lonlat(side, side), lonlat(side, 0), lonlat(0, 0), name=name)


def watch(tmp_path, *features):
    document = {"type": "FeatureCollection", "features": features}
    (tmp_path / "sites.geojson").write_text(json.dumps(document))


def remarks(run):
    sites = json.loads((run / "summary.json").read_text())["sites"]
    return {site["id"]: site["remark"] for site in sites}


def test_a_self_crossing_polygon_is_repaired_with_a_note(tmp_path, detect):
    bow = polygon(lonlat(0, 0), lonlat(SIDE, SIDE), lonlat(SIDE, 0), lonlat(0, SIDE))
    watch(tmp_path, bow)
    note = "its outline was not valid (self-intersection) and was repaired"
    answer = detect()
    assert answer.code == 0
    assert note in answer.err
    assert places_that_say(tmp_path / "run", note) == EVERYWHERE
    assert all(row["site_notes"] == [note] for row in observed(tmp_path / "run"))
    answer = detect("--strict")
    assert answer.code == 2
    assert note in answer.error


CANNOT_BE = {
    "out of range": (polygon((400, 95), (401, 95), (401, 96)), "coordinates out of range"),
    "swapped": (polygon((39.7, 129.0), (39.7, 129.1), (39.8, 129.1)), "look swapped"),
    "a line": (polygon((129, 39), (129.1, 39)), "fewer than three corners"),
    "no area": (polygon((129, 39), (129.1, 39), (129.2, 39)), "no area"),
    "at the pole": (polygon((0, 88), (90, 88), (180, 88), (-90, 88)), "pole"),
    "too large for a zone": (polygon((100, 39), (140, 39), (140, 45)), "UTM zone"),
    "the same id": (box("good", 40), "has the id 'good' of an earlier site"),
}


@pytest.mark.parametrize(("feature", "reason"), CANNOT_BE.values(), ids=CANNOT_BE)
def test_a_site_that_cannot_be(tmp_path, detect, feature, reason):
    watch(tmp_path, box(), feature)
    answer = detect()
    assert answer.code == 0
    assert reason in answer.err + answer.out
    run = tmp_path / "run"
    assert places_that_say(run, reason) == EVERYWHERE
    assert {event["site_id"] for event in events(run)} == {"good"}
    summary = json.loads((run / "summary.json").read_text())
    told = [f"{refused['site']} {refused['reason']}" for refused in summary["refused"]]
    told += [f"{site['id']} {site['remark']}" for site in summary["sites"]]
    assert any(reason in text and feature["properties"]["id"] in text for text in told)
    answer = detect("--strict")
    assert answer.code == 2
    assert reason in answer.error
    if "earlier site" not in reason:
        watch(tmp_path, feature)
        answer = detect()
        assert answer.code == 2
        assert reason in answer.error


def test_outside_all_scenes_is_not_the_same_as_no_change(tmp_path, detect):
    write_sites(tmp_path / "sites.geojson", (0, -SIDE, SIDE, 0), (9000, 0, 9100, 100))
    answer = detect()
    assert answer.code == 0
    run = tmp_path / "run"
    assert remarks(run) == {"s0": "", "s1": "not observed: no scene covers it"}
    assert "Site 1: not observed: no scene covers it" in answer.out.splitlines()
    assert places_that_say(run, "no scene covers it") == EVERYWHERE
    assert detect("--strict").code == 2


def test_swapped_within_range_is_not_observed(tmp_path, detect):
    """38° N 127° E swapped would be refused; 3° N 127° W is merely somewhere else."""
    watch(tmp_path, polygon((39, -70), (39, -71), (40, -71)))
    assert detect().code == 0
    assert remarks(tmp_path / "run") == {"odd": "not observed: no scene covers it"}


def test_one_usable_look_is_nothing_to_compare(tmp_path, detect):
    write_sites(tmp_path / "sites.geojson")
    answer = detect("--dates", "2024-02-01/..")
    assert answer.code == 0
    answer = detect("--dates", "../2024-02-01")
    assert answer.code == 0
    assert "one usable look (2024-01-10): nothing to compare it with" in answer.out
    assert places_that_say(tmp_path / "run", "to compare") == EVERYWHERE
    assert events(tmp_path / "run") == []
    answer = detect("--dates", "../2024-02-01", "--strict")
    assert answer.code == 2
    assert "nothing to compare it with" in answer.error


def test_one_usable_look_says_why_the_others_are_not(tmp_path, detect):
    write_sites(tmp_path / "sites.geojson")
    path = next((tmp_path / "scenes").glob("*2024-01*"))
    write_picture(path, np.zeros((3, SIDE, SIDE), np.uint8))
    answer = detect("--dates", "../2024-03-01")
    assert answer.code == 0
    assert "nothing to compare it with; left out: shows 0 % of the site" in answer.out


def test_no_look_in_the_dates(tmp_path, detect):
    write_sites(tmp_path / "sites.geojson")
    answer = detect("--dates", "2019-01-01/2019-12-31")
    assert answer.code == 0
    assert "Site 0: not observed" in answer.out
    assert "note: only scenes within the asked dates count (--dates)" in answer.err
    assert "only scenes within the asked dates" in (tmp_path / "run" / "report.html").read_text()


def test_across_the_antimeridian_it_is_one_site(tmp_path, command, engine):
    """The scene's western half lies at 180° E, its eastern half at 180° W."""
    from pyproj import Transformer

    east, north = Transformer.from_crs("EPSG:4326", "EPSG:32660", always_xy=True).transform(
        180, -17
    )
    origin = (round(east) - HOUSE[1].start - 10, round(north))
    grid = GeoBox((SIDE, SIDE), Affine(1, 0, origin[0], 0, -1, origin[1]), "EPSG:32660")
    for day, house in (("2024-01-10", False), ("2024-02-09", True), ("2024-03-10", True)):
        write_picture(tmp_path / "scenes" / f"{day}.tif", picture(house=house), grid)
    to_lonlat = Transformer.from_crs("EPSG:32660", "EPSG:4326", always_xy=True)
    corners = [
        to_lonlat.transform(*grid.affine @ c) for c in ((0, 0), (0, SIDE), (SIDE, SIDE), (SIDE, 0))
    ]
    assert {lon > 0 for lon, _ in corners} == {True, False}
    watch(tmp_path, polygon(*corners, name="fiji"))
    words = ("--sites", tmp_path / "sites.geojson", "--catalog", tmp_path / "scenes")
    answer = command("detect", *words, "-o", tmp_path / "run")
    assert answer.code == 0
    [event] = events(tmp_path / "run")
    area = (HOUSE[0].stop - HOUSE[0].start) * (HOUSE[1].stop - HOUSE[1].start)
    assert event["area_m2"] == pytest.approx(area, rel=0.15)
    [feature] = json.loads((tmp_path / "run" / "events.geojson").read_text())["features"]
    assert feature["geometry"]["type"] == "MultiPolygon"  # cut, as RFC 7946 wants it


def test_one_pixel(tmp_path, detect):
    watch(tmp_path, box("tiny", 0.4), box())
    answer = detect()
    assert answer.code == 0
    assert {event["site_id"] for event in events(tmp_path / "run")} == {"good"}
    assert remarks(tmp_path / "run") == {"tiny": "", "good": ""}


def test_ten_gigapixels(tmp_path, detect):
    reason = "split the site or ask for a coarser pixel size with --gsd"
    watch(tmp_path, box("huge", 100_000), box())
    answer = detect()
    assert answer.code == 0
    run = tmp_path / "run"
    assert "more than 4000 million" in remarks(run)["huge"]
    assert places_that_say(run, reason) == EVERYWHERE
    assert {event["site_id"] for event in events(run)} == {"good"}
    assert reason in detect("--strict").error
    watch(tmp_path, box("huge", 100_000))
    answer = detect()
    assert answer.code == 2
    assert "huge" in answer.error
    assert reason in answer.error


def test_a_csv_of_points(tmp_path, detect):
    lon, lat = lonlat(SIDE / 2, SIDE / 2)
    lines = ["id,name,lat,lon,buffer_m", f"a,A,{lat},{lon},60", f"b,B,{lon},{lat},60", "c,C,,,60"]
    (tmp_path / "sites.csv").write_text("\n".join(lines))
    answer = detect(sites="sites.csv")
    assert answer.code == 0
    assert remarks(tmp_path / "run") == {"a": ""}
    assert len(events(tmp_path / "run")) == 1
    for reason in ("look swapped", "has no lon"):
        assert places_that_say(tmp_path / "run", reason) == EVERYWHERE
