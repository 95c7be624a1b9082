"""Which weights, pixel size and grid a site gets."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from shapely.geometry import box

from groundbreak.lonlat import fingerprint
from groundbreak.model.card import Card
from groundbreak.model.shape import NetworkConfig
from groundbreak.model.weights import read_card
from groundbreak.pipeline.detect import SiteOutcome
from groundbreak.pipeline.plan import COARSE, FINE, PlanRequest, plan_site
from groundbreak.pipeline.results import remark
from groundbreak.prepare.site import PreparedSite
from groundbreak.types import Asset, Band, Catalog, HrefPolicy, Scene, Site

SITE = Site("s", "Site", box(129.0, 39.0, 129.01, 39.01))
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
BANDS = tuple(Band(n, name, name) for n, name in enumerate(("red", "green", "blue"), 1))


def card(name, gsd_m, finest_gsd_m):
    return Card(
        name=name,
        description="",
        bands=("red", "green", "blue"),
        gsd_m=gsd_m,
        finest_gsd_m=finest_gsd_m,
        network=NetworkConfig(),
        sha256="",
    )


CARDS = {
    name: card(name, shipped.gsd_m, shipped.finest_gsd_m)
    for name in (FINE, COARSE)
    for shipped in [read_card(name)]
}


def plan(gsd_m, earlier=None, request=None, incomplete=None, searched=None):
    days = [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2)]
    assets = (Asset("a.tif", BANDS),)
    scenes = tuple(Scene(f"{d:%d}", d, d, assets, gsd_m=gsd_m) for d in days)
    catalog = Catalog(scenes, "scenes", HrefPolicy(), (), (), incomplete or {}, searched)
    return plan_site(SITE, catalog, request or PlanRequest(), CARDS, earlier)


@pytest.mark.parametrize(
    ("native", "weights", "gsd_m"),
    [
        (0.1, FINE, 0.5),
        (0.3, FINE, 0.5),
        (0.46, FINE, 0.46),
        (0.5972, FINE, 0.6),
        (3.02, FINE, 3.0),
        (3.4, FINE, 3.0),
        (4.5, FINE, 3.0),
        (4.8, COARSE, 4.8),
        (8.0, COARSE, 8.0),
        (10.0, COARSE, 10.0),
    ],
)
def test_a_run_that_goes_on_chooses_as_it_did(native, weights, gsd_m):
    first = plan(native)
    assert (first.weights, first.gsd_m) == (weights, gsd_m)
    assert plan(native, earlier=first.gsd_m) == first


def test_the_grid_of_the_earlier_run_is_kept():
    kept = plan(10.0, earlier=4.0)
    assert kept.gsd_m == 4.0
    assert "would have been given 10 m" in kept.notes[0]
    asked = plan(10.0, earlier=4.0, request=PlanRequest(gsd_m=6.0))
    assert (asked.gsd_m, asked.notes) == (6.0, ())


@pytest.mark.parametrize(("asked", "weights", "best"), [(4.0, COARSE, 5), (0.3, FINE, 0.5)])
def test_a_grid_that_was_asked_for_is_taken_also_where_it_is_finer_than_is_best(
    asked, weights, best
):
    chosen = plan(asked, request=PlanRequest(gsd_m=asked))
    assert (chosen.weights, chosen.gsd_m) == (weights, asked)
    assert f"sees best, {best:g} m" in chosen.notes[0]


def test_scenes_that_are_magnified_keep_the_looks_that_go_with_them():
    days = [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2, 3, 4, 5)]
    assets = (Asset("a.tif", BANDS),)
    sizes = (4.0, 4.0, 4.0, 10.0, 11.0)
    scenes = tuple(
        Scene(f"{d:%d}", d, d, assets, gsd_m=gsd) for d, gsd in zip(days, sizes, strict=True)
    )
    catalog = Catalog(scenes, "scenes", HrefPolicy(), (), (), {}, None)
    chosen = plan_site(SITE, catalog, PlanRequest(), CARDS)
    assert (chosen.weights, chosen.gsd_m) == (FINE, 3.0)
    assert [look.gsd_m for look in chosen.looks] == [4.0, 4.0, 4.0, 10.0]
    assert "11.0 m are too coarse" in chosen.left_out[0].reason


@pytest.mark.parametrize("native", [0.1, 3.4])
def test_it_is_said_when_pixels_are_brought_to_another_size(native):
    chosen = plan(native)
    assert chosen.notes == (
        f"pixels of {native:g} m are brought to {chosen.gsd_m:g} m for {chosen.weights}",
    )
    assert plan(0.6).notes == plan(10.0).notes == ()


def test_weights_that_were_asked_for_see_what_they_were_taught():
    chosen = plan(1.0, request=PlanRequest(weights=COARSE))
    assert (chosen.weights, chosen.gsd_m) == (COARSE, 5.0)
    assert chosen.notes == ("pixels of 1 m are brought to 5 m for area-10m",)


@pytest.mark.parametrize(
    ("asked", "weights", "trained"),
    [(40.0, COARSE, "3 to 30 m"), (0.1, FINE, "0.2 to 3 m"), (5.0, COARSE, None)],
)
def test_a_grid_beyond_what_the_weights_know_is_taken_with_a_note(asked, weights, trained):
    chosen = plan(10.0 if asked > 3 else 0.1, request=PlanRequest(gsd_m=asked))
    assert (chosen.weights, chosen.gsd_m) == (weights, asked)
    assert [trained in note for note in chosen.notes] == ([True] if trained else [])


def mixed(*gsds, request=None):
    """A plan of scenes of these pixel sizes on days in turn; panchromatic ones are negative."""
    assets = {True: (Asset("a.tif", (Band(1, "pan", "pan"),)),), False: (Asset("b.tif", BANDS),)}
    days = [datetime(2024, 1, day, tzinfo=UTC) for day in range(1, len(gsds) + 1)]
    scenes = tuple(
        Scene(f"{d:%d}", d, d, assets[gsd < 0], gsd_m=abs(gsd))
        for d, gsd in zip(days, gsds, strict=True)
    )
    catalog = Catalog(scenes, "scenes", HrefPolicy())
    return plan_site(SITE, catalog, request or PlanRequest(), CARDS)


def test_panchromatic_looks_are_seen_in_all_colours_with_a_note():
    found = mixed(-0.5, 0.5, -0.5, 4.0)
    assert found.bands == ("red", "green", "blue")
    assert len(found.looks) == 3
    [note] = found.notes
    assert note.startswith("2 of 3 looks are panchromatic")


@pytest.mark.parametrize(
    ("gsds", "request_", "gsd_m"),
    [
        ((10, 10, -0.5, 10, 10), None, 10.0),
        ((10, -0.5, -0.5, 10), None, 10.0),  # the middle of both is no pixel size of either
        ((-0.5, 0.5, 0.5), PlanRequest(gsd_m=2.0), 2.0),
        ((-0.5, 0.5, 0.5), PlanRequest(weights=COARSE), 5.0),
    ],
)
def test_on_a_coarse_grid_panchromatic_looks_show_nothing(gsds, request_, gsd_m):
    found = mixed(*gsds, request=request_)
    assert found.gsd_m == gsd_m
    assert len(found.looks) == len([gsd for gsd in gsds if gsd > 0])
    assert {"panchromatic" in entry.reason for entry in found.left_out} == {True}
    assert not any("panchromatic" in note for note in found.notes)


def test_panchromatic_looks_count_in_the_middle_of_a_zone_too():
    size = -1.25 / 0.9996
    found = mixed(size, size)
    assert found.gsd_m == 1.3
    assert len(found.looks) == 2


def test_nothing_is_left_where_all_looks_are_panchromatic_on_a_coarse_grid():
    found = mixed(-0.5, -0.5, request=PlanRequest(gsd_m=3.0))
    assert (found.looks, found.grid) == ((), None)
    assert len(found.left_out) == 2


def test_a_site_that_was_not_searched_is_not_called_uncovered():
    elsewhere = Scene("a", FIRST, FIRST, (), footprint=box(0.0, 0.0, 1.0, 1.0))
    why = "the API has trouble"
    catalog = Catalog((elsewhere,), "scenes", HrefPolicy(), incomplete={"s": why})
    missed = plan_site(SITE, catalog, PlanRequest(), CARDS)
    assert (
        remark(SiteOutcome(missed, PreparedSite((), (), ()), None))
        == "not searched to the end: the API has trouble"
    )
    searched = plan_site(replace(SITE, id="other"), catalog, PlanRequest(), CARDS)
    assert (
        remark(SiteOutcome(searched, PreparedSite((), (), ()), None))
        == "not observed: no scene covers it"
    )


def test_a_site_that_was_searched_in_part_says_so():
    assert plan(1.0, incomplete={"s": "the API has trouble"}).notes == (
        "scenes may be missing: the API has trouble",
    )
    assert plan(1.0, incomplete={"other": "the API has trouble"}).notes == ()


@pytest.mark.parametrize(
    ("searched", "told"),
    [
        (None, False),
        ({"s": fingerprint(SITE.geometry)}, False),
        ({"s": fingerprint(box(0, 0, 1, 1))}, True),
        ({"other": fingerprint(SITE.geometry)}, True),
    ],
)
def test_a_site_that_was_added_or_moved_after_the_search(searched, told):
    said = "the site was added or moved after the search (search again)"
    assert plan(1.0, searched=searched).notes == ((f"scenes may be missing: {said}",) * told)
    nowhere = Catalog((), "scenes", HrefPolicy(), searched=searched)
    planned = plan_site(SITE, nowhere, PlanRequest(), CARDS)
    missed = SiteOutcome(planned, PreparedSite((), (), ()), None)
    assert remark(missed) == (
        f"not searched to the end: {said}" if told else "not observed: no scene covers it"
    )


@pytest.mark.parametrize(
    ("corner", "scene", "guessed"),
    [
        ((35.5, 33.9), box(33.0, 35.0, 34.0, 36.0), True),
        ((35.5, 33.9), box(0.0, 0.0, 1.0, 1.0), False),
        ((125.5, 39.5), box(39.0, 125.0, 40.0, 126.0), False),  # no latitude
    ],
    ids=["exchanged", "elsewhere", "impossible"],
)
def test_exchanged_coordinates_are_guessed_where_a_scene_would_show_the_site(
    corner, scene, guessed
):
    x, y = corner
    site = replace(SITE, geometry=box(x, y, x + 0.01, y + 0.01))
    catalog = Catalog((Scene("a", FIRST, FIRST, (), footprint=scene),), "scenes", HrefPolicy())
    notes = plan_site(site, catalog, PlanRequest(), CARDS).notes
    said = "with latitude and longitude exchanged 1 scene would cover it"
    assert notes == ((said,) if guessed else ())
