"""Scenes are grouped into looks by what was acquired in one pass."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from shapely.geometry import box

from groundbreak.events.looks import LookMeta, in_date_order
from groundbreak.prepare.looks import coarser, in_grey, plan_looks, unsuitable
from groundbreak.types import Asset, Band, MaskAsset, MaskKind, Scene, Site

SITE = Site("port", "Port", box(10.0, 50.0, 10.1, 50.1))
RGB = tuple(Band(i, name, name) for i, name in enumerate(("red", "green", "blue"), start=1))


def scene(name, start, end=None, *, sensor="s2a", gsd=10.0, bands=RGB, footprint=SITE.geometry):
    return Scene(
        id=name,
        start=start,
        end=end or start,
        assets=(Asset(f"{name}.tif", bands),),
        sensor=sensor,
        gsd_m=gsd,
        footprint=footprint,
    )


NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


def day(year, month, number):
    start = datetime(year, month, number, tzinfo=UTC)
    return start, start + timedelta(days=1, seconds=-1)


def ids(looks):
    return [look.scene_ids for look in looks]


def test_frames_of_one_pass_are_one_look_and_two_passes_are_two():
    scenes = [
        scene("c", NOON + timedelta(hours=5)),
        scene("b", NOON + timedelta(seconds=14)),
        scene("a", NOON),
    ]
    looks, left_out = plan_looks(SITE, scenes)
    assert ids(looks) == [("a", "b"), ("c",)]
    assert left_out == []


def test_two_sensors_on_one_day_are_two_looks():
    start, end = day(2024, 3, 1)
    looks, _ = plan_looks(SITE, [scene("a", start, end), scene("b", start, end, sensor="planet")])
    assert ids(looks) == [("b",), ("a",)]


def test_looks_lie_in_the_order_in_which_events_take_them():
    year = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 12, 31, 23, 59, 59, tzinfo=UTC)
    looks, _ = plan_looks(
        SITE, [scene("year", *year), scene("a", NOON), scene("b", *day(2024, 2, 1))]
    )
    as_told = in_date_order([LookMeta(k.id, k.start, k.end, k.scene_ids) for k in looks])
    assert ids(looks) == [("b",), ("a",), ("year",)]
    assert [look.id for look in looks] == [look.id for look in as_told]


def test_frames_of_one_day_known_to_the_day_are_one_look():
    start, end = day(2024, 3, 1)
    looks, _ = plan_looks(SITE, [scene("b", start, end), scene("a", start, end)])
    assert ids(looks) == [("a", "b")]
    assert (looks[0].start, looks[0].end) == (start, end)


def test_what_has_a_mask_lies_on_top_and_level_2_above_level_1():
    scenes = [scene(f"S2A_MSI{level}_X", NOON) for level in ("L1C", "L2A")]
    masked = replace(scene("S2B_MSIL2A_Y", NOON), masks=(MaskAsset("scl.tif", MaskKind.SCL),))
    [look], _ = plan_looks(SITE, [*scenes, masked])
    assert look.scene_ids == ("S2B_MSIL2A_Y", "S2A_MSIL2A_X", "S2A_MSIL1C_X")
    without, _ = plan_looks(SITE, scenes)
    assert ids(without) == [("S2A_MSIL2A_X", "S2A_MSIL1C_X")]


def test_ids_do_not_depend_on_order_or_on_other_looks():
    a, b = scene("a", NOON), scene("b", NOON + timedelta(days=5))
    one, _ = plan_looks(SITE, [a, b])
    two, _ = plan_looks(SITE, [b, a, scene("c", NOON + timedelta(days=9))])
    assert [look.id for look in one] == [look.id for look in two[:2]]
    assert len({look.id for look in two}) == 3


def test_unsuitable_scenes_are_left_out_with_a_reason():
    two_bands = RGB[:2]
    looks, left_out = plan_looks(
        SITE, [scene("coarse", NOON, gsd=90.0), scene("bands", NOON, bands=two_bands)]
    )
    assert looks == []
    reasons = {entry.scene.id: entry.reason for entry in left_out}
    assert "90 m" in reasons["coarse"]
    assert "blue" in reasons["bands"]


PAN = (Band(1, "pan", "pan"),)


def test_fine_panchromatic_scenes_are_looks():
    fine, coarse = scene("fine", NOON, gsd=0.5, bands=PAN), scene("coarse", NOON, bands=PAN)
    looks, [entry] = plan_looks(SITE, [fine, coarse])
    assert ids(looks) == [("fine",)]
    assert entry.scene.id == "coarse"
    assert "at most 1.25 m" in entry.reason


def test_a_single_band_without_a_name_is_no_panchromatic_picture_but_the_reason_helps():
    one = scene("one", NOON, gsd=0.5, bands=(Band(1, "band1"),))
    assert "'pan' in dates.csv" in unsuitable(one)


def test_a_panchromatic_and_a_coloured_picture_of_a_day_are_two_looks():
    grey = scene("grey", NOON, sensor="w1", gsd=0.5, bands=PAN)
    colour = scene("colour", NOON + timedelta(hours=2), gsd=0.6)
    looks, left_out = plan_looks(SITE, [colour, grey])
    assert ids(looks) == [("grey",), ("colour",)]
    assert [look.flags for look in looks] == [("panchromatic",), ()]
    assert left_out == []


def test_files_whose_bands_nobody_names_may_be_coloured():
    unnamed = replace(scene("mixed", NOON), assets=(Asset("p.tif", PAN), Asset("ms.tif", ())))
    assert not in_grey(unnamed)
    assert "red" in unsuitable(unnamed)


def test_scenes_elsewhere_or_outside_the_dates_do_not_appear_at_all():
    elsewhere = scene("elsewhere", NOON, footprint=box(20, 20, 21, 21))
    looks, left_out = plan_looks(
        SITE,
        [elsewhere, scene("early", NOON - timedelta(days=900)), scene("in", NOON)],
        (NOON - timedelta(days=1), None),
    )
    assert ids(looks) == [("in",)]
    assert left_out == []


def test_a_footprint_one_turn_of_the_globe_away_is_the_same_place():
    site = Site("far", "Far", box(179.9, -17, 180.1, -16.9))
    looks, _ = plan_looks(site, [scene("w", NOON, footprint=box(-180, -18, -179, -16))])
    assert ids(looks) == [("w",)]


def test_a_year_is_flagged_as_coarse_date():
    start = datetime(2020, 1, 1, tzinfo=UTC)
    looks, _ = plan_looks(SITE, [scene("y", start, datetime(2020, 12, 31, 23, tzinfo=UTC))])
    assert looks[0].flags == ("coarse_date",)


def test_pixel_sizes_that_hardly_differ_are_one_reason():
    reasons = {unsuitable(scene("a", NOON, gsd=size)) for size in (3015.2, 3017.0, 3019.4)}
    assert reasons == {"pixels of 3020 m are too coarse for buildings (at most 30 m)"}
    assert "30.4 m" in unsuitable(scene("a", NOON, gsd=30.4))


def test_the_scale_of_a_projection_makes_no_pixel_too_coarse():
    """30 m of UTM in the middle of its zone."""
    assert unsuitable(scene("a", NOON, gsd=30 / 0.9996)) is None
    assert not coarser(1.25 / 0.9996, 1.25)
    assert coarser(1.3, 1.25)
