"""Calibration and the operating point, on answers whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from groundbreak.evaluate import metrics
from groundbreak.model.calibrate import (
    Answer,
    choose_pixel_threshold,
    choose_point,
    expected_calibration_error,
    fit_temperature,
    probabilities,
)
from groundbreak.model.scores import confusion, f1_change, f1_kind, summary, wrong_direction
from groundbreak.types import Kind


def sharpened(temperature: float, seed: int = 0) -> Answer:
    """Labels drawn from probabilities whose logits are then multiplied by ``temperature``."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(4, 200, 200)) * 1.5
    probability = np.exp(logits) / np.exp(logits).sum(axis=0)
    draw = rng.random((200, 200))
    label = (probability.cumsum(axis=0) < draw).sum(axis=0).astype(np.uint8)
    return Answer((logits * temperature).astype(np.float16), label, "made", "good", 1.0)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_is_found(temperature: float) -> None:
    answer = sharpened(temperature)
    found = fit_temperature([answer])
    assert found == pytest.approx(temperature, rel=0.05)
    assert expected_calibration_error([answer], found) < 0.01


def test_overconfidence_shows() -> None:
    answer = sharpened(3.0)
    assert expected_calibration_error([answer], 1.0) > 0.05


def test_pixels_are_called_changed_where_f1_is_best() -> None:
    rng = np.random.default_rng(1)
    probability = np.full((100, 100), 0.02)
    probability[:30] = 0.3  # the best that can be known: below 0.5, and most change lies there
    label = (rng.random((100, 100)) < probability).astype(np.uint8)
    rest = np.full((100, 100), 1e-4)
    logits = np.log(np.stack([1 - probability, probability, rest, rest])).astype(np.float16)
    hard = Answer(logits, label, "hard", "good", 1.0)
    assert 0.02 < choose_pixel_threshold([hard], 1.0) <= 0.3
    clear = np.log(np.stack([1 - 0.98 * label, np.maximum(0.98 * label, 1e-4), rest, rest]))
    easy = Answer(clear.astype(np.float16), label, "easy", "good", 1.0)
    assert choose_pixel_threshold([easy], 1.0) == 0.5


def painted() -> Answer:
    """A sure hit of 6 x 6, a fainter one of 10 x 10, a false object of 3 x 3 and a faint one."""
    new = np.zeros((100, 100))
    label = np.zeros((100, 100), np.uint8)
    label[5:11, 5:11] = label[40:50, 40:50] = 1
    new[5:11, 5:11] = 0.95
    new[40:50, 40:50] = 0.65
    new[80:83, 80:83] = 0.95
    new[70:90, 10:30] = 0.45
    rest = (1 - new) / 3
    logits = np.log(np.stack([rest, np.maximum(new, 1e-4), rest, rest]))
    return Answer(logits.astype(np.float16), label, "made", "good", 10.0)


def test_the_operating_point_drops_what_is_false_and_keeps_what_is_true() -> None:
    answer = painted()
    np.testing.assert_allclose(probabilities(answer, 1.0).sum(axis=0), 1, atol=1e-3)
    point = choose_point([answer], Kind.NEW_BUILDING, 1.0, limit=0.01)
    assert point is not None
    assert point.false_per_km2 == 0
    assert point.recall == 1
    assert 0.45 < point.threshold < 0.65
    assert 9 * 100 < point.min_area_m2 <= 36 * 100


def test_a_house_is_not_dropped_with_a_false_object_of_half_its_size() -> None:
    new = np.zeros((100, 100))
    label = np.zeros((100, 100), np.uint8)
    label[5:25, 5:25] = 1
    new[5:25, 5:25] = new[60:75, 60:76] = 0.95  # 400 px there, 240 px nowhere
    rest = (1 - new) / 3
    logits = np.log(np.stack([rest, np.maximum(new, 1e-4), rest, rest]))
    answer = Answer(logits.astype(np.float16), label, "made", "good", 0.5)
    point = choose_point([answer], Kind.NEW_BUILDING, 1.0, limit=0.01)
    assert point is not None
    assert (point.recall, point.false_per_km2, point.min_area_m2) == (1.0, 0.0, 64.0)


def test_false_objects_are_those_that_detection_would_cut_out() -> None:
    """Pixels that meet at a corner are no patch, nor is what is more likely another kind."""
    answer = painted()
    logits = answer.logits.copy()
    for step in range(30):
        logits[:, 15 + step, 60 + step] = np.log([0.01, 0.97, 0.01, 0.01])
    logits[:, 60:75, 60:75] = np.log([0.01, 0.4, 0.58, 0.01])[:, None, None]
    point = choose_point([replace(answer, logits=logits)], Kind.NEW_BUILDING, 1.0, limit=0.01)
    assert point == choose_point([answer], Kind.NEW_BUILDING, 1.0, limit=0.01)


def test_a_generous_limit_lets_false_objects_through() -> None:
    point = choose_point([painted()], Kind.NEW_BUILDING, 1.0, limit=100.0)
    assert point is not None
    assert point.false_per_km2 > 0
    assert point.recall == 1


def test_false_objects_are_counted_where_labels_are_good() -> None:
    noisy = replace(painted(), quality="noisy")
    clean = replace(painted(), logits=painted().logits.copy())
    clean.logits[:, 60:] = np.array([5, 0, 0, 0])[:, None, None]
    alone = choose_point([noisy], Kind.NEW_BUILDING, 1.0, limit=0.01)
    both = choose_point([noisy, clean], Kind.NEW_BUILDING, 1.0, limit=0.01)
    assert alone is not None
    assert both is not None
    assert both.min_area_m2 < alone.min_area_m2
    assert both.false_per_km2 == 0


def test_ignored_ground_is_not_seen() -> None:
    whole = painted()
    whole.logits[:, 15:35, 20:40] = np.array([-5, 5, 0, 0])[:, None, None]  # false, and large
    half = replace(whole, label=whole.label.copy())
    half.label[:40, 60:] = 255
    rates = []
    for item in (whole, half):
        point = choose_point([item], Kind.NEW_BUILDING, 1.0, limit=1e9)
        assert point is not None
        rates.append(point.false_per_km2)
    assert rates[1] == pytest.approx(rates[0] / 0.84)


def test_good_labels_that_show_nothing_do_not_count() -> None:
    noisy = replace(painted(), quality="noisy")
    nothing = replace(painted(), label=np.full_like(painted().label, 255))
    points = [choose_point(x, Kind.NEW_BUILDING, 1.0, 0.1) for x in ([noisy], [noisy, nothing])]
    assert points[0] is not None
    assert points[0] == points[1]


def test_no_truth_no_point() -> None:
    assert choose_point([painted()], Kind.DEMOLITION, 1.0, limit=0.1) is None


def test_scores_by_hand() -> None:
    label = np.array([0, 0, 1, 1, 2, 2, 254, 255], np.uint8)
    predicted = np.array([0, 1, 1, 2, 2, 0, 1, 1])
    matrix = confusion(predicted, label)
    assert matrix.sum() == 7
    # Change: found 1, 1->2, 2 and 254; false 1; missed 1.
    assert f1_change(matrix) == pytest.approx(2 * 4 / (2 * 4 + 1 + 1))
    # New: one found, one false (of none), one missed; 254 is left out.
    assert f1_kind(matrix, 1) == pytest.approx(2 / (2 + 1 + 1))
    # Demolition: one found, one false (of new), one missed.
    assert f1_kind(matrix, 2) == pytest.approx(2 / (2 + 1 + 1))
    assert wrong_direction(matrix) == pytest.approx(1 / 3)
    matrix[2, 3] = 3  # found as a berth: a change all the same
    assert wrong_direction(matrix) == metrics.wrong_direction(matrix) == pytest.approx(1 / 6)
    matrix[2, 3] = 0
    assert set(summary(matrix)) == {"change", "new_building", "demolition", "wrong_direction"}


def test_no_truth_no_score() -> None:
    assert summary(confusion(np.zeros(4, int), np.zeros(4, np.uint8))) == {}
