"""Pixel scores, object matching and calibration: hand-worked numbers and other implementations."""

from itertools import permutations

import numpy as np
import pytest
import torch
from affine import Affine
from odc.geo.geobox import GeoBox
from scipy import ndimage
from torchmetrics.functional.classification import (
    binary_average_precision,
    binary_calibration_error,
    binary_f1_score,
    binary_jaccard_index,
)

from groundbreak.evaluate.match import ObjectCounts, Overlaps, label_objects, match
from groundbreak.evaluate.match import overlaps as overlaps_of
from groundbreak.evaluate.metrics import (
    ProbabilityHistogram,
    bootstrap,
    confusion,
    score,
    target_counts,
    wrong_direction,
)
from groundbreak.evaluate.objects import all_objects, said_objects
from groundbreak.events.vectorize import VectorConfig, candidates
from groundbreak.labels import pixel_label
from groundbreak.types import KINDS, ChangeMap, Kind

RNG = np.random.default_rng(7)


def softmax(shape: tuple[int, int], seed: int) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(0, 2, (4, *shape))
    exp = np.exp(logits)
    return (exp / exp.sum(0)).astype(np.float32)


class TestLabels:
    def test_all_kinds_together_outweigh_none(self) -> None:
        p = np.array([0.4, 0.25, 0.35, 0.0], np.float32).reshape(4, 1, 1)
        assert pixel_label(p)[0, 0] == 2
        assert pixel_label(p, threshold=0.61)[0, 0] == 0

    def test_is_argmax_where_one_class_has_the_majority(self) -> None:
        p = softmax((40, 40), 1)
        majority = p.max(0) > 0.5
        assert majority.mean() > 0.5
        assert (pixel_label(p) == p.argmax(0))[majority].all()


class TestPixels:
    truth = np.array([[0, 0, 1, 1], [2, 2, 254, 254], [3, 255, 255, 0]], np.uint8)
    said = np.array([[0, 1, 1, 2], [2, 0, 1, 0], [1, 1, 2, 0]], np.uint8)

    def test_hand_worked_counts(self) -> None:
        counts = target_counts(confusion(self.truth, self.said))
        # Change: 1,1,2,254,3 found; one 0 called 1; 2 and 254 not found. 255 nowhere.
        assert counts["change"].tolist() == [5, 1, 2]
        # New: one found; said in a 0 and in the 3 (not in 254); the other new was called 2.
        assert counts["new_building"].tolist() == [1, 2, 1]
        assert counts["demolition"].tolist() == [1, 1, 1]
        assert counts["docking_slip"].tolist() == [0, 0, 1]

    def test_hand_worked_scores(self) -> None:
        assert score(np.array([5, 1, 2])) == {
            "precision": 5 / 6,
            "recall": 5 / 7,
            "f1": 10 / 13,
            "iou": 5 / 8,
        }

    def test_wrong_direction_counts_found_pixels_only(self) -> None:
        # Found among new and demolished: (1,1), (1,2), (2,2); one of them is the other class.
        assert wrong_direction(confusion(self.truth, self.said)) == pytest.approx(1 / 3)
        assert wrong_direction(np.zeros((5, 4), np.int64)) is None

    def test_without_truth_nothing_is_scored(self) -> None:
        counts = target_counts(confusion(np.zeros((2, 2), np.uint8), np.ones((2, 2), np.uint8)))
        assert set(score(counts["change"]).values()) == {None}

    def test_truth_without_prediction_scores_zero(self) -> None:
        assert score(np.array([0, 0, 3])) == dict.fromkeys(
            ("precision", "recall", "f1", "iou"), 0.0
        )

    def test_only_unknown_direction_leaves_the_kinds_without_truth(self) -> None:
        truth = np.full((3, 3), 254, np.uint8)
        counts = target_counts(confusion(truth, np.ones((3, 3), np.uint8)))
        assert score(counts["change"])["f1"] == 1.0
        assert score(counts["new_building"])["precision"] is None
        assert counts["new_building"].tolist() == [0, 0, 0]

    def test_agrees_with_torchmetrics(self) -> None:
        truth = RNG.choice([0, 1, 2, 254], (50, 50)).astype(np.uint8)
        said = RNG.integers(0, 4, (50, 50)).astype(np.uint8)
        counts = target_counts(confusion(truth, said))
        change = torch.tensor(said > 0), torch.tensor(truth > 0)
        assert score(counts["change"])["f1"] == pytest.approx(binary_f1_score(*change).item())
        assert score(counts["change"])["iou"] == pytest.approx(binary_jaccard_index(*change).item())
        known = truth != 254
        new = torch.tensor(said[known] == 1), torch.tensor(truth[known] == 1)
        assert score(counts["new_building"])["f1"] == pytest.approx(binary_f1_score(*new).item())

    def test_refuses_values_without_meaning(self) -> None:
        with pytest.raises(ValueError, match="truth must hold"):
            confusion(np.array([7], np.uint8), np.array([0], np.uint8))
        with pytest.raises(ValueError, match="truth is"):
            confusion(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8))


class TestHistogram:
    def filled(self, n: int = 20_000) -> tuple[ProbabilityHistogram, np.ndarray, np.ndarray]:
        p = RNG.beta(0.5, 2, n).astype(np.float32)
        truth = RNG.random(n) < p**1.5
        histogram = ProbabilityHistogram()
        half = n // 2
        for part in (slice(0, half), slice(half, n)):
            piece = ProbabilityHistogram()
            piece.update(p[part], truth[part], np.ones(half, bool))
            histogram.merge(piece)
        return histogram, p, truth

    def test_calibration_error_agrees_with_torchmetrics(self) -> None:
        histogram, p, truth = self.filled()
        other = binary_calibration_error(
            torch.tensor(p), torch.tensor(truth.astype(int)), n_bins=15
        )
        assert histogram.calibration_error() == pytest.approx(other.item(), abs=1e-4)
        assert other > 0.05

    def test_hand_worked_calibration(self) -> None:
        histogram = ProbabilityHistogram()
        p = np.array([0.1, 0.1, 0.9, 0.9], np.float32)
        histogram.update(p, np.array([False, True, True, True]), np.ones(4, bool))
        # Bin of 0.1: says 0.1, observed 0.5. Bin of 0.9: says 0.9, observed 1. Halves.
        assert histogram.calibration_error() == pytest.approx((0.4 + 0.1) / 2)
        assert [b["count"] for b in histogram.reliability() if b["count"]] == [2, 2]

    def test_average_precision_agrees_with_torchmetrics(self) -> None:
        histogram, p, truth = self.filled()
        exact = binary_average_precision(torch.tensor(p), torch.tensor(truth.astype(int))).item()
        assert histogram.average_precision() == pytest.approx(exact, abs=5e-3)

    def test_curve_is_what_a_threshold_gives(self) -> None:
        histogram, p, truth = self.filled()
        curve = histogram.curve()
        assert curve is not None
        i = 600
        said = p >= curve["threshold"][i]
        assert curve["recall"][i] == pytest.approx((said & truth).sum() / truth.sum())
        assert curve["precision"][i] == pytest.approx((said & truth).sum() / said.sum())

    def test_unknown_pixels_are_left_out(self) -> None:
        histogram = ProbabilityHistogram()
        histogram.update(np.ones(5, np.float32), np.ones(5, bool), np.zeros(5, bool))
        assert histogram.calibration_error() is None
        assert histogram.curve() is None
        assert histogram.average_precision() is None


class TestBootstrap:
    def test_agrees_with_a_loop(self) -> None:
        counts = RNG.integers(0, 100, (12, 3))
        ours = bootstrap(counts, resamples=4000)["f1"]
        rng = np.random.default_rng(1)
        values = []
        for _ in range(4000):
            tp, fp, fn = counts[rng.integers(0, 12, 12)].sum(0)
            values.append(2 * tp / (2 * tp + fp + fn))
        assert ours == pytest.approx(np.percentile(values, [2.5, 97.5]), abs=0.02)

    def test_one_scene_has_no_interval(self) -> None:
        assert bootstrap(np.array([[5, 1, 2]])) == {"f1": None, "iou": None}
        assert bootstrap(np.array([[0, 1, 0], [0, 3, 0]])) == {"f1": None, "iou": None}

    def test_draws_without_truth_say_nothing(self) -> None:
        interval = bootstrap(np.array([[8, 2, 0], [0, 0, 0]]))["f1"]
        assert interval == pytest.approx([16 / 18, 16 / 18])


def overlaps(truth: np.ndarray, said: np.ndarray, ignored: np.ndarray, **more: float) -> Overlaps:
    return overlaps_of(label_objects(truth), label_objects(said), ignored, **more)


class TestObjects:
    def test_matching_is_optimal(self) -> None:
        for seed in range(30):
            rng = np.random.default_rng(seed)
            table = np.where(rng.random((4, 5)) < 0.5, rng.random((4, 5)), 0.0)
            couples = [(i, j, float(table[i, j])) for i, j in zip(*table.nonzero(), strict=True)]
            best = max(
                (sum((100 + table[i, j]) * (table[i, j] > 0) for i, j in enumerate(columns)))
                for columns in permutations(range(5), 4)
            )
            chosen = match(couples)
            assert sum(100 + s for _, _, s in chosen) == pytest.approx(best)
            assert len({t for t, _, _ in chosen}) == len({p for _, p, _ in chosen}) == len(chosen)

    def test_more_matches_beat_one_better_match(self) -> None:
        assert match([(0, 0, 0.9), (0, 1, 0.3), (1, 0, 0.3)]) == [
            (0, 1, pytest.approx(0.3)),
            (1, 0, pytest.approx(0.3)),
        ]

    def test_diagonal_neighbours_are_one_object(self) -> None:
        assert label_objects(np.eye(3, dtype=bool)).max() == 1

    def test_hand_worked_counts(self) -> None:
        truth = np.zeros((20, 20), bool)
        said = np.zeros((20, 20), bool)
        truth[0:4, 0:4] = True  # found: IoU 12/16
        said[0:4, 0:3] = True
        truth[10:14, 0:4] = True  # shifted by half: IoU 8/24
        said[12:16, 0:4] = True
        truth[0:3, 10:13] = True  # missed
        said[15:18, 15:18] = True  # invented
        found = overlaps(truth, said, np.zeros_like(truth))
        assert found.count(0.5) == ObjectCounts(1, 2, 2)
        assert found.count(0.25) == ObjectCounts(2, 1, 1)
        assert found.strays == 1

    def test_agrees_with_brute_force(self) -> None:
        truth = ndimage.binary_dilation(RNG.random((40, 40)) < 0.02, iterations=2)
        said = ndimage.binary_dilation(RNG.random((40, 40)) < 0.02, iterations=2) | (
            truth & (RNG.random((40, 40)) < 0.9)
        )
        found = overlaps(truth, said, np.zeros_like(truth))
        a, n = ndimage.label(truth, np.ones((3, 3)))
        b, m = ndimage.label(said, np.ones((3, 3)))
        expected = {}
        for i in range(n):
            for j in range(m):
                shared = ((a == i + 1) & (b == j + 1)).sum()
                if shared:
                    expected[i, j] = shared / ((a == i + 1) | (b == j + 1)).sum()
        assert {(i, j): iou for i, j, iou in found.ious} == pytest.approx(expected)
        assert len(expected) > 3

    def test_objects_on_unknown_ground_are_neither_right_nor_wrong(self) -> None:
        truth = np.zeros((10, 10), bool)
        said = np.zeros((10, 10), bool)
        ignored = np.zeros((10, 10), bool)
        ignored[:, 5:] = True
        said[0:4, 6:9] = True  # wholly unknown: dropped
        truth[6:8, 2:5] = True  # reaches into the unknown: judged by what is known
        said[6:8, 2:7] = True
        assert overlaps(truth, said, ignored).count(0.99) == ObjectCounts(1, 0, 0)

    def test_small_objects_are_dropped_or_optional(self) -> None:
        truth = np.zeros((10, 10), bool)
        said = np.zeros((10, 10), bool)
        truth[0, 0:3] = True  # below the smallest size: need not be found
        truth[5:8, 5:8] = True
        said[5:8, 5:8] = True
        said[0, 8] = True  # never said at this operating point
        none = np.zeros_like(truth)
        assert overlaps(truth, said, none, min_px=4).count(0.5) == ObjectCounts(1, 0, 0)
        assert overlaps(truth, said, none).count(0.5) == ObjectCounts(1, 1, 1)
        said[0, 0:4] = True  # found although optional: no credit, no blame
        assert overlaps(truth, said, none, min_px=4).count(0.5) == ObjectCounts(1, 0, 0)

    def test_empty_masks(self) -> None:
        none = np.zeros((4, 4), bool)
        assert overlaps(none, none, none).count(0.5) == ObjectCounts()


class TestSaidObjects:
    config = VectorConfig(
        thresholds={Kind.NEW_BUILDING: 0.5, Kind.DEMOLITION: 0.4, Kind.DOCKING_SLIP: 0.5},
        low_ratio=0.6,
        min_area_m2=dict.fromkeys(Kind, 4.0),
    )

    def probabilities(self) -> np.ndarray:
        p = np.zeros((4, 30, 40), np.float32)
        p[1, 2:8, 2:8] = 0.35  # grows from its peak to the low threshold
        p[1, 4, 4] = 0.6
        p[1, 2:8, 12:18] = 0.45  # no pixel reaches the threshold
        p[2, 12:15, 2:6] = 0.45  # the other kind has its own threshold
        p[1, 12:15, 12] = 0.9  # three pixels: too small at 1 m, large enough at 2 m
        for x in (20, 31):  # two buildings and a bridge
            p[1, 20:28, x : x + 8] = 0.9
        p[1, 24, 28:31] = 0.35
        p[0] = 1 - p[1:].sum(0)
        return p

    def test_cut_as_detection_does(self) -> None:
        objects = said_objects(self.probabilities(), self.config, 1.0)
        new = objects[Kind.NEW_BUILDING]
        assert new.max() == 3
        assert (new == new[4, 4]).sum() == 36
        assert new[24, 22] != new[24, 35]
        assert not new[2:8, 12:18].any()
        assert not new[12:15, 12].any()
        assert objects[Kind.DEMOLITION].max() == 1
        assert all_objects(objects).max() == 4
        assert set(np.unique(all_objects(objects))) == set(range(5))

    def test_least_area_follows_the_pixel(self) -> None:
        for gsd, count in ((1.0, 3), (2.0, 4), (None, 4)):
            assert (
                said_objects(self.probabilities(), self.config, gsd)[Kind.NEW_BUILDING].max()
                == count
            )

    def test_agrees_with_the_polygons_of_detection(self) -> None:
        values = ndimage.gaussian_filter(RNG.normal(0, 1, (3, 120, 120)), (0, 2.5, 2.5)) * 9
        exp = np.exp(np.concatenate([np.full((1, 120, 120), 0.5), values]))
        p = (exp / exp.sum(0)).astype(np.float32)
        grid = GeoBox((120, 120), Affine(2, 0, 500000, 0, -2, 4000000), "EPSG:32652")
        change = ChangeMap("a", "b", grid, p[1:], np.ones((120, 120), bool))
        polygons = candidates(change, self.config)
        objects = said_objects(p, self.config, 2.0)
        for kind in KINDS:
            assert objects[kind].max() == sum(c.kind == kind for c in polygons)
        assert len(polygons) > 20

    def test_nothing_said(self) -> None:
        p = np.zeros((4, 5, 5), np.float32)
        p[0] = 1
        assert all_objects(said_objects(p, self.config, 1.0)).max() == 0
