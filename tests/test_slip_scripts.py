"""The scripts that make slip pairs and judge weights on them."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from scipy import ndimage

from groundbreak.pairs.index import PairArrays, read_index, write_index
from groundbreak.types import KINDS, Kind
from scripts_loaded import load

judging = load("evaluate_slips")


@dataclass
class Card:
    """As much of a card as judging needs."""

    name: str = "drawn"
    sha256: str = "0"
    bands: tuple[str, ...] = ("red", "green", "blue")
    optional_bands: tuple[str, ...] = ()
    gsd_m: tuple[float, float] = (3.0, 30.0)
    thresholds: dict[Kind, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 0.5))
    min_area_m2: dict[Kind, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 500.0))


@dataclass
class Drawn:
    """Says what it was given."""

    said: np.ndarray
    card: Card = field(default_factory=Card)

    def __call__(self, pair: PairArrays) -> np.ndarray:
        probabilities = np.zeros((4, *self.said.shape), np.float32)
        probabilities[3] = self.said * np.float32(0.9)
        probabilities[0] = 1 - probabilities[3]
        return probabilities


def judge(
    label: np.ndarray, said: np.ndarray, gsd_m: float = 10.0, land: float = 0.5
) -> "judging.Judge":
    water = (label == 3) | said.astype(bool)
    image = np.repeat(np.where(water, 0.2, land)[None].astype(np.float32), 3, axis=0)
    judged = judging.Judge(Drawn(said.astype(bool)))
    pair = PairArrays(image, image, label.astype(np.uint8), ("red", "green", "blue"), gsd_m)
    judged(("group", "group/port"), "pair", pair)
    return judged


def berths() -> np.ndarray:
    """Two berths inside, one cut off by the edge, one place of unknown truth."""
    label = np.zeros((100, 100), np.uint8)
    label[20:50, 20:28] = 3
    label[60:80, 60:66] = 3
    label[90:100, 10:16] = 3
    label[20:40, 70:90] = 255
    return label


def test_what_is_said_exactly_is_found_and_as_long() -> None:
    result = judge(berths(), berths() == 3).tallies["group"].document()
    assert (result["found"], result["missed"], result["invented"]) == (2, 0, 0)
    assert result["f1"] == 1.0
    assert result["median_length_error"] == 0.0


def test_berths_said_too_short_are_found_with_that_error() -> None:
    said = berths() == 3
    said[20:26] = said[60:64] = False  # a fifth of each
    result = judge(berths(), said).tallies["group/port"].document()
    assert result["found"] == 2
    assert result["median_length_error"] == pytest.approx(0.2)


def test_silence_misses_and_strays_are_false_alarms_by_area() -> None:
    assert judge(berths(), np.zeros((100, 100))).tallies["group"].document()["recall"] == 0.0
    said = np.zeros((100, 100), bool)
    said[5:15, 5:15] = said[22:38, 72:88] = True  # the second lies where the truth is unknown
    judged = judge(np.where(berths() == 255, 255, 0), said)
    result = judged.tallies["group"].document()
    assert result["invented"] == 1
    area = (10_000 - 400) * 100 / 1e6
    assert result["false_per_100_km2"] == pytest.approx(100 / area, abs=0.01)
    assert [name for name, _ in judged.shown["false alarms"]] == ["pair"]
    assert result["precision"] == 0.0
    assert result["recall"] is None


def test_what_detection_drops_is_not_said() -> None:
    open_sea = judge(berths(), berths() == 3, land=0.2).tallies["group"].document()
    assert (open_sea["found"], open_sea["invented"], open_sea["missed"]) == (0, 0, 2)


def test_other_pixel_sizes_are_left_out_with_the_reason(tmp_path: Path) -> None:
    judged = judge(berths(), berths() == 3, gsd_m=90.0)
    assert not judged.tallies
    assert "90 m pixels" in next(iter(judged.left_out))
    judging.write(judged, tmp_path)
    assert json.loads((tmp_path / "slips.json").read_text())["left_out"]


def test_the_page_shows_hits_misses_and_false_alarms(tmp_path: Path) -> None:
    said = ndimage.shift((berths() == 3).astype(np.uint8), (0, 2), order=0) > 0
    said[60:80] = False
    said[5:12, 80:90] = True
    judging.write(judge(berths(), said), tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 3
    for outcome in ("hits (1 shown)", "misses (1 shown)", "false alarms (1 shown)"):
        assert outcome in page


def port(folder: Path, name: str) -> None:
    """A square of quay in the sea, with one outlined berth."""
    pixels = np.full((48, 48, 3), 40, np.uint8)
    pixels[8:40, 8:40] = 150
    pixels[20:30, 8:30] = 40
    (folder / name).mkdir(parents=True)
    with rasterio.open(
        folder / name / f"{name}.tif", "w", "GTiff", 48, 48, 3, "EPSG:32652",
        Affine(10, 0, 500_000, 0, -10, 4_000_000), "uint8",
    ) as target:  # fmt: skip
        target.write(np.moveaxis(pixels, 2, 0))
    ring = [[8, 20], [30, 20], [30, 30], [8, 30], [8, 20]]
    feature = {
        "type": "Feature",
        "geometry": None,
        "properties": {"kind": "slip", "pixel": ring},
    }
    (folder / name / f"{name}.geojson").write_text(json.dumps({"features": [feature]}))


def test_only_ports_of_the_split_are_judged(tmp_path: Path) -> None:
    for split in judging.SPLITS.values():
        for name in split:
            port(tmp_path, name)
    for split, names in judging.SPLITS.items():
        found = judging.ports_themselves(tmp_path, ("red", "green", "blue"), split)
        assert sorted(name for _, name, _ in found) == sorted(names)


def dated(folder: Path, day: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    place = Affine(10, 0, 500_000, 0, -10, 4_000_000)
    with rasterio.open(
        folder / f"{day}.tif", "w", "GTiff", 32, 32, 4, "EPSG:32652", place, "uint8"
    ) as target:
        target.write(np.full((4, 32, 32), 90, np.uint8))


def test_only_real_pairs_that_nothing_was_taught_on_are_judged(tmp_path: Path) -> None:
    rows = []
    for name, split in (("oscd", "train"), ("oscd", "test"), ("levir", "test"), ("levir", "val")):
        row = {"set": name, "split": split, "scene": "a", "gsd_m": 10, "bands": "RGB"}
        for part, grey in (("before", 60), ("after", 90), ("label", 1)):
            image = np.full((8, 8) if part == "label" else (8, 8, 3), grey, np.uint8)
            Image.fromarray(image).save(tmp_path / f"{part}.png")
            row[part] = f"{part}.png"
        rows.append(row)
    rows.append({**rows[1], "set": "unlabelled", "label": ""})
    write_index(tmp_path, rows)
    found = list(judging.still_pairs(tmp_path, "test"))
    assert [name for _, name, _ in found] == ["oscd/test/a", "levir/test/a"]
    assert not any(pair.label.any() for _, _, pair in found)
    for name in ("forest_s2_cloudy", "steppe"):
        for day in ("2020-01-01", "2021-01-01"):
            dated(tmp_path / "eo" / "series" / name, day)
    (tmp_path / "eo" / "georef_pairs").mkdir()
    groups = [groups for groups, _, _ in judging.still_series(tmp_path)]
    assert groups == [("real pairs", "real pairs/steppe")]


def test_made_pairs_count_by_port_and_by_recipe(tmp_path: Path) -> None:
    rows = []
    for part, image in (("before", (8, 8, 3)), ("after", (8, 8, 3)), ("label", (8, 8))):
        Image.fromarray(np.zeros(image, np.uint8)).save(tmp_path / f"{part}.png")
    for scene, split in (("0000_edited_genoa", "test"), ("0001_filled_san_francisco", "train")):
        row = {part: f"{part}.png" for part in ("before", "after", "label")}
        rows.append({"set": "slips_s2", "split": split, "scene": scene, "gsd_m": 10, **row})
    write_index(tmp_path, rows)
    [(groups, _, _)] = judging.made_pairs(tmp_path, "test")
    assert groups == ("made pairs", "made pairs, recipe/edited", "made pairs/genoa")
    [(groups, _, _)] = judging.made_pairs(tmp_path, "train")
    assert groups[-1] == "made pairs/san_francisco"


@pytest.mark.shared
def test_pairs_are_made_from_real_ports(shared: Path, tmp_path: Path) -> None:
    making = load("make_slip_pairs")
    arguments = ["--ports", str(shared / "eo" / "ports"), "-o", str(tmp_path), "--share", "0.03"]
    assert making.main([*arguments, "--splits", "val", "--sets", "slips_s2"]) == 0
    records = read_index(tmp_path)
    assert {record.set for record in records} == {"slips_s2"}
    assert {record.split for record in records} == {"val"}
    assert {record.scene.split("_", 2)[2] for record in records} <= {"athens", "hedland"}


def test_a_folder_without_ports_is_refused(tmp_path: Path, capsys) -> None:
    making = load("make_slip_pairs")
    assert making.main(["--ports", str(tmp_path), "-o", str(tmp_path / "out")]) == 2
    assert "outlines" in capsys.readouterr().err
