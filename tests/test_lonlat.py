"""Longitudes without a seam."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Point, Polygon, box

from groundbreak.lonlat import continuous, cut, joined, unwrapped

ACROSS = box(179, 10, 181, 11)


@pytest.mark.parametrize(
    "written",
    [
        Polygon([(179, 10), (-179, 10), (-179, 11), (179, 11)]),
        MultiPolygon([box(-180, 10, -179, 11), box(179, 10, 180, 11)]),
        box(-181, 10, -179, 11),
        ACROSS,
    ],
)
def test_continuous(written):
    assert continuous(written).symmetric_difference(ACROSS).area < 1e-9


def test_cut_as_rfc_7946_wants_it():
    pieces = cut(ACROSS)
    assert sorted(p.bounds for p in pieces.geoms) == [(-180, 10, -179, 11), (179, 10, 180, 11)]
    assert cut(box(10, 0, 11, 1)).equals(box(10, 0, 11, 1))
    assert cut(box(-181, 10, -180, 11)).equals(box(179, 10, 180, 11))


@given(st.floats(-180, 179.999), st.floats(-60, 60), st.floats(0.001, 100), st.floats(0.001, 20))
def test_cut_and_joined_again(west, south, width, height):
    shape = box(west, south, west + width, south + height)
    again = continuous(cut(shape))
    assert again.symmetric_difference(shape).area < 1e-6


def test_what_is_no_polygon_is_left_alone():
    assert continuous(Point(1, 2)).equals(Point(1, 2))


def test_joined_leaves_the_widest_gap_outside():
    shape = joined([box(-170, 0, -169, 1), box(170, 0, 171, 1), box(175, 0, 176, 1)])
    assert shape.bounds == (170, 0, 191, 1)


def test_unwrapped_shows_a_turn_around_a_pole():
    lons = unwrapped(np.array([-120.0, 0.0, 120.0, -120.0]))
    assert lons[-1] - lons[0] == 360
