"""The evaluation job on small made-up data sets, with an engine whose answers are known."""

import csv
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from commands import call
from groundbreak.errors import DataError, OutputError
from groundbreak.evaluate import plots, predict
from groundbreak.evaluate.compare import (
    compare,
    not_compared,
    read_scenes,
    scene_counts,
    write_scenes,
)
from groundbreak.evaluate.gallery import WorstTiles
from groundbreak.evaluate.predict import Predictor, arrange, refusal
from groundbreak.evaluate.run import evaluate
from groundbreak.evaluate.tally import SceneCounts
from groundbreak.inference.engine import Statistics
from groundbreak.inference.stitch import StitchConfig
from groundbreak.inference.torch_engine import TorchEngine
from groundbreak.model.card import Card
from groundbreak.model.network import SiameseUNet
from groundbreak.model.shape import NetworkConfig
from groundbreak.pairs.index import PairArrays
from groundbreak.types import Kind

CARD = Card(
    name="made-up",
    description="",
    bands=("red", "green", "blue"),
    gsd_m=(0.2, 3.0),
    network=NetworkConfig(),
    min_area_m2=dict.fromkeys(Kind, 2.0),
)


class FakeEngine:
    """Says "new" by the green of the later date, "demolition" by that of the earlier one."""

    description = "made-up engine"

    def __init__(self, card: Card = CARD) -> None:
        self.card = card
        self.calls: list[tuple[tuple[int, ...], Statistics | None]] = []

    def predict(
        self,
        before: np.ndarray,
        after: np.ndarray,
        statistics: Statistics | None = None,
        zoom: int | None = None,
    ) -> np.ndarray:
        self.calls.append((before.shape, statistics))
        new, gone = after[:, 1] * 0.98, before[:, 1] * 0.98
        return np.stack([1 - new - gone, new, gone, np.zeros_like(new)], axis=1)


def write_set(
    folder: Path, name: str, gsd: str, scenes: dict[str, tuple[np.ndarray, np.ndarray | None]]
) -> list[dict[str, object]]:
    """Scenes as (what the engine will say: 0, 1 or 2; label or None)."""
    rows = []
    for scene, (said, label) in scenes.items():
        row: dict[str, object] = {"set": name, "split": "val", "scene": scene, "gsd_m": gsd}
        for column, kind in (("before", 2), ("after", 1)):
            image = np.full((*said.shape, 3), 90, np.uint8)
            image[..., 1] = np.where(said == kind, 230, 5)
            row[column] = f"{scene}_{column}.png"
            Image.fromarray(image).save(folder / str(row[column]))
        row["label"] = ""
        if label is not None:
            row["label"] = f"{scene}_label.png"
            Image.fromarray(label).save(folder / str(row["label"]))
        rows.append(row)
    return rows


def square(
    value: int, shape: tuple[int, int] = (40, 40), at: int = 10, size: int = 8
) -> np.ndarray:
    label = np.zeros(shape, np.uint8)
    label[at : at + size, at : at + size] = value
    return label


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "pairs"
    folder.mkdir()
    quiet = np.zeros((40, 40), np.uint8)
    rows = write_set(
        folder,
        "town",
        "0.5",
        {
            "right": (square(1), square(1)),
            "turned": (square(2), square(1)),
            "missed": (quiet, square(1)),
            "invented": (square(1, at=20), quiet),
            "unlabelled": (quiet, None),
        },
    )
    rows += write_set(
        folder, "undated", "", {"oddly_sized": (square(1, (37, 52)), square(254, (37, 52)))}
    )
    rows += write_set(folder, "coarse", "10", {"field": (quiet, quiet)})
    rows += write_set(folder, "bare", "0.5", {"nothing": (quiet, None)})
    with (folder / "index.csv").open("w", newline="") as text:
        writer = csv.DictWriter(
            text, ["set", "split", "scene", "before", "after", "label", "gsd_m"]
        )
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    fake = FakeEngine()
    monkeypatch.setattr(predict, "open_predictor", lambda *_, flips, **__: Predictor(fake, flips))
    return fake


def nowhere_nan(value: object) -> bool:
    json.dumps(value, allow_nan=False)
    return True


class TestDocument:
    def test_hand_worked_set(self, data: Path, engine: FakeEngine, tmp_path: Path) -> None:
        document = evaluate(data, "val", "made-up", tmp_path / "out")
        town = document["sets"]["town"]
        assert town["scenes"] == 4
        assert town["gsd_m"] == 0.5
        # Three true squares of 64 pixels: found as new, found as demolition, missed; one invented.
        assert town["pixel"]["change"] == {
            "precision": pytest.approx(128 / 192),
            "recall": pytest.approx(128 / 192),
            "f1": pytest.approx(2 / 3),
            "iou": pytest.approx(0.5),
        }
        assert town["pixel"]["new_building"]["f1"] == pytest.approx(2 * 64 / (2 * 64 + 64 + 128))
        assert town["pixel"]["demolition"] == dict.fromkeys(("precision", "recall", "f1", "iou"))
        assert town["wrong_direction"] == 0.5
        objects = town["object"]["0.5"]
        assert objects["change"]["f1"] == pytest.approx(2 / 3)
        assert objects["new_building"]["found"] == 1
        assert objects["demolition"]["f1"] is None
        # One object on one scene of 20 m x 20 m without change; the only one without overlap.
        assert town["false_objects_per_km2"] == pytest.approx(1 / 400e-6)
        assert town["stray_objects_per_km2"] == pytest.approx(1 / 1600e-6)
        low, high = town["bootstrap"]["pixel"]["change"]["f1"]
        assert 0 <= low < 2 / 3 < high <= 1
        assert town["notes"] == ["1 of 5 scenes left out: has no labels"]

    def test_progress_is_told(self, data: Path, engine: FakeEngine, tmp_path: Path) -> None:
        told: list[tuple[str, float]] = []
        evaluate(data, "val", "made-up", tmp_path / "out", tell=lambda *words: told.append(words))
        names, shares = zip(*told, strict=True)
        assert len(told) == 8 + 1  # scenes, those that cannot be judged too, then the scores
        assert names[0] == "town/val/right"
        assert shares[0] == 0
        assert list(shares) == sorted(shares)
        assert told[-1] == ("scores and plots", 0.95)

    def test_the_command_tells_it_on_stderr(
        self,
        data: Path,
        engine: FakeEngine,
        tmp_path: Path,
        capfd: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        words = ["evaluate", "--data", data, "--split", "val", "-o", tmp_path / "out", "--json"]
        answer = call(words, capfd, monkeypatch)
        assert answer.code == 0
        assert answer.json()["split"] == "val"
        first, *_, last = answer.err.splitlines()
        assert first == "  0% town/val/right"
        assert last.endswith("% scores and plots")

    def test_layout_and_what_is_skipped(
        self, data: Path, engine: FakeEngine, tmp_path: Path
    ) -> None:
        document = evaluate(data, "val", "made-up", tmp_path / "out")
        assert set(document["sets"]) == {"town", "undated"}
        assert document["skipped"] == {
            "coarse": "10 m pixels, and made-up is for 0.2 to 3 m",
            "bare": "has no labels",
        }
        assert document["overall"]["scenes"] == 5
        assert document["overall"]["object"].keys() == {"0.25", "0.5"}
        assert nowhere_nan(document)
        assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == document

    def test_unknown_direction_and_unknown_gsd(
        self, data: Path, engine: FakeEngine, tmp_path: Path
    ) -> None:
        undated = evaluate(data, "val", "made-up", tmp_path / "out", ["undated"])["sets"]["undated"]
        assert undated["pixel"]["change"]["f1"] == 1.0
        assert undated["pixel"]["new_building"]["f1"] is None
        assert undated["object"]["0.5"]["change"]["found"] == 1
        assert undated["object"]["0.5"]["new_building"]["invented"] == 0
        assert undated["gsd_m"] is None
        assert undated["false_objects_per_km2"] is None
        assert undated["bootstrap"]["pixel"]["change"]["f1"] is None
        assert any("unknown" in note for note in undated["notes"])

    def test_nothing_can_be_judged(self, data: Path, engine: FakeEngine, tmp_path: Path) -> None:
        document = evaluate(data, "val", "made-up", tmp_path / "out", ["coarse"])
        assert document["sets"] == {}
        assert document["overall"] is None
        assert (tmp_path / "out" / "page.html").is_file()


class TestFiles:
    def test_plots_tiles_and_page(self, data: Path, engine: FakeEngine, tmp_path: Path) -> None:
        out = tmp_path / "out"
        evaluate(data, "val", "made-up", out)
        with Image.open(out / "plots" / "town_curves.png") as picture:
            assert picture.width > 300
        assert (out / "plots" / "town_reliability.png").is_file()
        with Image.open(out / "worst" / "town_1.png") as picture:
            assert picture.size == (4 * 240 + 12, 240)
            label, said = (np.asarray(picture)[144, 244 * i + 144] for i in (2, 3))
            assert label.tolist() != said.tolist()
        assert len(list((out / "worst").glob("town_*.png"))) == 3
        page = (out / "page.html").read_text()
        assert not re.search(r"(src|href)=\"(?!data:)", page)
        assert "town" in page
        assert "10 m pixels" in page
        assert page.count("data:image/png") == 4 + 3
        curves = json.loads((out / "curves.json").read_text())
        assert len(curves["town"]["change"]["recall"]) == 100
        assert curves["town"]["demolition"] is None

    def test_read_only_folder(self, data: Path, engine: FakeEngine, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(OutputError, match="file"):
            evaluate(data, "val", "made-up", tmp_path / "file" / "out", ["town"])


class TestPlace:
    def test_a_run_or_another_folder_is_not_written_to(
        self, data: Path, engine: FakeEngine, tmp_path: Path
    ) -> None:
        run = tmp_path / "run"
        run.mkdir()
        (run / "metrics.json").write_text("{}")  # of a version that wrote there
        (run / "run.json").write_text("{}")
        with pytest.raises(OutputError, match="run: is a run of detect"):
            evaluate(data, "val", "made-up", run)
        with pytest.raises(OutputError, match="pairs: is not empty and no earlier evaluation"):
            evaluate(data, "val", "made-up", data)
        assert {path.name for path in run.iterdir()} == {"run.json", "metrics.json"}
        other = tmp_path / "training"
        other.mkdir()
        for name in ("metrics.json", "checkpoint.ckpt"):
            (other / name).write_text('{"loss": 1}')
        with pytest.raises(OutputError, match="training: is not empty and no earlier"):
            evaluate(data, "val", "made-up", other)
        assert not (data / "scenes.csv").exists()

    def test_an_earlier_evaluation_and_one_that_was_killed_are_written_anew(
        self, data: Path, engine: FakeEngine, tmp_path: Path
    ) -> None:
        out = tmp_path / "out"
        evaluate(data, "val", "made-up", out, ["town"])
        (out / "notes.txt").write_text("mine")
        evaluate(data, "val", "made-up", out, ["town"])
        (out / "notes.txt").unlink()
        (out / "metrics.json").unlink()
        evaluate(data, "val", "made-up", out, ["town"])
        assert (out / "metrics.json").is_file()


class TestQuestions:
    def test_unknown_split_and_set(self, data: Path, engine: FakeEngine, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="no split 'test'; it has val"):
            evaluate(data, "test", "made-up", tmp_path / "out")
        with pytest.raises(DataError, match="did you mean town"):
            evaluate(data, "val", "made-up", tmp_path / "out", ["towm"])
        with pytest.raises(DataError, match="it has bare, coarse, town, undated"):
            evaluate(data, "val", "made-up", tmp_path / "out", ["zzz"])
        assert engine.calls == []

    def test_flips_see_the_scene_mirrored(
        self, data: Path, engine: FakeEngine, tmp_path: Path
    ) -> None:
        plain = evaluate(data, "val", "made-up", tmp_path / "a", ["town"])
        before = len(engine.calls)
        flipped = evaluate(data, "val", "made-up", tmp_path / "b", ["town"], tta=True)
        assert len(engine.calls) == before + 4 * 4
        assert flipped["sets"]["town"]["pixel"] == plain["sets"]["town"]["pixel"]

    def test_comparison_with_an_earlier_run(
        self, data: Path, engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = tmp_path / "first", tmp_path / "second"
        evaluate(data, "val", "made-up", first, ["town"])
        perfect = Predictor(FakeEngine())
        labels = iter([square(1), square(1), square(1), np.zeros((40, 40), np.uint8)])

        def by_label(_: Predictor, pair: PairArrays) -> np.ndarray:
            label = next(labels)
            return np.stack([label == i for i in range(4)]).astype(np.float32)

        monkeypatch.setattr(Predictor, "__call__", by_label)
        monkeypatch.setattr(predict, "open_predictor", lambda *_, **__: perfect)
        row = evaluate(data, "val", "made-up", second, compare=first, sets=["town"])["compare"]
        assert row["with"] == str(first)
        change = row["sets"]["town"]["change"]
        assert (change["ours"], change["theirs"]) == (1.0, pytest.approx(2 / 3))
        assert change["difference"] == pytest.approx(1 / 3)
        assert change["interval"][0] <= 1 / 3 <= change["interval"][1]
        assert row["sets"]["town"]["scenes"] == 4
        assert row["sets"]["town"]["demolition"]["ours"] is None
        assert "Against" in (second / "page.html").read_text()
        assert read_scenes(first).keys() == read_scenes(second / "metrics.json").keys()

    def test_comparison_needs_an_evaluation(
        self, data: Path, engine: FakeEngine, tmp_path: Path
    ) -> None:
        with pytest.raises(DataError, match=r"scenes\.csv"):
            evaluate(data, "val", "made-up", tmp_path / "out", compare=tmp_path)

    def test_what_cannot_be_compared_is_said(
        self, data: Path, engine: FakeEngine, tmp_path: Path
    ) -> None:
        first, second = tmp_path / "first", tmp_path / "second"
        evaluate(data, "val", "made-up", first, ["undated"])
        both = evaluate(data, "val", "made-up", second, compare=first)["compare"]
        assert both["notes"] == ["town is not compared: no scene of it was judged by both"]
        town = evaluate(data, "val", "made-up", second, ["town"], compare=first)["compare"]
        assert (town["sets"], len(town["notes"])) == ({}, 1)
        assert town["notes"][0] in (second / "page.html").read_text()

    def test_the_comparison_is_printed(
        self,
        data: Path,
        engine: FakeEngine,
        tmp_path: Path,
        capfd: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        first, second = tmp_path / "first", tmp_path / "second"
        words = ("evaluate", "--data", data, "--split", "val", "--sets", "town", "-o")
        assert call([*words, first], capfd, monkeypatch).code == 0
        lines = call([*words, second, "--compare", first], capfd, monkeypatch).out.splitlines()
        at = lines.index(f"against {first}:")
        assert lines[at + 1].startswith("  town: change F1 +0.000 (95 %: +0.000 to +0.000), ")
        assert lines[at + 1].endswith(", on 4 scenes")

    def test_another_way_of_judging_is_said(
        self, data: Path, engine: FakeEngine, tmp_path: Path
    ) -> None:
        first, second = tmp_path / "first", tmp_path / "second"
        evaluate(data, "val", "made-up", first, ["town"])
        file = first / "metrics.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"engine": "another one"}))
        both = evaluate(data, "val", "made-up", second, ["town"], compare=first, tta=True)
        here = both["engine"]
        assert both["compare"]["notes"] == [
            f"judged otherwise: engine {here} here, another one there",
            "judged otherwise: mirror images averaged yes here, no there",
        ]

    def test_scenes_without_labelled_change_are_no_comparison(self) -> None:
        nothing = {("town", "a"): np.tile(np.array([0, 3, 0]), (4, 1))}
        [note] = not_compared(nothing, compare(nothing, nothing))
        assert note == "town is not compared: nothing is labelled in the scenes of both"

    def test_identical_runs_do_not_differ(self) -> None:
        scenes = {
            ("town", str(i)): np.random.default_rng(i).integers(1, 50, (4, 3)) for i in range(9)
        }
        change = compare(scenes, scenes)["town"]["change"]
        assert change["difference"] == 0
        assert change["interval"] == [0, 0]
        assert compare(scenes, {}) == {}

    def test_names_are_no_formulas(self, tmp_path: Path) -> None:
        matrix = np.diag([90, 5, 4, 3, 2])[:, :4]
        names = [("=town", "+1"), ("town", "a;-b"), ("town", "plain")]
        scenes = [SceneCounts(*name, matrix, {}, 0, 0, None, None) for name in names]
        path, ours = tmp_path / "scenes.csv", scene_counts(scenes)
        write_scenes(path, scenes)
        written = [("'=town", "'+1"), ("town", "a;'-b"), ("town", "plain")]
        assert [*read_scenes(path)] == written
        # Files from before are read as well.
        for theirs in (read_scenes(path), ours):
            found = compare(ours, theirs)
            assert {name: row["scenes"] for name, row in found.items()} == {"=town": 1, "town": 2}
            assert found["=town"]["change"]["difference"] == 0

    def test_a_target_that_one_side_has_no_truth_of(self) -> None:
        some = np.tile(np.array([4, 1, 2]), (4, 1))
        ours = {("town", str(i)): some for i in range(3)}
        theirs = {name: some * [0, 1, 0] for name in ours}
        change = compare(ours, theirs)["town"]["change"]
        assert change["theirs"] is None
        assert change["interval"] is None


def test_the_point_in_use_is_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = []
    monkeypatch.setattr(plots, "_save", lambda figure, _path: figures.append(figure))
    curve = {"threshold": [0.2, 0.5, 0.6], "recall": [0.9, 0.6, 0.4], "precision": [0.3, 0.6, 0.8]}
    plots.plot_curves(tmp_path / "c.png", {"change": curve}, "c", {"change": 0.6})
    _, point = figures[0].axes[0].lines
    assert (list(point.get_xdata()), list(point.get_ydata())) == ([0.4], [0.8])


def test_pictures_of_pairs_without_colour_are_grey() -> None:
    image = np.random.default_rng(0).random((2, 8, 8)).astype(np.float32)
    pair = PairArrays(image, image, np.zeros((8, 8), np.uint8), ("nir", "swir16"), None)
    worst = WorstTiles()
    worst.add("s", pair, pair.label, np.ones((8, 8), bool))
    (tile,) = worst.worst_first()
    before = tile.picture[:, :256]
    assert (before == before[..., :1]).all()
    assert before.std() > 10


def test_a_mask_of_0_and_255_is_noted(engine: FakeEngine, tmp_path: Path) -> None:
    rows = write_set(tmp_path, "town", "0.5", {"s": (square(1), square(255))})
    (tmp_path / "index.csv").write_text(
        ",".join(rows[0]) + "\n" + ",".join(str(value) for value in rows[0].values()) + "\n"
    )
    document = evaluate(tmp_path, "val", "made-up", tmp_path / "out")
    assert "255 is left out" in document["sets"]["town"]["notes"][0]


class TestPredictor:
    def test_scene_larger_than_a_window_is_stitched(self) -> None:
        engine = FakeEngine()
        cut = StitchConfig(window=64, overlap=24, margin=4, batch=2)
        rng = np.random.default_rng(0)
        before, after = (rng.random((3, 90, 150)).astype(np.float32) * 0.5 for _ in range(2))
        before[:, :20] = 0  # no data
        pair = PairArrays(before, after, np.zeros((90, 150), np.uint8), CARD.bands, 0.5)
        result = Predictor(engine, cut=cut)(pair)
        assert result[1] == pytest.approx(after[1] * 0.98, abs=1e-5)
        assert max(shape[-1] for shape, _ in engine.calls) == 64
        statistics = engine.calls[0][1]
        assert statistics is not None
        assert statistics.mean[0] == pytest.approx(before[:, 20:].mean((1, 2)), rel=1e-4)
        assert statistics.spread[1] == pytest.approx(after.std((1, 2)), rel=1e-4)

    def test_pixels_finer_than_the_weights_see_are_averaged_first(self) -> None:
        engine = FakeEngine(replace(CARD, finest_gsd_m=0.6))
        after = np.zeros((3, 60, 45), np.float32)
        after[1, 20:40, 15:30] = 0.9
        after[0] = 0.1
        after[:, :10] = 0  # no data
        pair = PairArrays(after * 0.1, after, np.zeros((60, 45), np.uint8), CARD.bands, 0.3)
        result = Predictor(engine)(pair)
        assert [shape for shape, _ in engine.calls] == [(1, 3, 30, 22)]
        assert result.shape == (4, 60, 45)
        assert result[1, 30, 22] == pytest.approx(0.9 * 0.98, abs=1e-4)
        assert result[1, 12] == pytest.approx(0, abs=1e-4)
        near = replace(pair, gsd_m=0.57)  # to average these would only blur
        assert Predictor(engine)(near)[1] == pytest.approx(after[1] * 0.98, abs=1e-4)

    def test_small_scene_is_its_own_scene(self) -> None:
        engine = FakeEngine()
        image = np.full((3, 52, 52), 0.2, np.float32)
        pair = PairArrays(image, image, np.zeros((52, 52), np.uint8), CARD.bands, None)
        assert Predictor(engine)(pair).shape == (4, 52, 52)
        assert engine.calls == [((1, 3, 52, 52), None)]

    def test_real_engine_on_an_odd_size(self) -> None:
        torch.manual_seed(0)
        engine = TorchEngine(SiameseUNet(CARD.network), CARD, "cpu")
        before, after = np.random.default_rng(0).random((2, 3, 52, 75)).astype(np.float32)
        pair = PairArrays(before, after, np.zeros((52, 75), np.uint8), CARD.bands, 0.5)
        result = Predictor(engine, flips=True)(pair)
        assert result.shape == (4, 52, 75)
        assert result.sum(0) == pytest.approx(1, abs=1e-5)
        swapped = Predictor(engine, flips=True)(replace(pair, before=after, after=before))
        assert swapped[[0, 2, 1]] == pytest.approx(result[:3], abs=0.01)

    @pytest.mark.parametrize(
        ("bands", "gsd", "reason"),
        [
            (("red", "green", "blue"), 3.1, None),
            (("red", "green", "blue"), 3.2, "3.2 m pixels"),
            (("red", "green", "blue"), None, None),
            (("blue", "nir", "red", "green"), 0.5, None),
            (("red", "green", "nir"), 0.5, "has no blue"),
        ],
    )
    def test_refusal(self, bands: tuple[str, ...], gsd: float | None, reason: str | None) -> None:
        answer = refusal(CARD, bands, gsd)
        assert answer is None if reason is None else reason in str(answer)

    def test_red_stands_in_for_missing_near_infrared(self) -> None:
        card = replace(CARD, bands=("red", "green", "blue", "nir"), optional_bands=("nir",))
        image = np.arange(3, dtype=np.float32)[:, None, None]
        assert refusal(card, ("blue", "green", "red"), 0.5) is None
        assert arrange(image, ("blue", "green", "red"), card).ravel().tolist() == [2, 1, 0, 2]
        with_nir = np.arange(4, dtype=np.float32)[:, None, None]
        assert arrange(with_nir, ("nir", "red", "green", "blue"), card).ravel().tolist() == [
            1,
            2,
            3,
            0,
        ]


@pytest.mark.shared
def test_real_tiles_of_every_format(
    shared: Path, tmp_path: Path, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WebP, JPEG 2000 and GeoTIFF pairs go through, of 52, 256 and other sizes."""
    card = replace(CARD, gsd_m=(0.2, 30.0))
    engine.card = card
    from groundbreak.evaluate import run

    few: Callable = run.choose_records

    def first_of_each(*arguments: object) -> dict:
        return {name: records[:1] for name, records in few(*arguments).items()}

    monkeypatch.setattr(run, "choose_records", first_of_each)
    for split, names in (("val", ["mshs_bcd", "mshs_s2"]), ("train", ["oscd", "joplin"])):
        out = tmp_path / split
        document = evaluate(shared / "pairs", split, "made-up", out, names)
        assert set(document["sets"]) == set(names)
        assert all(figures["scenes"] == 1 for figures in document["sets"].values())
        assert nowhere_nan(document)
