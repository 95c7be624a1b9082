"""The page of a run: complete by itself, well-formed, linked, escaped, honest about gaps."""

import csv
import json
import re
import shutil
import sqlite3
from contextlib import closing
from html.parser import HTMLParser

import numpy as np
import pytest
from pyproj import Transformer

from groundbreak.errors import OutputError
from groundbreak.report.labels import WIDTHS
from groundbreak.report.page import write_report
from series import CRS, GRID, SIDE, picture, write_picture, write_series

EMPTY = {}
HIDDEN = {"cloud": (slice(0, 90), slice(0, 80))}
GONE = {"house": True, "barn": False}
NOTHING = {"cloud": (slice(0, SIDE), slice(0, SIDE))}
STATES = (EMPTY, EMPTY, HIDDEN, NOTHING, GONE, GONE)

ID = "Hafen Ü & <1>"
NAME = '<script>alert("x")</script> / Dock & "Sons"'
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """What is asked of a page: its tags closed in order, its ids, links and texts."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.sources, self.tags = [], [], [], [], []
        self.texts = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self._note(tag, dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self._note(tag, dict(attrs))

    def _note(self, tag, attributes):
        self.tags.append((tag, attributes))
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes["href"]] if "href" in attributes else []
        self.sources += [attributes["src"]] if "src" in attributes else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def count(self, tag, css_class):
        return sum(t == tag and css_class in (a.get("class") or "").split() for t, a in self.tags)


def watch(path, *sites):
    """A watch-list of (id, name, metres by which the west side lies east of the grid's)."""
    features = []
    for identity, name, west in sites:
        east, south = west + SIDE, SIDE
        corners = [(west, 0), (west, south), (east, south), (east, 0), (west, 0)]
        ring = [list(GRID.affine @ corner) for corner in corners]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        features.append(
            {"type": "Feature", "properties": {"id": identity, "name": name}, "geometry": geometry}
        )
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32652"}}
    document = {"type": "FeatureCollection", "crs": crs, "features": features}
    path.write_text(json.dumps(document))


@pytest.fixture
def detect(tmp_path, command, engine):
    def run(states, *sites):
        write_series(tmp_path / "scenes", states)
        watch(tmp_path / "sites.geojson", *(sites or [(ID, NAME, 0), ("b", "Far off", 9000)]))
        words = ("--sites", tmp_path / "sites.geojson", "--catalog", tmp_path / "scenes")
        assert command("detect", *words, "-o", tmp_path / "run").code == 0
        return tmp_path / "run"

    return run


def read(run):
    text = (run / "report.html").read_text(encoding="utf-8")
    return Page(text), text


def features(run):
    return json.loads((run / "events.geojson").read_text())["features"]


def test_the_table_of_sites_says_how_little_was_compared(detect):
    hidden = {"cloud": (slice(0, 112), slice(0, SIDE))}
    page, _ = read(detect([hidden, hidden], ("a", "Seen", 0)))
    table = page.text.partition("remarks")[2]
    assert "Seen 0 0 0 2 of 2 30 % compared" in table
    page, text = read(detect([{}, {}], ("a", "Seen", 0)))
    assert "compared" not in text.partition("</table>")[0]


def test_it_needs_nothing_from_elsewhere(detect):
    page, text = read(detect(STATES))
    assert page.sources
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert all(link.startswith("#") for link in page.links)
    assert "url(" not in text
    assert "@import" not in text
    assert not {"script", "iframe", "link", "object"} & {tag for tag, _ in page.tags}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


def test_every_event_is_shown_with_two_chips_and_its_sentence(detect):
    run = detect(STATES)
    page, _ = read(run)
    found = features(run)
    assert {feature["properties"]["kind"] for feature in found} == {"new_building", "demolition"}
    assert page.count("article", "event") == len(found)
    assert page.count("div", "chip") == 2 * len(found)
    for feature in found:
        assert feature["properties"]["sentence"] in page.text
        assert feature["id"] in page.text
        assert f"{feature['properties']['confidence']:.2f}" in page.text
    for number in range(1, len(found) + 1):
        assert page.text.count(f"[{number}]") >= 2  # on its card and in a sentence


def test_an_event_has_one_number_on_the_page_and_in_every_file(detect):
    run = detect(STATES)
    _, text = read(run)
    with (run / "events.csv").open(encoding="utf-8-sig", newline="") as file:
        called = {row["id"]: row["number"] for row in csv.DictReader(file)}
    assert sorted(called.values()) == ["1", "2"]
    kml = (run / "events.kml").read_text(encoding="utf-8")
    with closing(sqlite3.connect(run / "events.gpkg")) as database:
        rows = database.execute("SELECT id, fid FROM events").fetchall()
    assert {name: str(fid) for name, fid in rows} == called
    for (name, number), feature in zip(called.items(), features(run), strict=True):
        assert feature["id"] == name  # the files are in the order of the numbers
        anchor = f"event-{name}"
        assert re.search(rf'id="{anchor}">\s*<h4>[^\[]*\[{number}\] ', text)
        assert f'<a href="#{anchor}">[{number}]</a>' in text  # of a sentence
        on_map = rf'<a href="#{anchor}" tabindex="-1"><text [^>]*>{number}</text></a>'
        assert len(re.findall(on_map, text)) == len(WIDTHS)
        assert f'<a id="map-{name}" href="#{anchor}"><title>[{number}] ' in text
        assert f'<a href="#map-{name}">↑ map</a>' in text
        assert f"<name>[{number}] " in kml


def test_what_is_folded_up_is_printed(detect):
    """Printers cannot unfold: the reasons that the page refers to would be missing on paper."""
    _, text = read(detect([EMPTY, EMPTY], ("a", "A", 0)))
    [rules] = re.findall(r"@media print \{(.*?\})\s*\}", text, re.DOTALL)
    assert re.search(r"details::details-content \{[^}]*content-visibility: visible", rules)


def test_a_long_name_without_spaces_does_not_widen_the_page(detect):
    _, text = read(detect([EMPTY, EMPTY], ("a", "A", 0)))
    assert re.search(r"\nbody \{[^}]*overflow-wrap: break-word", text)
    assert re.search(r"\ntd \{[^}]*overflow-wrap: anywhere", text)
    [phone] = re.findall(r"@media \(max-width: 30rem\) \{(.*)\}\n", text)
    assert "th, td { padding-right: .4rem; }" in phone  # six columns in the width of a phone


def test_links_lead_to_anchors(detect):
    page, _ = read(detect(STATES))
    assert len(page.ids) == len(set(page.ids))
    assert not [name for name in page.ids if re.search(r"\s", name)]
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    events = [name for name in page.ids if name.startswith("event-")]
    assert {f"#{name}" for name in events} <= set(page.links)
    sentences = [link for link in page.links if link.startswith("#event-")]
    assert len(sentences) >= 2 * len(events)  # from the map and from the sentences


def test_names_and_ids_are_shown_as_they_are_and_do_nothing(detect):
    page, text = read(detect(STATES))
    assert NAME in page.text
    assert "<script" not in text
    assert "<1>" not in text


def test_what_was_not_observed_is_said(detect):
    page, _ = read(detect(STATES))
    assert page.text.count("not observed: no scene covers it") == 2  # in the table, below it
    assert "Parts were not seen on 10 Mar 2024" in page.text
    assert "Not used at all: 9 Apr 2024" in page.text
    assert "shows 0 % of the site" in page.text
    assert "5 of 6" in page.text  # looks used


def test_every_part_and_date_was_seen(tmp_path, detect):
    grown = GRID.pad(4)  # no edge that a shift of a tenth of a pixel would show
    for number, house in enumerate((False, True, True)):
        pixels = np.pad(picture(house=house, seed=number), ((0, 0), (4, 4), (4, 4)), mode="edge")
        write_picture(tmp_path / "scenes" / f"2024-0{number + 1}-10.tif", pixels, grown)
    page, _ = read(detect([], ("a", "A", 0)))
    assert "The whole site was seen on every date used." in page.text
    assert "Veiled" not in page.text


def test_a_site_of_which_nothing_was_seen_has_no_picture(tmp_path, detect):
    """Nothing was deleted: there never was one."""
    write_picture(tmp_path / "scenes" / "2024-01-10.tif", np.zeros((3, SIDE, SIDE), np.uint8))
    page, _ = read(detect([], ("a", "A", 0)))
    assert "There is no picture: no look could be used." in page.text
    assert "were deleted" not in page.text


def test_part_of_the_site_lies_outside_all_scenes(detect):
    page, _ = read(detect([EMPTY, GONE, GONE], ("a", "A", SIDE // 4)))
    [share] = re.findall(r"([\d.]+) % of the site was not usable in any look", page.text)
    assert float(share) == pytest.approx(25, abs=1.5)


def test_no_event(detect):
    run = detect([EMPTY, EMPTY], ("a", "A", 0))
    page, _ = read(run)
    assert features(run) == []
    assert "1 site, 0 events." in page.text
    assert "No change was found at A" in page.text
    assert page.count("article", "event") == 0
    assert page.count("div", "map") == 1


def test_nothing_to_compare(detect):
    run = detect([EMPTY], ("a", "A", 0))
    page, _ = read(run)
    assert "one usable look (2024-01-10): nothing to compare it with" in page.text
    shutil.rmtree(run / "work")
    (run / "report.html").unlink()
    write_report(run)
    page, _ = read(run)
    assert "one usable look (2024-01-10): nothing to compare it with" in page.text
    assert "The working files of this site were deleted" in page.text
    assert "no look could be used" not in page.text


def test_without_the_working_files_the_words_remain(detect):
    run = detect(STATES)
    shutil.rmtree(run / "work")
    (run / "report.html").unlink()
    write_report(run)
    page, _ = read(run)
    assert page.sources == []
    assert "The working files of this site were deleted" in page.text
    assert page.count("article", "event") == len(features(run))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)


def test_a_page_with_pictures_is_not_replaced_by_one_without(detect):
    run = detect(STATES)
    before = (run / "report.html").read_bytes()
    shutil.rmtree(run / "work")
    with pytest.raises(OutputError, match="would lose its pictures"):
        write_report(run)
    assert (run / "report.html").read_bytes() == before


def test_the_outline_lies_on_the_house(detect):
    run = detect([EMPTY, {"house": True}, {"house": True}], ("a", "A", 0))
    page, text = read(run)
    [viewbox] = [
        a["viewbox"]
        for tag, a in page.tags
        if tag == "svg" and "map" in text and a.get("viewbox", "").endswith(f"{SIDE} {SIDE}")
    ]
    assert viewbox == f"0 0 {SIDE} {SIDE}"
    path = next(a["d"] for tag, a in page.tags if tag == "path" and "outline" in a["class"])
    points = [tuple(map(float, point.split(","))) for point in re.findall(r"[\d.]+,[\d.]+", path)]
    xs, ys = zip(*points, strict=True)
    assert (min(xs), max(xs)) == (pytest.approx(30, abs=1.5), pytest.approx(55, abs=1.5))
    assert (min(ys), max(ys)) == (pytest.approx(40, abs=1.5), pytest.approx(60, abs=1.5))


def test_the_edge_of_a_site_is_drawn_where_something_lies_outside(tmp_path, detect, command):
    """A round one, whose corners the picture shows too; one that fills the picture has no line."""
    run = detect([EMPTY, {"house": True}], ("a", "A", 0))
    page, _ = read(run)
    assert page.count("path", "edge") == 0
    assert "White line" not in page.text
    (lon, lat) = Transformer.from_crs(CRS, "OGC:CRS84", always_xy=True).transform(
        *(GRID.affine @ (SIDE / 2, SIDE / 2))
    )
    (tmp_path / "round.csv").write_text(f"id,name,lat,lon,buffer_m\na,A,{lat},{lon},{SIDE / 2}\n")
    words = ("--sites", tmp_path / "round.csv", "--catalog", tmp_path / "scenes")
    assert command("detect", *words, "-o", tmp_path / "round").code == 0
    page, _ = read(tmp_path / "round")
    assert page.count("path", "edge") == 2  # light on dark, to be seen on any ground
    assert "White line: the edge of the site; what lies outside is not told." in page.text
    path = next(a["d"] for tag, a in page.tags if tag == "path" and a["class"] == "edge")
    points = [tuple(map(float, p.split(","))) for p in re.findall(r"[-\d.]+,[-\d.]+", path)]
    _, _, width, height = map(float, next(a for t, a in page.tags if t == "svg")["viewbox"].split())
    middle = np.array([width / 2, height / 2])
    reach = np.hypot(*(np.array(points) - middle).T)
    assert reach == pytest.approx(SIDE / 2, abs=1.5)
    note = tmp_path / "round" / "work" / "a" / "site.json"
    earlier = {k: v for k, v in json.loads(note.read_text()).items() if k != "area"}
    note.write_text(json.dumps(earlier))
    write_report(tmp_path / "round")
    page, _ = read(tmp_path / "round")
    assert (page.count("div", "map"), page.count("path", "edge")) == (1, 0)


def test_notes_on_the_input_are_listed(tmp_path, detect):
    (tmp_path / "scenes").mkdir()
    (tmp_path / "scenes" / "odd.tif").write_text("")
    page, _ = read(detect([EMPTY, GONE, GONE], ("a", "A", 0)))
    assert "odd.tif was left out: is empty" in page.text


def test_a_refused_site_is_in_the_table_of_sites(tmp_path, detect):
    page, _ = read(detect([EMPTY, GONE], ("a", "A", 0), ("a", "Again", 0)))
    assert "feature 2 (a)" in page.text
    assert "refused: has the id 'a' of an earlier site" in page.text
    assert "1 site (1 more refused), " in page.text


def test_it_does_not_claim_to_be_real_or_simulated_wrongly(tmp_path, detect):
    page, _ = read(detect([EMPTY, GONE], ("a", "A", 0)))
    assert "simulated" not in page.text
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(json.dumps(record | {"simulated": True}))
    write_report(tmp_path / "run")
    page, _ = read(tmp_path / "run")
    assert "This imagery is simulated" in page.text
