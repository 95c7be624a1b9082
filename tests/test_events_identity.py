"""What was told of a plot is told under the same id when its outline is cut anew."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from shapely.affinity import translate
from shapely.geometry import box

from groundbreak.events.history import LedgerRow
from groundbreak.events.identity import overlap, renamed_events, renamed_ledger, swapped_ids
from groundbreak.events.objects import KnownObject
from groundbreak.pipeline.sitework import load_objects, save_objects
from groundbreak.types import Event, Interval, Kind

NEW, TORN = Kind.NEW_BUILDING, Kind.DEMOLITION
DAYS = {n: datetime(2024, n, 1, tzinfo=UTC) for n in range(1, 13)}
SPRING, MAY, AUTUMN = (Interval(DAYS[a], DAYS[b]) for a, b in ((3, 6), (5, 6), (9, 11)))
HALL = box(0, 0, 40, 20)
WING = box(0, 0, 14, 20)
"""A third of the hall: too small a part to be the same object by its outline."""
LEAST = 0.3
"""Ratio of areas."""


def event(name: str, kind: Kind = NEW, interval: Interval = SPRING, outline=WING, **links) -> Event:
    return Event(
        id=f"{name}-{kind.value}",
        site_id="port",
        site_name="Port",
        kind=kind,
        interval=interval,
        geometry=outline,
        crs="EPSG:32652",
        confidence=0.9,
        date_confidence=0.9,
        area_m2=outline.area,
        before_scenes=("a",),
        after_scenes=("b",),
        usable_fraction=1.0,
        **links,
    )


def known(name: str, outline=HALL, **told: Interval) -> KnownObject:
    return KnownObject(name, NEW, outline, {Kind(kind): dates for kind, dates in told.items()})


def test_what_is_told_of_another_object_of_the_plot_takes_the_id_it_had() -> None:
    before = [known("old", new_building=SPRING)]
    assert swapped_ids([event("other", interval=MAY)], before, LEAST) == {
        "other": "old",
        "old": "other",
    }


@pytest.mark.parametrize(
    "now",
    [
        event("other", kind=TORN),
        event("other", interval=AUTUMN),
        event("other", outline=translate(WING, 100, 0)),
        event("other", outline=box(-20, 0, 15, 20)),  # mostly beside it
    ],
    ids=["another kind", "another time", "elsewhere", "mostly beside"],
)
def test_another_event_is_another_one(now: Event) -> None:
    assert swapped_ids([now], [known("old", new_building=SPRING)], LEAST) == {}


def test_a_shed_in_the_footprint_of_a_hall_is_another_thing() -> None:
    shed = box(0, 0, 5, 5)
    assert (
        swapped_ids([event("shed", outline=shed)], [known("hall", new_building=SPRING)], 0.3) == {}
    )
    before = [known("shed", shed, new_building=SPRING)]
    assert swapped_ids([event("hall", outline=HALL)], before, LEAST) == {}


def test_an_object_that_still_tells_something_keeps_its_id() -> None:
    before = [known("old", new_building=SPRING, demolition=AUTUMN)]
    now = [event("old", TORN, AUTUMN, HALL), event("other")]
    assert swapped_ids(now, before, LEAST) == {}


def test_what_was_told_of_itself_before_keeps_its_id() -> None:
    before = [known("old", new_building=SPRING), known("shed", WING, new_building=SPRING)]
    assert swapped_ids([event("shed")], before, LEAST) == {}


def test_of_two_the_one_that_covers_more_of_it_takes_the_id() -> None:
    now = [event("less"), event("more", outline=box(10, 0, 40, 20))]
    assert swapped_ids(now, [known("old", new_building=SPRING)], LEAST) == {
        "more": "old",
        "old": "more",
    }


def test_links_and_the_ledger_go_along() -> None:
    torn = event("first", TORN, replaced_by=("other-new_building",))
    new = event("other", NEW, AUTUMN, replaces=("first-demolition",))
    swapped = {"other": "old", "old": "other"}
    torn, new = renamed_events([torn, new], swapped)
    assert (torn.id, torn.replaced_by) == ("first-demolition", ("old-new_building",))
    assert (new.id, new.replaces) == ("old-new_building", ("first-demolition",))
    [silent] = renamed_events([event("x", replaced_by=("other-demolition",))], swapped)
    assert silent.replaced_by == ("old-demolition",)  # of an event that is not told itself
    rows = [LedgerRow(name, "L0", 1.0, True, "", 0.5) for name in ("other", "old", "first")]
    assert [row.object_id for row in renamed_ledger(rows, swapped)] == ["old", "other", "first"]


def test_dates_that_only_meet_do_not_overlap() -> None:
    assert overlap(SPRING, MAY)
    assert not overlap(SPRING, Interval(DAYS[6], DAYS[9]))
    assert overlap(Interval(None, DAYS[4]), SPRING)
    assert overlap(Interval(DAYS[4], None), SPRING)
    assert not overlap(Interval(DAYS[6], None), SPRING)


@pytest.mark.parametrize(
    ("part", "damage"),
    [
        ("2024-03-01T00:00:00Z", "2024-03-01T00:00:00"),  # in no time zone
        ('"id": "old"', '"id": ["old"]'),
        ("[40.0, 20.0]", "[-40.0, 20.0]"),  # crosses itself
    ],
)
def test_damage_that_can_be_read_counts_as_damage(tmp_path, part, damage) -> None:
    save_objects(tmp_path, [known("old", new_building=SPRING)])
    whole = (tmp_path / "objects.json").read_text()
    assert part in whole
    (tmp_path / "objects.json").write_text(whole.replace(part, damage, 1))
    assert load_objects(tmp_path) is None


def test_the_working_folder_keeps_what_was_told(tmp_path) -> None:
    objects = [
        known("old", new_building=SPRING, demolition=Interval(DAYS[9], None)),
        replace(known("quiet"), founded_by=TORN),
        replace(known("away", new_building=SPRING), followed=False),
    ]
    save_objects(tmp_path, objects)
    assert load_objects(tmp_path) == objects
    text = (tmp_path / "objects.json").read_text()
    old = text.replace('"told"', '"else"').replace('"followed"', '"other"')
    (tmp_path / "objects.json").write_text(old)  # as once written
    assert load_objects(tmp_path) == [replace(one, told={}, followed=True) for one in objects]
