"""Numbers on a map: beside their outlines, inside the picture, never on each other."""

from itertools import combinations, pairwise

import numpy as np
import pytest
import shapely
from shapely.geometry import box

from groundbreak.report.labels import DIGIT, HIGH, MOST, WIDTHS, place_labels

SIZE = (1000.0, 800.0)


def houses(number, within, seed=0, side=14):
    """Outlines at random in the middle of the map, in pixels of the grid."""
    places = np.random.default_rng(seed).uniform(-within / 2, within / 2, (number, 2))
    return [box(x + 500, y + 400, x + 500 + side, y + 400 + side) for x, y in places]


def boxes(labels, digits, width):
    """What the numbers cover, in CSS pixels."""
    height = width * SIZE[1] / SIZE[0]
    found = []
    for label in labels:
        x, y = label.x / 100 * width, label.y / 100 * height
        reach = DIGIT * digits[label.index] / 2
        found.append(box(x - reach, y - HIGH / 2, x + reach, y + HIGH / 2))
    return found


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("wider", [1, 1.4])
def test_no_number_lies_on_another_or_beyond_the_edge(width, wider):
    outlines = houses(120, within=450)
    digits = [len(str(n)) for n in range(1, 121)]
    labels = place_labels(outlines, digits, SIZE, width)
    assert len(labels) >= 60
    covered = boxes(labels, digits, width * wider)
    for one, other in combinations(covered, 2):
        assert one.intersection(other).area < 0.05
    frame = box(-0.1, -0.1, width * wider + 0.1, width * wider * SIZE[1] / SIZE[0] + 0.1)
    assert all(frame.contains(number) for number in covered)


def test_a_number_stands_beside_its_outline_and_on_no_other():
    outlines = [box(100, 100, 140, 120), box(600, 300, 620, 500), box(0, 780, 30, 800)]
    labels = place_labels(outlines, [1, 1, 1], SIZE, 640)
    assert [label.near for label in labels] == [True, True, True]
    scaled = [shapely.transform(o, lambda xy: xy * 0.64) for o in outlines]
    for number, label in zip(boxes(labels, [1, 1, 1], 640), labels, strict=True):
        assert 0 < number.distance(scaled[label.index]) < 5
        assert not any(number.intersects(outline) for outline in scaled)


def test_where_it_is_not_plain_whose_number_it_is_a_line_leads_to_its_outline():
    row = [box(400 + 22 * n, 400, 420 + 22 * n, 420) for n in range(12)]
    labels = place_labels(row, [2] * 12, SIZE, 280)
    assert [label.index for label in labels] == list(range(12))
    assert not all(label.near for label in labels)
    for label in labels:
        start = shapely.Point(label.x0 / 100 * SIZE[0], label.y0 / 100 * SIZE[1])
        assert row[label.index].buffer(0.1).contains(start)


def test_the_surest_have_a_number_where_there_is_no_room_for_all():
    outlines = houses(MOST + 50, within=120, side=3)
    labels = place_labels(outlines, [3] * len(outlines), SIZE, 280)
    indices = [label.index for label in labels]
    assert all(one < other for one, other in pairwise(indices))
    assert indices[:10] == list(range(10))
    assert 20 < len(indices) < MOST
    assert place_labels([], [], SIZE, 280) == []


def test_a_number_that_fits_nowhere_is_left_out():
    assert place_labels([box(1, 1, 2, 2)], [3], (10.0, 4.0), 20) == []
