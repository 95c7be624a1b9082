"""Every published layout, in miniature: made here, imported by the script, read back."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image

from groundbreak.pairs.index import PairRecord, read_index, read_pair

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "import_pairs.py"
sys.path.insert(0, str(SCRIPT.parent))
from import_pairs import main  # noqa: E402

SIZE = 24
BEFORE, AFTER = 60, 180
"""Grey of the earlier and the later picture: tells them apart after the import."""


def picture(path: Path, grey: int, size: int = SIZE) -> None:
    save(path, np.full((size, size, 3), grey, np.uint8))


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        bands = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, 2, 0)
        with rasterio.open(
            path, "w", "GTiff", bands.shape[2], bands.shape[1], len(bands), dtype=bands.dtype
        ) as target:
            target.write(bands)
    else:
        Image.fromarray(pixels).save(path)


def mask(*boxes: tuple[int, int, int, int], value: int = 255, size: int = SIZE) -> np.ndarray:
    result = np.zeros((size, size), np.uint8)
    for y0, y1, x0, x1 in boxes:
        result[y0:y1, x0:x1] = value
    return result


def coloured(grey: np.ndarray, channel: int) -> np.ndarray:
    result = np.zeros((*grey.shape, 3), np.uint8)
    result[..., channel] = grey
    return result


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., dict[str, PairRecord]]:
    def run(layout: str, source: Path, *options: str) -> dict[str, PairRecord]:
        arguments = ["--layout", layout, "--source", str(source), "--out", str(tmp_path / "out")]
        assert main([*arguments, *options]) == 0
        return {record.name: record for record in read_index(tmp_path / "out")}

    return run


@pytest.fixture
def refusal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def refusal(layout: str, source: Path, *options: str) -> str:
        arguments = ["--layout", layout, "--source", str(source), "--out", str(tmp_path / "out")]
        assert main([*arguments, *options]) == 2
        assert not (tmp_path / "out" / "index.csv").exists()
        return capsys.readouterr().err

    return refusal


def greys(record: PairRecord) -> tuple[int, int]:
    pair = read_pair(record)
    return round(float(pair.before[0, 0, 0]) * 255), round(float(pair.after[0, 0, 0]) * 255)


def values(record: PairRecord) -> dict[int, int]:
    label = read_pair(record).label
    return {int(v): int(n) for v, n in zip(*np.unique(label, return_counts=True), strict=True) if v}


class TestLevir:
    def make(self, root: Path, splits: tuple[str, ...]) -> None:
        for split in splits:
            picture(root / split / "A" / f"{split}_1.png", BEFORE)
            picture(root / split / "B" / f"{split}_1.png", AFTER)
            save(root / split / "label" / f"{split}_1.png", mask((2, 6, 2, 6)))

    def test_levir_cd(self, tmp_path: Path, run: Callable) -> None:
        self.make(tmp_path / "LEVIR-CD", ("train", "val", "test"))
        records = run("levir-cd", tmp_path / "LEVIR-CD")
        assert set(records) == {f"levir_cd/{s}/{s}_1" for s in ("train", "val", "test")}
        record = records["levir_cd/val/val_1"]
        assert greys(record) == (BEFORE, AFTER)
        assert values(record) == {1: 16}
        assert record.gsd_m == 0.5
        assert read_pair(record).bands == ("red", "green", "blue")

    def test_levir_cd_plus_nested_in_a_folder_of_its_name(
        self, tmp_path: Path, run: Callable
    ) -> None:
        self.make(tmp_path / "in" / "LEVIR-CD+" / "LEVIR-CD+", ("train", "test"))
        records = run("levir-cd-plus", tmp_path / "in", "--change-as", "unknown")
        assert set(records) == {"levir_cd_plus/train/train_1", "levir_cd_plus/test/test_1"}
        assert values(records["levir_cd_plus/test/test_1"]) == {254: 16}

    @pytest.mark.parametrize("options", [(), ("--tile", "16")])
    def test_pictures_of_different_sizes(
        self, tmp_path: Path, refusal: Callable, options: tuple[str, ...]
    ) -> None:
        self.make(tmp_path / "in", ("train",))
        picture(tmp_path / "in" / "train" / "B" / "train_1.png", AFTER, size=20)
        said = refusal("levir-cd", tmp_path / "in", *options)
        assert "B/train_1.png: is 20 x 20, A/train_1.png is 24 x 24" in said
        picture(tmp_path / "in" / "train" / "A" / "train_1.png", BEFORE, size=20)
        said = refusal("levir-cd", tmp_path / "in", *options)
        assert "A/train_1.png: is 20 x 20, its label 24 x 24" in said


class TestS2Looking:
    def make(self, root: Path) -> None:
        folder = root / "train"
        picture(folder / "Image1" / "7.png", AFTER)  # the later one
        picture(folder / "Image2" / "7.png", BEFORE)
        new, gone = mask((0, 4, 0, 4), (9, 10, 0, 2)), mask((12, 14, 0, 4), (9, 10, 0, 2))
        save(folder / "label1" / "7.png", coloured(new, 2))
        save(folder / "label2" / "7.png", coloured(gone, 0))
        save(folder / "label" / "7.png", np.maximum(np.maximum(new, gone), mask((20, 21, 0, 3))))

    def test_two_labels_are_two_directions(self, tmp_path: Path, run: Callable) -> None:
        self.make(tmp_path / "S2Looking")
        (record,) = run("s2looking", tmp_path).values()
        assert record.name == "s2looking/train/train_7"
        assert greys(record) == (BEFORE, AFTER)
        assert values(record) == {1: 16, 2: 8, 254: 2 + 3}

    def test_dates_swapped(self, tmp_path: Path, run: Callable) -> None:
        self.make(tmp_path / "S2Looking")
        (record,) = run("s2looking", tmp_path, "--swap-dates").values()
        assert greys(record) == (AFTER, BEFORE)
        assert values(record) == {1: 8, 2: 16, 254: 2 + 3}

    def test_labels_of_different_sizes(self, tmp_path: Path, refusal: Callable) -> None:
        self.make(tmp_path / "S2Looking")
        save(tmp_path / "S2Looking" / "train" / "label2" / "7.png", mask(size=12))
        said = refusal("s2looking", tmp_path)
        assert "label2/7.png: is 12 x 12, label1/7.png is 24 x 24" in said


class TestWhu:
    stays, built, razed = (0, 8, 0, 8), (12, 20, 0, 8), (12, 20, 12, 20)
    sliver = (0, 8, 8, 10)  # the later outline of the house that stays

    def make(self, root: Path, kind: str, name: str) -> Path:
        data = root / "Building change detection dataset_add" / "1. The two-period image data"
        for year, grey, boxes in (
            ("2012", BEFORE, (self.stays, self.razed)),
            ("2016", AFTER, (self.stays, self.sliver, self.built)),
        ):
            for split in ("train", "test"):
                folder = data / year / kind / split
                picture(folder / "image" / name.format(year=year, split=split), grey)
                save(folder / "label" / name.format(year=year, split=split), mask(*boxes))
        return data

    def test_tiles_of_both_years(self, tmp_path: Path, run: Callable) -> None:
        self.make(tmp_path, "splited_images", "1_2.tif")
        records = run("whu-cd", tmp_path / "Building change detection dataset_add")
        assert set(records) == {"whu_cd/train/train_1_2", "whu_cd/test/test_1_2"}
        record = records["whu_cd/test/test_1_2"]
        assert greys(record) == (BEFORE, AFTER)
        assert values(record) == {1: 64, 2: 64, 255: 16}
        assert record.gsd_m == 0.2

    def test_whole_images_are_cut_and_checked(
        self, tmp_path: Path, run: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data = self.make(tmp_path, "whole_image", "{year}_{split}.tif")
        for split in ("train", "test"):
            path = data / "change_label" / split / "change_label.tif"
            # The razed house is not confirmed; something else is.
            save(path, mask(self.built, (21, 23, 0, 4), value=1))
        monkeypatch.setattr("groundbreak.importers.whu.TILE_PX", 16)
        records = run("whu-cd", tmp_path)
        assert len(records) == 2 * 4
        assert values(records["whu_cd/train/train_y0_x0"]) == {1: 32}
        assert values(records["whu_cd/train/train_y16_x0"]) == {1: 32, 254: 8}
        assert sum(values(r).get(2, 0) for r in records.values()) == 0

    def test_ground_that_a_year_does_not_show_is_left_open(
        self, tmp_path: Path, run: Callable
    ) -> None:
        data = self.make(tmp_path, "whole_image", "{year}_{split}.tif")
        for split in ("train", "test"):
            path = data / "change_label" / split / "change_label.tif"
            save(path, mask(self.built, value=1))
        shown = np.full((SIZE, SIZE, 3), BEFORE, np.uint8)
        shown[: SIZE // 2] = 0
        save(data / "2012" / "whole_image" / "train" / "image" / "2012_train.tif", shown)
        half = values(run("whu-cd", tmp_path)["whu_cd/train/train_y0_x0"])
        assert half[255] == SIZE * SIZE // 2

    def test_labels_with_a_direction_are_given_no_other(
        self, tmp_path: Path, refusal: Callable
    ) -> None:
        self.make(tmp_path, "splited_images", "1_2.tif")
        said = refusal("whu-cd", tmp_path, "--change-as", "new_building")
        assert "--change-as: means nothing" in said

    def test_whole_images_of_different_sizes(self, tmp_path: Path, refusal: Callable) -> None:
        data = self.make(tmp_path, "whole_image", "{year}_{split}.tif")
        for split, size in (("train", 20), ("test", 24)):
            save(data / "change_label" / split / "change_label.tif", mask(size=size))
        said = refusal("whu-cd", tmp_path)
        assert "change_label.tif: is 20 x 20, image/2012_train.tif is 24 x 24" in said

    def test_redistributed_tiles_have_no_direction(self, tmp_path: Path, run: Callable) -> None:
        TestLevir().make(tmp_path / "WHU-CD-256", ("train", "test"))
        records = run("whu-cd", tmp_path)
        assert values(records["whu_cd/train/train_1"]) == {254: 16}


class TestXbd:
    def make(
        self, root: Path, folder: str = "train", scene: str = "joplin-tornado_00000001"
    ) -> None:
        picture(root / folder / "images" / f"{scene}_pre_disaster.png", BEFORE)
        picture(root / folder / "images" / f"{scene}_post_disaster.png", AFTER)
        boxes = {
            "destroyed": (0, 4, 0, 4),
            "major-damage": (0, 4, 8, 12),
            "minor-damage": (8, 12, 0, 4),
            "no-damage": (8, 12, 8, 12),
            "un-classified": (16, 20, 0, 4),
        }
        features = [
            {
                "wkt": f"POLYGON (({x0} {y0}, {x1} {y0}, {x1} {y1}, {x0} {y1}, {x0} {y0}))",
                "properties": {"feature_type": "building", "subtype": damage, "uid": damage},
            }
            for damage, (y0, y1, x0, x1) in boxes.items()
        ]
        for when, day in (("pre", "2009-06-08"), ("post", "2011-05-24")):
            document = {
                "features": {"lng_lat": [], "xy": features if when == "post" else []},
                "metadata": {
                    "gsd": 2.1,
                    "pan_resolution": 0.52,
                    "capture_date": f"{day}T17:00:00.000Z",
                },
            }
            path = root / folder / "labels" / f"{scene}_{when}_disaster.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(document))

    def test_damage_classes(self, tmp_path: Path, run: Callable) -> None:
        self.make(tmp_path / "xBD")
        self.make(tmp_path / "xBD", "tier3", "moore-tornado_00000002")
        self.make(tmp_path / "xBD", "hold", "palu-tsunami_00000003")
        self.make(tmp_path / "xBD", "tier1", "santa-rosa-wildfire_00000004")
        records = run("xbd", tmp_path)
        assert set(records) == {
            "xbd/train/joplin-tornado_00000001",
            "xbd/train/moore-tornado_00000002",
            "xbd/val/palu-tsunami_00000003",
            "xbd/train/santa-rosa-wildfire_00000004",
        }
        record = records["xbd/train/joplin-tornado_00000001"]
        assert greys(record) == (BEFORE, AFTER)
        assert values(record) == {2: 16, 254: 16, 255: 16}
        assert record.gsd_m == 0.52
        with (tmp_path / "out" / "index.csv").open() as text:
            row = next(csv.DictReader(text))
        assert (row["date_before"], row["date_after"]) == ("2009-06-08", "2011-05-24")
        assert row["label_quality"] == "noisy"

    @pytest.mark.parametrize("broken", ["POLYGON ((0 0, 1", None])
    def test_broken_polygon(self, tmp_path: Path, refusal: Callable, broken: str | None) -> None:
        self.make(tmp_path / "xBD")
        path = next((tmp_path / "xBD" / "train" / "labels").glob("*_post_*"))
        document = json.loads(path.read_text())
        document["features"]["xy"][0]["wkt"] = broken
        path.write_text(json.dumps(document))
        assert f"{path.name}: is not a label file of xBD" in refusal("xbd", tmp_path)

    def test_broken_label_file(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.make(tmp_path / "xBD")
        next((tmp_path / "xBD" / "train" / "labels").glob("*_post_*")).write_text("{")
        arguments = ["--layout", "xbd", "--source", str(tmp_path), "--out", str(tmp_path / "out")]
        assert main(arguments) == 2
        assert "is not a label file of xBD" in capsys.readouterr().err
        assert not (tmp_path / "out" / "index.csv").exists()


class TestSecond:
    white, building, tree, water = (255, 255, 255), (128, 0, 0), (0, 255, 0), (0, 0, 255)

    def make(self, root: Path, odd: tuple[int, int, int] | None = None) -> None:
        was = np.full((SIZE, SIZE, 3), 255, np.uint8)
        becomes = was.copy()
        for window, earlier, later in (
            ((slice(0, 4), slice(0, 4)), self.tree, self.building),
            ((slice(8, 12), slice(0, 5)), self.building, self.water),
            ((slice(16, 20), slice(0, 3)), self.building, self.building),
            ((slice(0, 8), slice(12, 20)), self.tree, self.water),
        ):
            was[window], becomes[window] = earlier, later
        if odd:
            was[-1, -1] = odd
        for split in ("train", "test"):
            picture(root / split / "im1" / "00003.png", BEFORE)
            picture(root / split / "im2" / "00003.png", AFTER)
            save(root / split / "label1" / "00003.png", was)
            save(root / split / "label2" / "00003.png", becomes)

    def test_transitions_of_buildings(self, tmp_path: Path, run: Callable) -> None:
        self.make(tmp_path / "SECOND")
        records = run("second", tmp_path)
        assert set(records) == {"second/train/train_00003", "second/test/test_00003"}
        record = records["second/train/train_00003"]
        assert values(record) == {1: 16, 2: 20, 254: 12}
        assert record.gsd_m is None
        assert greys(record) == (BEFORE, AFTER)

    def test_foreign_colours_are_refused(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.make(tmp_path / "SECOND", odd=(1, 2, 3))
        arguments = ["--layout", "second", "--source", str(tmp_path), "--out", str(tmp_path / "o")]
        assert main(arguments) == 2
        assert "[1, 2, 3]" in capsys.readouterr().err


class TestSpaceNet7:
    aoi = "L15-0331E-1257N_1327_3160_13"
    months = ("2018_01", "2018_07", "2019_01", "2019_02", "2020_01")

    def make(self, root: Path) -> None:
        ids = {
            "2018_01": (1, 2),
            "2018_07": (1, 2),
            "2019_01": (1, 3),
            "2019_02": (1, 3),
            "2020_01": (1,),
        }
        for month in self.months:
            stem = f"global_monthly_{month}_mosaic_{self.aoi}"
            path = root / "train" / self.aoi / "images_masked" / f"{stem}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.full((4, SIZE, SIZE), 100 + self.months.index(month), np.uint8)
            pixels[3] = 255
            if month == "2019_01":
                pixels[:, 20:] = 0  # masked out
            # 4.777 m in EPSG:3857 at 60° N: half of it on the ground.
            place = Affine(4.777, 0, 1e6, 0, -4.777, 8399737.9)
            with rasterio.open(
                path, "w", "GTiff", SIZE, SIZE, 4, "EPSG:3857", place, "uint8", photometric="RGB"
            ) as target:
                target.write(pixels)
            features = [
                {
                    "type": "Feature",
                    "properties": {"Id": name, "area": 16.0},
                    "geometry": {
                        "type": "Polygon",
                        "coordinates": [[[x, 0], [x + 4, 0], [x + 4, 4], [x, 4], [x, 0]]],
                    },
                }
                for name in ids[month]
                for x in [6 * (name - 1)]
            ]
            labels = root / "train" / self.aoi / "labels_match_pix" / f"{stem}_Buildings.geojson"
            labels.parent.mkdir(parents=True, exist_ok=True)
            labels.write_text(json.dumps({"type": "FeatureCollection", "features": features}))

    def test_ids_that_come_and_go(self, tmp_path: Path, run: Callable) -> None:
        self.make(tmp_path / "SN7_buildings")
        records = run("spacenet7", tmp_path)
        assert set(records) == {
            f"spacenet7/train/{self.aoi}_2018-01_2019-01",
            f"spacenet7/train/{self.aoi}_2019-01_2020-01",
        }
        first = records[f"spacenet7/train/{self.aoi}_2018-01_2019-01"]
        assert values(first) == {1: 16, 2: 16, 255: 4 * SIZE}
        assert greys(first) == (100, 102)
        assert first.gsd_m == pytest.approx(2.39, abs=0.03)
        assert values(records[f"spacenet7/train/{self.aoi}_2019-01_2020-01"]) == {
            2: 16,
            255: 4 * SIZE,
        }

    def test_other_gaps(self, tmp_path: Path, run: Callable) -> None:
        self.make(tmp_path / "SN7_buildings")
        records = run("spacenet7", tmp_path, "--months", "6")
        assert {name[-15:] for name in records} == {"2018-01_2018-07", "2018-07_2019-01"}

    def test_a_missing_month_costs_its_pair_alone(self, tmp_path: Path, run: Callable) -> None:
        self.make(tmp_path / "SN7_buildings")
        place = tmp_path / "SN7_buildings" / "train" / self.aoi / "images_masked"
        next(place.glob("*_2018_01_*")).unlink()
        records = run("spacenet7", tmp_path)
        assert {name[-15:] for name in records} == {"2019-01_2020-01"}

    def test_cut_into_tiles_keeps_what_is_masked_out(self, tmp_path: Path, run: Callable) -> None:
        self.make(tmp_path / "SN7_buildings")
        records = run("spacenet7", tmp_path, "--tile", "12")
        assert len(records) == 2 * 4
        lower = records[f"spacenet7/train/{self.aoi}_2018-01_2019-01_y12_x0"]
        assert values(lower) == {255: 4 * 12}


class TestOscd:
    def make(self, root: Path, other_size: bool = False) -> None:
        images = root / "Onera Satellite Change Detection dataset - Images" / "beirut"
        for date, grey in ((1, 1000), (2, 3000)):
            for index, band in enumerate(("B02", "B03", "B04", "B08", "B8A")):
                size = SIZE // 2 if other_size and band == "B08" else SIZE
                pixels = np.full((size, size), grey + index, np.uint16)
                save(images / f"imgs_{date}_rect" / f"{band}.tif", pixels)
        (images / "dates.txt").write_text("date_1: 20150820\ndate_2: 20171005\n")
        labels = root / "Onera Satellite Change Detection dataset - Train Labels" / "beirut"
        save(labels / "cm" / "cm.png", mask((0, 4, 0, 4)))

    def test_bands_in_order(self, tmp_path: Path, run: Callable) -> None:
        self.make(tmp_path)
        (record,) = run("oscd", tmp_path).values()
        pair = read_pair(record)
        assert record.name == "oscd/train/beirut"
        assert pair.bands == ("red", "green", "blue", "nir")
        assert pair.before[:, 5, 5] * 10000 == pytest.approx([1002, 1001, 1000, 1003], abs=0.1)
        assert pair.after[0, 5, 5] == pytest.approx(0.3002)
        assert values(record) == {254: 16}
        assert record.gsd_m == 10

    def test_a_download_in_a_folder_of_its_own(self, tmp_path: Path, run: Callable) -> None:
        self.make(tmp_path / "OSCD")
        assert set(run("oscd", tmp_path)) == {"oscd/train/beirut"}

    def test_bands_of_different_sizes(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.make(tmp_path, other_size=True)
        arguments = ["--layout", "oscd", "--source", str(tmp_path), "--out", str(tmp_path / "o")]
        assert main(arguments) == 2
        assert "differ in size" in capsys.readouterr().err


class TestFotbcd:
    def images(self, root: Path) -> None:
        for split in ("train", "val"):
            picture(root / "images" / split / "before" / "12.png", BEFORE)
            picture(root / "images" / split / "after" / "12.png", AFTER)

    def test_binary(self, tmp_path: Path, run: Callable) -> None:
        root = tmp_path / "FOTBCD-Binary"
        self.images(root)
        for split in ("train", "val"):
            save(root / "images" / split / "label" / "12.png", mask((0, 4, 0, 4)))
        records = run("fotbcd", tmp_path)
        assert set(records) == {"fotbcd/train/train_12", "fotbcd/val/val_12"}
        assert values(records["fotbcd/val/val_12"]) == {254: 16}
        assert records["fotbcd/val/val_12"].gsd_m == 0.2

    def test_instances(
        self, tmp_path: Path, run: Callable, capsys: pytest.CaptureFixture[str]
    ) -> None:
        root = tmp_path / "FOTBCD-Instances"
        self.images(root)
        document = {
            "images": [{"id": 5, "file_name": "12.png", "width": SIZE, "height": SIZE}],
            "categories": [
                {"id": i, "name": name}
                for i, name in enumerate(("UNCHANGED", "DEMOLISHED", "NEW"), 1)
            ],
            "annotations": [
                {
                    "id": i,
                    "image_id": 5,
                    "category_id": category,
                    "segmentation": [[x, 0, x + 4, 0, x + 4, 4, x, 4]],
                }
                for i, (category, x) in enumerate([(1, 0), (2, 6), (3, 12), (2, 18), (3, 18)])
            ],
        }
        (root / "annotations").mkdir()
        for split in ("train", "val"):
            (root / "annotations" / f"{split}.json").write_text(json.dumps(document))
        records = run("fotbcd", tmp_path)
        assert values(records["fotbcd/train/train_12"]) == {1: 16, 2: 16, 254: 16}
        words = ["--layout", "fotbcd", "--source", str(tmp_path), "--out", str(tmp_path / "o")]
        assert main([*words, "--change-as", "unknown"]) == 2
        assert "its labels have a direction" in capsys.readouterr().err

    def test_foreign_categories(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.images(tmp_path)
        document = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "cat"}]}
        (tmp_path / "annotations").mkdir()
        (tmp_path / "annotations" / "train.json").write_text(json.dumps(document))
        arguments = ["--layout", "fotbcd", "--source", str(tmp_path), "--out", str(tmp_path / "o")]
        assert main(arguments) == 2
        assert "the category CAT" in capsys.readouterr().err


class TestScript:
    def test_sets_share_a_folder(self, tmp_path: Path, run: Callable) -> None:
        TestLevir().make(tmp_path / "a", ("train",))
        TestSecond().make(tmp_path / "b")
        run("levir-cd", tmp_path / "a")
        run("second", tmp_path / "b")
        records = run("levir-cd", tmp_path / "a")  # again: replaced, not doubled
        assert {record.set for record in records.values()} == {"levir_cd", "second"}
        assert len(records) == 3

    def test_tiles_and_limit(self, tmp_path: Path, run: Callable) -> None:
        TestLevir().make(tmp_path / "a", ("train",))
        records = run("levir-cd", tmp_path / "a", "--tile", "16", "--limit", "3")
        assert [r.size for r in records.values()] == [(16, 16), (16, 8), (8, 16)]
        assert values(records["levir_cd/train/train_1_y0_x0"]) == {1: 16}

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--layout", "levir-cd"], "does not have this layout; expected train/{A,B,label}"),
            (["--layout", "oscd"], "does not have this layout"),
            (["--layout", "xbd", "--months", "3"], "--months: means nothing for xbd"),
            (["--layout", "second", "--change-as", "unknown"], "--change-as: means nothing"),
        ],
    )
    def test_bad_input(
        self,
        arguments: list[str],
        message: str,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        (tmp_path / "empty").mkdir()
        paths = ["--source", str(tmp_path / "empty"), "--out", str(tmp_path / "out")]
        assert main([*arguments, *paths]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
        assert not (tmp_path / "out").exists()

    def test_missing_partner(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        TestLevir().make(tmp_path / "a", ("train",))
        (tmp_path / "a" / "train" / "B" / "train_1.png").unlink()
        arguments = ["--layout", "levir-cd", "--source", str(tmp_path / "a")]
        assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
        assert "has no picture train_1" in capsys.readouterr().err

    def test_missing_folder(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        picture(tmp_path / "a" / "train" / "Image1" / "1.png", AFTER)
        picture(tmp_path / "a" / "train" / "Image2" / "1.png", BEFORE)
        arguments = ["--layout", "s2looking", "--source", str(tmp_path / "a")]
        assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
        assert "label does not exist" in capsys.readouterr().err.replace(":", "")

    def test_runs_as_a_script(self, tmp_path: Path) -> None:
        done = subprocess.run(
            [sys.executable, SCRIPT, "--help"], capture_output=True, text=True, check=True
        )
        assert "spacenet7" in done.stdout


class TestPictures:
    def test_a_truncated_picture_is_refused(self, tmp_path: Path, refusal: Callable) -> None:
        TestLevir().make(tmp_path / "in", ("train",))
        path = next((tmp_path / "in" / "train" / "B").iterdir())
        path.write_bytes(path.read_bytes()[:-40])
        assert f"B/{path.name}" in refusal("levir-cd", tmp_path / "in")

    def test_grey_pictures_are_no_rgb(self, tmp_path: Path, refusal: Callable) -> None:
        TestLevir().make(tmp_path / "in", ("train",))
        for folder in "AB":
            for path in (tmp_path / "in" / "train" / folder).iterdir():
                save(path, mask())
        assert "has 1 bands, expected 3 (RGB)" in refusal("levir-cd", tmp_path / "in")


@pytest.mark.parametrize("content", [b"name,split\na,b\n", b"set,split\n\xff\xfe,b\n"])
def test_an_index_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    TestLevir().make(tmp_path / "in", ("train",))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "index.csv").write_bytes(content)
    arguments = ["--layout", "levir-cd", "--source", str(tmp_path / "in")]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
    assert "index.csv" in capsys.readouterr().err
    assert (tmp_path / "out" / "index.csv").read_bytes() == content
