"""The scripts that make slip pairs and judge weights on them."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from scipy import ndimage

from groundbreak.pairs.index import PairArrays, read_index, read_pair, write_index
from groundbreak.slipmaking import folder
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
    water = ndimage.binary_dilation(water, np.ones((3, 1)), iterations=4)  # open at the ends
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
        folder / f"{day}.tif", "w", "GTiff", 32, 32, 4, "EPSG:32652", place, "uint16"
    ) as target:
        target.write(np.full((4, 32, 32), 900, np.uint16))


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


def test_a_split_that_is_not_one_is_refused(tmp_path: Path, capsys) -> None:
    making = load("make_slip_pairs")
    paths = ["--ports", str(tmp_path), "-o", str(tmp_path / "out")]
    for words, said in (
        (["--splits", "tset"], "invalid choice: 'tset'"),
        (["--sets", "slips"], "invalid choice: 'slips'"),
        (["--splits", "val", "--sets", "slips_ps3m"], "no val pairs of slips_ps3m"),
        (["--share", "0"], "--share must be more than 0"),
    ):
        with pytest.raises(SystemExit) as ended:
            making.main([*paths, *words])
        assert ended.value.code == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_pairs_that_found_no_place_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, caplog
) -> None:
    """The port of ``port`` has room for silent pairs only."""
    making = load("make_slip_pairs")
    for name in folder.SPLITS["val"]:
        port(tmp_path / "ports", name)
    small = replace(folder.SLIPS_S2, bands=("red", "green", "blue"), judging_size=32)
    monkeypatch.setattr(folder, "SLIPS_S2", small)
    words = ["--ports", str(tmp_path / "ports"), "-o", str(tmp_path / "out"), "--splits", "val"]
    words += ["--sets", "slips_s2", "--share", "0.05"]

    def made(recipe: str) -> int:
        monkeypatch.setattr(folder, "JUDGING_MIX", {"silent": 0.5, recipe: 0.5})
        return making.main(words)

    assert made("built") == 0
    assert "4 were asked for" in capsys.readouterr().out
    assert "(built) is left out: no place in 60 tries" in caplog.text
    kept = (tmp_path / "out" / "index.csv").read_bytes()
    monkeypatch.setattr(folder, "JUDGING_MIX", {"built": 1.0})
    assert making.main(words) == 2
    assert "slips_s2/val: no pair could be made" in capsys.readouterr().err
    assert (tmp_path / "out" / "index.csv").read_bytes() == kept


def test_the_least_share_is_one_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    making = load("make_slip_pairs")
    counts = []
    monkeypatch.setattr(making, "make", lambda *words: counts.append(words[3]))
    monkeypatch.setattr(making, "read_index", lambda _out: [])
    assert making.main(["--ports", "p", "-o", str(tmp_path), "--share", "0.001"]) == 0
    assert counts == [1] * len(making.COUNTS)


def test_the_sheet_shows_each_recipe(tmp_path: Path) -> None:
    making = load("make_slip_pairs")
    rows = []
    for recipe, value in (("silent", 0), ("filled", 3)):
        row = {"set": "slips_s2", "split": "val", "scene": f"0000_{recipe}_athens"}
        row |= {"gsd_m": "10", "bands": "RGB"}
        for part in ("before", "after", "label"):
            shape = (8, 8) if part == "label" else (8, 8, 3)
            pixels = np.full(shape, value if part == "label" else 90, np.uint8)
            row[part] = f"{recipe}_{part}.png"
            Image.fromarray(pixels).save(tmp_path / row[part])
        rows.append(row)
    write_index(tmp_path, rows)
    page = making.sheet(read_index(tmp_path))
    side, top = making.CELL_PX, making.TITLE_PX
    assert page.shape == (side + top, 2 * (3 * side + 12), 3)
    labels = [page[top + 9, x * (3 * side + 12) + 2 * side + 9].tolist() for x in range(2)]
    assert labels == [[12, 166, 120], [24, 24, 28]]  # filled, silent


@pytest.mark.parametrize("days", [(), ("2020-01-01",)])
def test_silence_of_fewer_than_two_dates_is_refused(
    tmp_path: Path, capsys, days: tuple[str, ...]
) -> None:
    for day in days:
        dated(tmp_path / "series", day)
    words = [str(tmp_path / "series"), "-o", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as ended:
        load("make_silent_pairs").main(words)
    assert ended.value.code == 2
    assert f"has {len(days)} dates that are mostly clear" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_silent_pairs_can_be_moved_with_their_series(tmp_path: Path) -> None:
    for day in ("2020-01-01", "2021-01-01"):
        dated(tmp_path / "old" / "series", day)
    words = [str(tmp_path / "old" / "series"), "-o", str(tmp_path / "old" / "out")]
    load("make_silent_pairs").main(words)
    (tmp_path / "old").rename(tmp_path / "new")
    records = read_index(tmp_path / "new" / "out")
    assert len(records) == 2
    assert {read_pair(record).before.shape for record in records} == {(4, 32, 32)}


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
