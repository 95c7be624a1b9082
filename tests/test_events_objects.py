"""Patches of change from many pairs to objects; chains; berths; evidence over footprints."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from shapely.affinity import rotate, translate
from shapely.geometry import Point, Polygon, box
from shapely.ops import unary_union

from groundbreak.events.chains import link_chains
from groundbreak.events.evidence import EvidenceConfig, gather_evidence
from groundbreak.events.looks import LookMeta, PairKey, in_date_order
from groundbreak.events.objects import KnownObject, ObjectConfig, TrackedObject, follow_objects
from groundbreak.events.slips import measure_berth, vessel_length_m, water_like
from groundbreak.events.states import Family
from groundbreak.events.vectorize import Candidate
from groundbreak.types import Box, Event, Interval, Kind

NEW, TORN, SLIP = Kind.NEW_BUILDING, Kind.DEMOLITION, Kind.DOCKING_SLIP
CONFIG = ObjectConfig()


def look(number: int, gap: float = 30.0) -> LookMeta:
    moment = datetime(2024, 1, 3, tzinfo=UTC) + timedelta(days=gap * number)
    return LookMeta(f"L{number}", moment, moment, (f"S{number}",))


LOOKS = [look(number) for number in range(10)]


def patch(kind: Kind, earlier: int, later: int, polygon: Polygon) -> Candidate:
    pair = PairKey(f"L{earlier}", f"L{later}")
    return Candidate(kind, pair, polygon, Box(0, 1, 0, 1), 0.9, 0.95)


def follow(*patches: Candidate, known: Sequence[KnownObject] = ()) -> list[TrackedObject]:
    return follow_objects("port", patches, LOOKS, CONFIG, known)


HOUSE = box(0, 0, 20, 10)


# --- the same building --------------------------------------------------------------------------


def test_one_building_seen_in_two_pairs_is_one_object() -> None:
    (one,) = follow(patch(NEW, 1, 2, HOUSE), patch(NEW, 1, 3, translate(HOUSE, 1, 1)))
    assert len(one.candidates) == 2
    assert one.founded_by is NEW
    assert one.family is Family.BUILDING


def test_what_one_pair_alone_draws_beside_a_building_is_left_out() -> None:
    (one,) = follow(
        patch(NEW, 1, 2, box(0, 0, 40, 10)),
        patch(NEW, 0, 2, HOUSE),
        patch(NEW, 1, 3, translate(HOUSE, 0.5, 0)),
    )
    assert len(one.candidates) == 3
    assert one.footprint.area == pytest.approx(HOUSE.area, rel=0.05)


def test_parts_that_flicker_one_by_one_are_drawn_whole() -> None:
    """No ground is covered by half of the patches."""
    field = box(0, 0, 60, 20)
    lefts = [0, 0, 0, 20, 20, 20, 40, 40]
    strips = [patch(NEW, n, n + 1, box(x, 0, x + 20, 20)) for n, x in enumerate(lefts, start=1)]
    objects = follow(patch(NEW, 0, 1, field), *strips)
    assert not any(tracked.footprint.is_empty for tracked in objects)
    assert objects[0].footprint.area == pytest.approx(field.area, rel=0.05)


def test_a_building_half_finished_at_one_look_is_drawn_whole() -> None:
    half, rest = box(0, 0, 10, 10), box(9, 0, 20, 10)
    (one,) = follow(patch(NEW, 1, 2, half), patch(NEW, 1, 3, HOUSE), patch(NEW, 2, 3, rest))
    assert one.footprint.area == pytest.approx(HOUSE.area)


def test_neighbours_stay_two_even_where_they_overlap_slightly() -> None:
    row = [box(n * 19, 0, n * 19 + 20, 10) for n in range(5)]
    objects = follow(*[patch(NEW, n, n + 1, house) for n, house in enumerate(row)])
    assert len(objects) == 5
    for tracked, house in zip(objects, row, strict=True):
        assert tracked.footprint.equals(house)


def test_a_patch_over_two_known_buildings_enlarges_neither() -> None:
    left, right = box(0, 0, 20, 10), box(22, 0, 42, 10)
    objects = follow(
        patch(NEW, 1, 2, left), patch(NEW, 2, 3, right), patch(NEW, 1, 3, box(0, 0, 42, 10))
    )
    assert [tracked.footprint for tracked in objects] == [left, right]
    assert all(len(tracked.candidates) == 2 for tracked in objects)


def test_partial_construction_grows_an_object() -> None:
    (overlapping,) = follow(
        patch(NEW, 1, 2, box(0, 0, 10, 10)), patch(NEW, 2, 3, box(0, 0, 20, 10))
    )
    assert overlapping.footprint.equals(HOUSE)
    (touching,) = follow(
        patch(NEW, 1, 2, box(0, 0, 10, 20)), patch(NEW, 2, 3, box(10.2, 0, 20, 20))
    )
    assert touching.footprint.area == pytest.approx(400, rel=0.03)


def test_a_berth_dug_in_parts_is_one() -> None:
    (berth,) = follow(patch(SLIP, 1, 2, box(0, 0, 60, 30)), patch(SLIP, 2, 3, box(40, 0, 130, 30)))
    assert berth.footprint.area == pytest.approx(130 * 30, rel=0.05)


def test_berths_on_both_sides_of_a_pier_stay_apart() -> None:
    berths = box(0, 0, 300, 50), box(0, 60, 300, 110)
    assert len(follow(*[patch(SLIP, n, n + 1, berth) for n, berth in enumerate(berths)])) == 2


def test_buildings_torn_down_one_after_the_other_stay_apart() -> None:
    parts = patch(TORN, 1, 2, box(0, 0, 10, 20)), patch(TORN, 2, 3, box(10.2, 0, 20, 20))
    assert len(follow(*parts)) == 2


def test_houses_of_a_terrace_built_one_after_the_other_stay_apart() -> None:
    terrace = [box(n * 8, 0, n * 8 + 7.9, 9) for n in range(4)]
    assert len(follow(*[patch(NEW, n, n + 1, house) for n, house in enumerate(terrace)])) == 4


def test_a_wing_added_years_later_is_another_object() -> None:
    late = [look(n, gap=400) for n in range(4)]
    parts = patch(NEW, 0, 1, box(0, 0, 10, 20)), patch(NEW, 2, 3, box(10.2, 0, 20, 20))
    assert len(follow_objects("port", parts, late, replace(CONFIG, growth_days=100))) == 2


def test_a_building_that_comes_and_goes_is_one_object() -> None:
    (one,) = follow(patch(NEW, 1, 2, HOUSE), patch(TORN, 6, 7, translate(HOUSE, 1, 0)))
    assert set(one.outlines) == {NEW, TORN}


def test_what_rises_after_a_demolition_is_another_building() -> None:
    torn, new = follow(patch(TORN, 1, 2, HOUSE), patch(NEW, 5, 6, HOUSE))
    assert (torn.founded_by, new.founded_by) == (TORN, NEW)
    assert torn.id != new.id


def test_half_a_building_torn_down_is_an_object_of_its_own() -> None:
    assert len(follow(patch(NEW, 1, 2, HOUSE), patch(TORN, 5, 6, box(0, 0, 7, 10)))) == 2


def test_berths_and_buildings_never_mix() -> None:
    assert len(follow(patch(NEW, 1, 2, HOUSE), patch(SLIP, 2, 3, HOUSE))) == 2


# --- stable ids ---------------------------------------------------------------------------------


@st.composite
def many_patches(draw: st.DrawFn) -> list[Candidate]:
    found = []
    for _ in range(draw(st.integers(0, 12))):
        earlier = draw(st.integers(0, 8))
        later = draw(st.integers(earlier + 1, 9))
        x, y = draw(st.integers(0, 6)) * 7, draw(st.integers(0, 3)) * 7
        w, h = draw(st.integers(6, 20)), draw(st.integers(6, 20))
        kind = draw(st.sampled_from([NEW, TORN, SLIP]))
        found.append(patch(kind, earlier, later, box(x, y, x + w, y + h)))
    return found


@settings(max_examples=100, deadline=None)
@given(many_patches(), st.randoms(use_true_random=False))
def test_objects_do_not_depend_on_the_order_of_the_patches(
    patches: list[Candidate],
    random,  # type: ignore[no-untyped-def]
) -> None:
    shuffled = list(patches)
    random.shuffle(shuffled)
    assert [t.id for t in follow(*patches)] == [t.id for t in follow(*shuffled)]


@settings(max_examples=100, deadline=None)
@given(many_patches(), st.integers(1, 9))
def test_another_look_at_the_end_renames_nothing(patches: list[Candidate], last: int) -> None:
    early = [c for c in patches if int(c.pair.later[1:]) <= last]
    before = {tracked.id: tracked for tracked in follow(*early)}
    after = {tracked.id: tracked for tracked in follow(*patches)}
    assert before.keys() <= after.keys()
    for name, tracked in before.items():
        assert after[name].candidates[: len(tracked.candidates)] == tracked.candidates


def test_ids_are_unique_and_differ_between_sites() -> None:
    patches = [patch(NEW, n, n + 1, translate(HOUSE, 40 * n, 0)) for n in range(6)]
    here = [t.id for t in follow_objects("here", patches, LOOKS, CONFIG)]
    there = [t.id for t in follow_objects("there", patches, LOOKS, CONFIG)]
    assert len({*here, *there}) == 12


def test_an_older_scene_that_comes_late_does_not_rename_a_known_object() -> None:
    (first,) = follow(patch(NEW, 3, 5, HOUSE))
    known = [KnownObject(first.id, first.founded_by, first.footprint)]
    late = patch(NEW, 3, 4, translate(HOUSE, 0.5, 0.5))
    (renamed,) = follow(late)
    assert renamed.id != first.id
    (kept,) = follow(late, known=known)
    assert kept.id == first.id


def test_known_ids_go_to_the_best_overlap_and_to_one_object_only() -> None:
    known = [KnownObject("building-old", NEW, HOUSE)]
    near, exact = follow(
        patch(NEW, 1, 2, translate(HOUSE, 0, 6)),
        patch(TORN, 1, 2, translate(HOUSE, 0, -0.5)),
        known=known,
    )
    assert "building-old" not in {near.id, exact.id}  # too little overlap, and another kind
    same = follow(patch(NEW, 1, 2, translate(HOUSE, 1, 0)), known=known)
    assert [tracked.id for tracked in same] == ["building-old"]


# --- evidence -----------------------------------------------------------------------------------

GRID = GeoBox((100, 120), Affine(0.5, 0, 0, 0, -0.5, 50), "EPSG:32652")


def on_grid(rows: slice, columns: slice) -> Polygon:
    return box(columns.start / 2, 50 - rows.stop / 2, columns.stop / 2, 50 - rows.start / 2)


def test_evidence_is_the_mean_over_the_footprint_where_it_was_observed() -> None:
    rows, columns = slice(20, 40), slice(30, 60)
    (tracked,) = follow(patch(NEW, 0, 1, on_grid(rows, columns)))
    usable = {f"L{n}": np.ones((100, 120), bool) for n in range(3)}
    usable["L2"][rows, 30:45] = False
    p = np.zeros((3, 100, 120), np.float32)
    p[0, rows, columns] = 0.8
    p[0, rows, 30:45] = 0.2  # behind the cloud of look 2
    maps = {
        PairKey("L0", "L1"): (p, np.ones((100, 120), bool)),
        PairKey("L1", "L2"): (p, usable["L2"]),
        PairKey("L0", "L2"): (p, np.zeros((100, 120), bool)),
    }
    asked: list[Box] = []

    def read_pair(pair: PairKey, window: Box):  # type: ignore[no-untyped-def]
        asked.append(window)
        y, x = window.slices
        return maps[pair][0][:, y, x], maps[pair][1][y, x]

    (seen,) = gather_evidence(
        [tracked],
        LOOKS[:3],
        list(maps),
        GRID,
        read_pair,
        lambda name, window: usable[name][window.slices],
        EvidenceConfig(),
    )
    assert seen.usable == (1.0, 1.0, 0.5)
    assert seen.pairs[PairKey("L0", "L1")] == pytest.approx((0.5, 0.5, 0, 0), abs=1e-6)
    assert seen.pairs[PairKey("L1", "L2")] == pytest.approx((0.2, 0.8, 0, 0), abs=1e-6)
    assert PairKey("L0", "L2") not in seen.pairs
    assert all(w.y1 - w.y0 <= 22 and w.x1 - w.x0 <= 32 for w in asked)


def test_evidence_of_overlapping_and_of_tiny_footprints() -> None:
    shapes = [on_grid(slice(20, 40), slice(30, 60)), on_grid(slice(30, 50), slice(30, 60))]
    dot = Point(30.3, 20.3).buffer(0.1)
    objects = [
        TrackedObject(str(n), Family.BUILDING, {NEW: shape}, (patch(NEW, 0, 1, shape),))
        for n, shape in enumerate([*shapes, dot])
    ]
    p = np.zeros((3, 100, 120), np.float32)
    p[1, 20:35] = 0.6
    seen = gather_evidence(
        objects,
        LOOKS[:2],
        [PairKey("L0", "L1")],
        GRID,
        lambda _, w: (p[:, w.slices[0], w.slices[1]], np.ones(w.shape, bool)),
        lambda _, w: np.ones(w.shape, bool),
        EvidenceConfig(),
    )
    torn = [record.pairs[PairKey("L0", "L1")][2] for record in seen]
    assert torn[0] > 0.4 > torn[1] > 0.0
    assert torn[2] == 0.0


def test_pairs_that_were_not_computed_here_are_no_evidence() -> None:
    (tracked,) = follow(patch(NEW, 0, 1, on_grid(slice(20, 40), slice(30, 60))))
    (seen,) = gather_evidence(
        [tracked],
        LOOKS[:2],
        [PairKey("L0", "L1")],
        GRID,
        lambda *_: None,
        lambda _, w: np.ones(w.shape, bool),
        EvidenceConfig(),
    )
    assert seen.pairs == {}


# --- chains -------------------------------------------------------------------------------------


def event(name: str, kind: Kind, start: int, end: int, polygon: Polygon) -> Event:
    return Event(
        name,
        "port",
        "Port",
        kind,
        Interval(LOOKS[start].start, LOOKS[end].end),
        polygon,
        "EPSG:32652",
        0.9,
        0.95,
        polygon.area,
        ("a",),
        ("b",),
        1.0,
    )


def test_a_chain_of_three_torn_down_and_two_built() -> None:
    torn = [event(f"t{n}", TORN, 1, 2, box(n * 10, 0, n * 10 + 8, 10)) for n in range(3)]
    built = [
        event("n0", NEW, 4, 5, box(0, 0, 15, 10)),
        event("n1", NEW, 4, 5, box(15, 0, 28, 10)),
    ]
    linked = {e.id: e for e in link_chains([*torn, *built])}
    assert linked["n0"].replaces == ("t0", "t1")
    assert linked["n1"].replaces == ("t1", "t2")
    assert linked["t1"].replaced_by == ("n0", "n1")
    assert linked["n0"].replaces_overlap == pytest.approx((8 + 5) / 15)
    assert linked["n0"].cleared == Interval(LOOKS[1].start, LOOKS[2].end)
    assert linked["t0"].cleared == Interval(LOOKS[1].start, LOOKS[2].end)


def test_what_is_torn_down_after_it_was_built_is_no_replacement() -> None:
    linked = link_chains([event("n", NEW, 1, 2, HOUSE), event("t", TORN, 4, 5, HOUSE)])
    assert all(not e.replaces and not e.replaced_by and e.cleared is None for e in linked)


def test_bare_ground_that_no_look_saw_is_not_stated() -> None:
    linked = link_chains([event("t", TORN, 1, 3, HOUSE), event("n", NEW, 2, 3, HOUSE)])
    assert linked[1].replaces == ("t",)
    assert linked[1].cleared is None


def test_buildings_side_by_side_are_no_chain() -> None:
    beside = translate(HOUSE, 19, 0)
    linked = link_chains([event("t", TORN, 1, 2, HOUSE), event("n", NEW, 4, 5, beside)])
    assert not linked[1].replaces


# --- berths -------------------------------------------------------------------------------------


@pytest.mark.parametrize("turn", [0, 20, 90, 135, 179])
def test_berths_are_measured_along_their_axes(turn: float) -> None:
    # North-south at first; shapely turns counter-clockwise, azimuths run clockwise.
    berth = measure_berth(rotate(box(0, 0, 25, 120), -turn))
    assert berth.length_m == pytest.approx(120)
    assert berth.width_m == pytest.approx(25)
    off = abs(berth.orientation_deg - turn) % 180
    assert min(off, 180 - off) < 1e-6
    assert 0 <= berth.orientation_deg < 180
    assert berth.mouth_azimuth_deg is None


@pytest.mark.parametrize("azimuth", [0, 90, 180, 270])
def test_the_mouth_points_to_the_water(azimuth: float) -> None:
    out = np.array([math.sin(math.radians(azimuth)), math.cos(math.radians(azimuth))])
    outline = rotate(box(-12, -60, 12, 60), -azimuth % 180)
    berth = measure_berth(outline, lambda p: (p.x, p.y) @ out > 60)
    assert berth.mouth_azimuth_deg == pytest.approx(azimuth, abs=1e-6)


def test_a_spur_does_not_lengthen_a_berth() -> None:
    with_spur = box(0, 0, 25, 120).union(box(10, 118, 14, 140)).union(box(24, 50, 40, 53))
    berth = measure_berth(with_spur)
    assert berth.length_m == pytest.approx(120, rel=0.02)
    assert berth.width_m == pytest.approx(25, rel=0.02)


def test_water_is_told_by_the_index_or_by_the_colour_of_the_berth() -> None:
    rng = np.random.default_rng(0)
    berth = np.zeros((60, 80), bool)
    berth[20:40, 30:70] = True
    wet = berth.copy()
    wet[:, 70:] = True
    land, sea = np.array([0.35, 0.33, 0.3, 0.4]), np.array([0.06, 0.09, 0.1, 0.03])
    pixels = np.where(wet, sea[:, None, None], land[:, None, None])
    pixels = (pixels + rng.normal(0, 0.01, pixels.shape)).astype(np.float32)
    pixels[:, 25:30, 40:50] = 0.6  # a ship in the berth
    names = ("red", "green", "blue", "nir")
    calm = wet.copy()
    calm[25:30, 40:50] = False
    for count in (3, 4):
        found = water_like(pixels[:count], names[:count], berth)
        assert (found & calm).sum() > 0.97 * calm.sum()
        assert not found[~wet].any()


def test_a_basin_without_water_around_it_has_no_mouth() -> None:
    assert measure_berth(box(0, 0, 24, 120), lambda _: False).mouth_azimuth_deg is None


def test_the_vessel_is_limited_by_length_or_by_width() -> None:
    assert vessel_length_m(200, 60) == pytest.approx(180)
    assert vessel_length_m(200, 20) == pytest.approx(104)
    assert vessel_length_m(200, 20) < vessel_length_m(200, 30)


def drawn(*parts: tuple[int, int, int, int]) -> Polygon:
    """The outline of pixels of 10 m: blocks by their left, right, upper and lower pixel."""
    return unary_union([box(10 * a, -10 * d, 10 * b, -10 * c) for a, b, c, d in parts])


@pytest.mark.parametrize(
    ("outline", "arm"),
    [
        (drawn((0, 2, 0, 20), (0, 10, 18, 20), (8, 10, 10, 20)), (200, 20)),  # a hook
        (drawn((0, 2, 0, 30), (0, 8, 28, 30), (6, 8, 26, 30)), (300, 20)),
        (drawn((0, 3, 0, 20), (0, 8, 17, 20)), (200, 30)),  # an L
        (drawn((0, 2, 0, 12), (0, 12, 10, 12)), (120, 20)),  # its frame is a square
        (drawn((0, 3, 0, 8), (0, 8, 5, 8)), (80, 30)),
    ],
)
@pytest.mark.parametrize("turn", [0, 33, 90])
def test_the_vessel_fits_the_water_of_a_bent_berth(
    outline: Polygon, arm: tuple[float, float], turn: float
) -> None:
    """It was as long and as wide as the frame around the berth, mostly land, allows."""
    berth = measure_berth(rotate(outline, turn))
    assert berth.vessel_length_m == pytest.approx(vessel_length_m(*arm), rel=0.1)


@pytest.mark.parametrize("turn", [0, 33, 90])
@pytest.mark.parametrize(("length", "width"), [(240, 20), (120, 30), (60, 60), (300, 50)])
def test_the_vessel_of_a_straight_berth_is_that_of_its_frame(
    length: float, width: float, turn: float
) -> None:
    berth = measure_berth(rotate(box(0, 0, width, length), turn))
    assert berth.vessel_length_m == pytest.approx(vessel_length_m(length, width))


# --- looks --------------------------------------------------------------------------------------


def test_looks_are_ordered_by_time_and_a_year_by_its_middle() -> None:
    start, end = datetime(2018, 1, 1, tzinfo=UTC), datetime(2018, 12, 31, tzinfo=UTC)
    year = LookMeta("year", start, end, ("y",))
    spring = LookMeta(
        "spring", datetime(2018, 3, 1, tzinfo=UTC), datetime(2018, 3, 1, tzinfo=UTC), ("s",)
    )
    assert [entry.id for entry in in_date_order([year, spring])] == ["spring", "year"]
    assert year.coarse
    assert not spring.coarse
